package ospf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/routing/ospf/wire"
)

// summarized gives the summaries that a station originates into an area, in words.
func (n *station) summarized(area wire.ID) string {
	var list []string
	for _, t := range []wire.LSType{wire.SummaryLSA, wire.ASBRSummary} {
		for e := range n.m.area(area).db.All(t) {
			if !e.Self() || !e.Usable() {
				continue
			}
			l := e.LSA()
			metric := wire.SummaryBody(l.Body()).Metric()
			if t == wire.ASBRSummary {
				list = append(list, fmt.Sprintf("router %v %d", l.ID(), metric))
				continue
			}
			text := fmt.Sprintf("%v %d", l.Prefix(), metric)
			if l.ID() != wire.IDOf(l.Prefix().Addr()) {
				text += fmt.Sprintf(" as %v", l.ID())
			}
			list = append(list, text)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// areaChain is router 1 in area 1, router 2 between area 1 and the backbone, router 3
// between the backbone and area 2, and router 4 in area 2, with networks of area 1 at
// router 1.
func areaChain(t *testing.T, set func(i int, c *Config)) *network {
	w := newNetwork(t, 1)
	for i := range 4 {
		w.router(fmt.Sprintf("%d.0.0.1", i+1))
	}
	for i, area := range []wire.ID{1, 0, 2} {
		l := w.segment()
		for _, at := range []int{i, i + 1} {
			w.nodes[at].port(l, PointToPoint, fmt.Sprintf("10.%d.0.%d/24", area, at+1), func(c *InterfaceConfig) { c.Area, c.Cost = area, 10 })
		}
	}
	for i, p := range []string{"10.1.16.1/24", "10.1.17.1/24", "10.1.16.129/32"} {
		kind := w.segment()
		if i == 2 {
			kind = nil
		}
		w.nodes[0].port(kind, Broadcast, p, func(c *InterfaceConfig) { c.Area, c.Cost = 1, uint16(1+i) })
	}
	for i, n := range w.nodes {
		n.cfg.Areas = map[wire.ID]AreaConfig{}
		if set != nil {
			set(i, &n.cfg)
		}
	}
	w.begin()
	w.want(5*time.Minute, "full", w.adjacent)
	w.run(time.Minute, nil)
	return w
}

// What border routers say of an area, and who says it on, with and without ranges.
func TestSummaries(t *testing.T) {
	const (
		all   = "10.1.0.0/24 10, 10.1.16.0/24 11, 10.1.16.129/32 10, 10.1.17.0/24 12"
		wide  = "10.1.0.0/16"
		stub  = "10.0.0.0/24 10, 10.1.0.0/24 20, 10.1.16.0/24 21, 10.1.16.129/32 20, 10.1.17.0/24 22"
		other = "10.0.0.0/24 10, 10.2.0.0/24 20"
	)
	ranges := func(r ...Range) AreaConfig {
		a := DefaultArea()
		a.Ranges = r
		return a
	}
	typed := func(t AreaType, none bool) AreaConfig {
		a := DefaultArea()
		a.Type, a.NoSummaries, a.DefaultCost = t, none, 7
		return a
	}
	for _, tt := range []struct {
		name           string
		area1, area2   AreaConfig
		up, down, back string // of router 2 into the backbone, of 3 into area 2, of 2 into area 1
	}{
		{"no ranges", DefaultArea(), DefaultArea(), all, stub, other},
		{"a range, at the highest cost", ranges(Range{Prefix: netip.MustParsePrefix(wide)}), DefaultArea(), "10.1.0.0/16 12", "10.0.0.0/24 10, 10.1.0.0/16 22", other},
		{"with a cost", ranges(Range{Prefix: netip.MustParsePrefix(wide), Cost: 5}), DefaultArea(), "10.1.0.0/16 5", "10.0.0.0/24 10, 10.1.0.0/16 15", other},
		{"hidden", ranges(Range{Prefix: netip.MustParsePrefix(wide), Hide: true}), DefaultArea(), "", "10.0.0.0/24 10", other},
		{"one with nothing in it", ranges(Range{Prefix: netip.MustParsePrefix("10.9.0.0/16")}), DefaultArea(), all, stub, other},
		{"one within another", ranges(Range{Prefix: netip.MustParsePrefix(wide)}, Range{Prefix: netip.MustParsePrefix("10.1.16.0/23")}), DefaultArea(), "10.1.0.0/16 10, 10.1.16.0/23 12", "10.0.0.0/24 10, 10.1.0.0/16 20, 10.1.16.0/23 22", other},
		{"of one address with a network", ranges(Range{Prefix: netip.MustParsePrefix("10.1.16.0/23")}), DefaultArea(), "10.1.0.0/24 10, 10.1.16.0/23 12", "10.0.0.0/24 10, 10.1.0.0/24 20, 10.1.16.0/23 22", other},
		{"into a stub area", DefaultArea(), typed(Stub, false), all, "0.0.0.0/0 7, " + stub, other},
		{"into a totally stubby area", DefaultArea(), typed(Stub, true), all, "0.0.0.0/0 7", other},
		{"into an NSSA", DefaultArea(), typed(NSSA, false), all, stub, other + ", router 3.0.0.1 10"},
		{"into an NSSA without summaries", DefaultArea(), typed(NSSA, true), all, "0.0.0.0/0 7", other + ", router 3.0.0.1 10"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := areaChain(t, func(_ int, c *Config) { c.Areas[1], c.Areas[2] = tt.area1, tt.area2 })
			b2, b3 := w.nodes[1], w.nodes[2]
			if got := b2.summarized(0); got != tt.up {
				t.Errorf("into the backbone: %q, want %q", got, tt.up)
			}
			if got := b3.summarized(2); got != tt.down {
				t.Errorf("into area 2: %q, want %q", got, tt.down)
			}
			if got := b2.summarized(1); got != tt.back {
				t.Errorf("into area 1: %q, want %q", got, tt.back)
			}
			if got := b3.summarized(0); got != "10.2.0.0/24 10" {
				t.Errorf("of area 2 into the backbone: %q", got)
			}
			// The addresses of an active range that have no route are discarded.
			rib := b2.rib()
			rib.drain()
			if got, want := rib.routes[netip.MustParsePrefix(wide)] != "", strings.Contains(tt.up, wide); got != want {
				t.Errorf("the range is discarded: %v, want %v", got, want)
			}
			// A router that is no border router any more says nothing of other areas.
			b2.ports[1].fall()
			w.run(time.Minute, nil)
			if got := b2.summarized(1); got != "" {
				t.Errorf("without the backbone: %q", got)
			}
		})
	}
}

// AS boundary routers are said into areas that take externals, as far as they are
// reached.
func TestBoundarySummaries(t *testing.T) {
	for _, kind := range []AreaType{Normal, Stub, NSSA} {
		w := areaChain(t, func(i int, c *Config) {
			a := DefaultArea()
			a.Type = kind
			c.Areas[2] = a
			if i == 0 {
				c.DefaultInformation = &Origination{Always: true}
			}
		})
		if got, want := w.nodes[1].summarized(0), "router 1.0.0.1 10"; !strings.HasSuffix(got, want) {
			t.Errorf("into the backbone: %q, want %q too", got, want)
		}
		if got, want := w.nodes[2].summarized(2), "router 1.0.0.1 20"; strings.HasSuffix(got, want) != (kind == Normal) {
			t.Errorf("into a %v area: %q, %q among them is wrong", kind, got, want)
		}
		if got := w.nodes[1].summarized(1); strings.Contains(got, "router 1.0.0.1") {
			t.Errorf("back into its area: %q", got)
		}
		w.nodes[0].reload(func(c *Config) { c.DefaultInformation = nil })
		w.run(time.Minute, nil)
		if got := w.nodes[1].summarized(0); strings.Contains(got, "router") {
			t.Errorf("of one that is no AS boundary router any more: %q", got)
		}
	}
}

// A border router without an adjacency in the backbone uses the summaries of its other
// areas, and says nothing of them on (RFC 3509 §2.2).
func TestBorderRouterWithoutABackbone(t *testing.T) {
	w := newNetwork(t, 1)
	for i := range 3 {
		w.router(fmt.Sprintf("%d.0.0.1", i+1))
	}
	// 1 is in the backbone and area 1, 2 in the backbone alone; 3 has an interface in
	// the backbone where nobody else is, one in area 1, and one in area 2.
	l := w.segment()
	w.nodes[0].port(l, PointToPoint, "10.0.0.1/24", nil)
	w.nodes[1].port(l, PointToPoint, "10.0.0.2/24", nil)
	l = w.segment()
	for i, n := range []*station{w.nodes[0], w.nodes[2]} {
		n.port(l, PointToPoint, fmt.Sprintf("10.1.0.%d/24", i+1), func(c *InterfaceConfig) { c.Area = 1 })
	}
	n := w.nodes[2]
	n.port(w.segment(), Broadcast, "10.8.0.1/24", nil)
	n.port(w.segment(), Broadcast, "10.2.0.1/24", func(c *InterfaceConfig) { c.Area = 2 })
	w.begin()
	w.run(2*time.Minute, nil)
	if got := n.by("10.0.0.0/24"); got != "1:10.1.0.1" {
		t.Errorf("the backbone by %s, want area 1", got)
	}
	if !strings.Contains(n.said(1), " B") {
		t.Errorf("it says %q, want B", n.said(1))
	}
	if got := n.summarized(2); strings.Contains(got, "10.0.0.0/24") || !strings.Contains(got, "10.1.0.0/24") {
		t.Errorf("into area 2: %q, want what is in its areas alone", got)
	}
}

// Two border routers have the same range. That the other one says it is no reason to
// say it no longer, nor that it ceases to.
func TestRangeOfTwoBorderRouters(t *testing.T) {
	w := nssa(t, nil)
	low, high := w.nodes[1], w.nodes[2]
	set := func(c *Config) {
		c.Areas = map[wire.ID]AreaConfig{1: {Type: NSSA, DefaultCost: 1, Ranges: []Range{{Prefix: netip.MustParsePrefix("10.0.0.0/23")}}}}
	}
	low.reload(set)
	want := "10.0.0.0/23"
	w.run(time.Minute, nil)
	for _, step := range []func(){
		func() { high.reload(set) },
		func() {
			high.reload(func(c *Config) { c.Areas = map[wire.ID]AreaConfig{1: {Type: NSSA, DefaultCost: 1}} })
		},
	} {
		step()
		w.run(time.Minute, nil)
		if got := low.summarized(0); !strings.Contains(got, want) {
			t.Errorf("%q, want %s", got, want)
		}
	}
}
