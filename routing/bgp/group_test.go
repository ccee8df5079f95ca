package bgp

import (
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/policy"
	"routerd/routing/protocol"
)

// naive is what a neighbour has to hold, by what was chosen alone.
func (s *stand) naive(p *player, prefixes []netip.Prefix) map[string]string {
	want := map[string]string{}
	var c *NeighborConfig
	for i := range s.config.Neighbors {
		if s.config.Neighbors[i].Address == p.address {
			c = &s.config.Neighbors[i]
		}
	}
	for _, prefix := range prefixes {
		for _, r := range s.machine.Routes(prefix) {
			if !r.Best || r.From == p.address {
				continue
			}
			hop := r.Attributes.NextHop.Address
			if hop == p.address || c.NextHopSelf {
				hop = standAddress
			}
			path := fmt.Sprintf("%d %v", standAS, r.Attributes.ASPath)
			if len(c.Families[wire.IPv4Unicast].Export.Chain) > 0 {
				path = fmt.Sprintf("%d %s", standAS, path)
			}
			want[prefix.String()] = fmt.Sprintf("%s via %v", path, hop)
		}
	}
	return want
}

// A hundred like neighbours cost as many evaluations and encodings as two, and each is
// sent all but its own.
func TestGroupCostsOneEncoding(t *testing.T) {
	cost := func(peers int) (evaluated, encoded uint64) {
		s := newStand(t, peers+1, nil)
		feeder := s.peers[peers]
		for _, p := range s.peers {
			s.connectNow(p)
		}
		const sets = 50
		list := manyPrefixes(20 * sets)
		for i := range sets {
			s.say(feeder, feeder.route(uint32(1+i), feeder.address, list[20*i:20*i+20]...))
		}
		s.run(time.Minute)
		for _, p := range s.peers[:peers] {
			if len(p.holds) != len(list) || p.ends != 1 {
				t.Fatalf("neighbour %v has %d routes, want %d; %d ends of the RIB", p.address, len(p.holds), len(list), p.ends)
			}
		}
		if len(feeder.holds) != 0 {
			t.Fatalf("the feeder was sent %d of its own routes", len(feeder.holds))
		}
		for _, n := range s.machine.Neighbors() {
			want := len(list)
			if n.Address == feeder.address {
				want = 0
			}
			if got := n.Families[wire.IPv4Unicast].Sent; got != want || n.Counts.Sent != uint64(want) {
				t.Errorf("neighbour %v: %d and %d prefixes are said to have been sent, want %d", n.Address, got, n.Counts.Sent, want)
			}
		}
		return s.machine.evaluated, s.machine.encoded
	}
	evaluated, encoded := cost(2)
	evaluated100, encoded100 := cost(100)
	if encoded100 > encoded+encoded/10 || evaluated100 > evaluated+evaluated/10 {
		t.Errorf("100 neighbours cost %d evaluations and %d encodings, two cost %d and %d", evaluated100, encoded100, evaluated, encoded)
	}
}

// Neighbours that do not read, and ask for all again one after the other, while what there is
// changes in between, go on together only from where both are.
func TestRefreshesOfThoseWhoDoNotRead(t *testing.T) {
	s := newStand(t, 3, nil)
	p := manyPrefixes(1)[0]
	for _, x := range s.peers {
		s.connectNow(x)
	}
	first, second := s.peers[0], s.peers[1]
	for _, x := range []*player{first, second} {
		x.stuck, x.room = true, 0
		s.step(protocol.Written{ID: x.stream, Room: x.room}) // it is full already
	}
	again := wire.Refresh{Family: wire.IPv4Unicast}.Append(nil)
	s.say(second, second.route(1, first.address, p))
	s.say(first, first.route(1, first.address, p)) // it is the better one
	s.say(first, again)
	s.say(first, first.withdrawal(0, p))
	s.say(second, again)
	s.unstick(first)
	s.unstick(second)
	s.run(time.Minute)
	for _, x := range s.peers {
		if want := s.naive(x, []netip.Prefix{p}); !maps.Equal(x.holds, want) {
			t.Errorf("neighbour %v holds %v, want %v", x.address, x.holds, want)
		}
	}
}

// A neighbour whose routes nobody else is there for costs no encoding of them; who comes
// later is sent them, and goes on with it.
func TestOwnRoutesOfOneAlone(t *testing.T) {
	s := newStand(t, 2, nil)
	feeder, other := s.peers[0], s.peers[1]
	s.connectNow(feeder)
	list := manyPrefixes(300)
	for i, p := range list {
		s.say(feeder, feeder.route(uint32(1+i), feeder.address, p))
	}
	if got := s.machine.encoded; got != 0 {
		t.Errorf("the routes of a neighbour that is alone cost %d encodings, want none", got)
	}
	s.connectNow(other)
	s.say(other, other.route(7, other.address, manyPrefixes(400)[300:]...))
	s.run(time.Second)
	if len(other.holds) != len(list) || len(feeder.holds) != 100 {
		t.Errorf("the neighbours have %d and %d routes, want 100 and %d", len(feeder.holds), len(other.holds), len(list))
	}
	if lanes := len(s.machine.groups[wire.IPv4Unicast][0].lanes); lanes != 1 {
		t.Errorf("%d lanes in the end, want 1", lanes)
	}
	s.say(feeder, feeder.withdrawal(0, list[:100]...))
	s.say(other, other.route(8, other.address, list[100:200]...)) // longer, and so no better
	s.run(time.Second)
	for i, n := range s.machine.Neighbors() {
		if got, want := n.Families[wire.IPv4Unicast].Sent, len(s.peers[i].holds); got != want || want != 100+100*i {
			t.Errorf("neighbour %v has %d routes, and is said to have been sent %d; want %d", n.Address, want, got, 100+100*i)
		}
	}
}

// Neighbours that come back at the same time are sent the table together, though the first
// of them does not read.
func TestGroupComesBack(t *testing.T) {
	s := newStand(t, 21, nil)
	list := manyPrefixes(9000)
	feeder := s.peers[20]
	s.connectNow(feeder)
	for i, p := range list {
		s.say(feeder, feeder.route(uint32(1+i), feeder.address, p))
	}
	for i, p := range s.peers[:20] {
		s.connectNow(p)
		if i == 0 {
			p.stuck = true
			s.lose(p)
			s.run(5 * time.Minute)
			s.machine.encoded = 0
			s.connectStuck(p)
		}
	}
	s.run(time.Second)
	for _, p := range s.peers[1:20] {
		if len(p.holds) != len(list) || p.ends != 1 {
			t.Fatalf("neighbour %v has %d routes, want %d; %d ends of the RIB", p.address, len(p.holds), len(list), p.ends)
		}
	}
	if got := s.machine.encoded; got > 2*uint64(len(list)) {
		t.Errorf("20 neighbours cost %d encodings of %d routes", got, len(list))
	}
	s.unstick(s.peers[0])
	s.run(time.Second)
	if lanes := len(s.machine.groups[wire.IPv4Unicast][0].lanes); lanes != 1 || len(s.peers[0].holds) != len(list) {
		t.Errorf("%d lanes in the end, want 1; the first has %d routes", lanes, len(s.peers[0].holds))
	}
}

// A neighbour that does not read holds nobody up, and costs a bounded room; when it reads
// again it is sent what has changed meanwhile, and goes on with the others.
func TestGroupSlowReader(t *testing.T) {
	s := newStand(t, 10, nil)
	for _, p := range s.peers {
		s.connectNow(p)
	}
	slow, feeder := s.peers[0], s.peers[9]
	slow.stuck = true
	list := manyPrefixes(6000)
	for round := range 6 {
		for i := range list {
			s.say(feeder, feeder.route(uint32(1+round*1000+i), feeder.address, list[i]))
		}
		for _, p := range s.peers[1:9] {
			if want := fmt.Sprintf("65000 65010 %d via 192.0.2.10", 1+round*1000); len(p.holds) != len(list) || p.holds[list[0].String()] != want {
				t.Fatalf("round %d: neighbour %v has %d routes, %q, want %d, %q", round, p.address, len(p.holds), p.holds[list[0].String()], len(list), want)
			}
		}
		size, lanes := 0, 0
		for _, g := range s.machine.groups[wire.IPv4Unicast] {
			for _, l := range g.lanes {
				size, lanes = size+l.size, lanes+1
			}
		}
		if size > 2*laneRoom || lanes > 2 {
			t.Fatalf("round %d: %d octets wait on %d lanes, want at most %d on 2", round, size, lanes, 2*laneRoom)
		}
	}
	before := slow.updates
	s.unstick(slow)
	s.run(time.Minute)
	if !maps.Equal(slow.holds, s.peers[1].holds) {
		t.Errorf("the slow neighbour has %d routes, the others have %d", len(slow.holds), len(s.peers[1].holds))
	}
	if lanes := len(s.machine.groups[wire.IPv4Unicast][0].lanes); lanes != 1 {
		t.Errorf("%d lanes in the end, want 1", lanes)
	}
	// There were 36,000 messages; what has changed several times comes once, besides what
	// was on its way already.
	if got := slow.updates - before; got > 24_000 {
		t.Errorf("the slow neighbour was sent %d messages in the end", got)
	}
}

// A neighbour that is the next hop of another's route is given the router itself as next
// hop; the others are given that neighbour (RFC 4271 §5.1.3).
func TestGroupNextHopItself(t *testing.T) {
	s := newStand(t, 3, nil)
	for _, p := range s.peers {
		s.connectNow(p)
	}
	a, b, c := s.peers[0], s.peers[1], s.peers[2]
	list := manyPrefixes(3)
	s.say(a, a.route(7, b.address, list...))
	for p, hop := range map[*player]string{b: "192.0.2.99", c: "192.0.2.2"} {
		if got, want := p.holds[list[1].String()], "65000 65001 7 via "+hop; got != want || len(p.holds) != 3 {
			t.Errorf("neighbour %v has %q, want %q", p.address, got, want)
		}
	}
	if len(s.machine.groups[wire.IPv4Unicast]) != 1 || len(a.holds) != 0 {
		t.Errorf("%d groups, want one; the feeder was sent %v", len(s.machine.groups[wire.IPv4Unicast]), a.holds)
	}
}

// A policy that asks for the neighbour is asked for each of them.
func TestGroupOfPolicyAboutNeighbor(t *testing.T) {
	chain, problems := statement(t, map[string]any{"neighbor": "192.0.2.2"}, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s := newStand(t, 3, func(_ int, c *NeighborConfig) { c.Families[wire.IPv4Unicast].Export.Chain = chain })
	for _, p := range s.peers {
		s.connectNow(p)
	}
	s.say(s.peers[0], s.peers[0].route(7, s.peers[0].address, manyPrefixes(1)...))
	if len(s.peers[1].holds) != 1 || len(s.peers[2].holds) != 0 {
		t.Errorf("neighbours have %v and %v, want one route for 192.0.2.2 alone", s.peers[1].holds, s.peers[2].holds)
	}
}

// Redistributed routes of two protocols are judged each by its own, though their
// attributes are the same.
func TestExportAsksForSource(t *testing.T) {
	chain := sources(t, routing.SourceOSPF)
	s := newStand(t, 1, func(_ int, c *NeighborConfig) { c.Families[wire.IPv4Unicast].Export.Chain = chain })
	list := manyPrefixes(2)
	var routes []routing.Delta
	for i, from := range []routing.Source{routing.SourceOSPF, routing.SourceStatic} {
		routes = append(routes, routing.Delta{Route: routing.Route{Prefix: list[i], Source: from, Metric: 7}})
	}
	s.step(protocol.Notices{Notices: routing.Notices{Routes: routes}})
	s.connectNow(s.peers[0])
	if got := s.peers[0].holds; len(got) != 1 || got[list[0].String()] == "" {
		t.Errorf("the neighbour has %v, want %v alone, which is of OSPF", got, list[0])
	}
}

// Whatever happens on the way, each neighbour holds in the end what a naive export gives
// it, and the groups are whole again.
func TestGroupsAgreeWithNaiveExport(t *testing.T) {
	prepend, problems := statement(t, nil, map[string]any{"as-path-prepend": fmt.Sprint(standAS)})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	rapid.Check(t, func(rt *rapid.T) {
		peers := rapid.IntRange(2, 7).Draw(rt, "peers")
		const interval = 30 * time.Second
		s := newStand(rt, peers, func(i int, c *NeighborConfig) {
			switch i % 4 {
			case 1:
				c.NextHopSelf = rapid.Bool().Draw(rt, "self")
			case 3:
				c.MRAI = interval
			}
		})
		prefixes := manyPrefixes(12)
		for _, p := range s.peers {
			p.open.Capabilities.EnhancedRefresh = rapid.Bool().Draw(rt, "enhanced")
			s.connect(p)
		}
		for range rapid.IntRange(1, 60).Draw(rt, "events") {
			p := s.peers[rapid.IntRange(0, peers-1).Draw(rt, "peer")]
			from := rapid.IntRange(0, len(prefixes)-1).Draw(rt, "from")
			some := prefixes[from : from+rapid.IntRange(1, len(prefixes)-from).Draw(rt, "count")]
			switch event := rapid.IntRange(0, 11).Draw(rt, "event"); {
			case event <= 3 && p.stream != 0:
				hop := s.peers[rapid.IntRange(0, peers-1).Draw(rt, "hop")]
				s.say(p, p.route(uint32(rapid.IntRange(1, 3).Draw(rt, "as")), hop.address, some...))
			case event == 4 && p.stream != 0:
				s.say(p, p.withdrawal(0, some...))
			case event == 5 && p.stream != 0:
				p.stuck = true
				p.room = 0
				s.step(protocol.Written{ID: p.stream, Room: p.room}) // it is full already
			case event == 6:
				s.unstick(p)
			case event == 7 && p.stream != 0:
				s.lose(p)
			case event == 8 && p.stream == 0:
				s.connect(p)
			case event == 9 && p.stream != 0:
				s.say(p, wire.Refresh{Family: wire.IPv4Unicast}.Append(nil))
			case event == 10:
				for i := range s.config.Neighbors {
					if c := &s.config.Neighbors[i].Families[wire.IPv4Unicast].Export; i%3 == from%3 && len(c.Chain) > 0 {
						c.Chain = nil
					} else if i%3 == from%3 {
						c.Chain = prepend
					}
				}
				s.configure()
			case event == 11:
				if s.slow = !s.slow; !s.slow {
					s.forwards()
				}
			default:
				s.run(time.Duration(rapid.IntRange(1, 40).Draw(rt, "seconds")) * time.Second)
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
		for _, p := range s.peers {
			if want := s.naive(p, prefixes); !maps.Equal(p.holds, want) {
				rt.Fatalf("neighbour %v holds %v, want %v", p.address, p.holds, want)
			}
			if p.ends != 1 || p.stale != nil {
				rt.Errorf("neighbour %v was sent %d ends of the RIB; refresh %v", p.address, p.ends, p.refresh)
			}
		}
		for i, n := range s.machine.Neighbors() {
			if got, want := n.Families[wire.IPv4Unicast].Sent, len(s.peers[i].holds); got != want {
				rt.Errorf("neighbour %v is said to have been sent %d prefixes, and has %d", n.Address, got, want)
			}
		}
		for _, g := range s.machine.groups[wire.IPv4Unicast] {
			if len(g.lanes) != 1 || len(g.lanes[0].blocks) != 0 {
				rt.Errorf("a group has %d lanes, the first with %d blocks, want one without", len(g.lanes), len(g.lanes[0].blocks))
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

// Routes of a destination come no sooner than the interval after each other, also to a
// neighbour that reads late.
func TestGroupInterval(t *testing.T) {
	const interval = 30 * time.Second
	s := newStand(t, 4, func(i int, c *NeighborConfig) { c.MRAI = interval })
	for _, p := range s.peers {
		s.connectNow(p)
	}
	feeder, late := s.peers[0], s.peers[1]
	list := manyPrefixes(40)
	for i := range 400 {
		s.say(feeder, feeder.route(uint32(1+i), feeder.address, list[i%40]))
		s.run(time.Second)
		switch i % 50 {
		case 10:
			late.stuck = true
			s.step(protocol.Written{ID: late.stream, Room: 0})
		case 30:
			s.unstick(late)
		}
	}
	s.run(2 * interval)
	for _, p := range s.peers[1:] {
		if p.least < interval {
			t.Errorf("neighbour %v was sent routes of a prefix %v after each other, want at least %v", p.address, p.least, interval)
		}
		if len(p.holds) != len(list) || !strings.Contains(p.holds[list[39].String()], " 400 ") {
			t.Errorf("neighbour %v has %d routes, the last %q", p.address, len(p.holds), p.holds[list[39].String()])
		}
	}
}

// sources is a policy that accepts routes of a source alone.
func sources(t testing.TB, from routing.Source) policy.Chain {
	t.Helper()
	all, problems := policy.Compile(policy.Config{Policies: []policy.Definition{{Name: "p", Statements: []policy.Statement{
		{Match: policy.Match{Protocols: []routing.Source{from}}, Action: policy.Accept},
	}}}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	chain, err := all.Chain("p")
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

// The interval is for changes: a table that has no room in a connection at once is sent
// without waiting for it.
func TestGroupIntervalAndTable(t *testing.T) {
	s := newStand(t, 2, func(i int, c *NeighborConfig) { c.MRAI = 30 * time.Second })
	feeder, p := s.peers[0], s.peers[1]
	s.connectNow(feeder)
	list := manyPrefixes(9000)
	for i, x := range list {
		s.say(feeder, feeder.route(uint32(1+i), feeder.address, x))
	}
	s.connectNow(p)
	s.run(time.Second)
	if len(p.holds) != len(list) || p.ends != 1 {
		t.Errorf("the neighbour has %d routes and %d ends of the RIB after a second, want %d and 1", len(p.holds), p.ends, len(list))
	}
}

// A neighbour that withdraws its own routes is not told that they are gone: the others are,
// also where prefixes of several neighbours go in turn.
func TestGroupSparesWhoseItWas(t *testing.T) {
	s := newStand(t, 3, nil)
	for _, p := range s.peers {
		s.connectNow(p)
	}
	list := manyPrefixes(400)
	a, b, c := s.peers[0], s.peers[1], s.peers[2]
	s.say(a, a.route(1, a.address, list[:200]...))
	s.say(b, b.route(2, b.address, list[200:]...))
	s.run(time.Second)
	if len(a.holds) != 200 || len(b.holds) != 200 || len(c.holds) != 400 {
		t.Fatalf("neighbours hold %d, %d and %d prefixes, want 200, 200 and 400", len(a.holds), len(b.holds), len(c.holds))
	}
	clear(a.times)
	clear(b.times)
	s.say(a, a.withdrawal(0, list[:100]...))
	if len(a.times) != 0 || len(b.holds) != 100 || len(c.holds) != 300 {
		t.Errorf("a has withdrawn half: it is told of %d, the others hold %d and %d, want 0, 100 and 300", len(a.times), len(b.holds), len(c.holds))
	}
	clear(b.times)
	b.stuck, c.stuck = true, true // so that what follows comes in the same blocks
	for i := range 100 {
		s.say(a, a.withdrawal(0, list[100+i]))
		s.say(b, b.withdrawal(0, list[200+2*i]))
	}
	s.unstick(b)
	s.unstick(c)
	s.run(time.Second)
	if len(a.holds) != 100 || len(b.holds) != 0 || len(c.holds) != 100 {
		t.Errorf("in the end neighbours hold %d, %d and %d prefixes, want 100, 0 and 100", len(a.holds), len(b.holds), len(c.holds))
	}
	for _, p := range s.peers {
		var said int
		for _, n := range s.machine.Neighbors() {
			if n.Address == p.address {
				said = n.Families[wire.IPv4Unicast].Sent
			}
		}
		if said != len(p.holds) {
			t.Errorf("%v holds %d prefixes, and is said to have been sent %d", p.address, len(p.holds), said)
		}
	}
}
