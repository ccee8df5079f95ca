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
		hops := []NextHop{{Address: netip.MustParseAddr("192.0.2.1")}, {Address: netip.MustParseAddr("192.0.2.2")}}
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
			if !maps.Equal(heard, offers) || (s.Unread() > 0) {
				t.Fatalf("the driver knows %v, offered are %v; changes left: %v", heard, offers, (s.Unread() > 0))
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
			"offer all": func(t *rapid.T) {
				var list []Offering
				var routes []Slot
				var of []netip.Prefix
				for _, p := range rapid.SliceOfNDistinct(prefix, 0, 3*readAtOnce, rapid.ID[netip.Prefix]).Draw(t, "prefixes") {
					o := NewSlot(p, 0)
					if id, ok := ids[p]; ok {
						o.ID = id
						if rapid.Bool().Draw(t, "withdrawn") {
							o.Route = Withdrawn
						}
					}
					if len(routes) == 0 || rapid.Bool().Draw(t, "another route") {
						routes = append(routes, Slot{Metric: rapid.Uint32().Draw(t, "metric"), NextHops: hops[:rapid.IntRange(0, 2).Draw(t, "hops")]})
					}
					if o.Route == Withdrawn {
						delete(offers, p)
					} else {
						o.Route = int32(rapid.IntRange(0, len(routes)-1).Draw(t, "route"))
						offers[p] = routes[o.Route].Metric
					}
					list, of = append(list, o), append(of, p)
				}
				s.OfferAll(list, routes)
				for i, o := range list {
					ids[of[i]] = o.ID
				}
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

// What is offered once more as it was is not read again; what was withdrawn since is.
func TestOfferedAsItWas(t *testing.T) {
	var s Slots
	hops := []NextHop{{Address: netip.MustParseAddr("192.0.2.1")}, {Address: netip.MustParseAddr("192.0.2.2"), Backup: true}}
	list := []Offering{NewSlot(netip.MustParsePrefix("10.0.0.0/8"), 0)}
	routes := []Slot{{NextHops: hops, Metric: 1}}
	for _, step := range []struct {
		what   string
		change func()
		want   int
	}{
		{"the first time", func() {}, 1},
		{"as it was", func() {}, 0},
		{"another backup", func() { routes[0].NextHops = hops[:1] }, 1},
		{"another metric", func() { routes[0].Metric++ }, 1},
		{"withdrawn", func() { list[0].Route = Withdrawn }, 1},
		{"withdrawn again", func() {}, 0},
		{"as it was before", func() { list[0].Route = 0 }, 1},
		{"as it was", func() {}, 0},
	} {
		step.change()
		s.OfferAll(list, routes)
		n := 0
		s.Drain(func(Change) { n++ })
		if n != step.want {
			t.Errorf("%s: %d changes are read, want %d", step.what, n, step.want)
		}
	}
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

// A reader beside a protocol that goes on writing sees each route as it was at the
// end of a step, what was there before a cut before the cut, and in the end all.
func TestSlotsReadBesideSteps(t *testing.T) {
	const slots, steps = 200, 500
	var s Slots
	var ids []SlotID
	for i := range slots {
		ids = append(ids, s.Take(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 0}), 24)))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for step := range uint32(steps) {
			for i, id := range ids {
				if (i+int(step))%3 == 0 {
					s.Withdraw(id) // and offered again in the same step, which nobody sees
				}
				x := s.At(id)
				x.Metric, x.Tag = step, step
				s.Offer(id)
			}
			s.Cut(step, func(before, after any) (any, bool) { return after, before.(uint32)%7 != 0 })
		}
	}()
	metrics := map[SlotID]uint32{}
	last, read := uint32(0), 0
	take := func() (n int) {
		n, mark := s.Read(50, func(c Change) {
			if !c.Offered || c.Slot.Metric != c.Slot.Tag || c.Slot.Metric < metrics[c.ID] {
				t.Errorf("slot %d is read as %+v, offered: %v; before its metric was %d", c.ID, *c.Slot, c.Offered, metrics[c.ID])
			}
			metrics[c.ID] = c.Slot.Metric
		})
		if step, ok := mark.(uint32); ok {
			for id, m := range metrics {
				if m < step {
					t.Errorf("the cut after step %d is read, and slot %d is as in step %d", step, id, m)
				}
			}
			last = step
		}
		read += n
		return n
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		take()
	}
	for take() > 0 {
	}
	if last != steps-1 || s.Unread() != 0 || read < slots {
		t.Errorf("the last cut read is %d of %d, %d changes were read, %d are left", last, steps, read, s.Unread())
	}
}
