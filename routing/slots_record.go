package routing

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"slices"

	"routerd/internal/origin"
)

// record is a slot as it is kept. There may be millions, so it is small, and it
// holds no pointer, so that the collector has nothing to follow in it.
type record struct {
	address  uint32 // IPv4, or the number of an IPv6 address
	hops     uint32 // number of the list
	metric   uint32
	tag      uint32
	origin   origin.ID
	bits     uint8
	flags    recordFlags
	action   Action
	distance uint8
}

type recordFlags uint8

const (
	recordIPv4 recordFlags = 1 << iota // neither of the two: a slot without a prefix
	recordIPv6
	recordInternal
)

// records are the slots by number, and what they share. They grow by pages, without
// being copied.
type records struct {
	pages []*[slotPage]record
	n     int
	six   sixes
	hops  hopLists
}

func (r *records) at(id SlotID) *record { return &r.pages[id/slotPage][id%slotPage] }

// add makes a slot.
func (r *records) add() SlotID {
	if r.n%slotPage == 0 {
		page := new([slotPage]record)
		r.pages = append(r.pages, page)
		*page = [slotPage]record{} // memory that is read before it is written faults twice
	}
	r.n++
	return SlotID(r.n - 1)
}

// room is for how many slots there are pages.
func (r *records) room() int { return len(r.pages) * slotPage }

// prefix makes p, and nothing else, what is in a slot; an invalid one empties it.
func (r *records) prefix(id SlotID, p netip.Prefix) {
	r.empty(id)
	if p.IsValid() {
		o := NewSlot(p, Withdrawn)
		r.name(r.at(id), &o)
	}
}

// name gives an empty slot the prefix of an offering.
func (r *records) name(x *record, o *Offering) {
	x.bits = o.Bits
	if o.IPv4 {
		x.flags, x.address = x.flags|recordIPv4, binary.BigEndian.Uint32(o.Address[12:])
	} else {
		x.flags, x.address = x.flags|recordIPv6, r.six.take(o.Address)
	}
}

// empty removes what is in a slot.
func (r *records) empty(id SlotID) {
	x := r.at(id)
	r.hops.release(x.hops)
	if x.flags&recordIPv6 != 0 {
		r.six.give(x.address)
	}
	*x = record{}
}

// read gives what is in a slot.
func (r *records) read(id SlotID, s *Slot) {
	x := r.at(id)
	*s = Slot{
		NextHops: r.hops.at(x.hops), Metric: x.metric, Tag: x.tag, Origin: x.origin, Action: x.action, Distance: x.distance,
		Internal: x.flags&recordInternal != 0,
	}
	switch {
	case x.flags&recordIPv4 != 0:
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], x.address)
		s.Prefix = netip.PrefixFrom(netip.AddrFrom4(b), int(x.bits))
	case x.flags&recordIPv6 != 0:
		s.Prefix = netip.PrefixFrom(netip.AddrFrom16(*r.six.at(x.address)), int(x.bits))
	}
}

// write puts s into a slot; the prefix stays.
func (r *records) write(id SlotID, s *Slot) {
	x := r.compose(s)
	r.put(id, &x)
	r.hops.release(x.hops)
}

// compose makes a record of what is in s, the prefix left out. Its hops are to be released.
func (r *records) compose(s *Slot) record {
	x := record{hops: r.hops.acquire(s.NextHops), metric: s.Metric, tag: s.Tag, origin: s.Origin, action: s.Action, distance: s.Distance}
	if s.Internal {
		x.flags = recordInternal
	}
	return x
}

// fill puts x, whose hops the caller keeps, with the prefix of an offering, into a slot that is
// empty.
func (r *records) fill(id SlotID, o *Offering, x *record) {
	r.hops.keep(x.hops)
	at := r.at(id)
	*at = *x
	r.name(at, o)
}

// put has a slot be as x, whose hops the caller keeps, and reports whether it was
// something else; the prefix stays.
func (r *records) put(id SlotID, x *record) bool {
	at := r.at(id)
	before, after := *at, *x
	if after.hops != before.hops {
		r.hops.keep(after.hops)
		r.hops.release(before.hops)
	}
	after.address, after.bits, after.flags = before.address, before.bits, before.flags&^recordInternal|x.flags
	*at = after
	return after != before
}

// sixes are IPv6 addresses by number.
type sixes struct {
	pages []*[slotPage][16]byte
	n     uint32
	free  []uint32
}

func (s *sixes) at(n uint32) *[16]byte { return &s.pages[n/slotPage][n%slotPage] }

func (s *sixes) take(a [16]byte) (n uint32) {
	if k := len(s.free); k > 0 {
		n, s.free = s.free[k-1], s.free[:k-1]
	} else {
		if n = s.n; n%slotPage == 0 {
			s.pages = append(s.pages, new([slotPage][16]byte))
		}
		s.n++
	}
	*s.at(n) = a
	return n
}

func (s *sixes) give(n uint32) { s.free = append(s.free, n) }

// hopLists are the lists of next hops that slots have, each different one once, by
// number; 0 is the empty one.
type hopLists struct {
	lists []hopList // from number 1
	free  []uint32
	heads []uint32 // the first of each chain, by the hash
	seed  maphash.Seed
	last  uint32 // that was acquired; 0 = it is gone
}

type hopList struct {
	hops  []NextHop
	hash  uint64
	next  uint32 // in its chain
	slots int
}

func (l *hopLists) list(n uint32) *hopList { return &l.lists[n-1] }

func (l *hopLists) head(hash uint64) *uint32 { return &l.heads[hash%uint64(len(l.heads))] }

// at gives the hops of a list.
func (l *hopLists) at(n uint32) []NextHop {
	if n == 0 {
		return nil
	}
	return l.list(n).hops
}

// acquire gives the number of a list, for one slot more. It keeps a copy.
func (l *hopLists) acquire(hops []NextHop) uint32 {
	if len(hops) == 0 {
		return 0
	}
	// Routes that lead the same way often come one after the other.
	if l.last != 0 && slices.Equal(l.at(l.last), hops) {
		l.list(l.last).slots++
		return l.last
	}
	if len(l.lists) >= len(l.heads) {
		l.grow()
	}
	h := uint64(0)
	for i := range hops {
		h = h*0x9e3779b97f4a7c15 + maphash.Comparable(l.seed, hops[i])
	}
	n := *l.head(h)
	for n != 0 && !slices.Equal(l.at(n), hops) {
		n = l.list(n).next
	}
	if n == 0 {
		n = l.add(hopList{hops: slices.Clone(hops), hash: h})
	}
	l.list(n).slots++
	l.last = n
	return n
}

// grow makes twice as many chains.
func (l *hopLists) grow() {
	if l.heads == nil {
		l.seed = maphash.MakeSeed()
	}
	l.heads = make([]uint32, max(8, 2*len(l.heads)))
	for i := range l.lists {
		if x := &l.lists[i]; x.slots > 0 {
			head := l.head(x.hash)
			x.next, *head = *head, uint32(i+1)
		}
	}
}

func (l *hopLists) add(x hopList) (n uint32) {
	if k := len(l.free); k > 0 {
		n, l.free = l.free[k-1], l.free[:k-1]
	} else {
		l.lists = append(l.lists, hopList{})
		n = uint32(len(l.lists))
	}
	head := l.head(x.hash)
	x.next, *head = *head, n
	*l.list(n) = x
	return n
}

// keep is acquire of a list that a slot has.
func (l *hopLists) keep(n uint32) {
	if n != 0 {
		l.list(n).slots++
	}
}

// release is acquire undone.
func (l *hopLists) release(n uint32) {
	if n == 0 {
		return
	}
	x := l.list(n)
	if x.slots--; x.slots > 0 {
		return
	}
	at := l.head(x.hash)
	for *at != n {
		at = &l.list(*at).next
	}
	*at = x.next
	*x = hopList{}
	l.free = append(l.free, n)
	if l.last == n {
		l.last = 0
	}
}
