package ospf

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/routing/ospf/wire"
)

// The master repeats what is not answered, and the slave answers what is repeated,
// also in Full (RFC 2328 §10.8).
func TestRepeatedDescriptions(t *testing.T) {
	x := newPeer(t, PointToPoint, "1.0.0.1", nil) // the machine is the master
	x.greet()
	first := x.sent(11*time.Second, wire.TypeDescription)
	if len(first) != 3 || first[0].Description != first[2].Description || first[0].Description.Flags != wire.FlagInit|wire.FlagMore|wire.FlagMaster {
		t.Fatalf("it sent %+v, want three times the same", first)
	}
	x.seq = x.neighbor().exchange.sequence
	x.describe(0)
	if x.state() != NeighborExchange {
		t.Fatalf("%v", x.state())
	}
	if got := x.sent(6*time.Second, wire.TypeDescription); len(got) != 2 || got[0].Description != got[1].Description || got[0].Description.Sequence != x.seq+1 {
		t.Errorf("as the master it repeats %+v", got)
	}
	// The slave's old one once more changes nothing.
	x.describe(0)
	if got := x.sent(0, wire.TypeDescription); len(got) != 0 || x.state() != NeighborExchange {
		t.Errorf("a duplicate of the slave is answered with %+v, %v", got, x.state())
	}

	x = newPeer(t, PointToPoint, "9.0.0.9", nil) // the machine is the slave
	x.full()
	x.describe(wire.FlagMaster)
	if got := x.sent(0, wire.TypeDescription); len(got) != 1 || got[0].Description.Sequence != x.seq || got[0].Description.Flags != 0 {
		t.Errorf("in Full, a duplicate of the master is answered with %+v", got)
	}
	if x.state() != NeighborFull {
		t.Error(x.state())
	}
}

// Whatever does not follow begins the exchange again, and says why.
func TestMismatch(t *testing.T) {
	for name, change := range map[string]func(x *peer){
		"sequence": func(x *peer) { x.seq += 2; x.describe(wire.FlagMaster | wire.FlagMore) },
		"init":     func(x *peer) { x.seq++; x.describe(wire.FlagMaster | wire.FlagInit | wire.FlagMore) },
		"slave":    func(x *peer) { x.seq++; x.describe(wire.FlagMore) },
		"options":  func(x *peer) { x.seq++; x.option = wire.OptionO; x.describe(wire.FlagMaster | wire.FlagMore) },
		"type":     func(x *peer) { x.seq++; x.describe(wire.FlagMaster, wire.Header{Identity: wire.Identity{Type: 6}}) },
		"request":  func(x *peer) { x.ask(wire.Identity{Type: wire.RouterLSA, ID: 1, Router: 1}) },
	} {
		t.Run(name, func(t *testing.T) {
			x := newPeer(t, PointToPoint, "9.0.0.9", nil)
			x.greet()
			x.describe(wire.FlagInit | wire.FlagMore | wire.FlagMaster)
			if x.state() != NeighborExchange {
				t.Fatal(x.state())
			}
			change(x)
			if x.state() != NeighborExStart || x.link().refused.Refusal.OK() {
				t.Errorf("%v, refused %v", x.state(), x.link().refused.Refusal)
			}
			x.option = wire.OptionE | wire.OptionO
			x.exchange()
			if x.state() != NeighborFull {
				t.Errorf("%v after a second exchange", x.state())
			}
		})
	}
}

// In Full, any new Description begins again.
func TestMismatchInFull(t *testing.T) {
	x := newPeer(t, PointToPoint, "9.0.0.9", nil)
	x.full()
	x.seq = 77
	x.describe(wire.FlagInit | wire.FlagMore | wire.FlagMaster)
	if x.state() != NeighborExStart {
		t.Fatal(x.state())
	}
	if !slices.Contains(x.n.events, "adjacency down 10.0.0.9 its Database Descriptions do not follow each other") {
		t.Errorf("events: %q", x.n.events)
	}
}

func TestMTU(t *testing.T) {
	for _, c := range []struct {
		mtu    uint16
		ignore bool
		full   bool
		says   bool
	}{
		{1500, false, true, false},
		{9000, false, false, true},
		{1400, false, true, true}, // the neighbour will not answer larger ones
		{9000, true, true, false},
		{0, false, true, false},
	} {
		x := newPeer(t, PointToPoint, "9.0.0.9", func(i *InterfaceConfig) { i.MTUIgnore = c.ignore })
		x.mtu = c.mtu
		x.greet()
		x.describe(wire.FlagInit | wire.FlagMore | wire.FlagMaster)
		x.describe(wire.FlagInit | wire.FlagMore | wire.FlagMaster)
		x.seq++
		x.describe(wire.FlagMaster)
		if (x.state() == NeighborFull) != c.full {
			t.Errorf("MTU %d, ignore %v: %v", c.mtu, c.ignore, x.state())
		}
		var said []string
		for _, e := range x.n.events {
			if strings.HasPrefix(e, "MTU differs") {
				said = append(said, e)
			}
		}
		if (len(said) == 1) != c.says || len(said) > 1 {
			t.Errorf("MTU %d, ignore %v: it says %q", c.mtu, c.ignore, said)
		}
		if c.mtu == 9000 && c.says {
			if want := "neighbour 9.0.0.9 at 10.0.0.9 has 9000, eth1 has 1500"; !strings.Contains(said[0], want) {
				t.Errorf("it says %q, want %q in it", said[0], want)
			}
			if r := x.link().refused; r.Refusal.String() != "MTU: theirs 9000, ours 1500" || r.From != x.addr {
				t.Errorf("refused %v of %v", r.Refusal, r.From)
			}
		}
	}
}

// A neighbour whose Hellos are lost, but that says something to this router, is
// there (RFC 4222 §2 (2)); after the dead interval of silence it is not.
func TestInactivity(t *testing.T) {
	x := newPeer(t, PointToPoint, "9.0.0.9", nil)
	x.full()
	for range 10 {
		x.w.run(30*time.Second, nil)
		x.update(lsa("9.0.0.9", 1, 1, 10))
	}
	if x.state() != NeighborFull {
		t.Errorf("%v though it speaks", x.state())
	}
	x.w.run(39*time.Second, nil)
	if x.state() != NeighborFull {
		t.Errorf("%v before the dead interval", x.state())
	}
	x.w.run(2*time.Second, nil)
	if x.neighbor() != nil || !slices.Contains(x.n.events, "adjacency down 10.0.0.9 no Hello came for the dead interval") {
		t.Errorf("%v after the dead interval, events %q", x.state(), x.n.events)
	}
}

// Hellos that differ are refused in words; the mask does not count between two.
func TestHelloRefused(t *testing.T) {
	for _, c := range []struct {
		kind   NetworkType
		change func(x *peer)
		want   string
	}{
		{Broadcast, func(x *peer) { x.hello.Mask = 0xffff0000 }, "network mask: theirs 255.255.0.0, ours 255.255.255.0"},
		{PointToPoint, func(x *peer) { x.hello.Mask = 0xffff0000 }, "accepted"},
		{Broadcast, func(x *peer) { x.hello.HelloInterval = 5 }, "hello interval in seconds: theirs 5, ours 10"},
		{PointToPoint, func(x *peer) { x.hello.DeadInterval = 41 }, "dead interval in seconds: theirs 41, ours 40"},
		{PointToPoint, func(x *peer) { x.hello.Options = 0 }, "external routes in the area (option E): theirs 0, ours 1"},
		{Broadcast, func(x *peer) { x.addr = addr("10.0.7.9") }, "source address, and the interface's: theirs 10.0.7.9, ours 10.0.0.2"},
		{PointToPoint, func(x *peer) { x.addr = addr("10.0.7.9") }, "accepted"},
		{Broadcast, func(x *peer) { x.router = ip("5.0.0.5") }, "router ID, which is this router's own: 5.0.0.5"},
	} {
		x := newPeer(t, c.kind, "9.0.0.9", nil)
		c.change(x)
		x.greet()
		if got := x.link().refused.Refusal.String(); got != c.want || (got == "accepted") != (len(x.link().neighbors) == 1) {
			t.Errorf("%v: refused %q, want %q\n%s", c.kind, got, c.want, x.w)
		}
	}
	x := newPeer(t, Broadcast, "9.0.0.9", nil)
	x.say(wire.Packet{Type: wire.TypeHello, Area: 3, Hello: x.hello})
	if got := x.link().refused.Refusal.String(); got != "area: theirs 0.0.0.3, ours 0.0.0.0" {
		t.Errorf("refused %q", got)
	}
	x.update(lsa("9.0.0.9", 1, 1, 1))
	if got := x.link().refused.Refusal.String(); got != "router that no Hello came from: 9.0.0.9" {
		t.Errorf("refused %q", got)
	}
}

// A flood of Hellos of strangers is not answered by one of Hellos.
func TestHellosAreNotReflected(t *testing.T) {
	x := newPeer(t, PointToPoint, "9.0.0.9", nil)
	x.w.run(time.Minute, nil)
	x.n.sent = nil
	for i := range 900 {
		x.router = wire.ID(0x09000000 + i)
		x.addr = netip.AddrFrom4([4]byte{10, 0, byte(1 + i>>8), byte(i)})
		x.say(wire.Packet{Type: wire.TypeHello, Hello: x.hello})
		x.w.run(time.Millisecond, nil)
	}
	if n := len(x.sent(0, wire.TypeHello)); n < 1 || n > 2 {
		t.Errorf("%d Hellos were sent", n)
	}
	if n := len(x.link().neighbors); n > x.link().maxNeighbors() {
		t.Errorf("%d neighbours", n)
	}
}

// A network of an area that takes no externals does not get any, and asks for none.
func TestStubAreaTakesNoExternals(t *testing.T) {
	x := newPeer(t, PointToPoint, "9.0.0.9", func(i *InterfaceConfig) { i.Area = 0 })
	x.n.reload(func(c *Config) {
		c.Areas[7] = AreaConfig{Type: Stub, DefaultCost: 1}
		i := c.Interfaces["eth1"]
		i.Area = 7
		c.Interfaces["eth1"] = i
	})
	m := x.n.m
	if m.area(0) != nil || m.area(7) == nil {
		t.Fatal("areas")
	}
	if o := m.greeting(x.link()).Options; o&wire.OptionE != 0 {
		t.Errorf("options %x", o)
	}
	if _, ok := m.admits(x.link(), wire.ExternalLSA); ok {
		t.Error("externals are taken")
	}
	if _, ok := m.admits(x.link(), wire.ASOpaque); ok {
		t.Error("opaque LSAs of the AS are taken")
	}
	if _, ok := m.admits(x.link(), wire.NSSALSA); ok {
		t.Error("LSAs of an NSSA are taken")
	}
	if _, ok := m.admits(x.link(), wire.AreaOpaque); !ok {
		t.Error("opaque LSAs of the area are not taken")
	}
}

// What a neighbour describes again while it is asked for it is asked for once, and the
// exchange ends when it has come.
func TestDescribedAgain(t *testing.T) {
	x := newPeer(t, PointToPoint, "9.0.0.9", nil)
	l := lsa("7.0.0.7", 1, 1, 10)
	x.greet()
	x.describe(wire.FlagInit | wire.FlagMore | wire.FlagMaster)
	for _, flags := range []wire.DescriptionFlags{wire.FlagMaster | wire.FlagMore, wire.FlagMaster} {
		x.seq++
		x.describe(flags, l.Header())
	}
	if got := x.sent(0, wire.TypeRequest); len(got) != 1 || x.state() != NeighborLoading {
		t.Fatalf("%d requests in %v, want one in loading", len(got), x.state())
	}
	if x.update(l); x.state() != NeighborFull {
		t.Errorf("%v when all has come, want full", x.state())
	}
}
