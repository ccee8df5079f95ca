package routing

import "math"

// NoSlot is the number of no slot.
const NoSlot SlotID = math.MaxUint32

// Offering is what OfferAll writes into a slot: all but its prefix, which does not change.
// With Withdrawn it withdraws the offer.
type Offering struct {
	// ID is the slot; NoSlot is a new one for the prefix in Slot, whose number is put here.
	ID        SlotID
	Withdrawn bool
	Slot
}

// OfferAll is Take, At and Offer, or Withdraw, for each of a list, for protocols that
// change many routes in a step: it excludes the reader once for several slots. What is
// offered as it was is no change.
func (s *Slots) OfferAll(list []Offering) {
	for len(list) > 0 {
		n := min(readAtOnce, len(list))
		s.mu.Lock()
		s.close()
		for i := range list[:n] {
			s.put(&list[i])
		}
		s.mu.Unlock()
		list = list[n:]
	}
}

func (s *Slots) put(o *Offering) {
	if o.Withdrawn {
		if s.offered.Has(o.ID) {
			s.touch(o.ID)
			s.offered.Remove(o.ID)
		}
		return
	}
	if o.ID == NoSlot {
		o.ID = s.take(o.Prefix)
	}
	if changed := s.records.write(o.ID, &o.Slot); changed || !s.offered.Has(o.ID) {
		s.touch(o.ID)
		s.offered.set(o.ID)
	}
}
