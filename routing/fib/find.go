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
	addr [lanes][2]uint64
	top  [lanes]uint8  // the place in FIB.tops
	way  [lanes]uint16 // what was found
	ways *ways         // that it is a number of
	more [lanes]*Way   // of those without a number

	quarter [lanes]uint32 // as slots have it
	index   [lanes]uint8  // of the byte in the quarter
	set     [lanes]uint64 // first word of the quarter
	below   [lanes]uint64 // words of wide quarters
	active  [lanes]uint8  // lanes that have a quarter to look at
	lane    [lanes]uint8  // some lanes
}

// Reset empties q.
func (q *Query) Reset() { q.n = 0 }

// Forget lets go of the FIB that was asked last: what Find has found is no longer
// to be had. Who waits for the next packets must not keep a table in memory.
func (q *Query) Forget() { q.ways = nil }

// Full reports whether no more addresses can be added.
func (q *Query) Full() bool { return q.n == lanes }

// Add4 adds an IPv4 address, of four bytes as they lie in a packet. q must not
// be full.
func (q *Query) Add4(b []byte) { q.add(uint64(binary.BigEndian.Uint32(b))<<32, 0, four) }

// Add6 adds an IPv6 address, of sixteen bytes as they lie in a packet. q must
// not be full.
func (q *Query) Add6(b []byte) {
	_ = b[15]
	q.add(binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), six)
}

func (q *Query) add(hi, lo uint64, family uint8) {
	i := q.n & (lanes - 1)
	q.addr[i] = [2]uint64{hi, lo}
	q.top[i] = family<<4 | uint8(hi>>60)
	q.n++
}

// Way gives what Find has found for the address added as number i, counted from
// 0: how packets to it are forwarded, nil where no prefix contains it.
func (q *Query) Way(i int) *Way {
	n := q.way[i&(lanes-1)]
	if n == unnumbered {
		return q.more[i&(lanes-1)]
	}
	return q.ways.pages[n/wayPage][n%wayPage]
}

// Find looks up all addresses of q. It allocates nothing. q holds what was found,
// and f, until the next Find or Forget.
func (f *FIB) Find(q *Query) {
	q.ways = &f.ways
	if f.words.pages <= f.few {
		for i := range q.addr[:q.n&63] {
			a := &q.addr[i&(lanes-1)]
			q.way[i&(lanes-1)] = f.number(q.top[i&(lanes-1)], a[0], a[1])
		}
	} else {
		f.together(q)
	}
	if len(f.ways.more) > 0 {
		f.unnumbered(q)
	}
}

// fewPages of nodes are always near the processor: nothing is to be gained by
// looking up addresses side by side.
const fewPages = 64

// number gives the number of the way to one address.
func (f *FIB) number(top uint8, hi, lo uint64) uint16 {
	g := f.tops[top&31]
	c := g.chunk[hi>>56&15]
	b := hi >> 48 & 255
	way := c.way[b]
	if way == 0 {
		way = g.way[hi>>56&15]
	}
	v, index := c.slots[b][hi>>46&3], hi>>40&63
	if v == 0 {
		return way
	}
	at := v & slotPlace
	first := f.words.shelves[0]
	page := f.words.near(first, at)
	for marks := v &^ slotPlace; ; {
		var n uint32
		if marks&denseSlot != 0 {
			n = uint32(index & 63)
		} else {
			n = uint32(bits.OnesCount64(page[at%pageWords] << (63 - index&63)))
			at++
		}
		if marks&wideSlot == 0 {
			if w := uint16(page[(at+n/4)%pageWords] >> (n % 4 * 16)); w != 0 {
				return w
			}
			return way
		}
		x := page[(at+n)%pageWords]
		if w := uint16(x >> wayShift); w != 0 {
			way = w
		}
		if at = uint32(x); at == 0 {
			return way
		}
		depth := uint8(x >> depthShift & depthMask)
		page = f.words.near(first, at) // all of a node lies in one page
		h, shift := half(hi, lo, depth-1)
		b := byteAt(hi, lo, depth)
		quarter := uint32(page[(at+1)%pageWords]>>(b>>6*16)) & 0xffff
		if quarter == 0 || (h^page[at%pageWords])>>(shift&63) != 0 {
			return way // the address does not lie behind the stem's bytes, or nothing is there
		}
		at += quarter & quarterPlace
		marks, index = quarter&^quarterPlace<<16, uint64(b)
	}
}

// all lists all lanes.
var all = func() (list [lanes]uint8) {
	for i := range list {
		list[i] = uint8(i)
	}
	return list
}()

// together looks the addresses of q up side by side. There is no branch but for
// the loops: one that depends on what memory holds would be foreseen wrongly as
// often as not, and have the other lanes wait. For the same reason each loop does
// little: what the processor has in hand at a time has to reach far ahead.
func (f *FIB) together(q *Query) {
	q.lane = all
	active := f.begin(q, q.n)
	if len(f.short.pages) == 0 {
		f.descend(q, active)
		return
	}
	cut := f.cut(q, active)
	f.descend(q, active)
	// Where the short cut has led to nothing, a prefix of up to 32 bits may still
	// be right.
	k := 0
	for j := range q.lane[:cut&63] {
		i := q.lane[j&(lanes-1)]
		q.lane[k&(lanes-1)] = i
		k += int((uint32(q.way[i&(lanes-1)]) - 1) >> 31)
	}
	if k > 0 {
		f.descend(q, f.begin(q, k))
	}
}

// begin looks up the first two bytes of the first n addresses in q.lane, and
// gives how many of them have a quarter to look at.
func (f *FIB) begin(q *Query, n int) int {
	k := 0
	for j := range q.lane[:n&63] {
		i := q.lane[j&(lanes-1)] & (lanes - 1)
		hi := q.addr[i][0]
		g := f.tops[q.top[i]&31]
		c := g.chunk[hi>>56&15]
		b := hi >> 48 & 255
		way := g.way[hi>>56&15]
		if w := c.way[b]; w != 0 {
			way = w
		}
		q.way[i] = way
		v := c.slots[b][hi>>46&3]
		q.quarter[i] = v
		q.index[i] = uint8(hi >> 40 & 63)
		q.active[k&(lanes-1)] = i
		k += int((uint64(v) + placeMask) >> 32)
	}
	return k
}

// cut takes the short cut with those of the first k active lanes that have one:
// they go on from there, without a way so far. It lists them in q.lane, and gives
// how many there are.
func (f *FIB) cut(q *Query, k int) int {
	pages := f.short.pages
	n := 0
	for j := range q.active[:k&63] {
		i := q.active[j&(lanes-1)] & (lanes - 1)
		q.lane[n&(lanes-1)] = i
		n += int(q.top[i] >> 4) // only IPv6
	}
	cut := 0
	for j := range q.lane[:n&63] {
		i := q.lane[j&(lanes-1)] & (lanes - 1)
		hi := q.addr[i][0]
		key := uint32(hi >> 32)
		page, at := spotOf(pages, key)
		b := &pages[page][at]
		found := 3
		if b.key[0] == key {
			found = 0
		}
		if b.key[1] == key {
			found = 1
		}
		if b.key[2] == key {
			found = 2
		}
		v, index, way := q.quarter[i], q.index[i], q.way[i]
		if w := b.quarter[found%3][hi>>30&3]; found < 3 {
			v, index, way = w, uint8(hi>>24&63), 0
		}
		q.quarter[i], q.index[i], q.way[i] = v, index, way
		q.lane[cut&(lanes-1)] = i
		cut += (6 - found) >> 2
	}
	return cut
}

// descend goes on from the quarters of the first k active lanes, down to the
// longest prefixes.
func (f *FIB) descend(q *Query, k int) {
	shelves := f.words.shelves
	for k > 0 {
		for j := range q.active[:k&63] {
			i := q.active[j&(lanes-1)] & (lanes - 1)
			v := q.quarter[i]
			// Of a dense quarter this is the word with the value.
			dense, narrow := v>>30&1, ^v>>31
			at := v&slotPlace + uint32(q.index[i])>>(2*narrow)*dense
			q.set[j&(lanes-1)] = pageAt(shelves, at)[at%pageWords]
		}
		next := 0
		for j := range q.active[:k&63] {
			i := q.active[j&(lanes-1)] & (lanes - 1)
			v := q.quarter[i]
			n := uint32(bits.OnesCount64(q.set[j&(lanes-1)] << (63 - q.index[i]&63)))
			dense, narrow := v>>30&1, ^v>>31
			if dense != 0 {
				n = uint32(q.index[i])
			}
			// A wide quarter has one value to a word, a narrow one four.
			at := v&slotPlace + 1 - dense + n>>(2*narrow)
			x := pageAt(shelves, at)[at%pageWords] << ((48 - 16*(n&3)) * narrow & 63)
			way := uint16(x >> wayShift)
			if way == 0 {
				way = q.way[i]
			}
			q.way[i] = way
			x &= uint64(narrow) - 1
			q.below[i] = x
			q.active[next&(lanes-1)] = i
			next += int((x&placeMask + placeMask) >> 32)
		}
		k = next
		for j := range q.active[:k&63] {
			i := q.active[j&(lanes-1)] & (lanes - 1)
			at := uint32(q.below[i])
			depth := q.below[i] >> depthShift & depthMask
			g := pageAt(shelves, at)
			b := q.addr[i][depth>>3&1] >> (56 - depth&7*8) & 255
			other := (q.addr[i][(depth-1)>>3&1] ^ g[at%pageWords]) >> (56 - (depth-1)&7*8)
			v := uint32(g[(at+1)%pageWords]>>(b>>6*16)) & 0xffff
			if other != 0 {
				v = 0 // the address does not lie behind the stem's bytes
			}
			// A quarter without a value stays at 0.
			at &= uint32(int32(-v) >> 31)
			v = at + v&quarterPlace | v&^quarterPlace<<16
			q.quarter[i], q.index[i] = v, uint8(b&63)
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
			which := int(q.top[i] >> 4)
			hi, lo := q.addr[i][0], q.addr[i][1]
			_, bits := f.of(which).lookup(hi, lo)
			q.more[i] = f.ways.more[prefixOf(hi, lo, bits, which == six)]
		}
	}
}

// Way is Find for one address: how packets to it are forwarded, nil where no
// prefix contains it. What holds of an address for Lookup holds here.
func (f *FIB) Way(a netip.Addr) *Way {
	var n uint16
	switch {
	case a.Is4():
		hi, lo := parts4(a)
		n = f.number(four<<4|uint8(hi>>60), hi, lo)
	case a.Is6():
		hi, lo := parts6(a)
		n = f.number(six<<4|uint8(hi>>60), hi, lo)
	}
	if n == unnumbered {
		return f.ways.more[f.Lookup(a).Prefix]
	}
	return f.ways.pages[n/wayPage][n%wayPage]
}
