package ospf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/routing/ospf/wire"
)

// shown is three routers: the first two on a network, the second and the third on
// a link, and each with a loopback.
func shown(t *testing.T) *network {
	t.Helper()
	w := newNetwork(t, 1)
	lan, link := w.segment(), w.segment()
	a, b, c := w.router("1.1.1.1"), w.router("2.2.2.2"), w.router("3.3.3.3")
	a.port(nil, Broadcast, "1.1.1.1/32", nil)
	b.port(nil, Broadcast, "2.2.2.2/32", nil)
	c.port(nil, Broadcast, "3.3.3.3/32", nil)
	a.port(lan, Broadcast, "10.0.0.1/24", func(i *InterfaceConfig) { i.Cost, i.Priority = 3, 2 })
	b.port(lan, Broadcast, "10.0.0.2/24", nil)
	b.port(link, PointToPoint, "10.0.1.2/24", nil)
	c.port(link, PointToPoint, "10.0.1.3/24", nil)
	w.begin()
	w.want(5*time.Minute, "full and equal", func() bool { return w.adjacent() && w.equal() })
	w.run(time.Minute, nil)
	return w
}

func TestShowLinks(t *testing.T) {
	w := shown(t)
	b := w.nodes[1].m
	var got []string
	for _, i := range b.Interfaces() {
		hello := "none"
		if !i.NextHello.IsZero() {
			hello = fmt.Sprint(i.NextHello.Sub(w.now) <= 10*time.Second)
		}
		got = append(got, fmt.Sprintf("%d %s %v %v %v %v cost %d dr %v=%v bdr %v=%v %d/%d hello %s sent %d of 5",
			i.Interface, i.Name, i.Network, i.State, i.Address, i.Since.After(bedStart), i.Cost, i.DR, i.RouterDR, i.BDR, i.RouterBDR, i.Full, i.Neighbors, hello, sentKinds(&i.Counters)))
	}
	want := []string{
		"1 eth1 broadcast loopback 2.2.2.2/32 false cost 1 dr 0.0.0.0=0.0.0.0 bdr 0.0.0.0=0.0.0.0 0/0 hello none sent 0 of 5",
		"2 eth2 broadcast backup 10.0.0.2/24 true cost 1 dr 10.0.0.1=1.1.1.1 bdr 10.0.0.2=2.2.2.2 1/1 hello true sent 5 of 5",
		"3 eth3 point-to-point point-to-point 10.0.1.2/24 false cost 1 dr 0.0.0.0=0.0.0.0 bdr 0.0.0.0=0.0.0.0 1/1 hello true sent 5 of 5",
	}
	compareLines(t, got, want)
	got = nil
	for _, n := range b.Neighbors() {
		got = append(got, fmt.Sprintf("%d %s area %v %v %v priority %d %v %v dr %v bdr %v options %02x dead in %v, %d %d %d, %v",
			n.Interface, n.Name, n.Area, n.Router, n.Address, n.Priority, n.Role, n.State, n.DR, n.BDR, uint8(n.Options),
			n.DeadAt.Sub(n.Heard), n.Described, n.Requested, n.Unacknowledged, n.Counters.StateChanges > 3))
	}
	want = []string{
		"2 eth2 area 0.0.0.0 1.1.1.1 10.0.0.1 priority 2 dr full dr 10.0.0.1 bdr 10.0.0.2 options 42 dead in 40s, 0 0 0, true",
		"3 eth3 area 0.0.0.0 3.3.3.3 10.0.1.3 priority 1  full dr 0.0.0.0 bdr 0.0.0.0 options 42 dead in 40s, 0 0 0, true",
	}
	compareLines(t, got, want)
}

// sentKinds is how many kinds of packets were sent.
func sentKinds(c *Counters) (n int) {
	for _, sent := range c.Sent {
		if sent > 0 {
			n++
		}
	}
	return n
}

func compareLines(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A neighbour that restarts is shown with how long it has, and why the last one
// ended.
func TestShowRestart(t *testing.T) {
	w, x, y, _ := beside(t, PointToPoint, nil)
	x.restart(120)
	if n := y.m.Neighbors()[0]; n.Router != x.m.router || n.GraceUntil.Sub(w.now) > 2*time.Minute || n.GraceUntil.Sub(w.now) < time.Minute || n.GraceReason != RestartSoftware || n.GraceEnded != nil {
		t.Errorf("%+v, want it to have two minutes for its software", n)
	}
	x.done()
	w.run(10*time.Second, nil)
	if n := y.m.Neighbors()[0]; !n.GraceUntil.IsZero() || n.GraceEnded == nil {
		t.Errorf("%+v, want the restart to be over", n)
	}
}

func TestShowSummary(t *testing.T) {
	w := shown(t)
	s := w.nodes[1].m.Summary(w.now)
	if s.Router != ip("2.2.2.2") || s.Chosen || s.Border || s.Boundary || s.Interfaces != 3 || s.Neighbors[NeighborFull] != 2 {
		t.Errorf("summary %+v", s)
	}
	if s.LSAs[wire.RouterLSA] != 3 || s.LSAs[wire.NetworkLSA] != 1 || s.LSAs.Sum() != 4 || s.Received != 3 {
		t.Errorf("%v LSAs, %d of others; want three of routers and one of a network, three of these of others", s.LSAs, s.Received)
	}
	if len(s.Areas) != 1 || s.Areas[0].Routers != 3 || s.Areas[0].Full != 2 || s.Areas[0].Interfaces != 3 || s.Areas[0].LSAs.Sum() != 4 {
		t.Errorf("areas %+v", s.Areas)
	}
	x := s.SPF
	if x.Wait != Quiet || !x.Due.IsZero() || x.Changes != 0 || x.Runs[RunFull] == 0 || len(x.Last) == 0 || x.Last[len(x.Last)-1].At.After(x.Last[0].At) {
		t.Errorf("calculations %+v, want some full ones, the latest first, and none to come", x)
	}
	if why := x.Last[0].Why; len(why) == 0 || why[0].LSA.Type != wire.RouterLSA && why[0].LSA.Type != wire.NetworkLSA {
		t.Errorf("the last calculation was for %+v, want an LSA of a router or network", why)
	}
	if s.Routes[IntraArea] != 5 || s.Counters.Sent[wire.TypeHello] < 10 {
		t.Errorf("routes %v, counters %+v", s.Routes, s.Counters)
	}
}

// Pages of any size put together are all LSAs, in order; filters select.
func TestShowLSAs(t *testing.T) {
	w := shown(t)
	b := w.nodes[1].m
	all := b.LSAs(w.now, LSAFilter{}, 100)
	var got []string
	for _, x := range all {
		got = append(got, fmt.Sprintf("%v %v %v %v of %v self %v, %d octets, prefix %v", x.Scope, x.Area, x.Type, x.ID, x.Router, x.Self, len(x.Body)+wire.LSAHeaderSize-int(x.Header.Length), x.Prefix))
	}
	compareLines(t, got, []string{
		"area 0.0.0.0 router 1.1.1.1 of 1.1.1.1 self false, 0 octets, prefix invalid Prefix",
		"area 0.0.0.0 router 2.2.2.2 of 2.2.2.2 self true, 0 octets, prefix invalid Prefix",
		"area 0.0.0.0 router 3.3.3.3 of 3.3.3.3 self false, 0 octets, prefix invalid Prefix",
		"area 0.0.0.0 network 10.0.0.1 of 1.1.1.1 self false, 0 octets, prefix 10.0.0.0/24",
	})
	for size := 1; size < 6; size++ {
		var paged []LSAInfo
		f := LSAFilter{}
		for range 10 {
			page := b.LSAs(w.now, f, size)
			if len(page) == 0 {
				break
			}
			paged = append(paged, page...)
			after := page[len(page)-1].LSAKey
			f.After = &after
		}
		if !slices.EqualFunc(all, paged, func(a, b LSAInfo) bool { return a.LSAKey == b.LSAKey }) {
			t.Errorf("pages of %d: %+v", size, paged)
		}
	}
	id, other := ip("1.1.1.1"), wire.ID(7)
	for _, tt := range []struct {
		filter LSAFilter
		want   int
	}{
		{LSAFilter{Types: []wire.LSType{wire.NetworkLSA}}, 1},
		{LSAFilter{ID: &id}, 1},
		{LSAFilter{Router: &id}, 2},
		{LSAFilter{Area: new(wire.ID)}, 4},
		{LSAFilter{Area: &other}, 0},
	} {
		if got := b.LSAs(w.now, tt.filter, 100); len(got) != tt.want {
			t.Errorf("%+v: %d LSAs, want %d", tt.filter, len(got), tt.want)
		}
	}
}

// Whatever LSAs there are and whatever is asked for, pages of any size are what
// sorting all of them gives.
func TestPagesAreTheNaiveOnes(t *testing.T) {
	id := rapid.Uint32Range(0, 5)
	rapid.Check(t, func(t *rapid.T) {
		prefixes := NewPrefixes()
		as, one := newArea(prefixes), newArea(prefixes)
		m := &Machine{router: self, as: as.db}
		m.areas = []*area{{AreaState: AreaState{ID: 7, Graph: one.graph}, db: one.db}}
		keys := map[LSAKey]bool{}
		for range rapid.IntRange(0, 60).Draw(t, "LSAs") {
			of, router := wire.ID(id.Draw(t, "id")), wire.ID(id.Draw(t, "router"))
			if rapid.Bool().Draw(t, "of the AS") {
				as.install(wire.ExternalLSA, of, router, 0, &wire.External{Mask: wire.MaskOf(32)})
				keys[LSAKey{Scope: ScopeAS, Identity: wire.Identity{Type: wire.ExternalLSA, ID: of, Router: router}}] = true
				continue
			}
			kind := rapid.SampledFrom([]wire.LSType{wire.SummaryLSA, wire.ASBRSummary}).Draw(t, "type")
			one.install(kind, of, router, 0, &wire.Summary{})
			keys[LSAKey{Scope: ScopeArea, Area: 7, Identity: wire.Identity{Type: kind, ID: of, Router: router}}] = true
		}
		f := LSAFilter{}
		if rapid.Bool().Draw(t, "of a router") {
			router := wire.ID(id.Draw(t, "router"))
			f.Router = &router
		}
		if rapid.Bool().Draw(t, "of a type") {
			f.Types = []wire.LSType{wire.SummaryLSA}
		}
		var want, got []LSAKey
		for k := range keys {
			if (f.Router == nil || *f.Router == k.Router) && (f.Types == nil || k.Type == wire.SummaryLSA) {
				want = append(want, k)
			}
		}
		slices.SortFunc(want, LSAKey.Compare)
		for size := rapid.IntRange(1, 9).Draw(t, "size"); ; {
			page := m.LSAs(start, f, size)
			for i := range page {
				got = append(got, page[i].LSAKey)
			}
			if len(page) < size {
				break
			}
			f.After = &page[size-1].LSAKey
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%v\nwant %v", got, want)
		}
	})
}

func TestShowRoutes(t *testing.T) {
	w := shown(t)
	c := w.nodes[2].m
	line := func(r RouteInfo) string {
		return fmt.Sprintf("%v %v area %v cost %d by %v of %v", r.Prefix, r.Type, r.Area, r.Cost, r.Hops, r.Origin.Router)
	}
	var got []string
	for after := (netip.Prefix{}); ; {
		page := c.Routes(after, 2)
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			got = append(got, line(r))
		}
		after = page[len(page)-1].Prefix
	}
	compareLines(t, got, []string{
		"1.1.1.1/32 intra-area area 0.0.0.0 cost 2 by [{2 10.0.1.2}] of 1.1.1.1",
		"2.2.2.2/32 intra-area area 0.0.0.0 cost 1 by [{2 10.0.1.2}] of 2.2.2.2",
		"3.3.3.3/32 intra-area area 0.0.0.0 cost 0 by [] of 3.3.3.3",
		"10.0.0.0/24 intra-area area 0.0.0.0 cost 2 by [{2 10.0.1.2}] of 1.1.1.1",
		"10.0.1.0/24 intra-area area 0.0.0.0 cost 1 by [] of 3.3.3.3",
	})
	if r, ok := c.Route(netip.MustParsePrefix("10.0.0.0/24")); !ok || line(r) != got[3] {
		t.Errorf("%+v, %v", r, ok)
	}
	if r, ok := c.Route(netip.MustParsePrefix("10.0.0.0/25")); ok {
		t.Errorf("a route that there is not: %+v", r)
	}
	if ways := c.Trace(netip.MustParsePrefix("1.1.1.1/32")); len(ways) != 1 || len(ways[0].Steps) != 4 {
		t.Errorf("trace %+v, want the link, the network, the router and the prefix", ways)
	}
}

// refusing is a policy that refuses the routes to one prefix.
type refusing netip.Prefix

func (r refusing) Same(o Policy) bool { return o == r }

func (r refusing) Apply(o *Offer) bool { return o.Prefix != netip.Prefix(r) }

// A route that the policy keeps from the RIB is shown, and that it is; so are
// alternates, and why there is none.
func TestShowWhatBecomesOfRoutes(t *testing.T) {
	w := shown(t)
	c := w.nodes[2]
	to := netip.MustParsePrefix("1.1.1.1/32")
	if r, _ := c.m.Route(to); r.Refused || r.Alternate.Why != NotCalculated {
		t.Errorf("%+v, want it accepted, and no alternates calculated", r)
	}
	c.reload(func(cfg *Config) { cfg.Import, cfg.FastReroute = refusing(to), true })
	w.run(time.Second, nil)
	for _, r := range c.m.Routes(netip.Prefix{}, 10) {
		if r.Refused != (r.Prefix == to) || len(r.Hops) > 0 && r.Alternate.Why != NoOther {
			t.Errorf("%v: refused %v, alternate %+v; want only %v refused, and no other neighbour", r.Prefix, r.Refused, r.Alternate, to)
		}
	}
}

// The range of an area, whose addresses without a route are discarded.
func TestShowRange(t *testing.T) {
	w := newNetwork(t, 1)
	l := w.segment()
	a, b := w.router("1.1.1.1"), w.router("2.2.2.2")
	a.port(l, PointToPoint, "10.0.0.1/24", nil)
	b.port(l, PointToPoint, "10.0.0.2/24", nil)
	a.port(nil, Broadcast, "10.7.1.1/32", func(i *InterfaceConfig) { i.Area = 7 })
	whole := netip.MustParsePrefix("10.7.0.0/16")
	a.cfg.Areas[7] = AreaConfig{DefaultCost: 1, Ranges: []Range{{Prefix: whole}}}
	w.begin()
	w.want(time.Minute, "full", w.adjacent)
	w.run(time.Minute, nil)
	if area, ok := a.m.Discards(whole); area != 7 || !ok {
		t.Errorf("the border router discards %v of area %v: %v", whole, area, ok)
	}
	for _, n := range []*station{a, b} {
		for _, p := range []string{"10.7.1.1/32", "10.9.0.0/16"} {
			if _, ok := n.m.Discards(netip.MustParsePrefix(p)); ok {
				t.Errorf("%s discards %s", n.name, p)
			}
		}
	}
	if _, ok := b.m.Discards(whole); ok {
		t.Errorf("%s discards the range of another router", b.name)
	}
	if r, ok := b.m.Route(whole); !ok || r.Type != InterArea {
		t.Errorf("%s has %+v, want an inter-area route", b.name, r)
	}
}

func TestShowTree(t *testing.T) {
	w := shown(t)
	var got []string
	for _, n := range w.nodes[2].m.Tree(0) {
		got = append(got, fmt.Sprintf("network %v %v %v at %d by %v behind %v, links %v", n.Network, n.ID, n.Prefix, n.Distance, n.Hops, n.Parents, n.Links))
	}
	compareLines(t, got, []string{
		"network false 3.3.3.3 invalid Prefix at 0 by [] behind [], links [{false 2.2.2.2 1}]",
		"network false 2.2.2.2 invalid Prefix at 1 by [{2 10.0.1.2}] behind [{false 3.3.3.3 1}], links [{true 10.0.0.1 1} {false 3.3.3.3 1}]",
		"network true 10.0.0.1 10.0.0.0/24 at 2 by [{2 10.0.1.2}] behind [{false 2.2.2.2 1}], links [{false 1.1.1.1 0} {false 2.2.2.2 0}]",
		"network false 1.1.1.1 invalid Prefix at 2 by [{2 10.0.1.2}] behind [{true 10.0.0.1 0}], links [{true 10.0.0.1 3}]",
	})
	if list := w.nodes[2].m.Tree(7); list != nil {
		t.Errorf("the tree of an area that there is not: %+v", list)
	}
}

func TestShowBorderRouters(t *testing.T) {
	s := newSite(0)
	s.attach(0, 100, 1, 2, 3)
	s.areas[0].star(map[wire.ID]wire.RouterFlags{2: bitBE, 3: 0}, map[wire.ID]uint16{2: 10, 3: 5})
	s.areas[0].boundary(2, 9, 4)
	s.table.Calculate(&s.state)
	m := &Machine{router: self, cfg: DefaultConfig(), table: s.table}
	m.areas = []*area{{AreaState: *s.state.Areas[0]}}
	var got []string
	for _, b := range m.BorderRouters() {
		got = append(got, fmt.Sprintf("%v area %v %v border %v boundary %v cost %d by %v", b.Router, b.Area, b.Type, b.Border, b.Boundary, b.Cost, b.Hops))
	}
	compareLines(t, got, []string{
		"0.0.0.2 area 0.0.0.0 intra-area border true boundary true cost 10 by [{1 0.0.3.234}]",
		"0.0.0.9 area 0.0.0.0 inter-area border false boundary true cost 14 by [{1 0.0.3.234}]",
	})
}
