package fib

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// lanes is how many addresses are looked up side by side. Each step is made for
// all of them before the next, so that their loads from memory overlap.
const lanes = 32

// QuerySize is how many addresses a [Query] takes.
const QuerySize = lanes

// Query is up to 32 addresses that are looked up at once. It is memory to be
// used again and again, by one goroutine at a time: Reset, Add for each address,
// [FIB.Find], Way for each.
type Query struct {
	n    int
	six  uint32 // a bit for each address of IPv6
	hi   [lanes]uint64
	lo   [lanes]uint64
	way  [lanes]uint16 // what was found
	ways []*Way        // that it is a number of
	more [lanes]*Way   // of those without a number

	list    [lanes]uint8  // lanes of one family
	active  [lanes]uint8  // lanes that have a quarter to look at
	paged   [lanes]uint8  // lanes that have a page to look at
	fanned  [lanes]uint8  // lanes that have a fan to look at
	index   [lanes]uint8  // of the byte in the quarter
	quarter [lanes]uint32 // its place, and denseLane
	touched [lanes]uint16 // of what has been read ahead
	below   [lanes]uint16 // values that lead further
	half    [lanes]uint64 // of nodes
	node    [lanes]uint64 // their words
	set     [lanes]uint64 // first words of quarters
}

const (
	denseLane = 1 << 31
	laneMask  = 1<<16 - 1
)

// Reset empties q.
func (q *Query) Reset() { q.n, q.six = 0, 0 }

// Forget lets go of the FIB that was asked last: what Find has found is no longer
// to be had. Who waits for the next packets must not keep a table in memory.
func (q *Query) Forget() { q.ways = nil }

// Full reports whether no more addresses can be added.
func (q *Query) Full() bool { return q.n == lanes }

// Add4 adds an IPv4 address, of four bytes as they lie in a packet. q must not
// be full.
func (q *Query) Add4(b []byte) {
	q.hi[q.n&(lanes-1)] = uint64(binary.BigEndian.Uint32(b)) << 32
	q.n++
}

// Add6 adds an IPv6 address, of sixteen bytes as they lie in a packet. q must
// not be full.
func (q *Query) Add6(b []byte) {
	_ = b[15]
	i := q.n & (lanes - 1)
	q.hi[i], q.lo[i] = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	q.six |= 1 << i
	q.n++
}

// Way gives what Find has found for the address added as number i, counted from
// 0: how packets to it are forwarded, nil where no prefix contains it.
func (q *Query) Way(i int) *Way {
	n := q.way[i&(lanes-1)]
	if n == unnumbered {
		return q.more[i&(lanes-1)]
	}
	return q.ways[n]
}

// Find looks up all addresses of q. It allocates nothing. q holds what was found,
// and f, until the next Find or Forget.
func (f *FIB) Find(q *Query) {
	q.ways = f.ways.list
	if f.count[four]+f.count[six] <= f.few {
		f.oneByOne(q)
	} else {
		f.together(q)
	}
	if f.facts.without > 0 || len(f.facts.more) > 0 {
		f.unnumbered(q)
	}
}

// oneByOne looks up the addresses of q. Packets come in trains to one address: each
// of these is looked up once.
func (f *FIB) oneByOne(q *Query) {
	for i := range q.hi[:q.n&63] {
		i &= lanes - 1
		switch before := (i - 1) & (lanes - 1); {
		case i > 0 && q.hi[i] == q.hi[before] && q.six>>before&3 == 0:
			q.way[i] = q.way[before]
		case q.six>>i&1 == 0:
			q.way[i] = f.number4(q.hi[i])
		case i > 0 && q.hi[i] == q.hi[before] && q.lo[i] == q.lo[before] && q.six>>before&1 == 1:
			q.way[i] = q.way[before]
		default:
			q.way[i] = f.number6(q.hi[i], q.lo[i])
		}
	}
}

// fewPrefixes are always near the processor: nothing is to be gained by looking up
// addresses side by side.
const fewPrefixes = 10000

// number4 gives the number of the way to one address.
func (f *FIB) number4(hi uint64) uint16 {
	d := f.four[hi>>60][hi>>56&15].to[hi>>51&31]
	v := d.to[hi>>46&31][hi>>40&63]
	if v == 0 {
		return f.short[four][hi>>56]
	}
	if v < firstLink {
		return uint16(v)
	}
	return d.links[hi>>48&7][v-firstLink].descend(hi, 0, f.short[four][hi>>56])
}

// descend goes on in a block, down to the longest prefix.
func (l link) descend(hi, lo uint64, way uint16) uint16 {
	front, node := l.half, l.node
	if l.way != 0 {
		way = l.way
	}
	for {
		depth := uint8(node >> depthShift & depthMask)
		h, shift := half(hi, lo, depth-1)
		b := byteAt(hi, lo, depth)
		quarter := uint32(node>>(b>>6*8)) & 0xff
		if quarter == 0 || (h^front)>>(shift&63) != 0 {
			return way // the address does not lie behind the stem's bytes, or nothing is there
		}
		at := uint32(node>>placeShift)&placeMask + quarter&quarterPlace
		n := uint32(b & 63)
		if quarter&denseQuarter == 0 {
			n = uint32(bits.OnesCount64(l.words[at] << (63 - n)))
			at++
		}
		v := uint16(l.words[at+n/4] >> (n % 4 * 16))
		longer := v
		switch {
		case v == 0:
			return way
		case v&isBelow == 0:
			return v
		case v&isApart == 0:
			front, node = l.words[v&belowMask], l.words[v&belowMask+1]
			longer = uint16(node >> wayShift)
		default:
			l = l.links[v&belowMask]
			front, node = l.half, l.node
			longer = l.way
		}
		if longer != 0 {
			way = longer
		}
	}
}

// all lists all lanes.
var all = func() (list [lanes]uint8) {
	for i := range list {
		list[i] = uint8(i)
	}
	return list
}()

// blocks is where lanes are.
type blocks [lanes]*block

// together looks the addresses of q up side by side. There is no branch but for
// the loops: one that depends on what memory holds would be foreseen wrongly as
// often as not, and have the other lanes wait. For the same reason each loop does
// little: what the processor has in hand at a time has to reach far ahead.
func (f *FIB) together(q *Query) {
	n := q.n & 63
	everyone := uint32(1<<n - 1)
	switch q.six {
	case 0:
		f.together4(q, all[:n])
	case everyone:
		f.together6(q, all[:n])
	default:
		f.together4(q, q.of(everyone&^q.six))
		f.together6(q, q.of(q.six))
	}
}

// of lists the lanes of a set.
func (q *Query) of(set uint32) []uint8 {
	n := 0
	for ; set != 0; set &= set - 1 {
		q.list[n&(lanes-1)] = uint8(bits.TrailingZeros32(set))
		n++
	}
	return q.list[:n&63]
}

func (f *FIB) together4(q *Query, list []uint8) {
	top, short := &f.four, f.short[four]
	var to [lanes]*quarter
	for _, i := range list {
		i &= lanes - 1
		hi := q.hi[i]
		to[i] = top[hi>>60][hi>>56&15].to[hi>>51&31].to[hi>>46&31]
	}
	for _, i := range list { // nothing else, so that the reads come close together
		i &= lanes - 1
		q.index[i] = to[i][q.hi[i]>>40&63]
	}
	k := 0
	for _, i := range list {
		i &= lanes - 1
		hi := q.hi[i]
		v := uint32(q.index[i])
		way := uint16(v)
		if w := short[hi>>56]; v == 0 {
			way = w
		}
		q.way[i] = way
		q.active[k&(lanes-1)] = i
		k += int((v + mostLinks) >> 8)
	}
	if k == 0 {
		return
	}
	var at blocks
	for _, i := range q.active[:k&63] {
		i &= lanes - 1
		hi := q.hi[i]
		l := &top[hi>>60][hi>>56&15].to[hi>>51&31].links[hi>>48&7][q.way[i]-firstLink]
		at[i] = l.block
		q.way[i] = l.way
		if l.way == 0 {
			q.way[i] = short[hi>>56]
		}
	}
	q.descend(&at, k)
}

// descend goes on with the first k active lanes, which are at the beginning of
// blocks, down to the longest prefixes.
func (q *Query) descend(at *blocks, k int) {
	for j := range q.active[:k&63] {
		i := q.active[j&(lanes-1)] & (lanes - 1)
		l := at[i]
		q.half[i], q.node[i] = l.half, l.node
	}
	for k > 0 {
		active := 0
		for j := range q.active[:k&63] {
			i := q.active[j&(lanes-1)] & (lanes - 1)
			front, node := q.half[i], q.node[i]
			depth := node >> depthShift & depthMask
			h, low := q.hi[i], q.hi[i]
			if depth > 8 {
				h = q.lo[i]
			}
			if depth > 7 {
				low = q.lo[i]
			}
			b := low >> (56 - depth&7*8) & 255
			other := (h ^ front) >> (56 - (depth-1)&7*8)
			v := uint32(node>>(b>>6*8)) & 0xff
			if other != 0 {
				v = 0 // the address does not lie behind the stem's bytes
			}
			q.quarter[i], q.index[i] = (uint32(node>>placeShift)&placeMask+v&quarterPlace)|v>>7<<31, uint8(b&63)
			q.active[active&(lanes-1)] = i
			active += int((v + 0xff) >> 8)
		}
		for j := range q.active[:active&63] {
			i := q.active[j&(lanes-1)] & (lanes - 1)
			v, n, words := q.quarter[i], uint32(q.index[i]), at[i].words
			dense := v >> 31
			// Of a dense quarter this is the word with the value.
			q.set[j&(lanes-1)] = words[v&laneMask+n>>2*dense]
		}
		k = 0
		for j := range q.active[:active&63] {
			i := q.active[j&(lanes-1)] & (lanes - 1)
			v, n, words := q.quarter[i], uint32(q.index[i]), at[i].words
			dense := v >> 31
			ones := uint32(bits.OnesCount64(q.set[j&(lanes-1)] << (63 - n&63)))
			if dense == 0 {
				n = ones
			}
			x := uint16(words[v&laneMask+1-dense+n>>2] >> (n & 3 * 16))
			way := q.way[i]
			if int16(x) > 0 {
				way = x
			}
			q.way[i] = way
			q.below[i] = x
			q.active[k&(lanes-1)] = i
			k += int(x >> 15)
		}
		for j := range q.active[:k&63] {
			i := q.active[j&(lanes-1)] & (lanes - 1)
			if x := q.below[i]; x&isApart != 0 {
				l := &at[i].links[x&belowMask]
				at[i] = l.block
				if l.way != 0 {
					q.way[i] = l.way
				}
			}
		}
		for j := range q.active[:k&63] {
			i := q.active[j&(lanes-1)] & (lanes - 1)
			x, l := q.below[i], at[i]
			if x&isApart != 0 {
				q.half[i], q.node[i] = l.half, l.node
				continue
			}
			node := l.words[x&belowMask+1]
			q.half[i], q.node[i] = l.words[x&belowMask], node
			if w := uint16(node >> wayShift); w != 0 {
				q.way[i] = w
			}
		}
	}
}

// parts4 and parts6 give the bytes of an address in two halves.
func parts4(a netip.Addr) (hi, lo uint64) {
	b := a.As4()
	return uint64(binary.BigEndian.Uint32(b[:])) << 32, 0
}

func parts6(a netip.Addr) (hi, lo uint64) {
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

// unnumbered finds the ways of addresses whose entries have no number.
func (f *FIB) unnumbered(q *Query) {
	for i, n := range q.way[:q.n&63] {
		q.more[i] = nil
		if n == unnumbered {
			q.more[i] = f.sought(int(q.six>>i&1), q.hi[i&(lanes-1)], q.lo[i&(lanes-1)])
		}
	}
}

// sought gives the way of the longest prefix that contains an address; there has to be
// one.
func (f *FIB) sought(which int, hi, lo uint64) *Way {
	x, bits := f.of(which).lookup(hi, lo)
	return f.facts.of(x, prefixOf(hi, lo, bits, which == six)).way
}

// Way is Find for one address: how packets to it are forwarded, nil where no
// prefix contains it. What holds of an address for Lookup holds here.
func (f *FIB) Way(a netip.Addr) *Way {
	var n uint16
	switch {
	case a.Is4():
		hi, _ := parts4(a)
		if n = f.number4(hi); n == unnumbered {
			return f.sought(four, hi, 0)
		}
	case a.Is6():
		hi, lo := parts6(a)
		if n = f.number6(hi, lo); n == unnumbered {
			return f.sought(six, hi, lo)
		}
	}
	return f.ways.list[n]
}
