package routing

import (
	"math"
	"net/netip"
)

// NoSlot is the number of no slot.
const NoSlot SlotID = math.MaxUint32

// Withdrawn is in place of the route of an Offering that withdraws one.
const Withdrawn = -1

// Offering is what OfferAll does with a slot.
type Offering struct {
	// ID is the slot; NoSlot is a new one for Prefix, whose number is put here.
	ID SlotID
	// Route is the index of the route that is offered, or Withdrawn.
	Route int32
	// Address and Bits are the prefix of a new slot, masked. An IPv4 address is in the last
	// four octets.
	Address [16]byte
	Bits    uint8
	IPv4    bool
}

// NewSlot is an Offering of a route in a new slot for a prefix, which is masked.
func NewSlot(prefix netip.Prefix, route int32) Offering {
	o := Offering{ID: NoSlot, Route: route, Bits: uint8(prefix.Bits()), IPv4: prefix.Addr().Is4()}
	o.Address = prefix.Addr().As16()
	return o
}

// OfferAll is Take, At and Offer, or Withdraw, for each of a list, for protocols that
// change many routes in a step: it excludes the reader once for several slots, and writes a
// route that is offered for prefixes one after the other as a whole. The prefixes of routes
// count for nothing. What is offered as it was is no change.
func (s *Slots) OfferAll(list []Offering, routes []Slot) {
	for len(list) > 0 {
		n := min(readAtOnce, len(list))
		s.mu.Lock()
		s.close()
		of, whole := int32(Withdrawn), record{}
		for i := range list[:n] {
			o := &list[i]
			if o.Route != Withdrawn && o.Route != of {
				s.records.hops.release(whole.hops)
				of, whole = o.Route, s.records.compose(&routes[o.Route])
			}
			s.put(o, &whole)
		}
		s.records.hops.release(whole.hops)
		s.mu.Unlock()
		list = list[n:]
	}
}

// put does what an offering says; x is its route.
func (s *Slots) put(o *Offering, x *record) {
	if o.Route == Withdrawn {
		if s.offered.Has(o.ID) {
			s.touch(o.ID)
			s.offered.Remove(o.ID)
		}
		return
	}
	if o.ID == NoSlot {
		o.ID = s.unused()
		s.records.fill(o.ID, o, x)
		s.touch(o.ID)
		s.offered.set(o.ID)
		return
	}
	if changed := s.records.put(o.ID, x); changed || !s.offered.Has(o.ID) {
		s.touch(o.ID)
		s.offered.set(o.ID)
	}
}
