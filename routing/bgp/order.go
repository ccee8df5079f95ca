package bgp

import (
	"cmp"
	"iter"
	"math/bits"
	"net/netip"
	"slices"

	"routerd/routing/bgp/wire"
)

// order is the numbers of a table in the order of their prefixes, as far as somebody has
// walked through them. It begins as one leaf with all numbers. A walk splits the leaves
// that it comes to, and puts what is in them in order, so that the first page of a walk
// looks at all numbers twice, and each other one at little more than it shows. What
// nobody walks through has no order, and learning costs nothing.
//
// A number that is freed stays where it is, and is passed over: who gets it next is put
// in a leaf again.
type order struct {
	leaves []leaf // never empty
	count  int    // numbers in all leaves
	places []numbered
}

// numbered is a place with its number.
type numbered struct {
	place
	number uint32
}

// leaf is the numbers of the prefixes from its first on, up to the first of the next
// leaf, among others that have been freed.
type leaf struct {
	first   place
	sorted  bool
	numbers []uint32
}

// leafSize is how many numbers a leaf may have that is put in order as a whole.
const leafSize = 1024

// place is a prefix as it is compared: by its address, and the shorter one first.
type place struct {
	hi, lo uint64 // the address, from the highest bit on
	bits   uint8
}

func (a place) compare(b place) int {
	switch {
	case a.hi != b.hi:
		return cmp.Compare(a.hi, b.hi)
	case a.lo != b.lo:
		return cmp.Compare(a.lo, b.lo)
	}
	return cmp.Compare(a.bits, b.bits)
}

// digit is one octet of the address, from 0 on, or two of the first ones.
func (a place) digit(octet, octets int) int {
	switch {
	case octets == 2:
		return int(a.hi >> 48)
	case octet < 8:
		return int(a.hi>>(56-8*octet)) & 255
	}
	return int(a.lo>>(120-8*octet)) & 255
}

// with is the lowest place with a digit, and what is before it.
func (a place) with(octet, octets, v int) place {
	switch {
	case octets == 2:
		return place{hi: uint64(v) << 48}
	case octet < 8:
		return place{hi: a.hi&^(1<<(64-8*octet)-1) | uint64(v)<<(56-8*octet)}
	}
	return place{hi: a.hi, lo: a.lo&^(1<<(128-8*octet)-1) | uint64(v)<<(120-8*octet)}
}

// differ is the first octet in which two addresses differ, 16 if there is none.
func differ(a, b place) int {
	if a.hi != b.hi {
		return bits.LeadingZeros64(a.hi^b.hi) / 8
	}
	return 8 + bits.LeadingZeros64(a.lo^b.lo)/8
}

func placeOf(p netip.Prefix) place {
	hi, lo := words64(p.Addr())
	if p.Addr().Is4() {
		hi <<= 32
	}
	return place{hi, lo, uint8(p.Bits())}
}

// place is that of a number that is used.
func (t *Table) place(n uint32) place {
	hi, lo := t.address(n)
	if t.family == wire.IPv4Unicast {
		hi <<= 32
	}
	return place{hi, lo, t.heads.at(n).bits}
}

// Ordered yields the numbers of all prefixes behind after, in the order of addresses, of
// equal ones the shorter prefix first; with an invalid after, from the first one on. If
// within is valid, these are prefixes that it contains, itself among them. The table must
// not change meanwhile. From one page to the next it may, and none is missed that was
// there all the time.
func (t *Table) Ordered(after, within netip.Prefix) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		var from, to place
		if within.IsValid() {
			from, to = placeOf(within), lastIn(within)
		} else {
			to = place{1<<64 - 1, 1<<64 - 1, 255}
		}
		if after.IsValid() {
			p := placeOf(after)
			p.bits++
			if p.compare(from) > 0 {
				from = p
			}
		}
		if t.order == nil {
			t.order = t.newOrder()
		}
		for i := t.order.find(from); i < len(t.order.leaves); i++ {
			i = t.ready(i, from)
			if t.order.leaves[i].first.compare(to) > 0 {
				return
			}
			for _, n := range t.order.leaves[i].numbers {
				if !t.Used(n) {
					continue
				}
				if p := t.place(n); p.compare(from) < 0 || !t.order.holds(i, p) {
					continue
				} else if p.compare(to) > 0 {
					return
				}
				if !yield(n) {
					return
				}
			}
		}
	}
}

// lastIn is the last place in a prefix.
func lastIn(p netip.Prefix) place {
	a := placeOf(p)
	if n := int(a.bits); n < 64 {
		a.hi |= 1<<(64-n) - 1
		a.lo = 1<<64 - 1
	} else if n < 128 {
		a.lo |= 1<<(128-n) - 1
	}
	a.bits = 255
	return a
}

// Unorder lets the memory of Ordered go, which has four octets or little more for each
// prefix. The next walk puts all in order again.
func (t *Table) Unorder() { t.order = nil }

func (t *Table) newOrder() *order {
	all := make([]uint32, 0, t.prefixes)
	for n := range t.heads.n {
		if t.Used(n) {
			all = append(all, n)
		}
	}
	o := &order{leaves: []leaf{{numbers: all}}, count: len(all)}
	if len(all) > leafSize {
		o.leaves = t.split(&o.leaves[0], place{}, 0, 2)
	}
	return o
}

// find is the leaf that a place belongs to.
func (o *order) find(at place) int {
	i, found := slices.BinarySearchFunc(o.leaves, at, func(l leaf, p place) int { return l.first.compare(p) })
	if found {
		return i
	}
	return max(i-1, 0)
}

// holds reports whether a place belongs to a leaf.
func (o *order) holds(i int, p place) bool {
	return p.compare(o.leaves[i].first) >= 0 && (i+1 == len(o.leaves) || p.compare(o.leaves[i+1].first) < 0)
}

// ordered has a number that is new in order too.
func (t *Table) ordered(n uint32) {
	o := t.order
	l := &o.leaves[o.find(t.place(n))]
	l.numbers, l.sorted = append(l.numbers, n), false
	// What comes and goes without anybody walking there must not fill the leaves.
	if o.count++; o.count > 2*t.prefixes+leafSize {
		t.order = nil
	}
}

// ready puts leaf i in order. If it is large it is split, and the leaf is the one of its
// parts that from belongs to, the first one if from is before all. Ready gives its index.
func (t *Table) ready(i int, from place) int {
	o := t.order
	for !o.leaves[i].sorted {
		low, high := t.tidy(i)
		octet := differ(low, high)
		if len(o.leaves[i].numbers) <= leafSize || octet == 16 {
			t.sort(i)
			break
		}
		o.leaves = slices.Replace(o.leaves, i, i+1, t.split(&o.leaves[i], low, octet, 1)...)
		if from.compare(o.leaves[i].first) > 0 {
			i = o.find(from)
		}
	}
	return i
}

// tidy removes what does not belong to a leaf, and gives the lowest and the highest place
// of the rest.
func (t *Table) tidy(i int) (low, high place) {
	o := t.order
	l := &o.leaves[i]
	kept := l.numbers[:0]
	for _, n := range l.numbers {
		if !t.Used(n) {
			continue
		}
		p := t.place(n)
		if !o.holds(i, p) {
			continue
		}
		if len(kept) == 0 || p.compare(low) < 0 {
			low = p
		}
		if len(kept) == 0 || p.compare(high) > 0 {
			high = p
		}
		kept = append(kept, n)
	}
	o.count -= len(l.numbers) - len(kept)
	l.numbers = kept
	return low, high
}

// sort sorts the numbers of a leaf, each of which is there once then.
func (t *Table) sort(i int) {
	o := t.order
	l := &o.leaves[i]
	o.places = o.places[:0]
	for _, n := range l.numbers {
		o.places = append(o.places, numbered{t.place(n), n})
	}
	slices.SortFunc(o.places, func(a, b numbered) int { return a.compare(b.place) })
	before := len(l.numbers)
	l.numbers = l.numbers[:0]
	for k, p := range o.places {
		if k == 0 || p.number != o.places[k-1].number {
			l.numbers = append(l.numbers, p.number)
		}
	}
	o.count -= before - len(l.numbers)
	l.sorted = true
}

// split makes several leaves of one, by a digit of the address before which all are like
// low; of values that few have, one leaf is made.
func (t *Table) split(l *leaf, low place, octet, octets int) (parts []leaf) {
	ends := make([]uint32, 1<<(8*octets))
	for _, n := range l.numbers {
		ends[t.place(n).digit(octet, octets)]++
	}
	all := make([]uint32, len(l.numbers))
	begin, sum := uint32(0), uint32(0)
	for v, size := range ends {
		if size == 0 {
			continue
		}
		if len(parts) == 0 || sum-begin+size > leafSize {
			begin = sum
			parts = append(parts, leaf{first: low.with(octet, octets, v)})
		}
		ends[v] = sum
		sum += size
		parts[len(parts)-1].numbers = all[begin:sum:sum]
	}
	parts[0].first = l.first
	for _, n := range l.numbers {
		at := &ends[t.place(n).digit(octet, octets)]
		all[*at] = n
		*at++
	}
	return parts
}
