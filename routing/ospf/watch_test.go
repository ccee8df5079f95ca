package ospf

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// pair is two routers on a network of a kind.
func pair(t *testing.T, kind NetworkType, change func(at int, i *InterfaceConfig)) *network {
	w := newNetwork(t, 5)
	l := w.segment()
	for at := range 2 {
		w.router(fmt.Sprintf("%d.0.0.1", at+1)).port(l, kind, fmt.Sprintf("10.0.0.%d/24", at+1), func(i *InterfaceConfig) {
			if change != nil {
				change(at, i)
			}
		})
	}
	return w
}

// bfd has BFD say something about the first neighbour of the station.
func (n *station) bfd(alive bool) {
	n.w.step(n, protocol.NeighborState{Link: 1, Address: n.m.links[1].neighbors[0].address, Cause: routing.CauseBFD, Alive: alive})
}

func TestBFD(t *testing.T) {
	w := pair(t, PointToPoint, func(at int, i *InterfaceConfig) {
		if at == 0 {
			i.BFD = &BFD{Profile: "fast"}
		}
	})
	w.begin()
	w.want(time.Minute, "full", w.adjacent)
	a := w.nodes[0]
	want := protocol.Watch{Path: protocol.Path{Link: 1, Address: addr("10.0.0.2")}, Profile: "fast"}
	if len(a.watches) != 1 || a.watches[0] != protocol.Effect(want) {
		t.Fatalf("it asked %+v, want %+v", a.watches, want)
	}
	w.links[0].down = true
	a.bfd(false)
	if l := a.m.links[1]; len(l.neighbors) != 0 {
		t.Errorf("the neighbour is still there\n%s", w)
	}
	if !slices.Contains(a.events, "adjacency down 10.0.0.2 its BFD session is down") {
		t.Errorf("events: %q", a.events)
	}
	if len(a.watches) != 2 || a.watches[1] != protocol.Effect(protocol.Unwatch{Path: want.Path}) {
		t.Errorf("it asked %+v", a.watches)
	}
	w.links[0].down = false
	w.want(time.Minute, "full again", w.adjacent)
	// A reload asks for another profile, or no longer, and drops nothing.
	since := a.m.links[1].neighbors[0].since
	for _, b := range []*BFD{{Profile: "slow"}, nil} {
		a.reload(func(c *Config) {
			i := c.Interfaces["eth1"]
			i.BFD = b
			c.Interfaces["eth1"] = i
		})
	}
	want.Profile = "slow"
	if n := len(a.watches); n != 5 || a.watches[3] != protocol.Effect(want) || a.watches[4] != protocol.Effect(protocol.Unwatch{Path: want.Path}) {
		t.Errorf("it asked %+v", a.watches)
	}
	if n := a.m.links[1].neighbors[0]; n.state != NeighborFull || n.since != since {
		t.Errorf("%v since %v", n.state, n.since)
	}
}

// In strict mode, both wait for BFD; with a neighbour that is not strict, nobody does.
func TestStrictBFD(t *testing.T) {
	w := pair(t, Broadcast, func(_ int, i *InterfaceConfig) { i.BFD = &BFD{Strict: true} })
	w.begin()
	w.run(3*time.Minute, nil)
	a, b := w.nodes[0], w.nodes[1]
	for _, n := range w.nodes {
		if got := n.m.links[1].neighbors[0].state; got != NeighborInit {
			t.Fatalf("%v before BFD\n%s", got, w)
		}
		if r := n.m.links[1].refused.Refusal.String(); r != "BFD holds the neighbour dead" {
			t.Errorf("refused %q", r)
		}
		if len(n.watches) != 1 || !n.watches[0].(protocol.Watch).Strict {
			t.Fatalf("it asked %+v", n.watches)
		}
	}
	a.bfd(true)
	w.run(time.Minute, nil)
	if got := b.m.links[1].neighbors[0].state; got != NeighborInit {
		t.Fatalf("%v with BFD on the other side only", got)
	}
	b.bfd(true)
	w.want(2*time.Minute, "full", w.adjacent)
	a.bfd(false)
	w.run(time.Minute, nil)
	if got := a.m.links[1].neighbors[0].state; got != NeighborInit {
		t.Errorf("%v after BFD went down", got)
	}

	w = pair(t, Broadcast, func(at int, i *InterfaceConfig) { i.BFD = &BFD{Strict: at == 0} })
	w.begin()
	w.want(3*time.Minute, "full", w.adjacent)
}

func TestLinkFoundDead(t *testing.T) {
	w := pair(t, PointToPoint, nil)
	w.begin()
	w.want(time.Minute, "full", w.adjacent)
	a := w.nodes[0]
	w.step(a, protocol.NeighborState{Link: 1, Address: addr("10.0.0.2"), Cause: routing.CauseNeighbor})
	if len(a.m.links[1].neighbors) != 1 {
		t.Error("an ARP entry without an answer ends an adjacency")
	}
	w.step(a, protocol.NeighborState{Link: 1, Address: addr("10.0.0.2"), Cause: routing.CauseCarrier})
	if len(a.m.links[1].neighbors) != 0 {
		t.Error("a link without a carrier leaves the adjacency")
	}
}

// A router that stops is forgotten by its neighbours before it is gone: nothing of
// it is left in their databases.
func TestStop(t *testing.T) {
	for _, on := range []time.Duration{0, 3 * time.Second} {
		w := three(t, Broadcast, nil)
		for _, n := range w.nodes {
			n.cfg.StubRouter.OnShutdown = on
		}
		w.begin()
		w.want(5*time.Minute, "full and equal", func() bool { return w.adjacent() && w.equal() })
		a := w.nodes[0]
		for _, n := range w.nodes {
			if n.m.links[1].state == InterfaceDR {
				a = n
			}
		}
		begun := w.now
		w.links[0].eat = func(_ *port, p *wire.Packet) bool { return p.Type != wire.TypeHello && w.rand.IntN(5) == 0 }
		w.step(a, protocol.Stop{})
		w.want(10*time.Second, "stopped", func() bool { return a.off })
		if d := w.now.Sub(begun); d < on || d > on+arrival+flushTime {
			t.Errorf("stopped after %v, want little more than %v", d, on)
		}
		w.links[0].eat = nil
		w.want(50*time.Second, "forgotten", func() bool {
			for _, n := range w.nodes {
				if n == a {
					continue
				}
				for _, s := range n.m.scopes() {
					for _, e := range slices.Collect(s.db.All(1)) {
						if e.lsa.Router() == a.m.router {
							return false
						}
					}
					for _, e := range slices.Collect(s.db.All(2)) {
						if e.lsa.Router() == a.m.router {
							return false
						}
					}
				}
			}
			return true
		})
		for _, n := range w.nodes {
			if n == a {
				continue
			}
			for _, x := range n.m.links[1].neighbors {
				if x.router == a.m.router && x.state > NeighborInit {
					t.Errorf("%s has it in %v", n.name, x.state)
				}
			}
		}
		if last := a.events[len(a.events)-1]; !strings.HasPrefix(last, "adjacency down") || !strings.HasSuffix(last, "this router stops") {
			t.Errorf("it says %q", last)
		}
		if !a.m.Deadline().IsZero() {
			t.Error("something is due after the end")
		}
	}
	// One that was never told anything stops at once.
	w := newNetwork(t, 1)
	x := w.router("1.0.0.1")
	x.slots, x.m = &routing.Slots{}, New(protocol.Start{})
	w.step(x, protocol.Stop{})
	if !x.off {
		t.Error("not stopped")
	}
}
