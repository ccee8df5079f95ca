package ospf

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"routerd/routing/keys"
	"routerd/routing/ospf/wire"
)

// randomNetwork is up to nine routers that are connected somehow: by a ring of
// links between two, and networks of more.
func randomNetwork(t complainer, seed uint64) *network {
	w := newNetwork(t, seed)
	n := 3 + w.rand.IntN(7)
	for i := range n {
		w.router(fmt.Sprintf("10.255.0.%d", i+1))
	}
	auth := func(i *InterfaceConfig) {}
	if kind := of(wire.AuthNone, wire.AuthCryptographic, wire.AuthExtended)[seed%3]; kind != wire.AuthNone {
		auth = func(i *InterfaceConfig) {
			i.Auth = Auth{Type: kind, Algorithm: keys.HMACSHA1, Keys: chain(key7("secret", keys.None))}
		}
	}
	join := func(kind NetworkType, members ...int) {
		l := w.segment()
		for at, i := range members {
			w.nodes[i].port(l, kind, fmt.Sprintf("10.0.%d.%d/24", len(w.links), at+1), func(c *InterfaceConfig) {
				auth(c)
				if kind == NBMA || kind == PointToMultipoint && seed%2 == 0 {
					c.Neighbors = map[netip.Addr]NeighborConfig{}
					for o := range members {
						if o != at {
							c.Neighbors[addr(fmt.Sprintf("10.0.%d.%d", len(w.links), o+1))] = NeighborConfig{Priority: uint8(1 - min(o, 1)), Poll: time.Minute}
						}
					}
				}
				c.Priority = uint8(w.rand.IntN(3))
				if at == 0 {
					c.Priority = 1
				}
			})
		}
	}
	for i := range n {
		join(of(PointToPoint, Broadcast, PointToMultipoint)[w.rand.IntN(3)], i, (i+1)%n)
	}
	for range w.rand.IntN(3) {
		members := w.rand.Perm(n)[:2+w.rand.IntN(n-1)]
		join(of(Broadcast, Broadcast, PointToMultipoint, NBMA)[w.rand.IntN(4)], members...)
	}
	return w
}

// Whatever happened before, when it is quiet all routers are adjacent as they
// should be, and have the same database.
func TestRandomNetworks(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := randomNetwork(t, seed)
			w.mix = seed%2 == 0
			w.loss = 0.05 * float64(w.rand.IntN(4))
			w.begin()
			for range 3 {
				for range 1 + w.rand.IntN(5) {
					w.disturb()
					w.run(time.Duration(w.rand.IntN(90_000))*time.Millisecond, nil)
				}
				w.calm()
			}
		})
	}
}

// disturb has something happen to a link or a router.
func (w *network) disturb() {
	l, n := w.links[w.rand.IntN(len(w.links))], w.nodes[w.rand.IntN(len(w.nodes))]
	switch w.rand.IntN(5) {
	case 0: // nobody notices but by silence
		l.down = !l.down
	case 1:
		if p := n.ports[w.rand.IntN(len(n.ports))]; !n.off && !p.down {
			p.fall()
		} else if !n.off {
			p.raise()
		}
	case 2:
		if n.end(); w.rand.IntN(2) == 0 {
			n.begin()
		}
	case 3:
		w.loss = 0.1 * float64(w.rand.IntN(4))
	case 4:
		n.begin()
	}
}

// calm ends what disturb has begun, and wants all to be as it should be.
func (w *network) calm() {
	w.t.Helper()
	for _, l := range w.links {
		l.down = false
	}
	for _, n := range w.nodes {
		if n.off {
			n.begin()
		}
		for _, p := range n.ports {
			if p.down {
				p.raise()
			}
		}
	}
	w.loss = 0
	w.want(10*time.Minute, "adjacent and equal", func() bool { return w.adjacent() && w.equal() })
	w.run(20*time.Second, nil)
	// What had to wait for MinLSInterval may be on its way just now.
	w.want(time.Minute, "adjacent and equal still", func() bool { return w.adjacent() && w.equal() })
	for _, n := range w.nodes {
		if got := n.m.exchanging; got != 0 {
			w.t.Errorf("%s counts %d neighbours in an exchange", n.name, got)
		}
		for _, s := range n.m.scopes() {
			w.consistent(n, s)
			for _, e := range s.db.flushing {
				if !e.Usable() {
					w.t.Errorf("%s still flushes %+v", n.name, e.lsa.Identity())
				}
			}
		}
		w.quiet(n)
	}
}

// quiet wants nothing to wait to be sent.
func (w *network) quiet(n *station) {
	w.t.Helper()
	for _, l := range n.m.order {
		left := l.updates.len() + len(l.acks)
		for _, x := range l.neighbors {
			left += x.replies.len() + x.requests.len() + x.early.len() + len(x.exchange.summary)
			if x.retransmit.IsSet() || x.ask.IsSet() || x.hurry.IsSet() || x.exchange.repeat.IsSet() {
				w.t.Errorf("%s still waits for %v", n.name, x.router)
			}
		}
		if left > 0 {
			w.t.Errorf("%s has %d things to be sent on %s", n.name, left, l.name)
		}
	}
}

// consistent compares what entries say of retransmission lists with these.
func (w *network) consistent(n *station, s scope) {
	w.t.Helper()
	held := map[*Entry]int{}
	for _, l := range n.m.order {
		for _, x := range l.neighbors {
			for e := range x.unacked.all {
				held[e]++
			}
		}
	}
	for t := range wire.ASOpaque + 1 {
		for e := range s.db.All(t) {
			if e.lists != held[e] {
				w.t.Errorf("%s: %+v is on %d lists, and says %d", n.name, e.lsa.Identity(), held[e], e.lists)
			}
			if !e.lsa.Check().OK() {
				w.t.Errorf("%s: %+v: %v", n.name, e.lsa.Identity(), e.lsa.Check())
			}
		}
	}
}
