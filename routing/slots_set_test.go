package routing

import (
	"maps"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// A set that is withdrawn at once is what its slots are that are withdrawn one by
// one, in one step with whatever else changes.
func TestWithdrawAllIsWithdrawOfEach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all, each Slots
		var set SlotSet
		const slots = 3 * fewSlots
		for i := range slots {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
			all.Take(p)
			each.Take(p)
		}
		heard := [2]map[netip.Prefix]uint32{{}, {}}
		for step := range rapid.IntRange(1, 6).Draw(t, "steps") {
			from := rapid.IntRange(0, slots-1).Draw(t, "from")
			for i := from; i < min(slots, from+rapid.IntRange(0, slots).Draw(t, "count")); i += rapid.IntRange(1, 3).Draw(t, "gap") {
				for _, s := range []*Slots{&all, &each} {
					s.At(SlotID(i)).Metric = uint32(step)
					s.Offer(SlotID(i))
				}
				if rapid.Bool().Draw(t, "in the set") {
					set.Add(SlotID(i))
				} else {
					set.Remove(SlotID(i))
				}
			}
			if rapid.Bool().Draw(t, "withdraw") {
				all.WithdrawAll(set)
				for i := range SlotID(slots) {
					if set.Has(i) {
						each.Withdraw(i)
					}
				}
			}
			if n, _ := all.Read(1, func(Change) {}); n != 0 && step == 0 {
				t.Fatal("a change is read before its step has ended")
			}
			for i, s := range []*Slots{&all, &each} {
				s.Drain(func(c Change) {
					if delete(heard[i], c.Slot.Prefix); c.Offered {
						heard[i][c.Slot.Prefix] = c.Slot.Metric
					}
				})
			}
			if !maps.Equal(heard[0], heard[1]) || all.Unread() != 0 {
				t.Fatalf("%d routes are heard of with a set, %d one by one; %d changes are left", len(heard[0]), len(heard[1]), all.Unread())
			}
		}
	})
}

// A step that touches every slot keeps no list of them: the reader would have to
// wait while it is published.
func TestALongStepKeepsNoList(t *testing.T) {
	var s Slots
	const slots = 1 << 16
	for i := range SlotID(slots) {
		s.Take(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24))
		s.Offer(i)
	}
	if len(s.step) > fewSlots {
		t.Errorf("a list of %d slots, want %d at most", len(s.step), fewSlots)
	}
	n := 0
	s.Drain(func(Change) { n++ })
	if n != slots {
		t.Errorf("%d of %d slots are read", n, slots)
	}
}
