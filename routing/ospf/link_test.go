package ospf

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"routerd/routing/keys"
	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// three routers on one segment, each of which change may configure.
func three(t *testing.T, kind NetworkType, change func(at int, i *InterfaceConfig)) *network {
	w := newNetwork(t, 3)
	l := w.segment()
	for at := range 3 {
		w.router(fmt.Sprintf("%d.0.0.1", at+1)).port(l, kind, fmt.Sprintf("10.0.0.%d/24", at+1), func(i *InterfaceConfig) {
			if change != nil {
				change(at, i)
			}
		})
	}
	return w
}

func others(at int, n NeighborConfig) map[netip.Addr]NeighborConfig {
	list := map[netip.Addr]NeighborConfig{}
	for o := range 3 {
		if o != at {
			list[addr(fmt.Sprintf("10.0.0.%d", o+1))] = n
		}
	}
	return list
}

func TestNBMA(t *testing.T) {
	w := three(t, NBMA, func(at int, i *InterfaceConfig) {
		i.Neighbors = others(at, NeighborConfig{Priority: 1, Poll: time.Minute})
	})
	w.begin()
	w.want(10*time.Minute, "full and equal", func() bool { return w.adjacent() && w.equal() })
	for _, n := range w.nodes {
		if n.groups["1 224.0.0.6"] {
			t.Errorf("%s has joined the group of DRs", n.name)
		}
	}
	if n := w.nodes[0].m.areas[0].db.Len(wire.NetworkLSA); n != 1 {
		t.Errorf("%d Network-LSAs", n)
	}
	// One that is gone is polled, and comes back.
	w.nodes[2].end()
	w.want(5*time.Minute, "without the third", w.adjacentWithout(2))
	w.run(3*time.Minute, nil)
	sent := w.nodes[0].m.links[1].counters.Sent[wire.TypeHello]
	w.run(5*time.Minute, nil)
	l := w.nodes[0].m.links[1]
	if got := l.counters.Sent[wire.TypeHello] - sent; got < 10+4 || got > 12+7 {
		t.Errorf("%d Hellos in five minutes to one neighbour that is up and one that is polled each minute", got)
	}
	w.nodes[2].begin()
	w.want(10*time.Minute, "full and equal again", func() bool { return w.adjacent() && w.equal() })
	if n := len(w.nodes[0].expects); n != 2 {
		t.Errorf("%d neighbours are expected", n)
	}
	w.nodes[0].ports[0].fall()
	if n := len(w.nodes[0].expects); n != 0 {
		t.Errorf("%d neighbours are expected on a link that is down", n)
	}
	w.nodes[0].ports[0].raise()
	if n := len(w.nodes[0].expects); n != 2 {
		t.Errorf("%d configured neighbours are expected", n)
	}
	w.want(10*time.Minute, "full and equal after a flap", func() bool { return w.adjacent() && w.equal() })
}

// adjacentWithout reports whether no router has the one at an index as a neighbour.
func (w *network) adjacentWithout(at int) func() bool {
	gone := w.nodes[at].m.router
	return func() bool {
		for i, n := range w.nodes {
			for _, l := range n.m.order {
				for _, x := range l.neighbors {
					if i != at && x.router == gone && x.state > NeighborAttempt {
						return false
					}
				}
			}
		}
		return true
	}
}

// Routers of priority 0 only answer those that may be elected.
func TestNBMANotEligible(t *testing.T) {
	w := three(t, NBMA, func(at int, i *InterfaceConfig) {
		if i.Priority = 0; at == 0 {
			i.Priority = 1
			i.Neighbors = others(at, NeighborConfig{Priority: 0, Poll: time.Minute})
		}
	})
	w.begin()
	w.want(10*time.Minute, "full with the DR", func() bool {
		l := w.nodes[0].m.links[1]
		return l.state == InterfaceDR && l.full() == 2 && w.equal()
	})
}

func TestPointToMultipoint(t *testing.T) {
	for _, configured := range []bool{false, true} {
		w := three(t, PointToMultipoint, func(at int, i *InterfaceConfig) {
			if configured {
				i.Neighbors = others(at, NeighborConfig{Poll: time.Minute})
			}
		})
		w.begin()
		w.want(10*time.Minute, "full and equal", func() bool { return w.adjacent() && w.equal() })
		if !configured {
			continue
		}
		// A stranger is refused where neighbours are configured.
		x := w.router("9.0.0.9")
		p := x.port(w.links[0], PointToMultipoint, "10.0.0.9/24", nil)
		x.begin()
		w.run(2*time.Minute, nil)
		if n := w.nodes[0].m.links[1].counters.Refused[wire.NotConfigured]; n == 0 {
			t.Errorf("a stranger was not refused\n%s", w)
		}
		p.down = true
		x.end()
		// One that is no longer configured is dropped, the other stays.
		full := w.nodes[0].m.links[1].index[wire.IDOf(addr("10.0.0.2"))].since
		w.nodes[0].reload(func(c *Config) {
			i := c.Interfaces["eth1"]
			i.Neighbors = map[netip.Addr]NeighborConfig{addr("10.0.0.2"): {Poll: time.Minute}}
			c.Interfaces["eth1"] = i
		})
		l := w.nodes[0].m.links[1]
		if len(l.neighbors) != 1 || l.neighbors[0].since != full || l.neighbors[0].state != NeighborFull {
			t.Errorf("after a reload\n%s", w)
		}
	}
}

// Two TUNs without addresses between two routers with loopbacks, and one with the
// loopback's own address.
func TestUnnumbered(t *testing.T) {
	w := newNetwork(t, 1)
	first, second := w.segment(), w.segment()
	for at := range 2 {
		n := w.router(fmt.Sprintf("%d.0.0.1", at+1))
		own := fmt.Sprintf("192.0.2.%d/32", at+1)
		n.port(nil, Broadcast, own, nil)
		n.port(first, PointToPoint, "", nil)
		n.port(second, PointToPoint, own, nil)
	}
	w.begin()
	w.want(5*time.Minute, "full and equal", func() bool { return w.adjacent() && w.equal() })
	m := w.nodes[0].m
	for _, id := range []int{2, 3} {
		l := m.order[id-1]
		if !l.unnumbered || l.neighbors[0].address != addr("192.0.2.2") || l.data() != wire.ID(id+1) {
			t.Errorf("%s: unnumbered %v, neighbour %v, data %v", l.name, l.unnumbered, l.neighbors[0].address, l.data())
		}
	}
}

func TestLoopbackAndPassive(t *testing.T) {
	w := newNetwork(t, 1)
	l := w.segment()
	a := w.router("1.0.0.1")
	a.port(nil, NetworkByKind, "192.0.2.1/32", nil)
	a.port(l, Broadcast, "10.0.0.1/24", func(i *InterfaceConfig) { i.Passive = true })
	b := w.router("2.0.0.1")
	b.port(l, Broadcast, "10.0.0.2/24", nil)
	w.begin()
	w.run(2*time.Minute, nil)
	if len(a.sent) != 0 {
		t.Errorf("a passive router sent %d packets", len(a.sent))
	}
	if a.m.links[1].state != InterfaceLoopback || len(b.m.links[1].neighbors) != 0 {
		t.Errorf("%v\n%s", a.m.links[1].state, w)
	}
	var links []wire.Link
	for e := range a.m.areas[0].db.All(wire.RouterLSA) {
		for x := range wire.RouterBody(e.LSA().Body()).Links {
			links = append(links, x)
		}
	}
	if len(links) != 2 || links[0].ID != ip("192.0.2.1") || links[1].ID != ip("10.0.0.0") || links[1].Type != wire.LinkStub {
		t.Errorf("it says %+v", links)
	}
	// It speaks as soon as it is no longer passive.
	a.reload(func(c *Config) {
		i := c.Interfaces["eth2"]
		i.Passive = false
		c.Interfaces["eth2"] = i
	})
	w.want(3*time.Minute, "full", w.adjacent)
}

// area 0 at the first router, then area 1, behind which the third has areas 1 and 2.
func TestVirtualLink(t *testing.T) {
	w := newNetwork(t, 1)
	at1 := func(i *InterfaceConfig) { i.Area = 1 }
	s0, s1, s2, s3 := w.segment(), w.segment(), w.segment(), w.segment()
	edge := w.router("9.0.0.9")
	edge.port(s0, PointToPoint, "10.0.0.9/24", nil)
	a := w.router("1.0.0.1")
	a.port(s0, PointToPoint, "10.0.0.1/24", nil)
	a.port(s1, Broadcast, "10.0.1.1/24", at1)
	mid := w.router("2.0.0.2")
	mid.port(s1, Broadcast, "10.0.1.2/24", at1)
	mid.port(s2, PointToPoint, "10.0.2.2/24", at1)
	b := w.router("3.0.0.3")
	b.port(s2, PointToPoint, "10.0.2.3/24", at1)
	b.port(s3, PointToPoint, "10.0.3.3/24", func(i *InterfaceConfig) { i.Area = 2 })
	virtual := func(n *station, peer string) {
		x := DefaultArea()
		x.Virtual = map[wire.ID]VirtualConfig{ip(peer): {
			Timers: DefaultTimers(Virtual),
			Auth:   Auth{Type: wire.AuthCryptographic, Algorithm: keys.KeyedMD5, Keys: chain(key7("secret", keys.None))},
		}}
		n.cfg.Areas[1] = x
	}
	virtual(a, "3.0.0.3")
	virtual(b, "1.0.0.1")
	w.begin()
	state := func(n *station) NeighborState {
		for _, l := range n.m.order {
			if l.virtual() && len(l.neighbors) == 1 {
				return l.neighbors[0].state
			}
		}
		return NeighborDown
	}
	w.want(5*time.Minute, "full over the virtual link", func() bool {
		return state(a) == NeighborFull && state(b) == NeighborFull && edge.database(backbone) == b.database(backbone)
	})
	for _, p := range b.sent {
		if p.Type == wire.TypeDescription && p.Area == backbone && p.Description.MTU != 0 {
			t.Errorf("MTU %d in a Description over the virtual link", p.Description.MTU)
		}
	}
	// It goes with the way there.
	s2.down = true
	w.want(3*time.Minute, "down without a way", func() bool { return state(a) == NeighborDown && state(b) == NeighborDown })
	s2.down = false
	w.want(5*time.Minute, "full again", func() bool { return state(a) == NeighborFull && edge.database(backbone) == b.database(backbone) })
	// And with its configuration.
	b.reload(func(c *Config) { delete(c.Areas, 1) })
	if len(b.m.order) != 2 {
		t.Errorf("%d links are left", len(b.m.order))
	}
	w.want(3*time.Minute, "down without a configuration", func() bool { return state(a) <= NeighborAttempt })
}

// With dead-interval minimal, a neighbour is lost within a second.
func TestMinimal(t *testing.T) {
	w := three(t, Broadcast, func(_ int, i *InterfaceConfig) { i.Minimal = 5 })
	w.begin()
	w.want(time.Minute, "full and equal", func() bool { return w.adjacent() && w.equal() })
	for _, p := range w.nodes[0].sent {
		if p.Type == wire.TypeHello && (p.Hello.HelloInterval != 0 || p.Hello.DeadInterval != 1) {
			t.Fatalf("%+v", p.Hello)
		}
	}
	w.nodes[2].end()
	begun := w.now
	w.want(time.Minute, "without the third", w.adjacentWithout(2))
	if d := w.now.Sub(begun); d > 1001*time.Millisecond {
		t.Errorf("lost after %v", d)
	}
}

// A link that goes down ends its adjacencies at once.
func TestLinkDown(t *testing.T) {
	w := three(t, Broadcast, nil)
	w.begin()
	w.want(5*time.Minute, "full and equal", func() bool { return w.adjacent() && w.equal() })
	n := w.nodes[0]
	want := protocol.Claim{Link: 1, Family: 4, Protocol: 89}
	if !n.claims[want] || len(n.claims) != 1 || !n.expects[protocol.Expect{Link: 1, Source: addr("10.0.0.2"), HopLimit: 1}] || len(n.expects) != 2 {
		t.Errorf("claims %v, expects %v", n.claims, n.expects)
	}
	n.ports[0].fall()
	if len(n.claims)+len(n.expects) != 0 {
		t.Errorf("claims %v, expects %v", n.claims, n.expects)
	}
	if n.m.exchanging != 0 || n.m.area(0).db.Len(wire.RouterLSA) != 3 {
		t.Errorf("%d in an exchange", n.m.exchanging)
	}
	if l := len(n.m.area(0).links); l != 0 {
		t.Errorf("%d links", l)
	}
	if len(n.groups) != 0 {
		t.Errorf("still in %v", n.groups)
	}
}
