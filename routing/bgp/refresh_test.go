package bgp

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/routing/bgp/wire"
)

// refreshStand is one neighbour that has sent routes, and has the enhanced refresh.
func refreshStand(t rapid.TB, keep bool, list []netip.Prefix) (*stand, *player) {
	s := newStand(t, 1, func(_ int, c *NeighborConfig) { c.Families[wire.IPv4Unicast].KeepReceived = keep })
	p := s.peers[0]
	p.open.Capabilities.EnhancedRefresh = true
	p.open.Capabilities.Restart.Present = true
	s.connectNow(p)
	s.say(p, p.route(1, p.address, list...))
	return s, p
}

func refreshMessage(of wire.RefreshSubtype) []byte {
	return wire.Refresh{Family: wire.IPv4Unicast, Subtype: of}.Append(nil)
}

// has reports which of the prefixes have a route.
func (s *stand) has(list []netip.Prefix) (has []bool) {
	for _, p := range list {
		has = append(has, len(s.machine.Routes(p)) > 0)
	}
	return has
}

// What a refresh has not brought by its end is dropped (RFC 7313 §4), and not before.
func TestRefreshDropsWhatIsOld(t *testing.T) {
	list := manyPrefixes(3)
	all, less := []bool{true, true, true}, []bool{true, true, false}
	for _, test := range []struct {
		name string
		do   func(s *stand, p *player)
		want []bool
	}{
		{"from beginning to end", func(s *stand, p *player) {
			s.say(p, wire.AppendEndOfRIB(nil, wire.IPv4Unicast))
			s.say(p, refreshMessage(wire.RefreshBegin))
			s.say(p, p.route(1, p.address, list[0]))
			s.say(p, p.route(2, p.address, list[1]))
			if got := s.has(list); !slices.Equal(got, all) {
				t.Errorf("before the end of the refresh: %v", got)
			}
			s.say(p, refreshMessage(wire.RefreshEnd))
		}, less},
		{"before the end of the RIB", func(s *stand, p *player) {
			s.say(p, refreshMessage(wire.RefreshBegin))
			s.say(p, refreshMessage(wire.RefreshEnd))
		}, all},
		{"an end without a beginning", func(s *stand, p *player) {
			s.say(p, wire.AppendEndOfRIB(nil, wire.IPv4Unicast))
			s.say(p, refreshMessage(wire.RefreshEnd))
		}, all},
		{"two beginnings", func(s *stand, p *player) {
			s.say(p, wire.AppendEndOfRIB(nil, wire.IPv4Unicast))
			s.say(p, refreshMessage(wire.RefreshBegin))
			s.say(p, p.route(1, p.address, list[2]))
			s.say(p, refreshMessage(wire.RefreshBegin))
			s.say(p, p.route(1, p.address, list[:2]...))
			s.say(p, refreshMessage(wire.RefreshEnd))
		}, less},
		{"no end", func(s *stand, p *player) {
			s.say(p, wire.AppendEndOfRIB(nil, wire.IPv4Unicast))
			s.say(p, refreshMessage(wire.RefreshBegin))
			s.say(p, p.route(1, p.address, list[:2]...))
			s.run(staleTime - time.Second)
			if got := s.has(list); !slices.Equal(got, all) {
				t.Errorf("before the time is over: %v", got)
			}
			s.run(2 * time.Second)
		}, less},
		{"import policies from memory meanwhile", func(s *stand, p *player) {
			s.say(p, wire.AppendEndOfRIB(nil, wire.IPv4Unicast))
			s.say(p, refreshMessage(wire.RefreshBegin))
			s.say(p, p.route(1, p.address, list[:2]...))
			s.step(Clear{Address: p.address, Link: s.config.Neighbors[0].Link, Soft: true, In: true})
			s.say(p, refreshMessage(wire.RefreshEnd))
		}, less},
	} {
		for _, keep := range []bool{false, true} {
			s, p := refreshStand(t, keep, list)
			test.do(s, p)
			s.run(time.Second)
			if got := s.has(list); !slices.Equal(got, test.want) {
				t.Errorf("%s, kept %v: there are %v, want %v", test.name, keep, got, test.want)
			}
			if n := s.machine.Neighbors()[0]; n.State != Established || keep && s.machine.order[0].source.kept[wire.IPv4Unicast] != n.Families[wire.IPv4Unicast].Accepted {
				t.Errorf("%s: the neighbour is %v, with %d routes, of which %d are kept", test.name, n.State, n.Families[wire.IPv4Unicast].Accepted, s.machine.order[0].source.kept[wire.IPv4Unicast])
			}
		}
	}
}

// Without the capability the messages mean nothing.
func TestRefreshNeedsCapability(t *testing.T) {
	list := manyPrefixes(2)
	s := newStand(t, 1, nil)
	p := s.peers[0]
	s.connectNow(p)
	s.say(p, p.route(1, p.address, list...))
	s.say(p, refreshMessage(wire.RefreshBegin))
	s.say(p, refreshMessage(wire.RefreshEnd))
	if got := s.has(list); !slices.Equal(got, []bool{true, true}) {
		t.Errorf("routes: %v", got)
	}
	s.say(p, refreshMessage(wire.RefreshRequest))
	if len(p.refresh) != 0 {
		t.Errorf("the neighbour was sent %v", p.refresh)
	}
}

// A refresh that is asked for is sent between a beginning and an end, with what changes
// meanwhile, and nothing is missing in it that the FIB is waited for.
func TestRefreshSent(t *testing.T) {
	s := newStand(t, 2, nil)
	a, b := s.peers[0], s.peers[1]
	b.open.Capabilities.EnhancedRefresh = true
	s.connectNow(a)
	s.connectNow(b)
	list := manyPrefixes(5000)
	for i, p := range list {
		s.say(a, a.route(uint32(1+i), a.address, p))
	}
	s.slow = true
	s.say(a, a.route(9999, a.address, list[7]))
	s.say(b, refreshMessage(wire.RefreshRequest))
	if !slices.Equal(b.refresh, []wire.RefreshSubtype{wire.RefreshBegin}) || len(b.holds) != len(list) {
		t.Fatalf("while the FIB does not have a route: %v, %d routes", b.refresh, len(b.holds))
	}
	s.forwards()
	s.run(time.Second)
	if want := []wire.RefreshSubtype{wire.RefreshBegin, wire.RefreshEnd}; !slices.Equal(b.refresh, want) || b.ends != 1 {
		t.Errorf("the neighbour was sent %v and %d ends of the RIB, want %v and 1", b.refresh, b.ends, want)
	}
	if got, want := b.holds[list[7].String()], "65000 65001 9999 via 192.0.2.1"; got != want || len(b.holds) != len(list) {
		t.Errorf("%d routes, the changed one %q, want %q", len(b.holds), got, want)
	}
}

// What the FIB is waited for when a refresh begins is in it, also if it changes again before
// the neighbour reads, or while the advertisement interval holds changes back.
func TestRefreshSentWithWhatChangesAgain(t *testing.T) {
	for _, interval := range []time.Duration{0, 30 * time.Second} {
		for _, event := range []string{"nothing more", "another route", "no route"} {
			t.Run(fmt.Sprintf("%s, interval %v", event, interval), func(t *testing.T) { refreshAndChange(t, interval, event) })
		}
	}
}

func refreshAndChange(t *testing.T, interval time.Duration, event string) {
	s := newStand(t, 2, func(_ int, c *NeighborConfig) { c.MRAI = interval })
	a, b := s.peers[0], s.peers[1]
	b.open.Capabilities.EnhancedRefresh = true
	list := manyPrefixes(5000)
	s.connectNow(a)
	for i, p := range list {
		s.say(a, a.route(uint32(1+i), a.address, p))
	}
	s.connectNow(b)
	s.run(time.Minute)
	last := list[len(list)-1] // the first that a refresh comes to
	s.slow = true
	s.say(a, a.route(9001, a.address, last))
	b.stuck = true
	s.say(b, refreshMessage(wire.RefreshRequest))
	s.forwards()
	s.slow = true
	switch event {
	case "another route":
		s.say(a, a.route(9002, a.address, last))
	case "no route":
		s.say(a, a.withdrawal(0, last))
	}
	s.unstick(b)
	s.run(time.Minute)
	s.forwards()
	s.run(time.Minute)
	if want := []wire.RefreshSubtype{wire.RefreshBegin, wire.RefreshEnd}; !slices.Equal(b.refresh, want) {
		t.Errorf("the neighbour was sent %v, want %v", b.refresh, want)
	}
	if want := s.naive(b, list); !maps.Equal(b.holds, want) {
		t.Errorf("the neighbour has %d routes, the last %q, want %d, %q", len(b.holds), b.holds[last.String()], len(want), want[last.String()])
	}
}

// Whatever comes, in whatever order, what is there is what a neighbour would have that
// marks each route by hand.
func TestRefreshAgreesWithModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		list := manyPrefixes(8)
		s, p := refreshStand(rt, rapid.Bool().Draw(rt, "keep"), list)
		s.say(p, wire.AppendEndOfRIB(nil, wire.IPv4Unicast))
		model := map[netip.Prefix]bool{} // to whether it is stale
		for _, x := range list {
			model[x] = false
		}
		begun := false
		for range rapid.IntRange(1, 40).Draw(rt, "messages") {
			i := rapid.IntRange(0, len(list)-1).Draw(rt, "prefix")
			switch rapid.IntRange(0, 6).Draw(rt, "what") {
			case 0, 1, 2:
				s.say(p, p.route(uint32(rapid.IntRange(1, 2).Draw(rt, "as")), p.address, list[i]))
				model[list[i]] = false
			case 3:
				s.say(p, p.withdrawal(0, list[i]))
				delete(model, list[i])
			case 4:
				s.say(p, refreshMessage(wire.RefreshBegin))
				begun = true
				for x := range model {
					model[x] = true
				}
			case 5:
				s.say(p, refreshMessage(wire.RefreshEnd))
				for x, stale := range model {
					if stale && begun {
						delete(model, x)
					}
				}
				begun = false
			case 6:
				s.step(Clear{Address: p.address, Link: s.config.Neighbors[0].Link, Soft: true, In: true})
			}
		}
		s.run(time.Second)
		for i, has := range s.has(list) {
			if _, want := model[list[i]]; has != want {
				rt.Fatalf("%v is there: %v, want %v", list[i], has, want)
			}
		}
		if got := s.machine.Neighbors()[0].Families[wire.IPv4Unicast].Accepted; got != len(model) {
			rt.Errorf("%d routes are counted, there are %d", got, len(model))
		}
	})
}
