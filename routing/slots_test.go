package routing

import (
	"maps"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// What Drain tells, step by step, adds up to what the protocol offers.
func TestSlotsAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Slots
		ids := map[netip.Prefix]SlotID{}    // taken
		offers := map[netip.Prefix]uint32{} // metric
		heard := map[netip.Prefix]uint32{}  // as the driver knows it, which keeps no numbers
		prefix := rapid.Custom(func(t *rapid.T) netip.Prefix {
			return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, rapid.Byte().Draw(t, "net") % 70, 0}), 24)
		})
		drain := func() {
			s.Drain(func(c Change) {
				if c.Offered {
					heard[c.Slot.Prefix] = c.Slot.Metric
				} else {
					delete(heard, c.Slot.Prefix)
				}
			})
			if !maps.Equal(heard, offers) || s.Changed() {
				t.Fatalf("the driver knows %v, offered are %v; changes left: %v", heard, offers, s.Changed())
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"offer": func(t *rapid.T) {
				p := prefix.Draw(t, "prefix")
				id, ok := ids[p]
				if !ok {
					id = s.Take(p)
					ids[p] = id
				}
				metric := rapid.Uint32().Draw(t, "metric")
				s.At(id).Metric = metric
				s.Offer(id)
				offers[p] = metric
			},
			"withdraw": func(t *rapid.T) {
				p := prefix.Draw(t, "prefix")
				if id, ok := ids[p]; ok {
					s.Withdraw(id)
					delete(offers, p)
					if s.Offered(id) {
						t.Fatalf("slot %d is offered after it was withdrawn", id)
					}
				}
			},
			"free": func(t *rapid.T) {
				p := prefix.Draw(t, "prefix")
				if id, ok := ids[p]; ok {
					s.Free(id)
					delete(ids, p)
					delete(offers, p)
				}
			},
			"drain": func(*rapid.T) { drain() },
			"":      func(*rapid.T) {},
		})
		drain()
		// Freed slots are given again: all are taken now, and there is no other.
		before := s.Len()
		for n := before - len(ids); n > 0; n-- {
			s.Take(netip.Prefix{})
		}
		if s.Len() != before {
			t.Fatalf("%d slots of %d are taken, and a new one was made for the rest", len(ids), before)
		}
	})
}

func TestOfferingAllocatesNothing(t *testing.T) {
	var s Slots
	id := s.Take(netip.MustParsePrefix("10.0.0.0/8"))
	n := 0
	got := testing.AllocsPerRun(100, func() {
		s.At(id).Metric++
		s.Offer(id)
		s.Drain(func(Change) { n++ })
		s.Withdraw(id)
		s.Drain(func(Change) { n++ })
	})
	if got != 0 {
		t.Errorf("offering and withdrawing allocates %v times, want 0", got)
	}
}
