package flowcache

import (
	"testing"
	"time"

	"routerd/arp"
	"routerd/dataplane"
	sessions "routerd/flow"
)

// What each change ends, of flows that leave by wan0, by wan1, and by one of the
// two: those by IPv4 and IPv6 alike.
func TestEnds(t *testing.T) {
	one, two := offer(lan0, "10.0.1.9:4000", "10.20.0.1:5000"), offer(lan0, "10.0.1.9:4000", "10.21.0.1:5000")
	both := offer(lan0, "10.0.1.9:4000", "10.22.0.1:5000")
	one6, two6 := offer(lan0, "[2001:db8:1::9]:4000", "[2001:db8:20::1]:5000"), offer(lan0, "[2001:db8:1::9]:4000", "[2001:db8:21::1]:5000")
	all := []*dataplane.Offer{&one, &two, &both, &one6, &two6}
	none := []*dataplane.Offer{}
	for _, tt := range []struct {
		name   string
		change func(*site)
		ends   []*dataplane.Offer
		why    End
	}{
		{"a route of another prefix", func(s *site) { s.routes("10.30.0.0/16 wan0") }, none, 0},
		{"a route that says the same", func(s *site) { s.routes("10.20.0.0/16 wan0") }, none, 0},
		{"a longer prefix by the same way", func(s *site) { s.routes("10.20.0.0/24 wan0") }, none, 0},
		{"a longer prefix that leads elsewhere", func(s *site) { s.routes("10.20.0.0/24 wan1") }, []*dataplane.Offer{&one}, EndRoute},
		{"a route of IPv6", func(s *site) { s.routes("2001:db8:21::/48 wan0") }, []*dataplane.Offer{&two6}, EndRoute},
		{"a route that is withdrawn", func(s *site) { s.routes("10.21.0.0/16") }, []*dataplane.Offer{&two}, EndRoute},
		{"one way in place of two", func(s *site) { s.routes("10.22.0.0/16 wan0") }, []*dataplane.Offer{&both}, EndRoute},
		{"a shorter prefix", func(s *site) { s.routes("10.0.0.0/7 wan1", "2000::/3 wan1") }, none, 0},
		{"a neighbour that moves", func(s *site) { s.neighbor(wan1, arp.MAC{2, 9}, arp.Reachable) }, []*dataplane.Offer{&two, &two6}, EndNeighbor},
		{"a neighbour that goes", func(s *site) { s.neighbor(wan1, arp.MAC{}, arp.Reachable) }, []*dataplane.Offer{&two, &two6}, EndNeighbor},
		{"a neighbour that is stale", func(s *site) { s.neighbor(wan0, macOf(wan0), arp.Stale) }, none, 0},
		{"a next hop that dies", func(s *site) { s.cache.HopChanged() }, []*dataplane.Offer{&both}, EndHop},
		{"another MTU", func(s *site) { s.change(func(v *dataplane.View) { v.Interfaces[wan1].MTU = 1400 }) }, []*dataplane.Offer{&two, &two6}, EndInterface},
		{"another MTU of the way in", func(s *site) { s.change(func(v *dataplane.View) { v.Interfaces[lan0].MTU = 1400 }) }, none, 0},
		{"an interface that goes down", func(s *site) { s.change(func(v *dataplane.View) { v.Interfaces[wan1].Up = false }) }, []*dataplane.Offer{&two, &two6}, EndInterface},
		{"the way in, down", func(s *site) { s.change(func(v *dataplane.View) { v.Interfaces[lan0].Up = false }) }, none, 0},
		{"an interface that is gone", func(s *site) { s.change(func(v *dataplane.View) { v.Interfaces[wan1] = nil }) }, []*dataplane.Offer{&two, &two6}, EndInterface},
		{"no cache at the way in", func(s *site) { s.change(func(v *dataplane.View) { v.Interfaces[lan0].Carried = nil }) }, all, EndInterface},
		{"another device", func(s *site) {
			s.change(func(v *dataplane.View) { v.Interfaces[wan1].Carried = &dataplane.Carried{Device: 77} })
		}, []*dataplane.Offer{&two, &two6}, EndInterface},
		{"another address of the router", func(s *site) { s.change(func(v *dataplane.View) { v.Interfaces[lan0].MAC = arp.MAC{2, 7} }) }, all, EndInterface},
		{"a check of the source that passes", func(s *site) { s.change(func(v *dataplane.View) { v.Interfaces[lan0].URPF = dataplane.URPFStrict }) }, all, EndInterface},
		{"settings that say the same", func(s *site) { s.change(func(v *dataplane.View) { v.ClampsMSS = true }) }, none, 0},
		{"martians", func(s *site) {
			s.change(func(v *dataplane.View) { v.Martians = dataplane.NewMartians(nil, prefixes("10.20.0.0/24")) })
			for s.cache.Review() {
			}
		}, []*dataplane.Offer{&one}, EndSettings},
		{"translation", func(s *site) { s.masquerade() }, all, EndSettings},
		{"being cleared", func(s *site) {
			if n := s.cache.Clear(Filter{Dst: prefix("10.20.0.0/15")}); n != 2 {
				t.Errorf("cleared %d flows, want 2", n)
			}
		}, []*dataplane.Offer{&one, &two}, EndCleared},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, 16)
			s.carry(one, two, both, one6, two6)
			before := s.cache.Totals()
			tt.change(s)
			if swept := tt.why == EndHop || tt.why == EndNeighbor; swept {
				s.step()
			}
			for _, o := range all {
				wanted := true
				for _, e := range tt.ends {
					wanted = wanted && e != o
				}
				if got := s.passes(o); got != wanted {
					t.Errorf("%s: carried %v, want %v", o.Dst, got, wanted)
				}
				if _, found := s.cache.Find(s.view.Interfaces[lan0], o.Proto, o.Src, o.Dst); found != wanted && s.view.Interfaces[lan0].Carried != nil {
					t.Errorf("%s: found %v, want %v", o.Dst, found, wanted)
				}
			}
			n := s.cache.Totals()
			if n.Flows != before.Flows-len(tt.ends) || n.Ended[tt.why] != before.Ended[tt.why]+uint64(len(tt.ends)) {
				t.Errorf("%d flows are left and %v have ended, want %d fewer, by %s", n.Flows, n.Ended, len(tt.ends), tt.why)
			}
		})
	}
}

// A flow that has ended is carried again when it is offered again, the way that it
// goes by then.
func TestOfferedAgain(t *testing.T) {
	s := newSite(t, 4)
	o := offer(lan0, "10.0.1.9:4000", "10.20.0.1:5000")
	s.carry(o)
	for range 5 { // more often than there is room
		s.routes("10.20.0.0/16 wan1")
		s.carry(o)
		if _, by, _ := s.send(&o); by.Device != device(wan1) {
			t.Fatalf("it leaves by device %d, want %d", by.Device, device(wan1))
		}
		s.routes("10.20.0.0/16 wan0")
		s.carry(o)
	}
	s.step()
	if n := s.cache.Totals(); n.Flows != 1 || n.Made != 11 || n.Ended[EndRoute] != 10 {
		t.Errorf("%+v, want 11 made and 10 ended", n)
	}
}

// With the reverse path checked, a route to the source ends a flow too.
func TestSourceRoute(t *testing.T) {
	s := newSite(t, 4)
	s.change(func(v *dataplane.View) { v.Interfaces[lan0].URPF = dataplane.URPFLoose })
	o, other := offer(lan0, "10.20.0.9:4000", "10.21.0.1:5000"), offer(lan0, "10.0.1.9:4000", "10.21.0.1:5000")
	s.carry(o, other)
	s.routes("10.20.0.0/24 wan1") // loose: by any interface
	if !s.passes(&o) || !s.passes(&other) {
		t.Error("a route to the source by another way ends it")
	}
	s.routes("10.20.0.0/24", "10.20.0.0/16")
	if s.passes(&o) || !s.passes(&other) {
		t.Error("without a route to its source it is carried, or the other is not any more")
	}
}

// The end of a session ends its flows, in both directions, and a later session with
// its number has nothing to do with that.
func TestSessions(t *testing.T) {
	s := newSite(t, 8)
	table := s.masquerade()
	table.OnEnd(func(session uint32) { s.cache.SessionEnded(false, session) })
	o := offer(lan0, "10.0.1.2:4000", "10.20.0.1:5000")
	s.begin(&o)
	hit := table.Find(keyOf(&o))
	if hit.Session == sessions.NoSession {
		t.Fatal("there is no session")
	}
	back := offer(wan0, "10.20.0.1:5000", "10.0.2.1:"+portOf(hit.Other))
	s.begin(&back)
	other := offer(lan0, "10.0.1.2:4001", "10.20.0.1:5000")
	s.begin(&other)
	s.carry(o, back, other)
	out, _, _ := s.send(&o)
	if got := s.sourceOf(out); got != addr("10.0.2.1") {
		t.Errorf("it leaves from %s, want 10.0.2.1", got)
	}
	f, _ := s.cache.Find(s.view.Interfaces[lan0], o.Proto, o.Src, o.Dst)
	if f.Session != hit.Session || f.NewSrc.Addr() != addr("10.0.2.1") || f.NewDst != o.Dst {
		t.Errorf("it is shown as %+v", f)
	}
	table.Delete(hit.Session, nil)
	if s.passes(&o) || s.passes(&back) || !s.passes(&other) {
		t.Error("its flows are carried, or another is not")
	}
	s.step()
	if n := s.cache.Totals(); n.Ended[EndSession] != 2 {
		t.Errorf("ended %v, want 2 by their session", n.Ended)
	}
}

// Idle flows make room.
func TestIdle(t *testing.T) {
	s := newSite(t, 2)
	a, b, c := offer(lan0, "10.0.1.9:1", "10.20.0.1:5000"), offer(lan0, "10.0.1.9:2", "10.20.0.1:5000"), offer(lan0, "10.0.1.9:3", "10.20.0.1:5000")
	s.carry(a, b)
	s.cache.Offer([]dataplane.Offer{c})
	s.step()
	if n := s.cache.Totals(); n.Refused[RefusedFull] == 0 || n.Flows != 2 {
		t.Errorf("%+v, want one refused and two carried", n)
	}
	for range 4 {
		s.now = s.now.Add(accountEvery)
		s.passes(&a)
		s.cache.Offer([]dataplane.Offer{c})
		s.step()
	}
	s.step()
	s.carry(a, c)
	if n := s.cache.Totals(); n.Ended[EndIdle] != 1 {
		t.Errorf("ended %v, want one idle", n.Ended)
	}
	s.now = s.now.Add(idleTime)
	s.passes(&c)
	s.now = s.now.Add(time.Second)
	s.step()
	if s.passes(&a) || !s.passes(&c) {
		t.Error("what was idle is carried, or what was not is not")
	}
}
