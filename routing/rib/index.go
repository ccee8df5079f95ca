package rib

import (
	"cmp"
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"
)

// index finds the numbers of prefixes, and walks them in order. It has one
// writer, the RIB's owner.
//
// Each family is divided by the first bytes of the address into bins of at most
// fullBin prefixes, as deep as it takes. A bin is a hash table of numbers; the
// prefixes themselves stand in the slabs. So there is a handful of bytes for each
// prefix and no pointer, no change touches more than one bin, and in order the
// bins only need sorting one by one.
type index struct {
	families [2]bin
	lengths  [2][129]int // how many prefixes there are of each length
}

// bin is the prefixes whose addresses begin with the same bytes.
type bin struct {
	n     int        // prefixes, those below included
	below *[256]*bin // by the next byte; nil = they are in the hash table
	tags  []uint8    // of slots: empty, removed, or some bits of the hash
	slots []number
	holes int // slots that are removed
}

const (
	fullBin = 256
	empty   = 0
	removed = 1
)

// key is a prefix as the index takes it: an address from the left, IPv4 in the
// first four bytes.
type key struct {
	hi, lo uint64
	bits   uint8
	six    bool
}

func keyOf(p netip.Prefix) key {
	a := p.Addr()
	if a.Is4() {
		b := a.As4()
		return key{hi: uint64(binary.BigEndian.Uint32(b[:])) << 32, bits: uint8(p.Bits())}
	}
	b := a.As16()
	return key{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:]), uint8(p.Bits()), true}
}

func (k key) prefix() netip.Prefix {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], k.hi)
	if !k.six {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(b[:])), int(k.bits))
	}
	binary.BigEndian.PutUint64(b[8:], k.lo)
	return netip.PrefixFrom(netip.AddrFrom16(b), int(k.bits))
}

// key gives the prefix of n.
func (t *slabs) key(n number) key {
	d := t.at(n)
	if !d.is(isIPv6) {
		return key{hi: uint64(d.key) << 32, bits: d.bits}
	}
	b := t.six.at(d.key)
	return key{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:]), d.bits, true}
}

func (k *key) family() int {
	if k.six {
		return 1
	}
	return 0
}

// at gives the byte number depth of the address.
func (k *key) at(depth int) uint8 {
	if depth < 8 {
		return uint8(k.hi >> (56 - 8*depth))
	}
	return uint8(k.lo >> (56 - 8*(depth-8)))
}

// compare is the order of address and length.
func (k *key) compare(o *key) int {
	return cmp.Or(cmp.Compare(k.hi, o.hi), cmp.Compare(k.lo, o.lo), cmp.Compare(k.bits, o.bits))
}

// masked gives the prefix of so many bits that contains k.
func (k key) masked(bits int) key {
	k.bits = uint8(bits)
	switch {
	case bits == 0:
		k.hi, k.lo = 0, 0
	case bits <= 64:
		k.hi, k.lo = k.hi>>(64-bits)<<(64-bits), 0
	default:
		k.lo = k.lo >> (128 - bits) << (128 - bits)
	}
	return k
}

func (k *key) hash() uint64 {
	h := (k.hi ^ k.lo*0x9fb21c651e98df25 ^ uint64(k.bits)<<20) * 0x9e3779b97f4a7c15
	return (h ^ h>>29) * 0xbf58476d1ce4e5b9
}

func tagOf(h uint64) uint8 { return max(uint8(h), removed+1) }

// bin gives the bin that k belongs to, and how many bytes of the address led
// there.
func (x *index) bin(k *key) (b *bin, depth int) {
	b = &x.families[k.family()]
	for b.below != nil {
		next := b.below[k.at(depth)]
		if next == nil {
			return nil, depth
		}
		b, depth = next, depth+1
	}
	return b, depth
}

// slot gives the slot of k, -1 if it has none.
func (t *slabs) slot(b *bin, k *key) int {
	if len(b.slots) == 0 {
		return -1
	}
	h := k.hash()
	tag, mask := tagOf(h), len(b.slots)-1
	for i := int(h>>32) & mask; b.tags[i] != empty; i = (i + 1) & mask {
		if b.tags[i] != tag {
			continue
		}
		d := t.at(b.slots[i])
		switch {
		case d.bits != k.bits:
		case !k.six && uint64(d.key)<<32 == k.hi:
			return i
		case k.six:
			if o := t.key(b.slots[i]); o == *k {
				return i
			}
		}
	}
	return -1
}

// lookup gives the number of exactly this prefix, 0 if it has none.
func (t *slabs) lookup(k key) number {
	b, _ := t.index.bin(&k)
	if b == nil {
		return 0
	}
	if i := t.slot(b, &k); i >= 0 {
		return b.slots[i]
	}
	return 0
}

// enter puts the number of a prefix into the index, which must not have it. The
// slabs have the prefix.
func (t *slabs) enter(k key, n number) {
	x := &t.index
	x.lengths[k.family()][k.bits]++
	b, depth := &x.families[k.family()], 0
	for {
		b.n++
		if b.below == nil && b.n > fullBin && depth < 16 {
			t.divide(b, depth)
		}
		if b.below == nil {
			break
		}
		next := &b.below[k.at(depth)]
		if *next == nil {
			*next = &bin{}
		}
		b, depth = *next, depth+1
	}
	if 4*(b.n+b.holes) > 3*len(b.slots) {
		t.resize(b)
	}
	b.put(k.hash(), n)
}

// put takes the first free slot for a number.
func (b *bin) put(h uint64, n number) {
	mask := len(b.slots) - 1
	i := int(h>>32) & mask
	for b.tags[i] > removed {
		i = (i + 1) & mask
	}
	if b.tags[i] == removed {
		b.holes--
	}
	b.tags[i], b.slots[i] = tagOf(h), n
}

// resize makes the hash table such that its prefixes, one more perhaps, fill
// between a third and two thirds of it.
func (t *slabs) resize(b *bin) {
	size := 4
	for 2*size < 3*b.n {
		size *= 2
	}
	was := *b
	b.tags, b.slots, b.holes = make([]uint8, size), make([]number, size), 0
	for i, tag := range was.tags {
		if tag > removed {
			k := t.key(was.slots[i])
			b.put(k.hash(), was.slots[i])
		}
	}
}

// divide distributes a full bin by the next byte of the addresses. Prefixes of one
// address cannot fill it.
func (t *slabs) divide(b *bin, depth int) {
	b.below = new([256]*bin)
	counts := [256]int{}
	for i, tag := range b.tags {
		if tag > removed {
			k := t.key(b.slots[i])
			counts[k.at(depth)]++
		}
	}
	for i, tag := range b.tags {
		if tag <= removed {
			continue
		}
		k := t.key(b.slots[i])
		at := k.at(depth)
		c := b.below[at]
		if c == nil {
			c = &bin{n: counts[at]}
			b.below[at] = c
			t.resize(c)
		}
		c.put(k.hash(), b.slots[i])
	}
	b.tags, b.slots, b.holes = nil, nil, 0
}

// leave takes a prefix out of the index.
func (t *slabs) leave(k key) {
	x := &t.index
	x.lengths[k.family()][k.bits]--
	b := &x.families[k.family()]
	for depth := 0; ; depth++ {
		b.n--
		if b.n == 0 {
			*b = bin{}
			return
		}
		if b.below == nil {
			break
		}
		next := &b.below[k.at(depth)]
		if (*next).n == 1 {
			*next = nil
			return
		}
		b = *next
	}
	i := t.slot(b, &k)
	b.tags[i], b.slots[i] = removed, 0
	if b.tags[(i+1)&(len(b.tags)-1)] == empty {
		b.tags[i] = empty
	} else {
		b.holes++
	}
	if len(b.slots) > 8 && 8*b.n < len(b.slots) {
		t.resize(b)
	}
}

// above yields the prefixes that contain a, the longest first.
func (t *slabs) above(a netip.Addr) iter.Seq[number] {
	return func(yield func(number) bool) {
		k := keyOf(hostPrefix(a))
		for bits := int(k.bits); bits >= 0; bits-- {
			if t.index.lengths[k.family()][bits] == 0 {
				continue
			}
			if n := t.lookup(k.masked(bits)); n != 0 && !yield(n) {
				return
			}
		}
	}
}

// behind yields the prefixes behind after in order of address and length, IPv4
// first; all for the zero Prefix. None may come or go meanwhile.
func (t *slabs) behind(after netip.Prefix) iter.Seq[number] {
	return func(yield func(number) bool) {
		w := walk{slabs: t, yield: yield}
		family := 0
		if after.IsValid() {
			w.after, w.bounded = keyOf(after.Masked()), true
			family = w.after.family()
		}
		for ; family < 2; family++ {
			if !w.bin(&t.index.families[family], 0, w.bounded) {
				return
			}
			w.bounded = false
		}
	}
}

// walk is a walk over the index in order.
type walk struct {
	*slabs
	yield   func(number) bool
	after   key
	bounded bool // only what is behind after
	list    []walked
}

type walked struct {
	key
	n number
}

// bin walks over a bin, of which the first bytes are those of after if it is
// bounded, and reports whether to go on.
func (w *walk) bin(b *bin, depth int, bounded bool) bool {
	if b.below != nil {
		first := 0
		if bounded {
			first = int(w.after.at(depth))
		}
		for i := first; i < 256; i++ {
			if c := b.below[i]; c != nil && !w.bin(c, depth+1, bounded && i == first) {
				return false
			}
		}
		return true
	}
	w.list = w.list[:0]
	for i, tag := range b.tags {
		if tag > removed {
			w.list = append(w.list, walked{w.slabs.key(b.slots[i]), b.slots[i]})
		}
	}
	slices.SortFunc(w.list, func(a, b walked) int { return a.compare(&b.key) })
	for i := range w.list {
		if x := &w.list[i]; (!bounded || x.compare(&w.after) > 0) && !w.yield(x.n) {
			return false
		}
	}
	return true
}

// sizes is how many prefixes there are, IPv4 and IPv6.
func (x *index) sizes() (v4, v6 int) { return x.families[0].n, x.families[1].n }
