package bgp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// want checks which path a router has to a prefix; "none" is no route.
func (w *network) want(r *router, p netip.Prefix, path, hop string) {
	w.t.Helper()
	b := r.best(p)
	got, gotHop := "none", ""
	if b != nil {
		got = b.Attributes.ASPath.String()
	}
	if s, ok := r.offered[p]; ok {
		gotHop = s.NextHops[0].Address.String()
	}
	if got != path || gotHop != hop {
		w.t.Errorf("router %d has path %q by %q to %v, want %q by %q: %+v", r.number, got, gotHop, p, path, hop, r.machine.Routes(p))
	}
}

func TestExternal(t *testing.T) {
	for seed := range uint64(20) {
		w := newNetwork(t, seed)
		a, b := w.router(65001), w.router(65002)
		w.peer(a, b, nil)
		w.start()
		w.run(time.Minute)
		w.established()
		w.want(a, ownPrefix(1), "65002", "10.0.1.2")
		w.want(b, ownPrefix(0), "65001", "10.0.1.1")
		for _, r := range w.routers { // nobody is sent its own routes
			if n := r.machine.Neighbors()[0]; n.Counts.Sent != 1 || n.Families[wire.IPv4Unicast].Sent != 1 {
				t.Errorf("router %d has sent %+v, want one prefix", r.number, n.Counts)
			}
		}
		if s := a.offered[ownPrefix(1)]; s.Internal {
			t.Errorf("a route from another AS is offered as internal: %+v", s)
		}
		if _, ok := a.offered[ownPrefix(0)]; ok {
			t.Error("a route of the router's own is offered to its RIB")
		}
	}
}

// RFC 8212: without policies nothing passes.
func TestNoPolicy(t *testing.T) {
	w := newNetwork(t, 1)
	a, b := w.router(65001), w.router(65002)
	w.peer(a, b, func(of *router, c *NeighborConfig) {
		if of == a {
			c.Families[wire.IPv4Unicast].Import = Policy{}
			c.Families[wire.IPv4Unicast].Export = Policy{}
		}
	})
	w.start()
	w.run(time.Minute)
	w.established()
	w.want(a, ownPrefix(1), "none", "")
	w.want(b, ownPrefix(0), "none", "")
	n := a.machine.Neighbors()[0]
	if f := n.Families[wire.IPv4Unicast]; !f.NoImport || !f.NoExport || n.Counts.NoPolicy != 1 || n.Counts.Announcements != 1 {
		t.Errorf("%+v, %+v: want no policies, and one announcement that was not taken", f, n.Counts)
	}
	// A policy that is given has the routes asked for again.
	f := &a.config.Neighbors[0].Families[wire.IPv4Unicast]
	f.Import, f.Export = Policy{Given: true}, Policy{Given: true}
	w.configure(a)
	w.run(time.Minute)
	w.want(a, ownPrefix(1), "65002", "10.0.1.2")
	w.want(b, ownPrefix(0), "65001", "10.0.1.1")
	if slices.ContainsFunc(a.events, func(s string) bool { return strings.HasPrefix(s, SessionDown.String()) }) {
		t.Errorf("policies have ended the session: %v", a.events)
	}
}

// A session that is lost takes its routes with it, and brings them back.
func TestFlap(t *testing.T) {
	w := newNetwork(t, 1)
	a, b, c := w.router(65001), w.router(65002), w.router(65003)
	w.peer(a, b, nil)
	w.peer(b, c, nil)
	w.peer(a, c, nil)
	w.start()
	w.run(time.Minute)
	w.established()
	w.want(a, ownPrefix(2), "65003", "10.0.2.2")
	if hops := a.offered[ownPrefix(2)].NextHops; len(hops) != 2 || !hops[1].Backup || hops[1].Address.String() != "10.0.1.2" {
		t.Errorf("next hops %+v, want the second best path as a backup", hops)
	}
	w.cut(a, c)
	for w.deliver() {
	}
	w.want(a, ownPrefix(2), "65002 65003", "10.0.1.2")
	w.want(c, ownPrefix(0), "65002 65001", "10.1.2.1")
	w.run(time.Minute)
	w.established()
	w.want(a, ownPrefix(2), "65003", "10.0.2.2")
	// A network that is no longer there.
	c.config.Networks = nil
	w.configure(c)
	w.run(time.Minute)
	for _, r := range w.routers {
		w.want(r, ownPrefix(2), "none", "")
		if n, ok := r.machine.ribs[wire.IPv4Unicast].table.Number(ownPrefix(2)); ok {
			t.Errorf("router %d keeps number %d of a prefix that has no routes", r.number, n)
		}
	}
}

// A reflector between two clients, which speak with it alone (RFC 4456).
func TestReflection(t *testing.T) {
	w := newNetwork(t, 1)
	rr, a, b, x := w.router(65001), w.router(65001), w.router(65001), w.router(65002)
	client := func(of *router, c *NeighborConfig) { c.Client = of == rr }
	w.peer(rr, a, client)
	w.peer(rr, b, client)
	w.peer(a, x, nil)
	w.start()
	w.run(time.Minute)
	w.established()
	w.want(b, ownPrefix(3), "65002", "10.1.3.2") // through the IGP
	w.want(x, ownPrefix(2), "65001", "10.1.3.1")
	route := b.best(ownPrefix(3))
	if o := route.Attributes.OriginatorID; o != 2 || route.Attributes.ClusterList.Len() != 1 {
		t.Errorf("originator %v, cluster list of %d, want 0.0.0.2 and 1", o, route.Attributes.ClusterList.Len())
	}
	if s := b.offered[ownPrefix(3)]; !s.Internal {
		t.Errorf("a route from the own AS is offered as external: %+v", s)
	}
	// The next hop dies: the routes go at once.
	gone := netip.MustParseAddr("10.1.3.2")
	for _, r := range []*router{rr, b} {
		if !r.tracked[gone] {
			t.Fatalf("router %d does not track %v", r.number, gone)
		}
		w.step(r, protocol.Notices{Notices: routing.Notices{NextHops: []routing.NextHopState{{Address: gone, Interface: routing.NoInterface}}}})
	}
	w.want(b, ownPrefix(3), "none", "")
	if s := b.machine.Routes(ownPrefix(3)); len(s) != 1 || s[0].Why != "its next hop cannot be reached" {
		t.Errorf("routes %+v, want one whose next hop cannot be reached", s)
	}
}

// One prefix too many ends the session, which is tried again later.
func TestPrefixLimit(t *testing.T) {
	w := newNetwork(t, 1)
	a, b := w.router(65001), w.router(65002)
	w.peer(a, b, func(of *router, c *NeighborConfig) {
		if of == a {
			c.Families[wire.IPv4Unicast].MaximumPrefixes, c.Families[wire.IPv4Unicast].Restart = 3, 10*time.Minute
		}
	})
	w.start()
	w.run(time.Minute)
	w.established()
	networks := b.config.Networks
	for i := range 3 {
		b.config.Networks = append(b.config.Networks, Network{Prefix: ownPrefix(100 + i), Always: true})
	}
	w.configure(b)
	w.run(time.Minute)
	if n := a.machine.Neighbors()[0]; n.State == Established || !n.Held || len(a.offered) != 0 {
		t.Fatalf("after 4 prefixes of 3: %v, held %v, %d routes are offered", n.State, n.Held, len(a.offered))
	}
	if !slices.Contains(b.events, "session down received cease: maximum number of prefixes reached") {
		t.Errorf("events of the neighbour: %v", b.events)
	}
	if !slices.Contains(a.events, "too many prefixes 4 ipv4-unicast prefixes were accepted, the maximum is 3") {
		t.Errorf("events %v", a.events)
	}
	b.config.Networks = networks
	w.configure(b)
	w.run(5 * time.Minute)
	if n := a.machine.Neighbors()[0]; n.State == Established {
		t.Error("the session is up before its time")
	}
	w.run(10 * time.Minute)
	w.established()
	w.want(a, ownPrefix(1), "65002", "10.0.1.2")
}

// What the FIB does not have yet, nobody is told of.
func TestInstalledFirst(t *testing.T) {
	w := newNetwork(t, 1)
	a, b, c := w.router(65001), w.router(65002), w.router(65003)
	b.machine.bulk = bulk // it marks what it has when that has come
	w.peer(a, b, nil)
	w.peer(b, c, nil)
	w.start()
	w.run(time.Minute)
	w.established()
	a.config.Networks = append(a.config.Networks, Network{Prefix: ownPrefix(9), Always: true})
	w.configure(a)
	for i := 0; i < 1000 && len(b.waiting) == 0; i++ {
		w.deliver()
	}
	marks := b.waiting
	b.waiting = nil
	w.run(10 * time.Second)
	w.want(b, ownPrefix(9), "65001", "10.0.1.1")
	w.want(c, ownPrefix(9), "none", "")
	b.waiting = append(marks, b.waiting...)
	w.run(10 * time.Second)
	w.want(c, ownPrefix(9), "65002 65001", "10.1.2.1")
}

// A neighbour that restarts keeps its routes meanwhile (RFC 4724), and one that does not
// come back, or comes back without them, loses them.
func TestHelper(t *testing.T) {
	for _, test := range []struct {
		name         string
		comes, keeps bool
	}{{"it comes back", true, true}, {"it comes back with nothing", true, false}, {"it does not come back", false, false}} {
		w := newNetwork(t, 1)
		a, b := w.router(65001), w.router(65002)
		w.peer(a, b, nil)
		b.config.Networks = append(b.config.Networks, Network{Prefix: ownPrefix(9), Always: true})
		capability := wire.GracefulRestart{Present: true, Time: 120, Families: wire.Of(wire.IPv4Unicast), Forwarding: wire.Of(wire.IPv4Unicast)}
		w.start()
		b.machine.order[0].session.config.Open.Capabilities.Restart = capability
		w.run(time.Minute)
		w.established()
		w.vanish(b)
		w.run(30 * time.Second)
		w.want(a, ownPrefix(1), "65002", "10.0.1.2")
		if f := a.machine.Neighbors()[0].Families[wire.IPv4Unicast]; f.Stale != 2 || f.Accepted != 0 {
			t.Errorf("%s: %+v, want 2 stale routes", test.name, f)
		}
		if !test.comes {
			w.run(100 * time.Second)
			w.want(a, ownPrefix(1), "none", "")
			continue
		}
		b.config.Networks = b.config.Networks[:1] // one of the two is no longer there
		for _, l := range b.links {
			w.step(b, l)
		}
		w.configure(b)
		if !test.keeps {
			capability.Forwarding = 0
		}
		b.machine.order[0].session.config.Open.Capabilities.Restart = capability
		for range 1000 { // until it is up, but has said nothing
			if w.deliver(); a.machine.Neighbors()[0].State == Established {
				break
			}
		}
		if _, kept := a.offered[ownPrefix(9)]; kept != test.keeps {
			t.Errorf("%s: kept %v before all has come, want %v", test.name, kept, test.keeps)
		}
		w.run(time.Minute)
		w.established()
		w.want(a, ownPrefix(1), "65002", "10.0.1.2")
		w.want(a, ownPrefix(9), "none", "")
		if s := a.machine.Neighbors()[0].Families[wire.IPv4Unicast]; s.Stale != 0 || s.Accepted != 1 || len(a.machine.Routes(ownPrefix(1))) != 1 {
			t.Errorf("%s: %+v in the end, %+v", test.name, s, a.machine.Routes(ownPrefix(1)))
		}
	}
}

// With an advertisement interval, updates have to wait for it.
func TestInterval(t *testing.T) {
	w := newNetwork(t, 1)
	a, b := w.router(65001), w.router(65002)
	w.peer(a, b, func(of *router, c *NeighborConfig) { c.MRAI = 30 * time.Second })
	w.start()
	w.run(time.Minute)
	w.established()
	first, second := ownPrefix(8), ownPrefix(9)
	for i, p := range []netip.Prefix{first, second} {
		a.config.Networks = append(a.config.Networks, Network{Prefix: p, Always: true})
		w.configure(a)
		w.run(time.Second)
		if got := b.best(p) != nil; got != (i == 0) {
			t.Errorf("after a second, network %d is there: %v", i, got)
		}
	}
	w.run(30 * time.Second)
	w.want(b, second, "65001", "10.0.1.1")
}
