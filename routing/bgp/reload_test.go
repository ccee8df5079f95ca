package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// downs is how often sessions of a router have ended.
func (r *router) downs() (n int) {
	for _, e := range r.events {
		if strings.HasPrefix(e, SessionDown.String()) {
			n++
		}
	}
	return n
}

func TestReload(t *testing.T) {
	w := newNetwork(t, 1)
	a, b, c := w.router(65001), w.router(65002), w.router(65003)
	w.peer(a, b, nil)
	w.peer(a, c, nil)
	w.start()
	w.run(time.Minute)
	w.established()
	w.configure(a) // the same once more
	w.run(time.Minute)
	if a.downs() != 0 {
		t.Fatalf("the same configuration ends sessions: %v", a.events)
	}
	a.config.Neighbors[0].HoldTime = 30
	w.configure(a)
	w.run(time.Minute)
	w.established()
	if a.downs() != 1 || b.downs() != 1 || c.downs() != 0 {
		t.Errorf("another hold time: sessions ended %d, %d, %d times, want 1, 1, 0", a.downs(), b.downs(), c.downs())
	}
	w.want(a, ownPrefix(1), "65002", "10.0.1.2")
	gone := a.config.Neighbors[0]
	a.config.Neighbors = a.config.Neighbors[1:]
	w.configure(a)
	w.run(time.Minute)
	w.want(a, ownPrefix(1), "none", "")
	w.want(c, ownPrefix(1), "none", "")
	w.want(a, ownPrefix(2), "65003", "10.0.2.2")
	if a.machine.strangers == 0 {
		t.Error("the former neighbour still dials, and is not counted as a stranger")
	}
	gone.Shutdown = true
	a.config.Neighbors = append(a.config.Neighbors, gone)
	w.configure(a)
	w.run(time.Minute)
	w.want(a, ownPrefix(1), "none", "")
	a.config.Neighbors[1].Shutdown = false
	w.configure(a)
	w.run(5 * time.Minute)
	w.established()
	w.want(c, ownPrefix(1), "65001 65002", "10.0.2.1")
	for id, s := range a.machine.streams {
		if !s.neighbor.session.Owns(id) {
			t.Errorf("stream %d is of no session", id)
		}
	}
}

// Soft: the routes are sent again, both ways, and no session ends. Hard: it ends, and
// comes back.
func TestClear(t *testing.T) {
	w := newNetwork(t, 1)
	a, b := w.router(65001), w.router(65002)
	w.peer(a, b, nil)
	w.start()
	w.run(time.Minute)
	neighbor := netip.MustParseAddr("10.0.1.2")
	w.step(a, Clear{Address: neighbor, Link: routing.NoInterface, Soft: true, In: true, Out: true})
	w.run(time.Minute)
	x, y := a.machine.Neighbors()[0].Counts, b.machine.Neighbors()[0].Counts
	if a.downs() != 0 || x.Announcements != 2 || y.Announcements != 2 {
		t.Errorf("down %d times, %d and %d announcements came, want 0, 2, 2", a.downs(), x.Announcements, y.Announcements)
	}
	w.step(a, Clear{Address: neighbor, Link: routing.NoInterface})
	w.run(time.Minute)
	w.established()
	if a.downs() != 1 || !slices.Contains(b.events, "session down received cease: administrative reset") {
		t.Errorf("down %d times, %v", a.downs(), b.events)
	}
	w.want(a, ownPrefix(1), "65002", "10.0.1.2")
}

func TestMultipathOffered(t *testing.T) {
	w := newNetwork(t, 1)
	a, b, c, d := w.router(65001), w.router(65002), w.router(65002), w.router(65003)
	a.config.Rules.MultipathExternal = 2
	for _, r := range []*router{b, c} {
		w.peer(a, r, nil)
		w.peer(r, d, nil)
	}
	w.start()
	w.run(time.Minute)
	w.established()
	hops := a.offered[ownPrefix(3)].NextHops
	if len(hops) != 2 || hops[0].Backup || hops[1].Backup {
		t.Errorf("next hops %+v, want two that are used", hops)
	}
}

// Both families over a session of IPv4: the next hops are the addresses of the link.
func TestBothFamilies(t *testing.T) {
	w := newNetwork(t, 1)
	a, b := w.router(65001), w.router(65002)
	w.peer(a, b, func(of *router, c *NeighborConfig) { c.Families[wire.IPv6Unicast] = c.Families[wire.IPv4Unicast] })
	for i, r := range w.routers {
		r.links[1].Addresses = append(r.links[1].Addresses, netip.MustParsePrefix(fmt.Sprintf("2001:db8::%d/64", i+1)))
		r.config.Networks = append(r.config.Networks, Network{Prefix: netip.MustParsePrefix(fmt.Sprintf("2001:db8:%d::/48", i+1)), Always: true})
	}
	w.start()
	w.run(time.Minute)
	w.established()
	w.want(a, ownPrefix(1), "65002", "10.0.1.2")
	w.want(a, netip.MustParsePrefix("2001:db8:2::/48"), "65002", "2001:db8::2")
	w.want(b, netip.MustParsePrefix("2001:db8:1::/48"), "65001", "2001:db8::1")
	w.cut(a, b)
	for w.deliver() {
	}
	w.want(a, netip.MustParsePrefix("2001:db8:2::/48"), "none", "")
}

// A network is announced while the RIB has a route for it; what is redistributed, too.
func TestNetworks(t *testing.T) {
	w := newNetwork(t, 1)
	a, b := w.router(65001), w.router(65002)
	w.peer(a, b, nil)
	p, other := ownPrefix(50), ownPrefix(51)
	a.config.Networks = append(a.config.Networks, Network{Prefix: p})
	w.start()
	w.run(time.Minute)
	w.want(b, p, "none", "")
	route := func(p netip.Prefix, withdraw bool) routing.Delta {
		return routing.Delta{Withdraw: withdraw, Route: routing.Route{Prefix: p, Source: routing.SourceOSPF, Metric: 7}}
	}
	w.step(a, protocol.Notices{Notices: routing.Notices{Routes: []routing.Delta{route(p, false), route(other, false)}}})
	w.run(time.Minute)
	w.want(b, p, "65001", "10.0.1.1")
	w.want(b, other, "65001", "10.0.1.1")
	for p, want := range map[netip.Prefix]wire.Origin{p: wire.OriginIGP, other: wire.OriginIncomplete} {
		if x := b.best(p).Attributes; x.Origin != want || x.MED != 7 {
			t.Errorf("%v has origin %v and MED %d, want %v and 7", p, x.Origin, x.MED, want)
		}
	}
	w.step(a, protocol.Notices{Notices: routing.Notices{Routes: []routing.Delta{route(p, true), route(other, true)}}})
	w.run(time.Minute)
	w.want(b, p, "none", "")
	w.want(b, other, "none", "")
}

// A table that does not fit into what a connection buffers comes through whole, and goes
// as a whole.
func TestLarge(t *testing.T) {
	const many = 40_000
	w := newNetwork(t, 1)
	a, b, c := w.router(65001), w.router(65002), w.router(65003)
	w.peer(a, b, nil)
	w.peer(b, c, nil)
	w.start()
	var list []routing.Delta
	for i := range many {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24)
		list = append(list, routing.Delta{Route: routing.Route{Prefix: p, Source: routing.SourceStatic, Metric: uint32(i / 2)}})
	}
	w.step(a, protocol.Notices{Notices: routing.Notices{Routes: list}})
	w.run(time.Minute)
	w.established()
	if len(b.offered) != many+2 || len(c.offered) != many+2 {
		t.Fatalf("%d and %d routes, want %d", len(b.offered), len(c.offered), many+2)
	}
	for i := range list {
		p := list[i].Route.Prefix
		if got := b.best(p).Attributes.MED; got != uint32(i/2) {
			t.Fatalf("%v has MED %d, want %d", p, got, i/2)
		}
	}
	if n := b.machine.Neighbors()[1].Counts; n.Sent < many || n.Sent > many+many/10 {
		t.Errorf("%d prefixes were sent of %d", n.Sent, many)
	}
	w.vanish(a)
	w.run(time.Minute)
	if len(b.offered) != 1 || len(c.offered) != 1 {
		t.Errorf("%d and %d routes after the loss, want 1", len(b.offered), len(c.offered))
	}
	for _, r := range []*router{b, c} {
		if x := r.machine.ribs[wire.IPv4Unicast].table; x.Prefixes() > 2 || r.machine.attributes.Len() > 2 || len(r.machine.hops) > 1 {
			t.Errorf("router %d keeps %d prefixes, %d sets of attributes, %d next hops", r.number, x.Prefixes(), r.machine.attributes.Len(), len(r.machine.hops))
		}
	}
}

func TestStopMachine(t *testing.T) {
	w := newNetwork(t, 1)
	a, b := w.router(65001), w.router(65002)
	w.peer(a, b, nil)
	w.start()
	w.run(time.Minute)
	w.established()
	w.step(a, protocol.Stop{})
	w.run(time.Second)
	if !slices.Contains(b.events, "session down received cease: administrative shutdown") {
		t.Errorf("events of the neighbour: %v", b.events)
	}
	if at := a.machine.Deadline(); !at.IsZero() {
		t.Errorf("it is due at %v after the end", at)
	}
}

func TestCheck(t *testing.T) {
	good := func() Config {
		c := Config{AS: 65001, RouterID: 1, Neighbors: []NeighborConfig{{Address: netip.MustParseAddr("192.0.2.1"), AS: 65002, Link: routing.NoInterface, HoldTime: 90}}}
		c.Neighbors[0].Families[wire.IPv4Unicast].Enabled = true
		return c
	}
	if c := good(); c.Check() != nil {
		t.Fatal(c.Check())
	}
	for want, change := range map[string]func(*Config, *NeighborConfig){
		"AS number 0":                        func(c *Config, _ *NeighborConfig) { c.AS = 0 },
		"router ID 0.0.0.0":                  func(c *Config, _ *NeighborConfig) { c.RouterID = 0 },
		"neighbour 192.0.2.1 is there twice": func(c *Config, n *NeighborConfig) { c.Neighbors = append(c.Neighbors, *n) },
		"AS number 23456":                    func(_ *Config, n *NeighborConfig) { n.AS = 23456 },
		"hold time 2 s":                      func(_ *Config, n *NeighborConfig) { n.HoldTime = 2 },
		"no family":                          func(_ *Config, n *NeighborConfig) { n.Families[wire.IPv4Unicast].Enabled = false },
		"client of this route reflector":     func(_ *Config, n *NeighborConfig) { n.Client = true },
		"multihop 2":                         func(_ *Config, n *NeighborConfig) { n.AS, n.Multihop = 65001, 2 },
		"of the other family":                func(_ *Config, n *NeighborConfig) { n.Local = netip.MustParseAddr("2001:db8::1") },
		"a link-local address has a link":    func(_ *Config, n *NeighborConfig) { n.Address = netip.MustParseAddr("fe80::1") },
		"without host bits": func(c *Config, _ *NeighborConfig) {
			c.Networks = []Network{{Prefix: netip.MustParsePrefix("192.0.2.1/24")}}
		},
		"a password of 81":          func(_ *Config, n *NeighborConfig) { n.Password = strings.Repeat("x", 81) },
		"it is of the own AS":       func(_ *Config, n *NeighborConfig) { n.AS, n.HasRole = 65001, true },
		"an advertisement interval": func(_ *Config, n *NeighborConfig) { n.MRAI = -1 },
		"warning from 101":          func(_ *Config, n *NeighborConfig) { n.Families[0].LimitWarning = 101 },
		"maximum of -1":             func(_ *Config, n *NeighborConfig) { n.Families[0].MaximumPrefixes = -1 },
	} {
		c := good()
		change(&c, &c.Neighbors[0])
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// protocolRoute is what the RIB says of a route of OSPF.
func protocolRoute(p netip.Prefix, withdraw bool) protocol.Input {
	return protocol.Notices{Notices: routing.Notices{Routes: []routing.Delta{
		{Withdraw: withdraw, Route: routing.Route{Prefix: p, Source: routing.SourceOSPF, Metric: 7}},
	}}}
}
