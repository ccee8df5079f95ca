package ospf

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"routerd/routing"
	"routerd/routing/ospf/wire"
)

// site is a router with several areas under test.
type site struct {
	areas map[wire.ID]*areaBed
	as    *areaBed
	state State
	table Table
}

func newSite(ids ...wire.ID) *site {
	prefixes := NewPrefixes()
	s := &site{areas: map[wire.ID]*areaBed{}, as: newArea(prefixes)}
	s.state = State{Router: self, AS: s.as.db, Prefixes: prefixes}
	for _, id := range ids {
		s.areas[id] = newArea(s.state.Prefixes)
		s.state.Areas = append(s.state.Areas, &AreaState{ID: id, Graph: s.areas[id].graph})
	}
	return s
}

// numberOf gives the number of a prefix that somebody names.
func (s *Prefixes) numberOf(p netip.Prefix) int32 {
	n, known := s.find(p)
	if !known {
		panic("nobody names " + p.String())
	}
	return n
}

// attach gives the router an interface in an area, with a neighbour by each.
func (s *site) attach(area wire.ID, data wire.ID, i routing.InterfaceID, neighbors ...wire.ID) {
	a := s.state.Areas[slices.IndexFunc(s.state.Areas, func(a *AreaState) bool { return a.ID == area })]
	at := Attachment{Data: data, Interface: i}
	for _, n := range neighbors {
		at.Neighbors = append(at.Neighbors, Adjacency{n, (n + 1000).Addr()})
	}
	a.Attachments = append(a.Attachments, at)
}

func (a *areaBed) summary(router wire.ID, prefix string, metric uint32) {
	p := netip.MustParsePrefix(prefix)
	a.install(wire.SummaryLSA, wire.IDOf(p.Addr()), router, 0, &wire.Summary{Mask: wire.MaskOf(p.Bits()), Metric: metric})
}

func (a *areaBed) boundary(router, exit wire.ID, metric uint32) {
	a.install(wire.ASBRSummary, exit, router, 0, &wire.Summary{Metric: metric})
}

func (a *areaBed) external(t wire.LSType, router wire.ID, prefix string, e wire.External) {
	p := netip.MustParsePrefix(prefix)
	e.Mask = wire.MaskOf(p.Bits())
	a.install(t, wire.IDOf(p.Addr()), router, 0, &e)
}

func (s *site) routes() (lines []string) {
	s.table.Calculate(&s.state)
	for r := range s.table.All {
		lines = append(lines, fmt.Sprintf("%v %v area %d cost %d metric %d tag %d by %v of %d",
			r.Prefix(), r.Type, r.Area, r.Cost, r.Metric, r.Tag, ways(&s.table.Hops, r.Ways), r.Origin.Router))
	}
	slices.Sort(lines)
	return lines
}

func (s *site) want(t *testing.T, want ...string) {
	t.Helper()
	if got := s.routes(); !slices.Equal(got, want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
}

// pair joins two routers of an area by a point-to-point link; Data is its sender's
// number in hundreds.
func (a *areaBed) star(flags map[wire.ID]wire.RouterFlags, costs map[wire.ID]uint16) {
	var own []wire.Link
	for _, r := range slices.Sorted(func(yield func(wire.ID) bool) {
		for r := range costs {
			if !yield(r) {
				return
			}
		}
	}) {
		own = append(own, p2p(r, 100, costs[r]))
		a.router(r, flags[r], p2p(self, r*100, costs[r]))
	}
	a.router(self, flags[self], own...)
}

const (
	bitB  = wire.RouterB
	bitE  = wire.RouterE
	bitBE = wire.RouterB | wire.RouterE
)

func TestInterArea(t *testing.T) {
	s := newSite(0, 1)
	s.attach(0, 100, 1, 2, 3, 4)
	s.attach(1, 100, 2, 5)
	s.areas[0].star(map[wire.ID]wire.RouterFlags{2: bitB, 3: bitB}, map[wire.ID]uint16{2: 10, 3: 5, 4: 1})
	s.areas[1].star(map[wire.ID]wire.RouterFlags{5: bitB}, map[wire.ID]uint16{5: 1})
	s.areas[0].summary(2, "10.0.0.0/24", 10)
	s.areas[0].summary(3, "10.0.0.0/24", 15) // as far
	s.areas[0].summary(4, "10.0.0.0/24", 1)  // no border router
	s.areas[0].summary(2, "10.0.1.0/24", wire.Infinity)
	s.areas[0].summary(self, "10.0.2.0/24", 1)
	s.areas[0].summary(3, "10.0.3.0/24", 7)
	s.areas[1].summary(5, "10.0.3.0/24", 1)
	s.areas[1].summary(5, "10.0.4.0/24", 1)
	s.state.Border, s.state.Connected = true, true
	s.want(
		t,
		"10.0.0.0/24 inter-area area 0 cost 20 metric 0 tag 0 by [1:0.0.3.234 1:0.0.3.235] of 3",
		"10.0.3.0/24 inter-area area 0 cost 12 metric 0 tag 0 by [1:0.0.3.235] of 3",
	)
	// Not a border router with a backbone: the summaries of all areas count (RFC
	// 3509 §2.2).
	s.state.Border, s.state.Connected = false, false
	s.want(
		t,
		"10.0.0.0/24 inter-area area 0 cost 20 metric 0 tag 0 by [1:0.0.3.234 1:0.0.3.235] of 3",
		"10.0.3.0/24 inter-area area 1 cost 2 metric 0 tag 0 by [2:0.0.3.237] of 5",
		"10.0.4.0/24 inter-area area 1 cost 2 metric 0 tag 0 by [2:0.0.3.237] of 5",
	)
	// A range of the router's own is left alone while anything is in it.
	s.state.Areas[1].Ranges = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("10.0.3.0/24")}
	s.areas[1].router(5, bitB, p2p(self, 500, 1), stubNet(ip("10.0.0.128"), 0xffffff80, 50))
	s.want(
		t,
		"10.0.0.128/25 intra-area area 1 cost 51 metric 0 tag 0 by [2:0.0.3.237] of 5",
		"10.0.3.0/24 inter-area area 1 cost 2 metric 0 tag 0 by [2:0.0.3.237] of 5",
		"10.0.4.0/24 inter-area area 1 cost 2 metric 0 tag 0 by [2:0.0.3.237] of 5",
	)
}

// A border router says the default route into a stub area, and into an NSSA without
// summaries, itself: it takes no other one's, by which packets could come back to it.
func TestBorderRoutersTakeNoDefaultOfAStubArea(t *testing.T) {
	for _, kind := range []AreaType{Normal, Stub, NSSA} {
		s := newSite(0, 1)
		s.state.Areas[1].Type = kind
		s.attach(1, 100, 1, 2, 3)
		s.areas[1].star(map[wire.ID]wire.RouterFlags{2: bitB, 3: bitE}, map[wire.ID]uint16{2: 10, 3: 5})
		s.areas[1].summary(2, "0.0.0.0/0", 1)
		s.areas[1].summary(2, "10.0.0.0/24", 1)
		s.areas[1].external(wire.NSSALSA, 3, "0.0.0.0/0", wire.External{Metric: 1}) // P is clear
		def := "0.0.0.0/0 inter-area area 1 cost 11 metric 0 tag 0 by [1:0.0.3.234] of 2"
		other := "10.0.0.0/24 inter-area area 1 cost 11 metric 0 tag 0 by [1:0.0.3.234] of 2"
		s.want(t, def, other)
		// A border router whose backbone is not connected: it uses summaries of the area
		// (RFC 3509 §2.2), and yet the default leads out by itself.
		s.state.Border = true
		if kind == Normal {
			s.want(t, def, other)
		} else {
			s.want(t, other)
		}
	}
}

// Nor is it a better way of the backbone's default route (RFC 2328 §16.3), should a router
// of a stub area say that it ends a virtual link, which there are none of through those.
func TestBackboneDefaultStaysOutOfStubAreas(t *testing.T) {
	for _, kind := range []AreaType{Normal, Stub, NSSA} {
		s := newSite(0, 1)
		s.state.Border, s.state.Connected = true, true
		s.state.Areas[1].Type = kind
		s.attach(0, 100, 2, 4)
		s.attach(1, 100, 1, 2)
		s.areas[0].star(map[wire.ID]wire.RouterFlags{4: bitB}, map[wire.ID]uint16{4: 5})
		s.areas[0].summary(4, "0.0.0.0/0", 10)
		s.areas[1].star(map[wire.ID]wire.RouterFlags{2: bitB | wire.RouterV}, map[wire.ID]uint16{2: 1})
		s.areas[1].summary(2, "0.0.0.0/0", 1)
		want := "0.0.0.0/0 inter-area area 0 cost 15 metric 0 tag 0 by [2:0.0.3.236] of 4"
		if kind == Normal {
			want = "0.0.0.0/0 inter-area area 0 cost 2 metric 0 tag 0 by [1:0.0.3.234] of 4"
		}
		s.want(t, want)
	}
}

// The figure of RFC 2328 §16.3: routers 1 (self) to 5, N1 behind 4 at 100 and 5 at
// 20, a virtual link from 1 to 4 through area 1.
func TestTransitArea(t *testing.T) {
	s := newSite(0, 1)
	s.state.Border, s.state.Connected = true, true
	s.state.Virtual = []VirtualLink{{Peer: 4, Transit: 1}}
	s.attach(1, 100, 1, 2)
	s.attach(1, 101, 2, 3)
	one := s.areas[1]
	one.router(1, bitB|wire.RouterV, p2p(2, 100, 1), p2p(3, 101, 1))
	one.router(2, 0, p2p(1, 200, 1), p2p(4, 201, 1), p2p(3, 202, 1))
	one.router(3, 0, p2p(1, 300, 1), p2p(5, 301, 1), p2p(2, 302, 1))
	one.router(4, bitB|wire.RouterV, p2p(2, 400, 1))
	one.router(5, bitB, p2p(3, 500, 1))
	one.summary(4, "10.1.0.0/16", 100)
	one.summary(5, "10.1.0.0/16", 20)
	one.boundary(5, 9, 20)
	zero := s.areas[0]
	virtual := func(to wire.ID) wire.Link { return wire.Link{ID: to, Data: 1, Type: wire.LinkVirtual, Cost: 2} }
	n1 := ip("10.1.0.9")
	zero.router(1, bitB, virtual(4))
	zero.router(4, bitB, virtual(1), lan(n1, n1, 100))
	zero.router(9, bitE, lan(n1, ip("10.1.0.10"), 1))
	zero.install(wire.NetworkLSA, n1, 4, 0, &wire.Network{Mask: 0xffff0000, Routers: []wire.ID{4, 9}})
	s.as.external(wire.ExternalLSA, 9, "192.0.2.0/24", wire.External{Metric: 1})
	s.want(
		t,
		"10.1.0.0/16 intra-area area 0 cost 22 metric 0 tag 0 by [2:0.0.3.235] of 4",
		"192.0.2.0/24 external-1 area 0 cost 23 metric 0 tag 0 by [2:0.0.3.235] of 9",
	)
	if a := s.state.Areas[1]; !a.tree.Transit || s.state.Areas[0].tree.Transit {
		t.Error("area 1 alone carries transit traffic")
	}
	// Without the summaries of 5 it is the way of the virtual link.
	one.summary(5, "10.1.0.0/16", wire.Infinity)
	one.boundary(5, 9, wire.Infinity)
	s.want(
		t,
		"10.1.0.0/16 intra-area area 0 cost 102 metric 0 tag 0 by [1:0.0.3.234] of 4",
		"192.0.2.0/24 external-1 area 0 cost 103 metric 0 tag 0 by [1:0.0.3.234] of 9",
	)
	s.state.Virtual = nil
	s.want(t)
}

func TestExternal(t *testing.T) {
	s := newSite(0, 1)
	s.state.Border, s.state.Connected = true, true
	s.attach(0, 100, 1, 2, 3)
	s.attach(1, 100, 2, 2, 4)
	s.areas[0].star(map[wire.ID]wire.RouterFlags{2: bitBE, 3: bitE}, map[wire.ID]uint16{2: 1, 3: 2})
	s.areas[1].star(map[wire.ID]wire.RouterFlags{2: bitBE, 4: bitE}, map[wire.ID]uint16{2: 50, 4: 2})
	s.areas[0].boundary(2, 7, 3)
	as := s.as
	as.external(wire.ExternalLSA, 3, "10.0.0.0/24", wire.External{Metric: 9, Tag: 3})
	as.external(wire.ExternalLSA, 4, "10.0.0.0/24", wire.External{Metric: 9, Tag: 4})
	as.external(wire.ExternalLSA, 3, "10.0.1.0/24", wire.External{Metric: 9})
	as.external(wire.ExternalLSA, 7, "10.0.1.0/24", wire.External{Metric: 7})
	as.external(wire.ExternalLSA, 3, "10.0.2.0/24", wire.External{Metric: 9000})
	as.external(wire.ExternalLSA, 4, "10.0.2.0/24", wire.External{Type2: true, Metric: 1})
	as.external(wire.ExternalLSA, 3, "10.0.3.0/24", wire.External{Type2: true, Metric: 1})
	as.external(wire.ExternalLSA, 7, "10.0.3.0/24", wire.External{Type2: true, Metric: 2})
	as.external(wire.ExternalLSA, 2, "10.0.4.0/24", wire.External{Type2: true, Metric: 1})
	as.external(wire.ExternalLSA, 8, "10.0.5.0/24", wire.External{Metric: 1}) // not reached
	as.external(wire.ExternalLSA, 3, "10.0.6.0/24", wire.External{Metric: wire.Infinity})
	as.external(wire.ExternalLSA, self, "10.0.7.0/24", wire.External{Metric: 1})
	as.external(wire.ExternalLSA, 3, "10.0.8.0/24", wire.External{Metric: 1, Forwarding: ip("10.9.0.7")}) // nor this
	want := []string{
		"10.0.0.0/24 external-1 area 0 cost 11 metric 0 tag 4 by [2:0.0.3.236] of 4",
		"10.0.1.0/24 external-1 area 0 cost 11 metric 0 tag 0 by [1:0.0.3.234 1:0.0.3.235] of 7",
		"10.0.2.0/24 external-1 area 0 cost 9002 metric 0 tag 0 by [1:0.0.3.235] of 3",
		"10.0.3.0/24 external-2 area 0 cost 2 metric 1 tag 0 by [1:0.0.3.235] of 3",
		"10.0.4.0/24 external-2 area 0 cost 50 metric 1 tag 0 by [2:0.0.3.234] of 2",
	}
	s.want(t, want...)
	// By costs alone, whatever the area.
	s.state.RFC1583 = true
	want[0] = "10.0.0.0/24 external-1 area 0 cost 11 metric 0 tag 4 by [1:0.0.3.235 2:0.0.3.236] of 4"
	want[4] = "10.0.4.0/24 external-2 area 0 cost 1 metric 1 tag 0 by [1:0.0.3.234] of 2"
	s.want(t, want...)
	// An internal route comes before any external one, and leads to a forwarding
	// address.
	s.areas[0].summary(2, "10.0.0.0/24", 5000)
	s.areas[0].summary(2, "10.9.0.0/16", 6)
	s.want(t, slices.Concat(
		[]string{"10.0.0.0/24 inter-area area 0 cost 5001 metric 0 tag 0 by [1:0.0.3.234] of 2"},
		want[1:],
		[]string{
			"10.0.8.0/24 external-1 area 0 cost 8 metric 0 tag 0 by [1:0.0.3.234] of 3",
			"10.9.0.0/16 inter-area area 0 cost 7 metric 0 tag 0 by [1:0.0.3.234] of 2",
		},
	)...)
	// A stub area has no externals, and no way to one leads through it.
	s.state.Areas[0].Type = Stub
	s.state.Areas[1].Type = Stub
	if got := s.routes(); len(got) != 2 {
		t.Errorf("in stub areas: %q", got)
	}
}

// A forwarding address on a network of the router itself is sent to directly.
func TestForwardingAddress(t *testing.T) {
	s := newSite(0)
	dr := ip("10.0.0.2")
	s.state.Areas[0].Attachments = []Attachment{
		{Data: ip("10.0.0.1"), Interface: 1, Network: netip.MustParsePrefix("10.0.0.0/24")},
		{Data: ip("10.0.1.1"), Interface: 2, Network: netip.MustParsePrefix("10.0.1.0/24")}, // nobody else
	}
	s.areas[0].router(self, 0, lan(dr, ip("10.0.0.1"), 10), stubNet(ip("10.0.1.0"), 0xffffff00, 5))
	s.areas[0].router(2, bitE, lan(dr, dr, 10))
	s.areas[0].network(dr, 2, 2, self)
	s.as.external(wire.ExternalLSA, 2, "192.0.2.0/24", wire.External{Metric: 1, Forwarding: ip("10.0.0.77")})
	s.as.external(wire.ExternalLSA, 2, "192.0.3.0/24", wire.External{Metric: 1, Forwarding: ip("10.0.1.77")})
	s.as.external(wire.ExternalLSA, 2, "192.0.4.0/24", wire.External{Metric: 1, Forwarding: ip("10.0.1.1")}) // itself
	s.want(
		t,
		"10.0.0.0/24 intra-area area 0 cost 10 metric 0 tag 0 by [1] of 2",
		"10.0.1.0/24 intra-area area 0 cost 5 metric 0 tag 0 by [] of 1",
		"192.0.2.0/24 external-1 area 0 cost 11 metric 0 tag 0 by [1:10.0.0.77] of 2",
		"192.0.3.0/24 external-1 area 0 cost 6 metric 0 tag 0 by [2:10.0.1.77] of 2",
	)
}

func TestNSSA(t *testing.T) {
	s := newSite(0, 1)
	s.state.Border, s.state.Connected = true, true
	s.state.Areas[1].Type = NSSA
	s.attach(0, 100, 1, 2)
	s.attach(1, 100, 2, 3)
	s.areas[0].star(map[wire.ID]wire.RouterFlags{2: bitE}, map[wire.ID]uint16{2: 1})
	s.areas[1].star(map[wire.ID]wire.RouterFlags{3: bitE}, map[wire.ID]uint16{3: 2})
	s.areas[1].router(3, bitE, p2p(self, 300, 2), stubNet(ip("10.3.0.0"), 0xffffff00, 1))
	s.areas[0].router(2, bitE, p2p(self, 200, 1), stubNet(ip("10.2.0.0"), 0xffffff00, 1))
	nssa := s.areas[1]
	nssa.external(wire.NSSALSA, 3, "10.0.0.0/24", wire.External{Metric: 1, Forwarding: ip("10.3.0.1")})
	nssa.external(wire.NSSALSA, 3, "10.0.1.0/24", wire.External{Metric: 1, Forwarding: ip("10.2.0.1")}) // of another area
	nssa.external(wire.NSSALSA, 2, "10.0.2.0/24", wire.External{Metric: 1})                             // not of the NSSA
	nssa.external(wire.NSSALSA, 3, "0.0.0.0/0", wire.External{Metric: 1})                               // P is clear
	s.as.external(wire.ExternalLSA, 3, "10.0.3.0/24", wire.External{Metric: 1})                         // no external of the AS there
	s.as.external(wire.ExternalLSA, 2, "10.0.4.0/24", wire.External{Metric: 1, Forwarding: ip("10.3.0.1")})
	internal := []string{
		"10.2.0.0/24 intra-area area 0 cost 2 metric 0 tag 0 by [1:0.0.3.234] of 2",
		"10.3.0.0/24 intra-area area 1 cost 3 metric 0 tag 0 by [2:0.0.3.235] of 3",
	}
	first := "10.0.0.0/24 external-1 area 0 cost 4 metric 0 tag 0 by [2:0.0.3.235] of 3"
	s.want(t, append([]string{first}, internal...)...)
	s.state.Border, s.state.Connected = false, false // the default is one for who is inside
	s.want(t, append([]string{"0.0.0.0/0 external-1 area 0 cost 3 metric 0 tag 0 by [2:0.0.3.235] of 3", first}, internal...)...)
	s.state.Border, s.state.Connected = true, true
	h := wire.Header{Identity: wire.Identity{Type: wire.NSSALSA, Router: 3}, Options: wire.OptionNP, Sequence: 99}
	nssa.db.Install(at(100), wire.AppendLSA(nil, &h, &wire.External{Metric: 1}))
	if s.routes(); s.table.Find(netip.MustParsePrefix("0.0.0.0/0")) == nil {
		t.Error("a default to be translated is none for the border router")
	}
	s.state.Areas[1].NoSummaries = true
	if s.routes(); s.table.Find(netip.MustParsePrefix("0.0.0.0/0")) != nil {
		t.Error("the border router has the default that it says itself")
	}
	for p := noPath; p <= External2+1; p++ {
		if (p.String() == "unknown") != (p > External2) {
			t.Errorf("type of path %d: %v", p, p)
		}
	}
}
