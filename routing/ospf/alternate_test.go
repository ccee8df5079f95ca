package ospf

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/routing"
	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// topology is an area as one who builds it sees it: routers, links between two and
// networks of several, and prefixes that are at some routers.
type topology struct {
	routers  []wire.ID
	links    []topologyLink
	prefixes map[netip.Prefix]map[wire.ID]uint16
}

// topologyLink is a link with an end at each of its routers. One that is a network
// has a designated router, the first.
type topologyLink struct {
	network bool
	ends    []topologyEnd
}

type topologyEnd struct {
	router wire.ID
	cost   uint16
}

func (l *topologyLink) cost(r wire.ID) uint16 {
	for _, e := range l.ends {
		if e.router == r {
			return e.cost
		}
	}
	return 0
}

// address is what router r is called on link number n.
func address(n int, r wire.ID) wire.ID { return 0x0a000000 + wire.ID(n)<<8 + r }

// install puts the LSAs of the topology into the area, and gives the attachments
// of router r; its interfaces are the numbers of links.
func (n *topology) install(a *areaBed, r wire.ID) (at []Attachment) {
	links := map[wire.ID][]wire.Link{}
	for i, l := range n.links {
		var routers []wire.ID
		for _, e := range l.ends {
			routers = append(routers, e.router)
			attachment := Attachment{Data: address(i, e.router), Interface: routing.InterfaceID(i)}
			if l.network {
				links[e.router] = append(links[e.router], lan(address(i, l.ends[0].router), address(i, e.router), e.cost))
			} else {
				other := l.ends[0].router + l.ends[1].router - e.router
				links[e.router] = append(links[e.router], p2p(other, address(i, e.router), e.cost))
				attachment.Neighbors = []Adjacency{{other, address(i, other).Addr()}}
			}
			if e.router == r {
				at = append(at, attachment)
			}
		}
		if l.network {
			a.network(address(i, l.ends[0].router), l.ends[0].router, routers...)
		}
	}
	for p, places := range n.prefixes {
		for at, cost := range places {
			links[at] = append(links[at], stubNet(wire.IDOf(p.Addr()), wire.MaskOf(p.Bits()), cost))
		}
	}
	for _, r := range n.routers {
		a.router(r, 0, links[r]...)
	}
	return at
}

// topologyHop is a way out of a router.
type topologyHop struct {
	link int
	to   wire.ID
}

// distances are those of all routers to the prefix.
func (n *topology) distances(p netip.Prefix) map[wire.ID]int {
	d := map[wire.ID]int{}
	for r, cost := range n.prefixes[p] {
		d[r] = int(cost)
	}
	for range n.routers {
		for i := range n.links {
			for _, from := range n.links[i].ends {
				for _, to := range n.links[i].ends {
					if far, known := d[to.router]; known && from.router != to.router {
						if old, known := d[from.router]; !known || far+int(from.cost) < old {
							d[from.router] = far + int(from.cost)
						}
					}
				}
			}
		}
	}
	return d
}

// ways are the next hops of a router on its shortest paths to the prefix.
func (n *topology) ways(d map[wire.ID]int, r wire.ID) (list []topologyHop) {
	for _, h := range n.hops(r) {
		if far, known := d[h.to]; known && far+int(n.links[h.link].cost(r)) == d[r] {
			list = append(list, h)
		}
	}
	return list
}

func (n *topology) hops(r wire.ID) (list []topologyHop) {
	for i := range n.links {
		if n.links[i].cost(r) == 0 {
			continue
		}
		for _, e := range n.links[i].ends {
			if e.router != r {
				list = append(list, topologyHop{i, e.router})
			}
		}
	}
	slices.SortFunc(list, func(a, b topologyHop) int { return cmp.Or(cmp.Compare(a.link, b.link), cmp.Compare(a.to, b.to)) })
	return list
}

// walk follows a packet to the prefix by all the ways that it may go, and gives the
// routers and the links that it comes by. One where the prefix is may send it on
// too, if that is as short.
func (n *topology) walk(p netip.Prefix, d map[wire.ID]int, from wire.ID) (routers map[wire.ID]bool, links map[int]bool) {
	routers, links = map[wire.ID]bool{}, map[int]bool{}
	var visit func(wire.ID)
	visit = func(r wire.ID) {
		if routers[r] {
			return
		}
		routers[r] = true
		for _, h := range n.ways(d, r) {
			links[h.link] = true
			visit(h.to)
		}
	}
	visit(from)
	return routers, links
}

// alternate is the best alternate of router r, found by sending a packet to each
// neighbour and seeing where it comes by.
func (n *topology) alternate(p netip.Prefix, r wire.ID) (text string) {
	d := n.distances(p)
	primaries := n.ways(d, r)
	if len(primaries) == 0 {
		return "attached or not reached"
	}
	sameLink, sameNode := true, true
	for _, h := range primaries {
		sameLink, sameNode = sameLink && h.link == primaries[0].link, sameNode && h.to == primaries[0].to
	}
	if !sameLink && !sameNode {
		return "several ways"
	}
	best, least := -1, 0
	for _, h := range n.hops(r) {
		l := &n.links[h.link]
		back := l.cost(h.to)
		if !l.network {
			for _, o := range n.hops(h.to) {
				if o.to == r && !n.links[o.link].network {
					back = min(back, n.links[o.link].cost(h.to))
				}
			}
		}
		if slices.Contains(primaries, h) || l.cost(r) == wire.MaxLinkCost || back == wire.MaxLinkCost {
			continue
		}
		routers, links := n.walk(p, d, h.to)
		if routers[r] {
			continue
		}
		link, node := true, true
		for _, e := range primaries {
			node = node && !routers[e.to]
			link = link && h.link != e.link && !(n.links[e.link].network && links[e.link])
		}
		if !(sameLink && link || sameNode && node) {
			continue
		}
		rank, far := 0, d[h.to]+int(l.cost(r))
		if node {
			rank += 4
		}
		if link {
			rank += 2
		}
		if d[h.to] < d[r] {
			rank++
		}
		if rank > best || rank == best && far < least {
			best, least = rank, far
			text = fmt.Sprintf("link %d to %v, node %v, link %v, downstream %v", h.link, h.to, node, link, d[h.to] < d[r])
		}
	}
	if best < 0 {
		return "none"
	}
	return text
}

func drawTopology(t *rapid.T) *topology {
	n := &topology{prefixes: map[netip.Prefix]map[wire.ID]uint16{}}
	count := rapid.IntRange(2, 7).Draw(t, "routers")
	for r := range count {
		n.routers = append(n.routers, wire.ID(r+1))
	}
	cost := rapid.OneOf(rapid.Uint16Range(1, 4), rapid.Uint16Range(1, 4), rapid.SampledFrom([]uint16{1, 4, 9, wire.MaxLinkCost}))
	router := rapid.SampledFrom(n.routers)
	stub := wire.ID(rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3}).Draw(t, "stub router"))
	end := func(r wire.ID) topologyEnd {
		c := cost.Draw(t, "cost")
		if r == stub {
			c = wire.MaxLinkCost
		}
		return topologyEnd{r, c}
	}
	for range rapid.IntRange(count-1, 2*count).Draw(t, "links") {
		ends := rapid.SliceOfNDistinct(router, 2, 2, func(r wire.ID) wire.ID { return r }).Draw(t, "ends")
		n.links = append(n.links, topologyLink{false, []topologyEnd{end(ends[0]), end(ends[1])}})
	}
	for range rapid.IntRange(0, 2).Draw(t, "networks") {
		l := topologyLink{network: true}
		for _, r := range rapid.SliceOfNDistinct(router, 2, min(4, count), func(r wire.ID) wire.ID { return r }).Draw(t, "members") {
			l.ends = append(l.ends, end(r))
		}
		n.links = append(n.links, l)
	}
	for i := range rapid.IntRange(1, 5).Draw(t, "prefixes") {
		places := map[wire.ID]uint16{}
		for _, r := range rapid.SliceOfNDistinct(router, 1, 2, func(r wire.ID) wire.ID { return r }).Draw(t, "places") {
			places[r] = rapid.Uint16Range(1, 5).Draw(t, "cost")
		}
		n.prefixes[netip.PrefixFrom(wire.ID(0xc0000000+i).Addr(), 32)] = places
	}
	return n
}

// In any network, each alternate is the best one that is found by following packets,
// and there is none where that finds none: it does not lead back, and by neither the
// link nor the router that it stands for.
func TestAlternatesAreThoseOfFollowingPackets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := drawTopology(t)
		s := newSite(0)
		s.state.Areas[0].Attachments = n.install(s.areas[0], self)
		var x Alternates
		for range 2 { // its memory is used again
			s.table.Calculate(&s.state)
			x.all(&s.table, nil)
		}
		for p := range n.prefixes {
			want := n.alternate(p, self)
			got := "attached or not reached"
			if r := s.table.Find(p); r != nil && r.Ways != 0 {
				a := x.Of(s.state.Prefixes.numberOf(p))
				switch a.Why {
				case Protected:
					got = fmt.Sprintf("link %d to %v, node %v, link %v, downstream %v", a.Hop.Interface, wire.IDOf(a.Hop.Address)&0xff,
						a.Protection&ProtectsNode != 0, a.Protection&ProtectsLink != 0, a.Protection&Downstream != 0)
				case SeveralWays:
					got = "several ways"
				case NoOther, NotToBeUsed, WouldCircle, SameFailure:
					got = "none"
				default:
					got = a.Why.String()
				}
			}
			if got != want {
				t.Fatalf("%v: %s, want %s\n%+v", p, got, want, *n)
			}
		}
	})
}

// triangle is an area of the routers 1, 2 and 3, 10 from each other, and router 4
// behind 2 and 3; 1 is the root.
func triangle(id wire.ID, flags map[wire.ID]wire.RouterFlags, more ...wire.Link) *site {
	s := newSite(id)
	a := s.areas[id]
	a.router(1, flags[1], p2p(2, 12, 10), p2p(3, 13, 10))
	a.router(2, flags[2], append([]wire.Link{p2p(1, 21, 10), p2p(3, 23, 10), p2p(4, 24, 10)}, more...)...)
	a.router(3, flags[3], p2p(1, 31, 10), p2p(2, 32, 10), p2p(4, 34, 15))
	a.router(4, flags[4], p2p(2, 42, 10), p2p(3, 43, 15), stubNet(ip("10.4.0.0"), 0xffff0000, 1))
	s.attach(id, 12, 12, 2)
	s.attach(id, 13, 13, 3)
	return s
}

func (s *site) alternates(leaveOut func(routing.InterfaceID) bool) (lines []string) {
	var x Alternates
	s.table.Calculate(&s.state)
	x.all(&s.table, leaveOut)
	for r := range s.table.All {
		a := x.Of(s.state.Prefixes.numberOf(r.Prefix()))
		text := a.Why.String()
		if a.Why == Protected {
			text = fmt.Sprintf("%d:%v link %v node %v downstream %v", a.Hop.Interface, a.Hop.Address,
				a.Protection&ProtectsLink != 0, a.Protection&ProtectsNode != 0, a.Protection&Downstream != 0)
		}
		lines = append(lines, fmt.Sprintf("%v by %v: %s", r.Prefix(), ways(&s.table.Hops, r.Ways), text))
	}
	slices.Sort(lines)
	return lines
}

// Routes of other areas and of outside: how far a neighbour is from where they leave
// the area counts, of all ways out; where a path may leave the area and come back
// into it, there is no alternate (RFC 5286 §6.1, §6.3).
func TestAlternatesOfOtherRoutes(t *testing.T) {
	const (
		by4  = "10.4.0.0/16 by [12:0.0.3.234]: 13:0.0.3.235 link true node true downstream true"
		all  = "by [12:0.0.3.234]: 13:0.0.3.235 link true node true downstream true"
		b, e = wire.RouterB, wire.RouterE
	)
	none := func(why Unprotected) string { return "by [12:0.0.3.234]: " + why.String() }
	for _, tt := range []struct {
		name string
		site func() *site
		want string // of 9.0.0.0/8
	}{
		{"an inter-area route of one border router", func() *site {
			s := triangle(0, map[wire.ID]wire.RouterFlags{2: b})
			s.areas[0].summary(2, "9.0.0.0/8", 1)
			return s
		}, "by [12:0.0.3.234]: 13:0.0.3.235 link true node false downstream false"},
		{"of two border routers", func() *site {
			s := triangle(0, map[wire.ID]wire.RouterFlags{2: b, 3: b})
			s.areas[0].summary(2, "9.0.0.0/8", 1)
			s.areas[0].summary(3, "9.0.0.0/8", 5)
			return s
		}, all},
		{"of the router itself too, which is no way out of the neighbour", func() *site {
			s := triangle(0, map[wire.ID]wire.RouterFlags{1: b, 2: b})
			s.areas[0].summary(2, "9.0.0.0/8", 100)
			s.areas[0].summary(1, "9.0.0.0/8", 0)
			return s
		}, "by [12:0.0.3.234]: 13:0.0.3.235 link true node false downstream false"},
		{"of a router with several areas and no backbone", func() *site {
			s := triangle(1, map[wire.ID]wire.RouterFlags{2: b})
			s.areas[1].summary(2, "9.0.0.0/8", 1)
			s.state.Areas = append(s.state.Areas, newSite(2).state.Areas...)
			s.state.Areas[1].Graph = NewGraph(newArea(s.state.Prefixes).db, s.state.Prefixes)
			return s
		}, none(BorderRouters)},
		{"a backbone with virtual links", func() *site {
			s := triangle(0, map[wire.ID]wire.RouterFlags{2: b}, wire.Link{ID: 9, Type: wire.LinkVirtual, Cost: 1})
			s.areas[0].summary(2, "9.0.0.0/8", 1)
			return s
		}, none(VirtualLinks)},
		{"an area with virtual links through it", func() *site {
			s := triangle(1, map[wire.ID]wire.RouterFlags{2: b | wire.RouterV})
			s.areas[1].summary(2, "9.0.0.0/8", 1)
			return s
		}, none(VirtualLinks)},
		{"an external route of one router", func() *site {
			s := triangle(0, map[wire.ID]wire.RouterFlags{4: e})
			s.as.external(wire.ExternalLSA, 4, "9.0.0.0/8", wire.External{Metric: 7, Type2: true})
			return s
		}, all},
		{"of two, the other one of a higher metric", func() *site {
			s := triangle(0, map[wire.ID]wire.RouterFlags{2: e, 3: e})
			s.as.external(wire.ExternalLSA, 2, "9.0.0.0/8", wire.External{Metric: 7, Type2: true})
			s.as.external(wire.ExternalLSA, 3, "9.0.0.0/8", wire.External{Metric: 8, Type2: true})
			return s
		}, "by [12:0.0.3.234]: 13:0.0.3.235 link true node false downstream false"},
		{"of type 1, where metrics are part of the cost", func() *site {
			s := triangle(0, map[wire.ID]wire.RouterFlags{2: e, 3: e})
			s.as.external(wire.ExternalLSA, 2, "9.0.0.0/8", wire.External{Metric: 7})
			s.as.external(wire.ExternalLSA, 3, "9.0.0.0/8", wire.External{Metric: 8})
			return s
		}, all},
		{"by a forwarding address", func() *site {
			s := triangle(0, map[wire.ID]wire.RouterFlags{2: e})
			s.as.external(wire.ExternalLSA, 2, "9.0.0.0/8", wire.External{Metric: 7, Type2: true, Forwarding: ip("10.4.0.9")})
			return s
		}, all},
		{"of two border routers, by one of them", func() *site {
			s := triangle(1, map[wire.ID]wire.RouterFlags{3: b, 2: b, 4: e})
			s.as.external(wire.ExternalLSA, 4, "9.0.0.0/8", wire.External{Metric: 7, Type2: true})
			return s
		}, none(BorderRouters)},
		{"of two border routers, by neither", func() *site {
			s := triangle(1, map[wire.ID]wire.RouterFlags{2: b, 4: b | e})
			s.as.external(wire.ExternalLSA, 4, "9.0.0.0/8", wire.External{Metric: 7, Type2: true})
			return s
		}, all},
		{"of two border routers, out of the area", func() *site {
			s := triangle(1, map[wire.ID]wire.RouterFlags{2: b, 3: b})
			s.as.external(wire.ExternalLSA, 9, "9.0.0.0/8", wire.External{Metric: 7, Type2: true})
			s.areas[1].boundary(2, 9, 1)
			s.areas[1].boundary(3, 9, 2)
			return s
		}, all},
		{"of two border routers, out of the area and in it", func() *site {
			s := triangle(1, map[wire.ID]wire.RouterFlags{2: b, 3: b | e})
			s.state.RFC1583 = true
			s.as.external(wire.ExternalLSA, 9, "9.0.0.0/8", wire.External{Metric: 7, Type2: true})
			s.as.external(wire.ExternalLSA, 3, "9.0.0.0/8", wire.External{Metric: 7, Type2: true})
			s.areas[1].boundary(2, 9, 1)
			return s
		}, "by [13:0.0.3.235]: " + BorderRouters.String()},
		{"of an NSSA", func() *site {
			s := triangle(1, map[wire.ID]wire.RouterFlags{2: e, 3: e})
			s.state.Areas[0].Type = NSSA
			s.areas[1].external(wire.NSSALSA, 2, "9.0.0.0/8", wire.External{Metric: 7})
			s.areas[1].external(wire.NSSALSA, 3, "9.0.0.0/8", wire.External{Metric: 9})
			return s
		}, all},
		{"by several areas", func() *site {
			s := triangle(0, map[wire.ID]wire.RouterFlags{2: e})
			o := newArea(s.state.Prefixes)
			o.router(1, 0, p2p(8, 18, 10))
			o.router(8, e, p2p(1, 81, 10))
			s.areas[1] = o
			s.state.Areas = append(s.state.Areas, &AreaState{ID: 1, Graph: o.graph})
			s.attach(1, 18, 18, 8)
			s.state.RFC1583 = true
			s.as.external(wire.ExternalLSA, 2, "9.0.0.0/8", wire.External{Metric: 7, Type2: true})
			s.as.external(wire.ExternalLSA, 8, "9.0.0.0/8", wire.External{Metric: 7, Type2: true})
			return s
		}, "by [12:0.0.3.234 18:0.0.3.240]: " + SeveralAreas.String()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.site().alternates(nil)
			want := "9.0.0.0/8 " + tt.want
			if !slices.Contains(got, want) {
				t.Errorf("got\n%q, want\n%q", got, want)
			}
		})
	}
	s := triangle(0, nil)
	if got := s.alternates(nil); !slices.Contains(got, by4) {
		t.Errorf("got %q, want %q", got, by4)
	}
	if got := s.alternates(func(i routing.InterfaceID) bool { return i == 13 }); !slices.Contains(got, "10.4.0.0/16 "+none(NotToBeUsed)) {
		t.Errorf("got %q with its interface left out", got)
	}
	if got := (&Alternates{}).Of(3); got.Why != NotCalculated {
		t.Errorf("%v before it is calculated", got)
	}
}

// Each reason has words of its own.
func TestUnprotectedWords(t *testing.T) {
	seen := map[string]bool{}
	for u := Protected; u <= SameFailure; u++ {
		if seen[u.String()] || u.String() == "unknown" {
			t.Errorf("reason %d: %q", u, u)
		}
		seen[u.String()] = true
	}
	if (SameFailure + 1).String() != "unknown" {
		t.Error("a reason without words")
	}
}

// all finds the alternates, in as many pieces as there can be.
func (x *Alternates) all(t *Table, leaveOut func(routing.InterfaceID) bool) {
	x.Begin(t, leaveOut)
	for !x.Continue(0) {
	}
}

// In a large network alternates are found piece by piece; those of before are there
// until all are found, and a change in between has it begin again.
func TestAlternatesPieceByPiece(t *testing.T) {
	m, _, now := gridMachine(60, true)
	a := m.area(backbone)
	e := a.db.Find(wire.Identity{Type: wire.RouterLSA, ID: 1800, Router: 1800})
	change := func(cost uint16) {
		var links []wire.Link
		for l := range wire.RouterBody(e.LSA().Body()).Links {
			links = append(links, l)
		}
		links[0].Cost = cost
		h := e.LSA().Header()
		h.Sequence++
		m.now = now
		a.db.Install(now, wire.AppendLSA(nil, &h, &wire.Router{Links: links}))
		m.changed(e, a)
	}
	protected := func() (n int) {
		for i := range m.table.routes {
			if x := m.calc.alternates.Of(int32(i)); x.Why == Protected && x.Hop.Address.IsValid() {
				n++
			}
		}
		return n
	}
	before := protected()
	if before < 100 {
		t.Fatalf("%d routes are protected", before)
	}
	now = now.Add(time.Minute)
	change(100)
	m.Step(now, protocol.Tick{}, nil)
	now = now.Add(time.Millisecond)
	m.Step(now, protocol.Tick{}, nil)
	if !m.calc.protecting || protected() != before {
		t.Errorf("after the first piece: under way %v, %d protected, want the %d of before", m.calc.protecting, protected(), before)
	}
	count := m.calc.count
	now = now.Add(time.Minute)
	change(101)
	m.Step(now, protocol.Tick{}, nil)
	if steps := m.protected(now); steps < 2 || m.calc.protecting {
		t.Errorf("%d steps, under way %v", steps, m.calc.protecting)
	}
	if runs := m.lastRuns(); m.calc.count != count+2 || runs[0].Kind != RunAlternates || runs[1].Kind == RunAlternates {
		t.Errorf("%d runs, the last ones %v and %v", m.calc.count-count, runs[0].Kind, runs[1].Kind)
	}
	var x Alternates
	x.all(&m.table, m.leftOut)
	for i := range m.table.routes {
		if got, want := m.calc.alternates.Of(int32(i)), x.Of(int32(i)); got != want {
			t.Fatalf("%v: %+v, want %+v", m.table.routes[i].Prefix(), got, want)
		}
	}
}
