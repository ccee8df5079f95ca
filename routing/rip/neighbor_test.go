package rip

import (
	"net/netip"
	"testing"
	"time"

	"routerd/routing/protocol"
	"routerd/routing/rip/wire"
)

// events counts what was told of a kind.
func (b *bed) events(kind EventKind) (n int) {
	for _, e := range b.out {
		if e, ok := e.(protocol.Event); ok && e.What == kind.String() {
			n++
		}
	}
	return n
}

// Only who is allowed is heard and answered; a change counts at once.
func TestAllowedNeighbors(t *testing.T) {
	b := newBed(t, func(c *Config) {
		i := DefaultInterface()
		i.AllowedNeighbors = []netip.Prefix{pfx("10.0.0.3/32"), pfx("10.0.0.128/25")}
		c.Interfaces["eth0"] = i
	})
	b.hear(eth0, peer, entry(netA, 1))
	b.wantRoute(netA, "")
	b.receive(eth0, peer, wire.Packet{Command: wire.Request, Version: 2, Whole: true}, wire.Seal{})
	if lines := b.sends(); len(lines) != 0 {
		t.Errorf("a request of somebody who is not allowed is answered: %v", lines)
	}
	c := b.m.interfaces[eth0].counters
	if c.NotAllowed != 2 || c.Requests != 0 || b.events(PacketRefused) != 2 || len(b.m.Neighbors()) != 0 {
		t.Errorf("counted %+v, told %d times, neighbours %+v, want 2 packets refused and no neighbour", c, b.events(PacketRefused), b.m.Neighbors())
	}
	b.hear(eth0, addr("10.0.0.3"), entry(netA, 1))
	b.wantRoute(netA, "2 by 10.0.0.3")
	b.hear(eth0, addr("10.0.0.200"), entry(netB, 1))
	b.wantRoute(netB, "2 by 10.0.0.200")
	b.hear(eth1, far, entry(pfx("10.30.0.0/16"), 1)) // everybody, where nobody is named
	b.wantRoute(pfx("10.30.0.0/16"), "2 by 10.0.1.2")
	cfg := b.m.cfg
	i := cfg.Interfaces["eth0"]
	i.AllowedNeighbors = []netip.Prefix{pfx("10.0.0.2/32"), pfx("10.0.0.3/32")}
	cfg.Interfaces = map[string]InterfaceConfig{"eth0": i, "eth1": cfg.Interfaces["eth1"]}
	b.step(protocol.Configure{Config: cfg})
	b.wantRoute(netA, "2 by 10.0.0.3")
	b.wantRoute(netB, "")
	b.hear(eth0, peer, entry(netB, 1))
	b.wantRoute(netB, "2 by 10.0.0.2")
}

// Link-local addresses are who RIPng allows.
func TestAllowedNeighborsOfRIPng(t *testing.T) {
	b := newQuietBed(t, RIPng, func(c *Config) {
		i := DefaultInterface()
		i.AllowedNeighbors = []netip.Prefix{pfx("fe80::2/128")}
		c.Interfaces["eth0"] = i
	})
	b.up()
	net6 := pfx("2001:db8:a::/48")
	b.hear(eth0, addr("fe80::3"), entry(net6, 1))
	b.wantRoute(net6, "")
	b.hear(eth0, addr("fe80::2"), entry(net6, 1))
	b.wantRoute(net6, "2 by fe80::2")
}

// many are so many entries from 100.64.0.0 on, metric 1.
func many(first, n int) (list []wire.Entry) {
	for at := first; at < first+n; at++ {
		list = append(list, entry(netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, byte(at >> 8), byte(at)}), 32), 1))
	}
	return list
}

// A neighbour that says more routes than it may keeps those it has, and shuts
// nobody else out.
func TestMaximumPrefix(t *testing.T) {
	b := newBed(t, func(c *Config) {
		i := DefaultInterface()
		i.MaximumPrefix = 20
		c.Interfaces["eth0"] = i
		c.MaxRoutes = 60
	})
	for range 3 { // and each time again
		for n := 0; n < 100; n += 25 {
			b.hear(eth0, peer, many(n, 25)...)
		}
	}
	n := b.m.Neighbors()
	if len(n) != 1 || n[0].Routes != 20 || n[0].MaximumPrefix != 20 || n[0].Beyond != 3*80 {
		t.Errorf("neighbours %+v, want 20 routes and 240 beyond them", n)
	}
	if c := b.m.interfaces[eth0].counters; c.MaximumPrefix != 3*80 || b.events(NeighborFull) != 3*80 || c.TableFull != 0 {
		t.Errorf("counted %+v, told %d times, want 240", c, b.events(NeighborFull))
	}
	b.hear(eth0, addr("10.0.0.3"), entry(netA, 1))
	b.hear(eth1, far, entry(netB, 1))
	b.wantRoute(netA, "2 by 10.0.0.3")
	b.wantRoute(netB, "2 by 10.0.1.2")
	// A way beside another one counts as well, a worse one does not.
	b.hear(eth0, peer, entry(netA, 1), entry(netB, 5))
	b.wantRoute(netA, "2 by 10.0.0.3")
	if n := b.m.interfaces[eth0].counters.MaximumPrefix; n != 3*80+1 {
		t.Errorf("%d beyond what it may have, want 241", n)
	}
	// What it takes back makes room.
	gone := many(0, 5)
	for at := range gone {
		gone[at].Metric = wire.Infinity
	}
	b.hear(eth0, peer, gone...)
	b.hear(eth0, peer, many(50, 25)...)
	if n := b.m.Neighbors(); n[0].Routes != 20 {
		t.Errorf("after 5 of 20 were taken back and 25 said there are %d, want 20", n[0].Routes)
	}
	b.m.sound(t)
}

// A lower limit counts at once, a higher one when the neighbour speaks again.
func TestMaximumPrefixChanges(t *testing.T) {
	b := newBed(t, nil)
	b.hear(eth0, peer, many(0, 25)...)
	b.hear(eth0, addr("10.0.0.3"), many(100, 10)...)
	for _, most := range []int{12, 30} {
		i := DefaultInterface()
		i.MaximumPrefix = most
		cfg := b.m.cfg
		cfg.Interfaces = map[string]InterfaceConfig{"eth0": i, "eth1": DefaultInterface()}
		b.step(protocol.Configure{Config: cfg})
		if n := b.m.Neighbors(); n[0].Routes != 12 || n[1].Routes != 10 {
			t.Errorf("with maximum-prefix %d there are %d and %d routes, want 12 and 10", most, n[0].Routes, n[1].Routes)
		}
	}
	b.hear(eth0, peer, many(0, 25)...)
	if n := b.m.Neighbors(); n[0].Routes != 25 {
		t.Errorf("said again they are %d, want 25", n[0].Routes)
	}
	b.m.sound(t)
}

// A network costs what its interface does (RFC 2453 §3.5), of several the
// least, also after a reload.
func TestConnectedMetric(t *testing.T) {
	dear := func(metric uint8) InterfaceConfig {
		i := DefaultInterface()
		i.Metric = metric
		return i
	}
	b := newBed(t, func(c *Config) { c.Interfaces["eth0"] = dear(5) })
	b.ask()
	b.sent("eth1 10.0.1.2 response 10.0.0.0/24=5")
	cfg := b.m.cfg
	cfg.Interfaces = map[string]InterfaceConfig{"eth0": dear(7), "eth1": DefaultInterface(), "eth2": dear(3)}
	b.step(protocol.Configure{Config: cfg})
	b.advance(10 * time.Second)
	b.clear()
	b.ask()
	b.sent("eth1 10.0.1.2 response 10.0.0.0/24=7")
	b.step(protocol.LinkUp{Link: eth1 + 1, Name: "eth2", Addresses: []netip.Prefix{pfx("10.0.0.9/24")}, MTU: 1500})
	if r, _ := b.m.Route(pfx("10.0.0.0/24")); r.Metric != 3 {
		t.Errorf("by two interfaces of metrics 7 and 3 it is %d, want 3", r.Metric)
	}
	b.step(protocol.LinkDown{Link: eth1 + 1})
	if r, _ := b.m.Route(pfx("10.0.0.0/24")); r.Metric != 7 {
		t.Errorf("by the one of metric 7 again it is %d", r.Metric)
	}
}

// ask has the neighbour on eth1 ask for everything.
func (b *bed) ask() {
	b.t.Helper()
	p := wire.Packet{Command: wire.Request, Version: 2, Whole: true}
	b.step(datagram(eth1, far, addr("10.0.1.1"), 520, 1, RIP.Append(nil, &p, wire.Seal{})))
}
