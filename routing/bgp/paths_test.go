package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// takesPaths has a neighbour take several paths, and be sent up to most.
func takesPaths(s *stand, p *player, most int) {
	p.open.Capabilities.AddPath[wire.IPv4Unicast] |= wire.AddPathReceive
	for i := range s.config.Neighbors {
		if c := &s.config.Neighbors[i]; c.Address == p.address {
			c.Families[wire.IPv4Unicast].SendPaths = most
		}
	}
}

// sendsPaths has a neighbour send several paths.
func sendsPaths(s *stand, p *player) {
	p.open.Capabilities.AddPath[wire.IPv4Unicast] |= wire.AddPathSend
	for i := range s.config.Neighbors {
		if c := &s.config.Neighbors[i]; c.Address == p.address {
			c.Families[wire.IPv4Unicast].ReceivePaths = true
		}
	}
}

// paths are what a neighbour holds of a prefix, in order.
func (p *player) paths(prefix netip.Prefix) (list []string) {
	for k, v := range p.holds {
		if name, _, _ := strings.Cut(k, "#"); name == prefix.String() {
			list = append(list, v)
		}
	}
	slices.Sort(list)
	return list
}

func (p *player) wantPaths(t testing.TB, what string, prefix netip.Prefix, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := p.paths(prefix); !slices.Equal(got, want) {
		t.Errorf("%s: neighbour %v has %q of %v, want %q", what, p.address, got, prefix, want)
	}
}

// A neighbour that takes several paths is sent all, or so many of the best; others are
// sent the best alone (RFC 7911 §5).
func TestPathsSent(t *testing.T) {
	s := newStand(t, 6, nil)
	a, b, c, all, two, one := s.peers[0], s.peers[1], s.peers[2], s.peers[3], s.peers[4], s.peers[5]
	takesPaths(s, all, AllPaths)
	takesPaths(s, two, 2)
	s.configure()
	for _, p := range s.peers {
		s.connectNow(p)
	}
	x := manyPrefixes(1)[0]
	for i, p := range []*player{c, b, a} {
		s.say(p, p.route(uint32(10+i), p.address, x))
	}
	byA, byB, byC := "65000 65001 12 via 192.0.2.1", "65000 65002 11 via 192.0.2.2", "65000 65003 10 via 192.0.2.3"
	all.wantPaths(t, "three routes", x, byA, byB, byC)
	two.wantPaths(t, "three routes", x, byA, byB)
	one.wantPaths(t, "three routes", x, byA)
	a.wantPaths(t, "three routes", x) // the best is its own
	b.wantPaths(t, "three routes", x, byA)
	if n := s.machine.Neighbors(); n[3].Families[0].Sent != 3 || n[4].Families[0].Sent != 2 || n[5].Families[0].Sent != 1 {
		t.Errorf("said to have been sent %d, %d and %d paths, want 3, 2, 1", n[3].Families[0].Sent, n[4].Families[0].Sent, n[5].Families[0].Sent)
	}
	list, _ := s.machine.AdvertisedPage(all.address, s.config.Neighbors[3].Link, wire.IPv4Unicast, x, netip.Prefix{}, 10)
	for _, sent := range list {
		if got, want := routeWords(&sent.Attributes), all.holds[fmt.Sprintf("%v#%d", x, sent.PathID)]; got != want || sent.Pending {
			t.Errorf("path %d is said to be %q, and is %q; pending %v", sent.PathID, got, want, sent.Pending)
		}
	}
	if len(list) != 3 {
		t.Errorf("%d paths are said to have been sent, want 3", len(list))
	}
	ids := fmt.Sprint(all.holds)
	s.say(b, b.route(99, b.address, x)) // another path, not the best: the FIB does not change
	byB = "65000 65002 99 via 192.0.2.2"
	all.wantPaths(t, "another path", x, byA, byB, byC)
	two.wantPaths(t, "another path", x, byA, byB)
	if len(all.holds) != 3 || strings.ReplaceAll(ids, " 11 ", " 99 ") != fmt.Sprint(all.holds) {
		t.Errorf("identifiers have changed: %v, before %s", all.holds, ids)
	}
	s.say(a, a.withdrawal(0, x))
	all.wantPaths(t, "the best is lost", x, byB, byC)
	two.wantPaths(t, "the best is lost", x, byB, byC)
	one.wantPaths(t, "the best is lost", x, byB)
	s.lose(b)
	s.run(time.Second)
	all.wantPaths(t, "another is lost", x, byC)
	s.say(c, c.withdrawal(0, x))
	all.wantPaths(t, "all are lost", x)
	two.wantPaths(t, "all are lost", x)
	s.run(2 * vacantTime)
	if got := s.machine.ribs[wire.IPv4Unicast].table.Prefixes(); got != 0 {
		t.Errorf("%d prefixes have numbers, want none", got)
	}
}

// Several paths of a neighbour are several routes, and each may be withdrawn.
func TestPathsReceived(t *testing.T) {
	s := newStand(t, 2, nil)
	a, b := s.peers[0], s.peers[1]
	sendsPaths(s, a)
	takesPaths(s, b, AllPaths)
	s.configure()
	s.connectNow(a)
	s.connectNow(b)
	x := manyPrefixes(1)[0]
	for id := range uint32(3) {
		s.say(a, a.pathRoute(10+id, a.address, 7+id, x))
	}
	if got := len(s.machine.Routes(x)); got != 3 {
		t.Fatalf("%d routes, want 3", got)
	}
	path := func(as int) string { return fmt.Sprintf("65000 65001 %d via 192.0.2.1", as) }
	b.wantPaths(t, "three paths", x, path(10), path(11), path(12))
	s.say(a, a.pathRoute(50, a.address, 8, x))
	b.wantPaths(t, "one is another", x, path(10), path(50), path(12))
	s.say(a, a.withdrawal(7, x))
	b.wantPaths(t, "the best is withdrawn", x, path(50), path(12))
	s.say(a, a.withdrawal(77, x)) // that nobody knows
	b.wantPaths(t, "one that is not there is withdrawn", x, path(50), path(12))
	if n := s.machine.Neighbors()[0]; n.State != Established || n.Families[0].Accepted != 2 {
		t.Errorf("%v with %d routes, want 2", n.State, n.Families[0].Accepted)
	}
}

// A client of a reflector that takes several paths has both exits, of which it would know
// one without them.
func TestPathsReflected(t *testing.T) {
	w := newNetwork(t, 1)
	rr, a, b, c, x := w.router(65001), w.router(65001), w.router(65001), w.router(65001), w.router(65002)
	for _, r := range []*router{a, b, c} {
		w.peer(rr, r, func(of *router, n *NeighborConfig) {
			n.Client = of == rr
			n.Families[wire.IPv4Unicast].ReceivePaths = true
			n.Families[wire.IPv4Unicast].SendPaths = AllPaths
		})
	}
	w.peer(a, x, nil)
	w.peer(b, x, nil)
	w.start()
	w.run(time.Minute)
	w.established()
	if got := c.machine.Routes(ownPrefix(4)); len(got) != 2 || got[0].Attributes.NextHop == got[1].Attributes.NextHop {
		t.Errorf("the client has %+v, want two exits", got)
	}
	if hops := c.offered[ownPrefix(4)].NextHops; len(hops) != 2 || !hops[1].Backup {
		t.Errorf("next hops %+v, want the other exit as a backup", hops)
	}
	w.cut(a, x)
	for w.deliver() { // and no time passes, in which they would connect again
	}
	if got := c.machine.Routes(ownPrefix(4)); len(got) != 1 {
		t.Errorf("the client has %+v, want one exit", got)
	}
}

// naivePaths is what a neighbour has to hold of a prefix, in order.
func (s *stand) naivePaths(p *player, prefix netip.Prefix, most int) (want []string) {
	m := s.machine
	r := m.ribs[wire.IPv4Unicast]
	n, ok := r.table.Number(prefix)
	if !ok {
		return nil
	}
	m.from = m.from[:0]
	routes := r.table.Load(n, nil, r.look)
	if most == AllPaths {
		most = len(routes)
	}
	for range max(1, most) {
		best := m.cfg.Rules.Best(routes, nil)
		if best < 0 {
			break
		}
		x := routes[best]
		routes = slices.Delete(routes, best, best+1)
		if x.From == p.address {
			continue
		}
		var a wire.Attributes
		x.Attributes.octets.Read(&a)
		hop := a.NextHop.Address
		if hop == p.address {
			hop = standAddress
		}
		want = append(want, fmt.Sprintf("%d %v via %v", standAS, a.ASPath, hop))
	}
	slices.Sort(want)
	return want
}

// Whatever happens on the way, each neighbour holds in the end the paths that a naive
// export gives it.
func TestPathsAgreeWithNaiveExport(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		peers := rapid.IntRange(3, 6).Draw(rt, "peers")
		s := newStand(rt, peers, nil)
		most := make([]int, peers)
		for i, p := range s.peers {
			if most[i] = rapid.SampledFrom([]int{0, 1, 2, AllPaths, AllPaths}).Draw(rt, "most"); most[i] != 0 {
				takesPaths(s, p, most[i])
			}
			if rapid.Bool().Draw(rt, "sends") {
				sendsPaths(s, p)
			}
			p.open.Capabilities.EnhancedRefresh = rapid.Bool().Draw(rt, "enhanced")
		}
		s.configure()
		prefixes := manyPrefixes(6)
		for _, p := range s.peers {
			s.connect(p)
		}
		for range rapid.IntRange(1, 60).Draw(rt, "events") {
			p := s.peers[rapid.IntRange(0, peers-1).Draw(rt, "peer")]
			from := rapid.IntRange(0, len(prefixes)-1).Draw(rt, "from")
			some := prefixes[from : from+rapid.IntRange(1, len(prefixes)-from).Draw(rt, "count")]
			id := rapid.Uint32Range(0, 2).Draw(rt, "path")
			switch event := rapid.IntRange(0, 10).Draw(rt, "event"); {
			case event <= 3 && p.stream != 0:
				hop := s.peers[rapid.IntRange(0, peers-1).Draw(rt, "hop")]
				s.say(p, p.pathRoute(uint32(rapid.IntRange(1, 3).Draw(rt, "as")), hop.address, id, some...))
			case event <= 5 && p.stream != 0:
				s.say(p, p.withdrawal(id, some...))
			case event == 6 && p.stream != 0:
				p.stuck = true
				s.step(protocol.Written{ID: p.stream, Room: 0})
			case event == 7:
				s.unstick(p)
			case event == 8 && p.stream != 0:
				s.lose(p)
			case event == 9 && p.stream == 0:
				s.connect(p)
			case event == 10 && p.stream != 0:
				s.say(p, refreshMessage(wire.RefreshRequest))
			default:
				if s.slow = !s.slow; !s.slow {
					s.forwards()
				}
			}
		}
		s.forwards()
		for _, p := range s.peers {
			s.unstick(p)
			if p.stream == 0 {
				s.connect(p)
			}
		}
		s.run(10 * time.Minute)
		for i, p := range s.peers {
			total := 0
			for _, x := range prefixes {
				want := s.naivePaths(p, x, most[i])
				if got := p.paths(x); !slices.Equal(got, want) {
					rt.Fatalf("neighbour %v, which takes %d paths, holds %q of %v, want %q", p.address, most[i], got, x, want)
				}
				total += len(want)
			}
			if got := s.machine.Neighbors()[i].Families[0].Sent; got != total {
				rt.Errorf("neighbour %v is said to have been sent %d paths, and has %d", p.address, got, total)
			}
		}
		for _, g := range s.machine.groups[wire.IPv4Unicast] {
			if len(g.lanes) != 1 {
				rt.Errorf("a group has %d lanes, want one", len(g.lanes))
			}
		}
		for _, p := range s.peers {
			s.lose(p)
		}
		s.run(time.Minute)
		if m := s.machine; m.attributes.Len() != 0 || m.ribs[wire.IPv4Unicast].table.Prefixes() != 0 || len(m.groups[wire.IPv4Unicast]) != 0 {
			rt.Errorf("left: %d sets of attributes, %d prefixes, %d groups", m.attributes.Len(), m.ribs[wire.IPv4Unicast].table.Prefixes(), len(m.groups[wire.IPv4Unicast]))
		}
	})
}
