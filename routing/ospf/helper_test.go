package ospf

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// graceBody is the body of a grace-LSA (RFC 3623 §A).
func graceBody(period uint32, reason byte, address wire.ID) wire.Opaque {
	b := []byte{0, 1, 0, 4}
	b = binary.BigEndian.AppendUint32(b, period)
	b = append(b, 0, 2, 0, 1, reason, 0, 0, 0) // filled up to four octets
	if address != 0 {
		b = binary.BigEndian.AppendUint32(append(b, 0, 3, 0, 4), uint32(address))
	}
	return b
}

var graceID = wire.Identity{Type: wire.LinkOpaque, ID: graceType << 24}

// restart has a station say on its first port that it restarts, and then be silent.
func (n *station) restart(period uint32) {
	l := n.m.links[n.ports[0].id]
	if l.db == nil {
		l.db = NewDatabase(n.m.router, &n.m.limit, n.m.prefixes)
	}
	id := graceID
	id.Router = n.m.router
	n.m.now = n.w.now
	e, _ := l.db.Originate(n.w.now, id, wire.OptionO, graceBody(period, 1, l.self()))
	n.m.flood(scope{db: l.db, link: l}, e, nil)
	n.w.step(n, protocol.Tick{})
	n.w.run(time.Second, nil)
	n.silence(true)
}

// done has it say that its restart is done.
func (n *station) done() {
	n.silence(false)
	l := n.m.links[n.ports[0].id]
	id := graceID
	id.Router = n.m.router
	n.m.now = n.w.now
	e, _ := l.db.Withdraw(id)
	n.m.flood(scope{db: l.db, link: l}, e, nil)
	n.w.step(n, protocol.Tick{})
}

// silence loses the Hellos of a station, on its first port.
func (n *station) silence(silent bool) {
	l := n.ports[0].link
	l.eat = nil
	if silent {
		l.eat = func(from *port, p *wire.Packet) bool { return from.station == n && p.Type == wire.TypeHello }
	}
}

// beside gives a network of a router that restarts, one that helps it, and one behind
// that; the first two are on one segment with a third.
func beside(t *testing.T, kind NetworkType, set func(c *Config)) (w *network, x, y, z *station) {
	w = newNetwork(t, 1)
	l := w.segment()
	x, y, z = w.router("9.0.0.1"), w.router("2.0.0.1"), w.router("3.0.0.1")
	x.port(l, kind, "10.0.0.9/24", func(c *InterfaceConfig) { c.Priority = 9 })
	y.port(l, kind, "10.0.0.2/24", nil)
	x.port(nil, Broadcast, "192.0.2.9/32", nil)
	back := w.segment()
	y.port(back, PointToPoint, "10.1.0.2/24", nil)
	z.port(back, PointToPoint, "10.1.0.3/24", nil)
	if set != nil {
		set(&y.cfg)
	}
	x.begin() // first, so that it is DR
	w.run(2*time.Minute, nil)
	y.begin()
	z.begin()
	w.want(5*time.Minute, "full", w.adjacent)
	w.run(time.Minute, nil)
	return w, x, y, z
}

// adjacency gives the neighbour x of y.
func (n *station) adjacency(x *station) *neighbor {
	for _, l := range n.m.order {
		for _, o := range l.neighbors {
			if o.router == x.m.router {
				return o
			}
		}
	}
	return nil
}

// A neighbour that restarts stays adjacent for the grace period, silent as it is, and
// stays DR; when it is done all is as before.
func TestHelper(t *testing.T) {
	for _, kind := range []NetworkType{Broadcast, PointToPoint} {
		w, x, y, z := beside(t, kind, nil)
		lsa, networks := y.said(backbone), x.networks()
		x.restart(120)
		n := y.adjacency(x)
		if n == nil || !n.helped() || n.grace.reason != RestartSoftware {
			t.Fatalf("%v: not helped: %+v", kind, n)
		}
		w.run(100*time.Second, nil)
		if n := y.adjacency(x); n == nil || !n.helped() || y.said(backbone) != lsa {
			t.Fatalf("%v: after 100 s of silence it says %q, want %q", kind, y.said(backbone), lsa)
		}
		if got := z.by("192.0.2.9/32"); got == "none" {
			t.Errorf("%v: the one behind has lost its route", kind)
		}
		if l := y.m.links[1]; kind == Broadcast && (l.dr != ip("10.0.0.9") || l.state != InterfaceBackup) {
			t.Errorf("the DR is %v, the router %v", l.dr, l.state)
		}
		x.done()
		w.want(10*time.Second, "no longer helped", func() bool { return !n.helped() })
		w.run(2*time.Minute, nil)
		if n.state != NeighborFull || y.said(backbone) != lsa || x.networks() != networks || n.grace.ended != errGraceDone {
			t.Errorf("%v: in the end %v, %v, says %q, want %q", kind, n.state, n.grace.ended, y.said(backbone), lsa)
		}
		if slices.ContainsFunc(y.events, func(e string) bool { return strings.HasPrefix(e, "adjacency down") }) {
			t.Errorf("%v: %q", kind, y.events)
		}
		if y.m.helping != 0 {
			t.Errorf("%d helped", y.m.helping)
		}
	}
}

// Whatever ends the help, the router says again what is so.
func TestHelperEnds(t *testing.T) {
	gone := "stub 10.0.0.0/24/1, router 3.0.0.1 by 10.1.0.2/1, stub 10.1.0.0/24/1"
	for _, tt := range []struct {
		name string
		set  func(c *Config)
		do   func(w *network, x, y, z *station)
		ends string // "" : it goes on
	}{
		{"nothing happens", nil, func(*network, *station, *station, *station) {}, ""},
		{"the period is over", nil, func(w *network, _, _, _ *station) { w.run(61*time.Second, nil) }, "the grace period is over"},
		{"a link of the router fails", nil, func(_ *network, _, y, _ *station) { y.ports[1].fall() }, "the topology has changed: router 2.0.0.1 of 2.0.0.1"},
		{"a cost of another router changes", nil, func(_ *network, _, _, z *station) {
			z.reload(func(c *Config) {
				i := c.Interfaces["eth1"]
				i.Cost = 7
				c.Interfaces["eth1"] = i
			})
		}, "the topology has changed: router 3.0.0.1 of 3.0.0.1"},
		{"LSAs of others are refreshed", nil, func(w *network, _, _, z *station) {
			a := z.m.area(backbone)
			e := a.db.Find(wire.Identity{Type: wire.RouterLSA, ID: z.m.router, Router: z.m.router})
			z.m.now = w.now
			e, _ = a.db.succeed(w.now, e, e.lsa)
			z.m.spread(scope{db: a.db, area: a}, e, nil)
			w.step(z, protocol.Tick{})
		}, ""},
		{"the router's own LSAs are refreshed", nil, func(w *network, _, y, _ *station) {
			a := y.m.area(backbone)
			e := a.db.Find(wire.Identity{Type: wire.RouterLSA, ID: y.m.router, Router: y.m.router})
			y.m.now = w.now
			e, _ = a.db.succeed(w.now, e, e.lsa)
			y.m.spread(scope{db: a.db, area: a}, e, nil)
			w.step(y, protocol.Tick{})
		}, ""},
		{"with loose checking", func(c *Config) { c.Helper.LooseLSAChecking = true }, func(_ *network, _, _, z *station) {
			z.learn(routing.SourceStatic, "9.0.0.0/8", 1, "", 0)
		}, ""},
		{"an external", nil, func(_ *network, _, _, z *station) {
			z.learn(routing.SourceStatic, "9.0.0.0/8", 1, "", 0)
		}, "the topology has changed: external 9.0.0.0 of 3.0.0.1"},
		{"helping is off", nil, func(_ *network, _, y, _ *station) {
			y.reload(func(c *Config) { c.Helper.Off = true })
		}, "helping is off"},
		{"the link fails", nil, func(_ *network, _, y, _ *station) { y.ports[0].fall() }, "the neighbour is gone"},
		{"it asks for longer", nil, func(w *network, x, _, _ *station) {
			w.run(6*time.Second, nil)
			x.restart(300)
			w.run(90*time.Second, nil)
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, x, y, z := beside(t, PointToPoint, tt.set)
			x.restart(60)
			n := y.adjacency(x)
			if n == nil || !n.helped() {
				t.Fatal("not helped")
			}
			w.run(42*time.Second, nil) // more than the dead interval
			if !n.helped() {
				t.Fatalf("not helped after 42 s: %v", n.grace.ended)
			}
			tt.do(w, x, y, z)
			w.run(8*time.Second, nil)
			if tt.ends == "" {
				if !n.helped() {
					t.Errorf("ended: %v", n.grace.ended)
				}
				return
			}
			if n.helped() || n.grace.ended == nil || n.grace.ended.Error() != tt.ends {
				t.Errorf("ended %v, want %s", n.grace.ended, tt.ends)
			}
			if got := y.said(backbone); strings.Contains(got, "9.0.0.1") {
				t.Errorf("it says %q, want something like %q", got, gone)
			}
			if y.m.helping != 0 {
				t.Errorf("%d helped", y.m.helping)
			}
		})
	}
}

// The DR restarts, and does not know at first that it is the DR: it stays it.
func TestHelperKeepsTheDR(t *testing.T) {
	w, x, y, _ := beside(t, Broadcast, func(c *Config) { c.Helper.LooseLSAChecking = true })
	x.restart(120)
	x.end()
	w.run(5*time.Second, nil)
	x.silence(false)
	x.begin()
	l, n, forgot := y.m.links[1], y.adjacency(x), false
	// Until it flushes its grace-LSA, which it does not know of.
	w.want(time.Minute, "the end of the help", func() bool {
		forgot = forgot || n.dr == 0
		if n.helped() && (l.dr != ip("10.0.0.9") || l.state != InterfaceBackup) {
			t.Fatalf("the DR is %v, the router %v", l.dr, l.state)
		}
		return !n.helped()
	})
	if !forgot {
		t.Error("it never said that there is no DR")
	}
}

// What a neighbour in a stub area does not hear of does not end the help for it (RFC
// 3623 §3.2 (3)(b)).
func TestHelperInAStubArea(t *testing.T) {
	w := newNetwork(t, 1)
	l, back := w.segment(), w.segment()
	x, y, z := w.router("9.0.0.1"), w.router("2.0.0.1"), w.router("3.0.0.1")
	stub := DefaultArea()
	stub.Type = Stub
	for _, n := range []*station{x, y} {
		n.cfg.Areas = map[wire.ID]AreaConfig{1: stub}
	}
	in := func(i *InterfaceConfig) { i.Area = 1 }
	x.port(l, PointToPoint, "10.0.0.9/24", in)
	y.port(l, PointToPoint, "10.0.0.2/24", in)
	y.port(back, PointToPoint, "10.1.0.2/24", nil)
	z.port(back, PointToPoint, "10.1.0.3/24", nil)
	z.cfg.DefaultInformation = &Origination{Always: true} // an AS boundary router from the start
	w.begin()
	w.want(5*time.Minute, "full", w.adjacent)
	w.run(time.Minute, nil)
	x.restart(120)
	n := y.adjacency(x)
	z.learn(routing.SourceStatic, "9.0.0.0/8", 1, "", 0)
	w.run(10*time.Second, nil)
	if y.m.as.Len(wire.ExternalLSA) != 2 || !n.helped() {
		t.Errorf("%d externals, helped %v: %v", y.m.as.Len(wire.ExternalLSA), n.helped(), n.grace.ended)
	}
	z.port(nil, Broadcast, "192.0.2.3/32", nil)
	z.ports[1].raise()
	z.reload(func(*Config) {})
	w.run(10*time.Second, nil)
	if n.helped() {
		t.Error("helped after a summary into its area has changed")
	}
}

// Neighbours that are not helped: RFC 3623 §3.1.
func TestHelperRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		set    func(c *Config)
		before func(w *network, x, y, z *station)
		period uint32
		want   string
	}{
		{"helping is off", func(c *Config) { c.Helper.Off = true }, nil, 60, "helping is off"},
		{"too long a period", func(c *Config) { c.Helper.LongestGrace = 59 * time.Second }, nil, 60, "it asks for 1m0s, and 59s is the longest that is granted"},
		{"no period", nil, nil, 0, "its grace-LSA says no period"},
		{"changes that it has not acknowledged", nil, func(w *network, x, y, z *station) {
			x.ports[0].link.eat = func(from *port, p *wire.Packet) bool { return from.station == x && p.Type == wire.TypeAcknowledgement }
			z.learn(routing.SourceStatic, "9.0.0.0/8", 1, "", 0)
			w.run(time.Second, nil)
		}, 60, "it has not acknowledged LSAs that have changed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, x, y, z := beside(t, PointToPoint, tt.set)
			if tt.before != nil {
				tt.before(w, x, y, z)
			}
			x.restart(tt.period)
			n := y.adjacency(x)
			if n.helped() || n.grace.ended == nil || n.grace.ended.Error() != tt.want {
				t.Errorf("helped %v, %v, want %s", n.helped(), n.grace.ended, tt.want)
			}
		})
	}
}

// A BFD session that ends by the restart does not end the help; if it is still down
// when that is over, the neighbour is dead (RFC 5882 §4.3.2.1).
func TestHelperAndBFD(t *testing.T) {
	for _, back := range []bool{false, true} {
		w, x, y, _ := beside(t, PointToPoint, func(c *Config) {
			i := c.Interfaces["eth1"]
			i.BFD = &BFD{}
			c.Interfaces["eth1"] = i
		})
		tell := func(alive bool) {
			w.step(y, protocol.NeighborState{Link: 1, Address: netip.MustParseAddr("10.0.0.9"), Cause: routing.CauseBFD, Alive: alive})
		}
		tell(true)
		x.restart(60)
		tell(false)
		w.run(30*time.Second, nil)
		n := y.adjacency(x)
		if n == nil || !n.helped() || n.state != NeighborFull {
			t.Fatalf("not helped after the session ended: %+v", n)
		}
		if back {
			tell(true)
		}
		x.done()
		w.run(500*time.Millisecond, nil)
		if got := n.state == NeighborFull; got != back {
			t.Errorf("back %v: %v after the restart", back, n.state)
		}
	}
}

func TestReadGrace(t *testing.T) {
	whole := graceBody(120, 2, ip("10.0.0.9"))
	for n := range len(whole) + 1 {
		period, reason, address := readGrace(whole[:n])
		want := fmt.Sprint(time.Duration(0), RestartUnknown, wire.ID(0))
		switch {
		case n == len(whole):
			want = fmt.Sprint(2*time.Minute, RestartUpgrade, ip("10.0.0.9"))
		case n >= 13:
			want = fmt.Sprint(2*time.Minute, RestartUpgrade, wire.ID(0))
		case n >= 8:
			want = fmt.Sprint(2*time.Minute, RestartUnknown, wire.ID(0))
		}
		if got := fmt.Sprint(period, reason, address); got != want {
			t.Errorf("of %d octets: %s, want %s", n, got, want)
		}
	}
	// TLVs of other types are passed over.
	if period, _, _ := readGrace(append([]byte{0, 9, 0, 3, 1, 2, 3, 0}, whole...)); period != 2*time.Minute {
		t.Errorf("behind another TLV: %v", period)
	}
}
