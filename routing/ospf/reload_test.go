package ospf

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// What a reload changes, and whether the adjacency has to begin anew.
func TestReload(t *testing.T) {
	yes := true
	for _, c := range []struct {
		name   string
		change func(c *Config, i *InterfaceConfig)
		drops  bool
	}{
		{"nothing", func(*Config, *InterfaceConfig) {}, false},
		{"cost", func(_ *Config, i *InterfaceConfig) { i.Cost = 99 }, false},
		{"retransmit interval", func(_ *Config, i *InterfaceConfig) { i.RetransmitInterval = 7 * time.Second }, false},
		{"transmit delay", func(_ *Config, i *InterfaceConfig) { i.TransmitDelay = 7 * time.Second }, false},
		{"priority", func(_ *Config, i *InterfaceConfig) { i.Priority = 99 }, false},
		{"mtu-ignore", func(_ *Config, i *InterfaceConfig) { i.MTUIgnore = true }, false},
		{"suppression", func(_ *Config, i *InterfaceConfig) { i.PrefixSuppression = &yes }, false},
		{"reference bandwidth", func(c *Config, _ *InterfaceConfig) { c.ReferenceBandwidth = 1 << 40 }, false},
		{"area's default cost", func(c *Config, _ *InterfaceConfig) { c.Areas[0] = AreaConfig{DefaultCost: 7} }, false},
		{"another interface", func(c *Config, _ *InterfaceConfig) {
			i := DefaultInterface(Broadcast)
			i.Area = 5
			c.Interfaces["eth2"] = i
		}, false},
		{"passive", func(_ *Config, i *InterfaceConfig) { i.Passive = true }, true},
		{"area", func(_ *Config, i *InterfaceConfig) { i.Area = 9 }, true},
		{"network", func(_ *Config, i *InterfaceConfig) { i.Network = PointToPoint }, true},
		{"router ID", func(c *Config, _ *InterfaceConfig) { c.RouterID = ip("77.0.0.1") }, true},
		{"removed", func(c *Config, _ *InterfaceConfig) { delete(c.Interfaces, "eth1") }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := pair(t, Broadcast, nil)
			a, b := w.nodes[0], w.nodes[1]
			a.port(w.segment(), Broadcast, "10.0.5.1/24", nil)
			delete(a.cfg.Interfaces, "eth2")
			w.begin()
			w.want(2*time.Minute, "full", func() bool { return w.adjacent() && w.equal() })
			was := a.m.links[1].neighbors[0]
			since := was.since
			theirs := b.m.links[1].index[wire.IDOf(addr("10.0.0.1"))].since
			a.reload(func(cfg *Config) {
				i := cfg.Interfaces["eth1"]
				c.change(cfg, &i)
				if _, still := cfg.Interfaces["eth1"]; still {
					cfg.Interfaces["eth1"] = i
				}
			})
			w.run(time.Second, nil)
			now := b.m.links[1].index[wire.IDOf(addr("10.0.0.1"))]
			if c.drops {
				// It said goodbye: the other one does not wait for the dead interval.
				if now != nil && now.state == NeighborFull && now.since == theirs {
					t.Errorf("the other one has it in %v since before", now.state)
				}
				return
			}
			w.run(2*time.Minute, nil)
			if l := a.m.links[1]; len(l.neighbors) != 1 || l.neighbors[0] != was || was.since != since || was.state != NeighborFull {
				t.Errorf("the adjacency began anew\n%s", w)
			}
		})
	}
}

// Other intervals at both ends, one after the other, drop nothing if it is quick.
func TestReloadTimers(t *testing.T) {
	w := pair(t, Broadcast, nil)
	w.begin()
	w.want(2*time.Minute, "full", w.adjacent)
	since := w.nodes[0].m.links[1].neighbors[0].since
	for _, n := range w.nodes {
		n.reload(func(c *Config) {
			i := c.Interfaces["eth1"]
			i.HelloInterval, i.DeadInterval = time.Second, 4*time.Second
			c.Interfaces["eth1"] = i
		})
		w.run(3*time.Second, nil)
	}
	w.run(time.Minute, nil)
	if n := w.nodes[0].m.links[1].neighbors; len(n) != 1 || n[0].since != since {
		t.Errorf("the adjacency began anew\n%s", w)
	}
	w.nodes[1].end()
	begun := w.now
	w.want(time.Minute, "lost", func() bool { return len(w.nodes[0].m.links[1].neighbors) == 0 })
	if d := w.now.Sub(begun); d > 4*time.Second {
		t.Errorf("lost after %v", d)
	}
}

// The router ID is that of the configuration, else the highest loopback, else the
// highest address; it does not depend on the order of interfaces, and stays.
func TestRouterID(t *testing.T) {
	for _, c := range []struct {
		loopbacks []string
		want      string
	}{
		{nil, "10.9.0.1"},
		{[]string{"9.0.0.1/32", "9.0.0.2/32"}, "9.0.0.2"},
	} {
		w := newNetwork(t, 1)
		n := w.router("1.0.0.1")
		n.cfg.RouterID = 0
		n.port(w.segment(), Broadcast, "10.0.0.1/24", nil)
		n.port(w.segment(), Broadcast, "10.9.0.1/24", nil)
		for _, l := range c.loopbacks {
			n.port(nil, Broadcast, l, nil)
		}
		n.begin()
		w.run(2*time.Second, nil)
		if n.m.router != ip(c.want) {
			t.Errorf("%v, want %s", n.m.router, c.want)
		}
		w.step(n, protocol.LinkUp{Link: 9, Name: "lo9", Kind: protocol.Loopback, Addresses: []netip.Prefix{netip.MustParsePrefix("250.0.0.1/32")}})
		n.ports[1].fall()
		w.run(time.Minute, nil)
		if n.m.router != ip(c.want) {
			t.Errorf("%v later, want %s", n.m.router, c.want)
		}
	}
}

// A new router ID leaves nothing of the old one in the databases of others.
func TestRouterIDChanges(t *testing.T) {
	w := three(t, Broadcast, nil)
	w.begin()
	w.want(2*time.Minute, "full", func() bool { return w.adjacent() && w.equal() })
	w.run(2*time.Second, nil) // MinLSArrival
	for _, n := range w.nodes {
		if n.m.links[1].state == InterfaceDR {
			n.reload(func(c *Config) { c.RouterID = ip("77.0.0.1") })
			w.want(3*time.Minute, "full again", func() bool { return w.adjacent() && w.equal() })
			w.run(time.Minute, nil)
			if got := w.nodes[0].database(0); strings.Contains(got, " "+n.name+" ") {
				t.Errorf("of %s is left:\n%s", n.name, got)
			}
			return
		}
	}
	t.Fatal("no DR")
}

// An address that changes takes the adjacency with it, a further one does not.
func TestAddresses(t *testing.T) {
	w := pair(t, Broadcast, nil)
	w.begin()
	w.want(2*time.Minute, "full", w.adjacent)
	a := w.nodes[0]
	since := a.m.links[1].neighbors[0].since
	for _, list := range [][]string{{"192.0.2.9/24", "10.0.0.1/24"}, {"10.0.0.1/24"}} {
		p := a.ports[0]
		p.addresses = nil
		for _, x := range list {
			p.addresses = append(p.addresses, netip.MustParsePrefix(x))
		}
		p.raise()
		w.run(time.Minute, nil)
		if n := a.m.links[1].neighbors; len(n) != 1 || n[0].since != since {
			t.Errorf("with %v the adjacency began anew\n%s", list, w)
		}
	}
	a.ports[0].addresses = []netip.Prefix{netip.MustParsePrefix("10.0.0.77/24")}
	a.ports[0].raise()
	w.want(3*time.Minute, "full with another address", func() bool {
		n := w.nodes[1].m.links[1].neighbors
		return len(n) == 1 && n[0].address == addr("10.0.0.77") && w.adjacent() && w.equal()
	})
}

// Turning the protocol off and on again.
func TestOff(t *testing.T) {
	w := pair(t, Broadcast, nil)
	w.begin()
	w.want(2*time.Minute, "full", w.adjacent)
	a := w.nodes[0]
	w.step(a, protocol.Configure{})
	if len(a.m.areas) != 0 || len(a.groups) != 0 {
		t.Errorf("%d areas, groups %v", len(a.m.areas), a.groups)
	}
	w.step(a, protocol.Configure{Config: a.cfg})
	w.want(3*time.Minute, "full again", func() bool { return w.adjacent() && w.equal() })
}
