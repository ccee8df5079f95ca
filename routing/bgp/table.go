package bgp

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"routerd/internal/siphash"
	"routerd/routing"
	"routerd/routing/bgp/wire"
)

// Candidate is a route of a prefix as it came from a neighbour, after policies.
type Candidate struct {
	// Source numbers the neighbour, or what of the router's own it is. Path is the
	// neighbour's path identifier.
	Source uint16
	Path   uint32
	// ID numbers the route among those of the table, from 1 on, as long as it is there.
	ID         uint32
	Attributes *AttributeSet
	Weight     uint32
	// Arrival numbers candidates in the order in which they came or changed.
	Arrival uint32
	// Age is how many refreshes have begun since it came, or came once more: 0 is that it is
	// of the present one (RFC 7313).
	Age uint16
}

// Table is the routes of all neighbours, of one family, by prefix: the Adj-RIBs-In of RFC
// 4271 §3.2, after policies. Prefixes have numbers, small and dense, which are kept until
// they are freed.
//
// A route of a prefix of its own costs 36 octets in IPv4 and 48 in IPv6, and 13 to 18 of
// the index; there is no pointer in them. No change moves more than one of many parts of
// the index. A table is not safe for concurrent use.
type Table struct {
	family     wire.Family
	attributes *AttributeTable
	index      index

	four   pages[uint32] // the addresses, of IPv4
	six    pages[[16]byte]
	heads  pages[head]
	routes pages[record]

	prefixes, count       int
	routed                int // prefixes that have a route
	arrivals              uint32
	freeHeads, freeRoutes uint32   // lists of what is free; 0 is their end
	order                 *order   // nil while nobody walks
	rounds                []uint16 // by source, 0 of those that are missing
}

// head is what a number has besides its address.
type head struct {
	first   uint32 // of its routes, and one; of a free number the next free one, and one
	sources uint16 // those that it may have routes of, see bitOf; it has none of others
	bits    uint8
	used    bool
}

// bitOf is the bit of a source in a head. Sources share bits where there are more than bits.
func bitOf(source uint16) uint16 { return 1 << (source % 16) }

// record is a route.
type record struct {
	next       uint32 // route of the prefix, or free record, and one
	attributes uint32 // by number
	path       uint32
	weight     uint32
	arrival    uint32
	source     uint16
	round      uint16 // of the source, see Renew
}

const pageSize = 4096

// pages is a list that grows without being copied.
type pages[T any] struct {
	list []*[pageSize]T
	n    uint32
}

func (p *pages[T]) at(i uint32) *T { return &p.list[i/pageSize][i%pageSize] }

func (p *pages[T]) add() uint32 {
	if p.n%pageSize == 0 {
		p.list = append(p.list, new([pageSize]T))
	}
	p.n++
	var zero T
	*p.at(p.n - 1) = zero // memory that is read before it is written faults twice
	return p.n - 1
}

// octets is how much memory they have.
func (p *pages[T]) octets() int { return len(p.list) * int(unsafe.Sizeof([pageSize]T{})) }

// NewTable makes an empty table of a family. Its routes have attributes of the table that
// is given; the key is random.
func NewTable(f wire.Family, attributes *AttributeTable, key siphash.Key) *Table {
	return &Table{family: f, attributes: attributes, index: newIndex(key)}
}

// Len is how many routes there are, Prefixes how many prefixes have a number, and Numbers
// is above all of these.
func (t *Table) Len() int { return t.count }

// Prefixes is how many prefixes have a number.
func (t *Table) Prefixes() int { return t.prefixes }

// Routed is how many prefixes have a route.
func (t *Table) Routed() int { return t.routed }

// Numbers is above all numbers.
func (t *Table) Numbers() uint32 { return t.heads.n }

// Octets is how much memory the table has, without the attributes.
func (t *Table) Octets() int {
	return t.four.octets() + t.six.octets() + t.heads.octets() + t.routes.octets() + t.index.octets()
}

// Used reports whether a number below Numbers is a prefix's.
func (t *Table) Used(n uint32) bool { return t.heads.at(n).used }

// Prefix is the prefix of a number that is used.
func (t *Table) Prefix(n uint32) netip.Prefix {
	bits := int(t.heads.at(n).bits)
	if t.family == wire.IPv4Unicast {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], *t.four.at(n))
		return netip.PrefixFrom(netip.AddrFrom4(b), bits)
	}
	return netip.PrefixFrom(netip.AddrFrom16(*t.six.at(n)), bits)
}

// Number is the number of a prefix of the family, masked.
func (t *Table) Number(p netip.Prefix) (n uint32, ok bool) {
	hi, lo := words64(p.Addr())
	_, n, ok = t.find(hi, lo, p.Bits())
	return n, ok
}

// words64 is an address as two numbers, one of IPv4 in the first.
func words64(a netip.Addr) (hi, lo uint64) {
	if a.Is4() {
		b := a.As4()
		return uint64(binary.BigEndian.Uint32(b[:])), 0
	}
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

func (t *Table) address(n uint32) (hi, lo uint64) {
	if t.family == wire.IPv4Unicast {
		return uint64(*t.four.at(n)), 0
	}
	b := t.six.at(n)
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

// name puts the prefix of a number into an offering.
func (t *Table) name(n uint32, o *routing.Offering) {
	o.Bits = t.heads.at(n).bits
	if o.IPv4 = t.family == wire.IPv4Unicast; o.IPv4 {
		binary.BigEndian.PutUint32(o.Address[12:], *t.four.at(n))
	} else {
		o.Address = *t.six.at(n)
	}
}

// number gives the number of a prefix, a new one if it has none.
func (t *Table) number(p netip.Prefix) uint32 {
	hi, lo := words64(p.Addr())
	at, n, ok := t.find(hi, lo, p.Bits())
	if ok {
		return n
	}
	return t.add(&at, hi, lo, p.Bits())
}

// add gives a prefix a number whose spot was sought in vain.
func (t *Table) add(at *spot, hi, lo uint64, length int) (n uint32) {
	if t.freeHeads != 0 {
		n = t.freeHeads - 1
		t.freeHeads = t.heads.at(n).first
	} else {
		n = t.heads.add()
		if t.family == wire.IPv4Unicast {
			t.four.add()
		} else {
			t.six.add()
		}
	}
	*t.heads.at(n) = head{bits: uint8(length), used: true}
	if t.family == wire.IPv4Unicast {
		*t.four.at(n) = uint32(hi)
	} else {
		b := t.six.at(n)
		binary.BigEndian.PutUint64(b[:8], hi)
		binary.BigEndian.PutUint64(b[8:], lo)
	}
	t.index.insert(at, n)
	t.prefixes++
	if t.order != nil {
		t.ordered(n)
	}
	return n
}

// Free lets the number of a prefix go that has no route.
func (t *Table) Free(n uint32) {
	h := t.heads.at(n)
	if !h.used || h.first != 0 {
		panic("bgp: freeing the number of a prefix that has routes, or of none")
	}
	hi, lo := t.address(n)
	at, _, _ := t.find(hi, lo, int(h.bits))
	t.index.remove(&at)
	*h = head{first: t.freeHeads}
	t.freeHeads = n + 1
	t.prefixes--
}

// Put stores a route in place of the one of the same prefix, source and path identifier,
// and gives the number of the prefix. The attributes were taken for it, and are released
// with it.
func (t *Table) Put(p netip.Prefix, source uint16, path uint32, a *AttributeSet, weight uint32) (n uint32, is Putting) {
	n = t.number(p)
	return n, t.put(n, source, path, a, weight)
}

// Putting is what became of a route that was put.
type Putting uint8

const (
	PutSame  Putting = iota // the same route was there
	PutOther                // it is in place of another one
	PutMore                 // it is one more, the newest of the prefix's
)

// PutAll is Put of prefixes of the family, with the same attributes, which it takes itself for
// each. It appends the numbers of those whose route is another one, and of those that have one
// more.
func (t *Table) PutAll(list []wire.Plain, source uint16, a *AttributeSet, weight uint32, other, more []uint32) (_, _ []uint32) {
	a.uses += int32(len(list))
	for len(list) > 0 {
		some := list[:min(len(list), spotsAtOnce)]
		list = list[len(some):]
		spots := t.spots(some)
		for i := range some {
			p := &some[i]
			n, ok := t.seek(&spots[i], p.High, p.Low, int(p.Bits))
			if !ok {
				n = t.add(&spots[i], p.High, p.Low, int(p.Bits))
			}
			switch t.put(n, source, p.Path, a, weight) {
			case PutOther:
				other = append(other, n)
			case PutMore:
				more = append(more, n)
			}
		}
	}
	return other, more
}

// RemoveAll is Remove of the routes of prefixes of the family. It appends the numbers of those
// that were there.
func (t *Table) RemoveAll(list []wire.Plain, source uint16, changed []uint32) []uint32 {
	for len(list) > 0 {
		some := list[:min(len(list), spotsAtOnce)]
		list = list[len(some):]
		spots := t.spots(some)
		for i := range some {
			p := &some[i]
			if n, ok := t.seek(&spots[i], p.High, p.Low, int(p.Bits)); ok && t.Remove(n, source, p.Path) {
				changed = append(changed, n)
			}
		}
	}
	return changed
}

// put is Put for the number of a prefix.
func (t *Table) put(n uint32, source uint16, path uint32, a *AttributeSet, weight uint32) Putting {
	h := t.heads.at(n)
	if r, _ := t.route(n, source, path); r != nil {
		r.round = t.round(source)
		old := t.attributes.At(r.attributes)
		same := old == a && r.weight == weight
		t.attributes.Release(old)
		if same {
			return PutSame
		}
		t.arrivals++
		r.attributes, r.weight, r.arrival = a.number, weight, t.arrivals
		return PutOther
	}
	i := t.freeRoutes
	if i != 0 {
		t.freeRoutes = t.routes.at(i - 1).next
	} else {
		i = t.routes.add() + 1
	}
	t.arrivals++
	x := t.routes.at(i - 1) // not as a literal, which is made elsewhere and copied before its parts are there
	x.next, x.attributes, x.path, x.weight = h.first, a.number, path, weight
	x.arrival, x.source, x.round = t.arrivals, source, t.round(source)
	if h.first == 0 {
		t.routed++
	}
	h.first = i
	h.sources |= bitOf(source)
	t.count++
	return PutMore
}

// route gives a route of a prefix, nil if it is not there, and where its place is noted.
func (t *Table) route(n uint32, source uint16, path uint32) (*record, *uint32) {
	h := t.heads.at(n)
	if h.sources&bitOf(source) == 0 {
		return nil, nil
	}
	for at := &h.first; *at != 0; {
		r := t.routes.at(*at - 1)
		if r.source == source && r.path == path {
			return r, at
		}
		at = &r.next
	}
	return nil, nil
}

// Renew makes all routes of a source older by one refresh, at once.
func (t *Table) Renew(source uint16) {
	for len(t.rounds) <= int(source) {
		t.rounds = append(t.rounds, 0)
	}
	t.rounds[source]++
}

func (t *Table) round(source uint16) uint16 {
	if int(source) < len(t.rounds) {
		return t.rounds[source]
	}
	return 0
}

// Has reports whether there is a route.
func (t *Table) Has(p netip.Prefix, source uint16, path uint32) bool {
	n, ok := t.Number(p)
	if !ok {
		return false
	}
	r, _ := t.route(n, source, path)
	return r != nil
}

// Remove removes a route, and reports whether it was there. The prefix keeps its number.
func (t *Table) Remove(n uint32, source uint16, path uint32) bool {
	r, at := t.route(n, source, path)
	if r == nil {
		return false
	}
	t.remove(n, r, at)
	return true
}

// remove removes a route of the prefix of a number, which at has the number of.
func (t *Table) remove(n uint32, r *record, at *uint32) {
	t.attributes.Release(t.attributes.At(r.attributes))
	i := *at
	*at = r.next
	*r = record{next: t.freeRoutes}
	t.freeRoutes = i
	t.count--
	if h := t.heads.at(n); h.first == 0 {
		h.sources = 0
		t.routed--
	}
}

// Routes yields the routes of a prefix, the newest source first.
func (t *Table) Routes(n uint32) func(yield func(Candidate) bool) {
	return func(yield func(Candidate) bool) {
		for i := t.heads.at(n).first; i != 0; {
			id := i
			r := t.routes.at(i - 1)
			i = r.next
			if !yield(t.candidate(id, r)) {
				return
			}
		}
	}
}

func (t *Table) candidate(id uint32, r *record) Candidate {
	return Candidate{r.source, r.path, id, t.attributes.At(r.attributes), r.weight, r.arrival, t.round(r.source) - r.round}
}

// Load appends the routes of a prefix to dst, for [Rules.Best]; view adds what is of the
// neighbour and of the next hop.
func (t *Table) Load(n uint32, dst []Route, view func(Candidate, *Route)) []Route {
	for i := t.heads.at(n).first; i != 0; {
		r := t.routes.at(i - 1)
		dst = t.load(i, r, dst, view)
		i = r.next
	}
	return dst
}

// load is Load of one route.
func (t *Table) load(id uint32, r *record, dst []Route, view func(Candidate, *Route)) []Route {
	c := t.candidate(id, r)
	dst = append(dst, Route{Attributes: c.Attributes, PathID: c.Path, Weight: c.Weight, Arrival: uint64(c.Arrival)})
	view(c, &dst[len(dst)-1])
	return dst
}
