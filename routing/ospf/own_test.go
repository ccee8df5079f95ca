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

// said gives the Router-LSA that a station originates into an area, in words.
func (n *station) said(id wire.ID) string {
	a := n.m.area(id)
	e := a.db.Find(wire.Identity{Type: wire.RouterLSA, ID: n.m.router, Router: n.m.router})
	if e == nil || !e.Usable() {
		return "nothing"
	}
	body := wire.RouterBody(e.LSA().Body())
	var list []string
	for l := range body.Links {
		switch l.Type {
		case wire.LinkStub:
			list = append(list, fmt.Sprintf("stub %v/%d", l.Prefix(), l.Cost))
		case wire.LinkTransit:
			list = append(list, fmt.Sprintf("transit %v by %v/%d", l.ID, l.Data, l.Cost))
		case wire.LinkVirtual:
			list = append(list, fmt.Sprintf("virtual %v by %v/%d", l.ID, l.Data, l.Cost))
		default:
			list = append(list, fmt.Sprintf("router %v by %v/%d", l.ID, l.Data, l.Cost))
		}
	}
	text := strings.Join(list, ", ")
	for _, f := range []struct {
		bit  wire.RouterFlags
		name string
	}{{wire.RouterB, "B"}, {wire.RouterE, "E"}, {wire.RouterV, "V"}, {wire.RouterNt, "Nt"}} {
		if body.Flags()&f.bit != 0 {
			text += " " + f.name
		}
	}
	return text
}

// networks gives the Network-LSAs of a station, in words.
func (n *station) networks() string {
	var list []string
	for e := range n.m.area(backbone).db.All(wire.NetworkLSA) {
		if !e.Self() || !e.Usable() {
			continue
		}
		b := wire.NetworkBody(e.LSA().Body())
		var routers []string
		for r := range b.Routers {
			routers = append(routers, r.String())
		}
		list = append(list, fmt.Sprintf("%v mask %v of %s", e.LSA().ID(), b.Mask(), strings.Join(routers, " ")))
	}
	return strings.Join(list, "; ")
}

// What a router says of its interfaces, by the type of the network and before and
// after there is a neighbour (RFC 2328 §12.4.1).
func TestRouterLSA(t *testing.T) {
	yes, no := true, false
	cost := func(c *InterfaceConfig) { c.Cost = 7 }
	for _, tt := range []struct {
		name        string
		set         func(n, o *station, l *segment)
		alone, full string
	}{
		{"point-to-point", func(n, o *station, l *segment) {
			n.port(l, PointToPoint, "10.0.0.1/30", cost)
			o.port(l, PointToPoint, "10.0.0.2/30", nil)
		}, "stub 10.0.0.0/30/7", "router 2.2.2.2 by 10.0.0.1/7, stub 10.0.0.0/30/7"},
		{"unnumbered", func(n, o *station, l *segment) {
			n.port(nil, Broadcast, "1.1.1.1/32", nil)
			o.port(nil, Broadcast, "2.2.2.2/32", nil)
			n.port(l, PointToPoint, "", cost)
			o.port(l, PointToPoint, "", nil)
		}, "stub 1.1.1.1/32/0", "stub 1.1.1.1/32/0, router 2.2.2.2 by 0.0.0.3/7"},
		{"broadcast", func(n, o *station, l *segment) {
			n.port(l, Broadcast, "10.0.0.1/24", cost)
			o.port(l, Broadcast, "10.0.0.2/24", nil)
		}, "stub 10.0.0.0/24/7", "transit 10.0.0.1 by 10.0.0.1/7"},
		{"NBMA", func(n, o *station, l *segment) {
			with := func(a string) func(*InterfaceConfig) {
				return func(c *InterfaceConfig) {
					c.Cost = 7
					c.Neighbors = map[netip.Addr]NeighborConfig{netip.MustParseAddr(a): {Priority: 1, Poll: time.Minute}}
				}
			}
			n.port(l, NBMA, "10.0.0.1/24", with("10.0.0.2"))
			o.port(l, NBMA, "10.0.0.2/24", with("10.0.0.1"))
		}, "stub 10.0.0.0/24/7", "transit 10.0.0.1 by 10.0.0.1/7"},
		{"point-to-multipoint", func(n, o *station, l *segment) {
			n.port(l, PointToMultipoint, "10.0.0.1/24", func(c *InterfaceConfig) {
				c.Cost = 7
				c.Neighbors = map[netip.Addr]NeighborConfig{netip.MustParseAddr("10.0.0.2"): {Cost: 9, Poll: time.Minute}}
			})
			o.port(l, PointToMultipoint, "10.0.0.2/24", nil)
		}, "stub 10.0.0.1/32/0", "router 2.2.2.2 by 10.0.0.1/9, stub 10.0.0.1/32/0"},
		{"loopback and passive", func(n, o *station, l *segment) {
			n.port(nil, Broadcast, "10.9.9.1/24", cost)
			n.port(l, Broadcast, "10.0.0.1/24", func(c *InterfaceConfig) { c.Passive, c.Cost, c.PrefixSuppression = true, 7, &yes })
		}, "stub 10.9.9.1/32/0, stub 10.0.0.0/24/7", ""},
		{"further addresses", func(n, o *station, l *segment) {
			p := n.port(l, PointToPoint, "10.0.0.1/30", cost)
			for _, a := range []string{"10.8.0.1/24", "10.8.0.2/24", "10.0.0.3/30"} {
				p.addresses = append(p.addresses, netip.MustParsePrefix(a))
			}
			o.port(l, PointToPoint, "10.0.0.2/30", nil)
		}, "stub 10.0.0.0/30/7, stub 10.8.0.0/24/7", "router 2.2.2.2 by 10.0.0.1/7, stub 10.0.0.0/30/7, stub 10.8.0.0/24/7"},
		{"a hidden network of two routers", func(n, o *station, l *segment) {
			n.cfg.PrefixSuppression = true
			n.port(l, PointToPoint, "10.0.0.1/30", cost)
			o.port(l, PointToPoint, "10.0.0.2/30", nil)
		}, "", "router 2.2.2.2 by 10.0.0.1/7"},
		{"one that is not hidden", func(n, o *station, l *segment) {
			n.cfg.PrefixSuppression = true
			n.port(l, PointToPoint, "10.0.0.1/30", func(c *InterfaceConfig) { c.Cost, c.PrefixSuppression = 7, &no })
			o.port(l, PointToPoint, "10.0.0.2/30", nil)
		}, "stub 10.0.0.0/30/7", "router 2.2.2.2 by 10.0.0.1/7, stub 10.0.0.0/30/7"},
		{"a hidden broadcast network", func(n, o *station, l *segment) {
			n.port(l, Broadcast, "10.0.0.1/24", func(c *InterfaceConfig) { c.Cost, c.PrefixSuppression = 7, &yes })
			o.port(l, Broadcast, "10.0.0.2/24", nil)
		}, "", "transit 10.0.0.1 by 10.0.0.1/7"},
		{"by the speed", func(n, o *station, l *segment) {
			n.cfg.ReferenceBandwidth = 40_000_000_000
			n.port(l, PointToPoint, "10.0.0.1/30", nil)
			o.port(l, PointToPoint, "10.0.0.2/30", nil)
		}, "stub 10.0.0.0/30/40", "router 2.2.2.2 by 10.0.0.1/40, stub 10.0.0.0/30/40"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newNetwork(t, 1)
			n, o := w.router("1.1.1.1"), w.router("2.2.2.2")
			tt.set(n, o, w.segment())
			n.begin()
			w.run(3*time.Minute, nil)
			if got := n.said(backbone); got != tt.alone {
				t.Errorf("alone: %q, want %q", got, tt.alone)
			}
			if tt.full == "" {
				return
			}
			o.begin()
			w.run(10*time.Minute, func() bool { return n.said(backbone) == tt.full })
			if got := n.said(backbone); got != tt.full {
				t.Errorf("with a neighbour: %q, want %q\n%s", got, tt.full, w)
			}
			o.end()
			w.run(5*time.Minute, nil)
			if got := n.said(backbone); got != tt.alone {
				t.Errorf("alone again: %q, want %q", got, tt.alone)
			}
		})
	}
}

// The DR says which routers a network has; a hidden network has a mask that gives
// no route (RFC 6860 §2.2.2.1).
func TestNetworkLSA(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		w := newNetwork(t, 1)
		l := w.segment()
		ids := []string{"1.1.1.1", "2.2.2.2", "3.3.3.3"}
		for i, id := range ids {
			w.router(id).port(l, Broadcast, fmt.Sprintf("10.0.0.%d/24", i+1), func(c *InterfaceConfig) {
				c.Priority, c.PrefixSuppression = uint8(i), &hidden
			})
		}
		w.begin()
		dr := w.nodes[2]
		want := "10.0.0.3 mask 255.255.255.0 of 3.3.3.3"
		if hidden {
			want = "10.0.0.3 mask 255.255.255.255 of 3.3.3.3"
		}
		w.want(5*time.Minute, "three routers", func() bool { return strings.Count(dr.networks(), ".") == 3*2+3*3 })
		if got := dr.networks(); !strings.HasPrefix(got, want) || !strings.Contains(got, "1.1.1.1") || !strings.Contains(got, "2.2.2.2") {
			t.Errorf("%q, want %q and both others", got, want)
		}
		far := w.nodes[0]
		w.run(time.Minute, nil)
		if r := far.m.table.Find(netip.MustParsePrefix("10.0.0.3/32")); r != nil {
			t.Errorf("a route %v to a hidden network", r)
		}
		if r := far.m.table.Find(netip.MustParsePrefix("10.0.0.0/24")); (r == nil) != hidden {
			t.Errorf("hidden %v: the network's route is %v", hidden, r)
		}
		w.nodes[0].end()
		w.want(5*time.Minute, "two routers", func() bool { return !strings.Contains(dr.networks(), "1.1.1.1") })
		w.nodes[1].end()
		w.want(5*time.Minute, "no network any more", func() bool { return dr.networks() == "" })
	}
}

// A router with several areas says that it is a border router where one of them is
// the backbone (RFC 3509 §2.2), or where it is told to always.
func TestBorderRouter(t *testing.T) {
	for _, tt := range []struct {
		name     string
		areas    []wire.ID
		standard bool
		want     bool
	}{
		{"the backbone alone", []wire.ID{0, 0}, false, false},
		{"with the backbone", []wire.ID{0, 1}, false, true},
		{"without", []wire.ID{1, 2}, false, false},
		{"without, told to always", []wire.ID{1, 2}, true, true},
	} {
		w := newNetwork(t, 1)
		n := w.router("1.1.1.1")
		n.cfg.StandardABR = tt.standard
		for i, id := range tt.areas {
			n.port(w.segment(), Broadcast, fmt.Sprintf("10.0.%d.1/24", i), func(c *InterfaceConfig) { c.Area = id })
		}
		w.begin()
		w.run(time.Minute, nil)
		for _, id := range tt.areas {
			if got := strings.Contains(n.said(id), " B"); got != tt.want {
				t.Errorf("%s: %q in area %v, want B %v", tt.name, n.said(id), id, tt.want)
			}
		}
		n.ports[1].fall()
		w.run(time.Minute, nil)
		if got := n.said(tt.areas[0]); strings.Contains(got, " B") {
			t.Errorf("%s: %q with one area left", tt.name, got)
		}
	}
}

// rib gives what the RIB has been told by a station.
func (n *station) rib() *rib { return &rib{slots: n.slots, routes: map[netip.Prefix]string{}} }

// The RIB gets the routes, and in a step behind them their alternates; each
// calculation says why.
func TestRoutesReachTheRIB(t *testing.T) {
	w := newNetwork(t, 1)
	segments := []*segment{w.segment(), w.segment(), w.segment()}
	for i, id := range []string{"1.1.1.1", "2.2.2.2", "3.3.3.3"} {
		n := w.router(id)
		n.cfg.FastReroute = true
		n.port(nil, Broadcast, id+"/32", nil)
		n.port(segments[i], PointToPoint, fmt.Sprintf("10.0.%d.1/30", i), nil)
		n.port(segments[(i+2)%3], PointToPoint, fmt.Sprintf("10.0.%d.2/30", (i+2)%3), nil)
	}
	n := w.nodes[0]
	n.begin()
	rib := n.rib()
	w.nodes[1].begin()
	w.nodes[2].begin()
	w.want(5*time.Minute, "full", func() bool { return w.adjacent() && w.equal() })
	w.run(time.Minute, nil)
	rib.drain()
	var got []string
	for p, r := range rib.routes {
		got = append(got, p.String()+" "+r)
	}
	slices.Sort(got)
	want := []string{
		"10.0.1.0/30 metric 2 tag 0 distance 110 2:10.0.0.2 3:10.0.2.1",
		"2.2.2.2/32 metric 1 tag 0 distance 110 2:10.0.0.2 3:10.0.2.1(backup)",
		"3.3.3.3/32 metric 1 tag 0 distance 110 3:10.0.2.1 2:10.0.0.2(backup)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	runs := n.m.lastRuns()
	if len(runs) < 3 || runs[0].Kind != RunAlternates || runs[1].Kind != RunFull || len(runs[1].Why) == 0 || runs[1].Waited <= 0 || runs[1].Vertices != 3 {
		t.Errorf("the last runs are %+v", runs)
	}
	if runs[0].At != runs[1].At {
		t.Errorf("alternates at %v, routes at %v", runs[0].At, runs[1].At)
	}
	// Nothing changes where nothing has: refreshes of LSAs calculate nothing.
	count := n.m.calc.count
	w.run(2*time.Hour, nil)
	rib.changes = nil
	rib.drain()
	if n.m.calc.count != count || len(rib.changes) > 0 {
		t.Errorf("%d calculations, changes %q in two quiet hours: %+v", n.m.calc.count-count, rib.changes, n.m.lastRuns()[0])
	}
	n.reload(func(c *Config) { c.FastReroute = false })
	w.run(time.Minute, nil)
	rib.drain()
	if got := rib.routes[netip.MustParsePrefix("2.2.2.2/32")]; got != "metric 1 tag 0 distance 110 2:10.0.0.2" {
		t.Errorf("without alternates: %q", got)
	}
	n.reload(func(c *Config) { c.Distance.IntraArea = 50 })
	w.run(time.Minute, nil)
	rib.drain()
	if got := rib.routes[netip.MustParsePrefix("2.2.2.2/32")]; got != "metric 1 tag 0 distance 50 2:10.0.0.2" {
		t.Errorf("after a reload: %q", got)
	}
	// A link that fails is gone from the routes after the first delay.
	before := w.now
	n.ports[1].fall()
	w.want(time.Second, "the other way", func() bool {
		rib.drain()
		return rib.routes[netip.MustParsePrefix("2.2.2.2/32")] == "metric 2 tag 0 distance 50 3:10.0.2.1"
	})
	if d := w.now.Sub(before); d > n.cfg.SPF.InitialDelay {
		t.Errorf("after %v, want the first delay, %v", d, n.cfg.SPF.InitialDelay)
	}
}
