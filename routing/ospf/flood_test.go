package ospf

import (
	"fmt"
	"testing"
	"time"

	"routerd/routing/ospf/wire"
)

func (x *peer) find(l wire.LSA) *Entry { return x.n.m.area(0).db.Find(l.Identity()) }

// An LSA of the neighbour is acknowledged after a while, a second time at once.
func TestAcknowledgements(t *testing.T) {
	x := newPeer(t, PointToPoint, "9.0.0.9", nil)
	x.full()
	l := lsa("9.0.0.9", 1, 1, 10)
	x.update(l)
	if got := x.sent(0, wire.TypeAcknowledgement); len(got) != 0 {
		t.Errorf("acknowledged at once: %+v", got)
	}
	got := x.sent(time.Second, wire.TypeAcknowledgement)
	if len(got) != 1 || len(got[0].Headers) != 1 || got[0].Headers[0] != l.Header() {
		t.Errorf("acknowledged by %+v", got)
	}
	x.update(l)
	if got := x.sent(0, wire.TypeAcknowledgement); len(got) != 1 {
		t.Errorf("a duplicate is acknowledged by %+v", got)
	}
	// What is not there and has MaxAge is acknowledged, and not kept (§13 (4)).
	old := lsa("8.0.0.8", 1, wire.MaxAge, 1)
	x.update(old)
	if got := x.sent(0, wire.TypeAcknowledgement); len(got) != 1 || x.find(old) != nil {
		t.Errorf("MaxAge is acknowledged by %+v, entry %v", got, x.find(old))
	}
	// An older one is answered by the newer one, not by an acknowledgement.
	x.w.run(2*time.Second, nil)
	x.n.sent = nil
	x.update(lsa("9.0.0.9", 0, 1, 10))
	if got := x.sent(0, wire.TypeUpdate); len(got) != 1 || got[0].Updates[0].LSA.Sequence() != l.Sequence() {
		t.Errorf("an older one is answered by %+v", got)
	}
}

// What is acknowledged later goes with the calculation that the same LSA has made
// necessary, however long that is delayed, so that the router wakes up once for both.
func TestAcknowledgedWithTheCalculation(t *testing.T) {
	x := newPeer(t, PointToPoint, "9.0.0.9", nil)
	x.full()
	x.w.run(20*time.Second, nil) // until changes are acted on at once
	throttle := &x.n.m.cfg.SPF
	for i, delay := range []time.Duration{throttle.InitialDelay, throttle.ShortDelay, throttle.LongDelay, throttle.LongDelay} {
		if i == 2 {
			x.w.run(throttle.TimeToLearn, nil)
		}
		x.n.sent = nil
		l := lsa(fmt.Sprintf("9.0.1.%d", i), 1, 1, 10)
		x.update(l)
		if at := x.n.m.calc.timer.At(); !at.Equal(x.n.m.now.Add(delay)) {
			t.Fatalf("LSA %d: routes are calculated after %v, want %v", i, at.Sub(x.n.m.now), delay)
		}
		if before := x.sent(delay-time.Millisecond, wire.TypeAcknowledgement); len(before) != 0 {
			t.Errorf("LSA %d: acknowledged before routes are calculated: %+v", i, before)
		}
		if got := x.sent(2*time.Millisecond, wire.TypeAcknowledgement); len(got) != 1 || len(got[0].Headers) != 1 || got[0].Headers[0] != l.Header() {
			t.Errorf("LSA %d: acknowledged with the calculation by %+v", i, got)
		}
	}
	// A refresh changes no route and waits for others.
	x.update(lsa("9.0.1.0", 2, 1, 10))
	if got := x.sent(ackDelay-time.Millisecond, wire.TypeAcknowledgement); len(got) != 0 {
		t.Errorf("a refresh is acknowledged early: %+v", got)
	}
	if got := x.sent(2*time.Millisecond, wire.TypeAcknowledgement); len(got) != 1 {
		t.Errorf("a refresh is acknowledged by %+v", got)
	}
}

func TestMinLSArrival(t *testing.T) {
	x := newPeer(t, PointToPoint, "9.0.0.9", nil)
	x.full()
	x.update(lsa("9.0.0.9", 1, 1, 10))
	x.update(lsa("9.0.0.9", 2, 1, 11))
	if e := x.find(lsa("9.0.0.9", 2, 1, 11)); e.lsa.Sequence() != wire.InitialSequence+1 || x.refusals(wire.LSATooSoon) != 1 {
		t.Errorf("sequence %x, %d refused", e.lsa.Sequence(), x.refusals(wire.LSATooSoon))
	}
	x.w.run(time.Second, nil)
	x.update(lsa("9.0.0.9", 2, 1, 11))
	if e := x.find(lsa("9.0.0.9", 2, 1, 11)); e.lsa.Sequence() != wire.InitialSequence+2 {
		t.Errorf("sequence %x", e.lsa.Sequence())
	}
}

// The answer to a request is no flooding: the neighbour's next instance, which says
// that both are adjacent now, follows it at once.
func TestNextInstanceFollowsAnAnswer(t *testing.T) {
	x := newPeer(t, PointToPoint, "9.0.0.9", nil)
	first, next := lsa("9.0.0.9", 1, 1, 10), lsa("9.0.0.9", 2, 1, 11)
	x.exchange(first.Header())
	x.update(first)
	if x.state() != NeighborFull {
		t.Fatalf("%v after what was asked for, want full\n%s", x.state(), x.w)
	}
	x.update(next)
	if e := x.find(next); e.lsa.Sequence() != next.Sequence() || x.refusals(wire.LSATooSoon) != 0 {
		t.Errorf("sequence %x, %d refused", e.lsa.Sequence(), x.refusals(wire.LSATooSoon))
	}
}

// What is not acknowledged is repeated, less and less often, until it is.
func TestRetransmission(t *testing.T) {
	x := newPeer(t, PointToPoint, "9.0.0.9", nil)
	x.full()
	x.n.reload(func(c *Config) {
		i := c.Interfaces["eth1"]
		i.Cost = 77
		c.Interfaces["eth1"] = i
	})
	sent := x.sent(6*time.Second, wire.TypeUpdate)
	if len(sent) == 0 {
		t.Fatal("the new cost is not flooded")
	}
	again := 0
	for range 18 {
		x.greet()
		again += len(x.sent(10*time.Second, wire.TypeUpdate))
	}
	if again < 4 || again > 9 {
		t.Errorf("repeated %d times in three minutes, want about one each 40 s", again)
	}
	// An acknowledgement of another instance does not count, of this one it does.
	e := x.n.m.area(0).db.Find(wire.Identity{Type: wire.RouterLSA, ID: ip("5.0.0.5"), Router: ip("5.0.0.5")})
	h := e.Header(x.w.now)
	h.Sequence--
	x.ack(h)
	if x.neighbor().unacked.len() != 1 || x.refusals(wire.AckUnknown) != 1 {
		t.Errorf("%d unacknowledged, %d refused", x.neighbor().unacked.len(), x.refusals(wire.AckUnknown))
	}
	x.ack(e.Header(x.w.now))
	if x.neighbor().unacked.len() != 0 {
		t.Error("an acknowledgement is not heard")
	}
	// The instance itself is an implied one.
	x.n.reload(func(c *Config) {
		i := c.Interfaces["eth1"]
		i.Cost = 78
		c.Interfaces["eth1"] = i
	})
	x.w.run(6*time.Second, nil)
	x.n.sent = nil
	x.update(append(wire.LSA{}, e.lsa...))
	if got := x.sent(0, wire.TypeAcknowledgement); x.neighbor().unacked.len() != 0 || len(got) != 0 {
		t.Errorf("%d unacknowledged, %+v sent", x.neighbor().unacked.len(), got)
	}
}

// What has MaxAge is kept until it is acknowledged, and as long as anybody is in
// Exchange or Loading (RFC 2328 §14).
func TestMaxAgeIsKept(t *testing.T) {
	x := newPeer(t, Broadcast, "9.0.0.9", nil)
	y := &peer{t: t, w: x.w, n: x.n, router: ip("8.0.0.8"), addr: addr("10.0.0.8"), seq: 5, mtu: 1500, hello: x.hello, option: x.option}
	x.w.run(41*time.Second, nil) // the machine is the DR
	x.full()
	y.full()
	x.ackAll()
	l := lsa("7.0.0.7", 1, 1, 10)
	x.update(l)
	y.ack(x.find(l).Header(x.w.now))
	x.w.run(2*time.Second, nil)
	gone := lsa("7.0.0.7", 1, wire.MaxAge, 10)
	x.update(gone)
	x.w.run(2*time.Second, nil)
	if e := x.find(l); e == nil || e.Usable() {
		t.Fatalf("entry %v, want one of MaxAge that the other neighbour has to acknowledge", e)
	}
	// The first one begins anew, and is in Exchange.
	x.seq += 10
	x.describe(wire.FlagInit | wire.FlagMore | wire.FlagMaster)
	x.describe(wire.FlagInit | wire.FlagMore | wire.FlagMaster)
	if x.state() != NeighborExchange {
		t.Fatal(x.state())
	}
	y.ack(gone.Header())
	x.w.run(2*time.Second, nil)
	if x.find(l) == nil {
		t.Fatal("gone while a neighbour is in Exchange")
	}
	x.seq++
	x.describe(wire.FlagMaster)
	x.ackAll()
	x.w.run(2*time.Second, nil)
	if x.find(l) != nil {
		t.Errorf("it is still there\n%s", x.w)
	}
}

// What a router said in a former life is outbid where it says something now, and
// flushed where it does not (RFC 2328 §13.4).
func TestFormerLife(t *testing.T) {
	x := newPeer(t, PointToPoint, "9.0.0.9", nil)
	former := lsa("5.0.0.5", 0x99, 300, 1)
	network := wire.AppendLSA(nil, &wire.Header{
		Identity: wire.Identity{Type: wire.NetworkLSA, ID: ip("10.9.9.9"), Router: ip("5.0.0.5")}, Sequence: wire.InitialSequence + 3, Age: 5,
	}, &wire.Network{Mask: 0xffffff00, Routers: []wire.ID{ip("5.0.0.5")}})
	// Of a router that is no more, whose address this one has now.
	address := wire.AppendLSA(nil, &wire.Header{
		Identity: wire.Identity{Type: wire.NetworkLSA, ID: ip("10.0.0.2"), Router: ip("4.0.0.4")}, Sequence: wire.InitialSequence + 3, Age: 5,
	}, &wire.Network{Mask: 0xffffff00, Routers: []wire.ID{ip("4.0.0.4")}})
	x.exchange(former.Header(), wire.LSA(network).Header(), wire.LSA(address).Header())
	asked := x.sent(0, wire.TypeRequest)
	if len(asked) != 1 || len(asked[0].Requests) != 3 {
		t.Fatalf("it asks for %+v", asked)
	}
	x.update(former, network, address)
	if x.state() != NeighborFull {
		t.Fatal(x.state())
	}
	said := map[wire.LSType][]wire.Update{}
	for _, p := range x.sent(6*time.Second, wire.TypeUpdate) {
		for _, u := range p.Updates {
			said[u.LSA.Type()] = append(said[u.LSA.Type()], u)
		}
	}
	if l := said[wire.RouterLSA]; len(l) == 0 || l[0].LSA.Sequence() <= former.Sequence() || l[0].Age >= wire.MaxAge {
		t.Errorf("of itself it says %+v, want a sequence above %x", l, former.Sequence())
	}
	flushed := map[wire.ID]bool{}
	for _, u := range said[wire.NetworkLSA] {
		flushed[u.LSA.ID()] = u.Age == wire.MaxAge
	}
	if !flushed[ip("10.9.9.9")] || !flushed[ip("10.0.0.2")] {
		t.Errorf("flushed: %v", flushed)
	}
}

// A neighbour that has just got what the router said before, and so refuses what it
// says next as too soon, gets that again without waiting for RxmtInterval.
func TestRefusedAsTooSoon(t *testing.T) {
	x := newPeer(t, PointToPoint, "9.0.0.9", nil)
	x.w.run(20*time.Second, nil)
	x.greet()
	x.describe(wire.FlagInit | wire.FlagMore | wire.FlagMaster)
	x.ask(wire.Identity{Type: wire.RouterLSA, ID: ip("5.0.0.5"), Router: ip("5.0.0.5")})
	old := x.sent(0, wire.TypeUpdate)
	x.seq++
	x.describe(wire.FlagMaster)
	now := x.sent(0, wire.TypeUpdate)
	if x.state() != NeighborFull || len(old) != 1 || len(now) != 1 || now[0].Updates[0].LSA.Sequence() != old[0].Updates[0].LSA.Sequence()+1 {
		t.Fatalf("%v, sent %+v and then %+v", x.state(), old, now)
	}
	again := x.sent(arrival+time.Millisecond, wire.TypeUpdate)
	if len(again) != 1 || again[0].Updates[0].LSA.Sequence() != now[0].Updates[0].LSA.Sequence() {
		t.Errorf("sent again: %+v", again)
	}
	x.ackAll()
	if more := x.sent(10*time.Second, wire.TypeUpdate); len(more) != 0 {
		t.Errorf("and again: %+v", more)
	}
}

// A full database keeps what it has, says so once, and leaves the adjacency alone.
func TestDatabaseFull(t *testing.T) {
	x := newPeer(t, PointToPoint, "9.0.0.9", nil)
	x.n.reload(func(c *Config) { c.MaxLSA = 3 })
	var list []wire.LSA
	var headers []wire.Header
	for i := range 6 {
		list = append(list, lsa(fmt.Sprintf("7.0.0.%d", i), 1, 1, 1))
		headers = append(headers, list[i].Header())
	}
	x.exchange(headers...)
	x.update(list...)
	if x.state() != NeighborFull || x.n.m.limit.Used() != 3 {
		t.Fatalf("%v with %d LSAs\n%s", x.state(), x.n.m.limit.Used(), x.w)
	}
	said := 0
	for _, e := range x.n.events {
		if e == "too many LSAs 10.0.0.9 max-lsa 3 is reached: further LSAs of other routers are discarded" {
			said++
		}
	}
	if said != 1 || x.refusals(wire.DatabaseFull) < 3 {
		t.Errorf("said %d times, refused %d: %q", said, x.refusals(wire.DatabaseFull), x.n.events)
	}
	// Where there is room again, what the neighbour repeats is taken.
	gone := lsa("7.0.0.0", 1, wire.MaxAge, 1)
	x.w.run(2*time.Second, nil)
	x.update(gone)
	x.w.run(2*time.Second, nil)
	x.update(list[5])
	if x.find(list[5]) == nil {
		t.Error("there is room, and it is not taken")
	}
	// A higher bound has the neighbour describe all of them again.
	x.update(list[3])
	x.n.reload(func(c *Config) { c.MaxLSA = 10 })
	if x.state() != NeighborExStart {
		t.Fatalf("%v after there is room", x.state())
	}
	x.exchange(headers...)
	x.update(list...)
	if x.state() != NeighborFull || x.n.m.limit.Used() != 6 {
		t.Errorf("%v with %d LSAs", x.state(), x.n.m.limit.Used())
	}
}

// A neighbour that describes without end is not followed without end.
func TestEndlessDescriptions(t *testing.T) {
	x := newPeer(t, PointToPoint, "9.0.0.9", func(*InterfaceConfig) {})
	x.n.reload(func(c *Config) { c.MaxLSA = 100 })
	x.greet()
	x.describe(wire.FlagInit | wire.FlagMore | wire.FlagMaster)
	for i := range 20 {
		var headers []wire.Header
		for k := range 50 {
			h := lsa("7.0.0.7", 1, 1, 1).Header()
			h.ID, h.Router = wire.ID(i*50+k), wire.ID(i*50+k)
			headers = append(headers, h)
		}
		x.seq++
		x.describe(wire.FlagMaster|wire.FlagMore, headers...)
	}
	if n := x.neighbor().requests.len(); n != 100 || x.refusals(wire.DatabaseFull) != 900 || x.state() != NeighborExchange {
		t.Errorf("%d are asked for, %d refused, %v", n, x.refusals(wire.DatabaseFull), x.state())
	}
}

// A packet full of acknowledgements does not wait.
func TestFullAcknowledgement(t *testing.T) {
	x := newPeer(t, PointToPoint, "9.0.0.9", nil)
	x.full()
	for i := range 100 {
		x.update(lsa(fmt.Sprintf("7.0.0.%d", i), 1, 1, 1))
	}
	if got := x.sent(0, wire.TypeAcknowledgement); len(got) != 1 || len(got[0].Headers) != x.link().ackRoom() {
		t.Errorf("%d packets at once", len(got))
	}
	if got := x.sent(time.Second, wire.TypeAcknowledgement); len(got) != 1 || len(got[0].Headers) != 100-x.link().ackRoom() {
		t.Errorf("%d packets later", len(got))
	}
}

// Opaque LSAs go to neighbours that take them, and no further than their type says
// (RFC 5250 §3).
func TestOpaque(t *testing.T) {
	w := newNetwork(t, 1)
	s0, s1 := w.segment(), w.segment()
	a := w.router("1.0.0.1")
	a.port(s0, PointToPoint, "10.0.0.1/24", nil)
	b := w.router("2.0.0.2")
	b.port(s0, PointToPoint, "10.0.0.2/24", nil)
	b.port(s1, PointToPoint, "10.0.1.2/24", func(i *InterfaceConfig) { i.Area = 1 })
	c := w.router("3.0.0.3")
	c.port(s1, PointToPoint, "10.0.1.3/24", func(i *InterfaceConfig) { i.Area = 1 })
	w.begin()
	w.want(time.Minute, "full", w.adjacent)
	for _, k := range []wire.LSType{wire.LinkOpaque, wire.AreaOpaque, wire.ASOpaque} {
		s := a.m.scopeOf(k, a.m.area(0), a.m.links[1])
		e, _ := s.db.Originate(w.now, wire.Identity{Type: k, ID: 4 << 24, Router: a.m.router}, 0, wire.Opaque("abcd"))
		a.m.now = w.now
		a.m.flood(s, e, nil)
	}
	w.run(5*time.Second, nil)
	has := func(n *station, k wire.LSType) bool {
		for _, s := range n.m.scopes() {
			if s.db.Find(wire.Identity{Type: k, ID: 4 << 24, Router: a.m.router}) != nil {
				return true
			}
		}
		return false
	}
	for _, k := range []wire.LSType{wire.LinkOpaque, wire.AreaOpaque, wire.ASOpaque} {
		if !has(b, k) || has(c, k) != (k == wire.ASOpaque) {
			t.Errorf("%v: second %v, third %v", k, has(b, k), has(c, k))
		}
	}

	x := newPeer(t, PointToPoint, "9.0.0.9", nil)
	x.option = wire.OptionE
	x.full()
	x.n.m.now = x.w.now
	s := x.n.m.scopeOf(wire.AreaOpaque, x.n.m.area(0), nil)
	e, _ := s.db.Originate(x.w.now, wire.Identity{Type: wire.AreaOpaque, ID: 1, Router: x.n.m.router}, 0, wire.Opaque("abcd"))
	if x.n.m.flood(s, e, nil); x.neighbor().unacked.len() != 0 {
		t.Error("an opaque LSA is for a neighbour that takes none")
	}
}

// Many LSAs leave in packets that fit, a burst at a time, and Hellos go between.
func TestPacing(t *testing.T) {
	x := newPeer(t, PointToPoint, "9.0.0.9", nil)
	m := x.n.m
	for i := range 8000 {
		h := wire.Header{Identity: wire.Identity{Type: wire.ExternalLSA, ID: wire.ID(i << 8), Router: ip("7.0.0.7")}, Sequence: wire.InitialSequence}
		m.as.Install(x.w.now, wire.AppendLSA(nil, &h, &wire.External{Mask: 0xffffff00, Metric: 1}))
	}
	x.greet()
	x.describe(wire.FlagInit | wire.FlagMore | wire.FlagMaster)
	for x.state() == NeighborExchange {
		x.seq++
		x.describe(wire.FlagMaster)
	}
	if x.state() != NeighborFull {
		t.Fatal(x.state())
	}
	x.ackAll()
	x.n.sent = nil
	for from := 0; from < 8000; from += 100 {
		var list []wire.Identity
		for i := from; i < from+100; i++ {
			list = append(list, wire.Identity{Type: wire.ExternalLSA, ID: wire.ID(i << 8), Router: ip("7.0.0.7")})
		}
		x.ask(list...)
	}
	first := x.sent(0, wire.TypeUpdate)
	if len(first) != burst {
		t.Errorf("%d packets at once, want %d", len(first), burst)
	}
	total, lsas := len(first), 0
	for _, p := range first {
		lsas += len(p.Updates)
	}
	begun := x.w.now
	for lsas < 8000 && x.w.now.Sub(begun) < time.Minute {
		for _, p := range x.sent(pause, wire.TypeUpdate) {
			total++
			lsas += len(p.Updates)
			if n := 20 + wire.HeaderSize + wire.CountSize + 36*len(p.Updates); n > 1500 {
				t.Fatalf("a packet of %d octets", n)
			}
		}
	}
	if d := x.w.now.Sub(begun); d > 100*time.Millisecond || lsas != 8000 || total > 210 {
		t.Errorf("%d LSAs in %d packets after %v", lsas, total, d)
	}
}

// What is withdrawn while there is nobody to tell is gone soon.
func TestWithdrawnAlone(t *testing.T) {
	x := newPeer(t, PointToPoint, "9.0.0.9", nil)
	id := wire.Identity{Type: wire.ExternalLSA, ID: ip("192.0.2.0"), Router: ip("5.0.0.5")}
	x.n.m.now = x.w.now
	x.n.m.say(nil, id, 0, &wire.External{Mask: 0xffffff00, Metric: 1})
	x.n.m.unsay(nil, id)
	x.w.run(time.Second, nil)
	if n := x.n.m.as.Len(wire.ExternalLSA); n != 0 {
		t.Errorf("%d LSAs are left", n)
	}
	// A sequence that is at its end begins again.
	x.n.m.now = x.w.now
	x.n.m.say(nil, id, 0, &wire.External{Mask: 0xffffff00, Metric: 1})
	x.n.m.as.Reclaim(x.w.now, external(id.ID, id.Router, wire.MaxSequence-1, 0, 1))
	x.w.run(10*time.Second, nil)
	x.n.m.now = x.w.now
	x.n.m.say(nil, id, 0, &wire.External{Mask: 0xffffff00, Metric: 2})
	x.w.run(time.Second, nil)
	if e := x.n.m.as.Find(id); e == nil || !e.Usable() || e.lsa.Sequence() != wire.InitialSequence {
		t.Errorf("after the end of the sequence: %+v", e)
	}
}
