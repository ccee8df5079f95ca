package routing

import (
	"math/bits"
	"net/netip"

	"routerd/internal/origin"
)

// SlotID numbers one of the slots of a [Slots], from 0. Numbers are dense, and
// reused after they have been freed.
type SlotID uint32

// Slot is a route that a protocol offers for a prefix. The slice of next hops
// is shared with all readers of the route and is never written to: a change
// replaces it.
type Slot struct {
	Prefix   netip.Prefix // masked; it does not change while the slot is taken
	NextHops []NextHop
	Metric   uint32
	Tag      uint32
	Origin   origin.ID
	Action   Action
	Distance uint8 // 0 = that of the source
}

// Slots are the routes of one source, a slot for each prefix, and which of them
// have changed since the last Drain. The protocol keeps the number of a slot
// with its own data for the prefix, so that nothing is looked up. The zero
// value has no slots. It has no lock: the protocol uses it during a step, and
// the driver between steps.
type Slots struct {
	slots   []Slot
	offered bitmap
	dirty   bitmap
	changed int // bits set in dirty
	free    []SlotID
	freed   []SlotID // since the last Drain, which reports them first
}

// Take gives a free slot for the prefix. It is not offered yet.
func (s *Slots) Take(prefix netip.Prefix) SlotID {
	if n := len(s.free); n > 0 {
		id := s.free[n-1]
		s.free = s.free[:n-1]
		s.slots[id] = Slot{Prefix: prefix}
		return id
	}
	s.slots = append(s.slots, Slot{Prefix: prefix})
	s.offered.grow(len(s.slots))
	s.dirty.grow(len(s.slots))
	return SlotID(len(s.slots) - 1)
}

// At gives the slot, to be changed in place; Offer has to follow. The pointer
// is valid until the next Take.
func (s *Slots) At(id SlotID) *Slot { return &s.slots[id] }

// Offer offers the route that is in the slot now.
func (s *Slots) Offer(id SlotID) {
	s.offered.set(id)
	s.touch(id)
}

// Withdraw withdraws the route; the slot stays taken.
func (s *Slots) Withdraw(id SlotID) {
	if s.offered.has(id) {
		s.offered.clear(id)
		s.touch(id)
	}
}

// Offered reports whether the slot is offered.
func (s *Slots) Offered(id SlotID) bool { return s.offered.has(id) }

// Free withdraws the slot and frees its number, which may be reused after the
// next Drain. A protocol keeps the slot of a prefix as long as it knows the
// prefix, so that a route that comes and goes is one change.
func (s *Slots) Free(id SlotID) {
	s.Withdraw(id)
	s.freed = append(s.freed, id)
}

// Len is the number of slots, free ones included.
func (s *Slots) Len() int { return len(s.slots) }

// Changed reports whether any slot has changed since Drain.
func (s *Slots) Changed() bool { return s.changed > 0 }

// Change is the change of a slot since the last Drain.
type Change struct {
	ID      SlotID
	Slot    *Slot // to be read during the call
	Offered bool  // now; else it is withdrawn
	Freed   bool  // its number will be reused for another prefix
}

// Drain calls yield for each slot that was offered or withdrawn since the last
// Drain: first those that were freed, since the prefix may be in another slot
// by now, and then the others in the order of their numbers.
func (s *Slots) Drain(yield func(Change)) {
	for _, id := range s.freed {
		if s.dirty.has(id) {
			s.dirty.clear(id)
			s.changed--
			yield(Change{ID: id, Slot: &s.slots[id], Freed: true})
		}
	}
	for word := 0; s.changed > 0; word++ {
		for s.dirty[word] != 0 {
			id := SlotID(word*64 + bits.TrailingZeros64(s.dirty[word]))
			s.dirty.clear(id)
			s.changed--
			yield(Change{ID: id, Slot: &s.slots[id], Offered: s.offered.has(id)})
		}
	}
	s.free = append(s.free, s.freed...)
	s.freed = s.freed[:0]
}

func (s *Slots) touch(id SlotID) {
	if !s.dirty.has(id) {
		s.dirty.set(id)
		s.changed++
	}
}

// bitmap is a set of slots.
type bitmap []uint64

// grow makes room for n slots.
func (b *bitmap) grow(n int) {
	for len(*b)*64 < n {
		*b = append(*b, 0)
	}
}

func (b bitmap) has(id SlotID) bool { return b[id/64]&(1<<(id%64)) != 0 }
func (b bitmap) set(id SlotID)      { b[id/64] |= 1 << (id % 64) }
func (b bitmap) clear(id SlotID)    { b[id/64] &^= 1 << (id % 64) }
