package rib

import (
	"cmp"
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"
)

// index finds the numbers of prefixes, and walks them in order. It has one
// writer, the RIB's owner, who is also its only reader.
//
// Each family is divided by the first bytes of the address into bins of at most
// fullBin prefixes, as deep as it takes. A bin is a list of numbers in order; the
// prefixes themselves stand in the slabs, all but two bytes of each. So there is a
// handful of bytes for each prefix and no pointer, and no change touches more than
// one bin. Prefixes mostly come in order: then each stands where the one before
// said it would.
type index struct {
	families [2]bin
	lengths  [2][129]int // how many prefixes there are of each length
	last     cursor
}

// bin is the prefixes whose addresses begin with the same bytes.
type bin struct {
	n     int        // prefixes, or the bins below
	below *[256]*bin // by the next byte; nil = the prefixes are in slots
	slots []number   // in order
	heads []uint16   // of the same: the two bytes that follow
}

const fullBin = 256

// cursor is where a prefix was found last, or its place.
type cursor struct {
	bin   *bin // nil = it is nowhere
	depth int
	next  int    // in the bin, where the prefix that follows would stand
	hi    uint64 // of the address
	six   bool
}

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

// head gives the two bytes of the address from depth on.
func (k *key) head(depth int) uint16 {
	switch {
	case depth < 7:
		return uint16(k.hi >> (48 - 8*depth))
	case depth == 7:
		return uint16(k.hi<<8 | k.lo>>56)
	case depth < 15:
		return uint16(k.lo >> (48 - 8*(depth-8)))
	}
	return uint16(k.lo << 8)
}

// holds reports whether k belongs to the bin of c.
func (c *cursor) holds(k *key) bool {
	return c.bin != nil && c.six == k.six && c.depth <= 8 && (c.hi^k.hi)>>(64-8*c.depth) == 0
}

// leaf gives the bin that k belongs to, and how many bytes of the address led
// there. It is nil if there is none, unless it is to be made.
func (x *index) leaf(k *key, made bool) (b *bin, depth int) {
	if x.last.holds(k) {
		return x.last.bin, x.last.depth
	}
	b = &x.families[k.family()]
	for b.below != nil {
		next := &b.below[k.at(depth)]
		if *next == nil {
			if !made {
				return nil, depth
			}
			*next = &bin{}
			b.n++
		}
		b, depth = *next, depth+1
	}
	x.last = cursor{b, depth, len(b.slots), k.hi, k.six}
	return b, depth
}

// place gives the place of k in the bin, and whether it stands there.
func (t *slabs) place(b *bin, depth int, k *key) (i int, found bool) {
	head := k.head(depth)
	i = t.index.last.next
	if b != t.index.last.bin || i > len(b.slots) ||
		i > 0 && !t.before(b, i-1, head, k) || i < len(b.slots) && t.before(b, i, head, k) {
		lo, hi := 0, len(b.slots)
		for lo < hi {
			if i = int(uint(lo+hi) / 2); t.before(b, i, head, k) {
				lo = i + 1
			} else {
				hi = i
			}
		}
		i = lo
	}
	return i, i < len(b.slots) && b.heads[i] == head && t.is(b.slots[i], k)
}

// before reports whether slot i of a bin stands before k, whose head is given.
func (t *slabs) before(b *bin, i int, head uint16, k *key) bool {
	if h := b.heads[i]; h != head {
		return h < head
	}
	if d := t.at(b.slots[i]); !k.six {
		a := uint32(k.hi >> 32)
		return d.key < a || d.key == a && d.bits < k.bits
	}
	o := t.key(b.slots[i])
	return o.compare(k) < 0
}

// lookup gives the number of exactly this prefix, 0 if it has none.
func (t *slabs) lookup(k key) number {
	b, depth := t.index.leaf(&k, false)
	if b == nil {
		return 0
	}
	i, found := t.place(b, depth, &k)
	if !found {
		return 0
	}
	t.index.last.next = i + 1
	return b.slots[i]
}

// enter puts the number of a prefix into its bin, which must not have it. The slabs
// have the prefix.
func (t *slabs) enter(b *bin, depth, i int, k *key, n number) {
	x := &t.index
	x.lengths[k.family()][k.bits]++
	for b.n >= fullBin && depth < 16 {
		t.divide(b, depth)
		x.last.bin = nil
		b, depth = x.leaf(k, true)
		i, _ = t.place(b, depth, k)
	}
	if b.slots == nil {
		b.slots, b.heads = make([]number, 0, leastBin), make([]uint16, 0, leastBin)
	}
	b.slots, b.heads = slices.Insert(b.slots, i, n), slices.Insert(b.heads, i, k.head(depth))
	b.n++
	x.last.next = i + 1
}

// leastBin is how many prefixes a bin has room for from the first on.
const leastBin = 8

// divide distributes a full bin by the next byte of the addresses. Prefixes of one
// address cannot fill it.
func (t *slabs) divide(b *bin, depth int) {
	b.below = new([256]*bin)
	slots := b.slots
	b.n, b.slots, b.heads = 0, nil, nil
	for len(slots) > 0 {
		k := t.key(slots[0])
		at, n := k.at(depth), 1
		heads := []uint16{k.head(depth + 1)}
		for ; n < len(slots); n++ {
			k := t.key(slots[n])
			if k.at(depth) != at {
				break
			}
			heads = append(heads, k.head(depth+1))
		}
		b.below[at] = &bin{n: n, slots: slices.Clone(slots[:n]), heads: heads}
		b.n++
		slots = slots[n:]
	}
}

// leave takes number n, which is of k, out of the index.
func (t *slabs) leave(k *key, n number) {
	x := &t.index
	x.lengths[k.family()][k.bits]--
	b, depth := x.leaf(k, false)
	i := x.last.next
	if i >= len(b.slots) || b.slots[i] != n {
		i, _ = t.place(b, depth, k)
	}
	if b.n--; b.n == 0 {
		x.prune(k)
		return
	}
	if i == 0 { // as where all go in order
		b.slots, b.heads = b.slots[1:], b.heads[1:]
	} else {
		b.slots, b.heads = slices.Delete(b.slots, i, i+1), slices.Delete(b.heads, i, i+1)
	}
	if cap(b.slots) > leastBin && 4*len(b.slots) <= cap(b.slots) {
		b.slots, b.heads = slices.Clone(b.slots), slices.Clone(b.heads)
	}
	x.last.next = i
}

// prune takes away the bin of k, which is empty, and those above that are then.
func (x *index) prune(k *key) {
	x.last.bin = nil
	path := [17]*bin{&x.families[k.family()]}
	depth := 0
	for ; path[depth].below != nil; depth++ {
		path[depth+1] = path[depth].below[k.at(depth)]
	}
	for ; depth > 0 && path[depth].n == 0; depth-- {
		path[depth-1].below[k.at(depth-1)] = nil
		path[depth-1].n--
	}
	if b := path[0]; b.n == 0 {
		*b = bin{}
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
}

// bin walks over a bin, of which the first bytes are those of after if it is
// bounded, and reports whether to go on.
func (w *walk) bin(b *bin, depth int, bounded bool) bool {
	first := 0
	if b.below != nil {
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
	if bounded {
		i, found := w.place(b, depth, &w.after)
		if first = i; found {
			first++
		}
	}
	for _, n := range b.slots[first:] {
		if !w.yield(n) {
			return false
		}
	}
	return true
}

// sizes is how many prefixes there are, IPv4 and IPv6.
func (x *index) sizes() (v4, v6 int) {
	for bits := range x.lengths[0] {
		v4 += x.lengths[0][bits]
		v6 += x.lengths[1][bits]
	}
	return v4, v6
}
