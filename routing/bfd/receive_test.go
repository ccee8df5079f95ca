package bfd

import (
	"net/netip"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/bfd/wire"
	"routerd/routing/protocol"
)

// What is not used is counted where it belongs, and changes nothing.
func TestRefusedPackets(t *testing.T) {
	for _, tt := range []struct {
		name   string
		packet func(p *wire.Packet)
		frame  func(x *protocol.Received)
		stray  bool
		why    Reason
	}{
		{"TTL 254", nil, func(x *protocol.Received) { x.HopLimit = 254 }, false, HopLimit},
		{"by another link", nil, func(x *protocol.Received) { x.Link = eth1 }, false, WrongLink},
		{"to the port of multihop", nil, func(x *protocol.Received) { x.DstPort = MultiPort }, false, WrongPort},
		{"another discriminator", func(p *wire.Packet) { p.Your++ }, nil, true, NoSession},
		{"no discriminator, and up", func(p *wire.Packet) { p.Your, p.State = 0, wire.Up }, nil, true, NoSession},
		{"no discriminator, from somebody else", func(p *wire.Packet) { p.Your, p.State = 0, wire.Down }, func(x *protocol.Received) { x.Src = far }, true, NoSession},
		{"multiplier 0", func(p *wire.Packet) { p.DetectMult = 0 }, nil, true, Malformed},
		{"discriminator 0", func(p *wire.Packet) { p.My = 0 }, nil, true, Malformed},
		{"cut short", nil, func(x *protocol.Received) { x.Payload = x.Payload[:23] }, true, Malformed},
	} {
		b := newBed(t, fastConfig())
		b.watch("rip")
		s := b.bring()
		was, heard := s.counters, s.lastHeard
		b.clear()
		b.now = b.now.Add(time.Millisecond)
		p := b.packet(wire.Down)
		if tt.packet != nil {
			tt.packet(&p)
		}
		b.sendAs(p, wire.Seal{}, tt.frame)
		if s.state != wire.Up || s.lastHeard != heard || s.counters.Received != was.Received || len(b.sent()) > 0 {
			t.Errorf("%s: used: %v, %+v", tt.name, s.state, s.counters)
		}
		counted := s.counters.Refused
		if tt.stray {
			counted = b.m.Stray()
		}
		want := Refusals{}
		want[tt.why] = 1
		if counted != want {
			t.Errorf("%s: counted as %v, want one %v", tt.name, counted, tt.why)
		}
		if !tt.stray && s.refused == "" {
			t.Errorf("%s: no words about it", tt.name)
		}
	}
}

// RFC 5881 §6: on a point-to-point link the source address does not matter, and
// is not taken over.
func TestPointToPointSource(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watchAs("rip", protocol.Watch{Path: protocol.Path{Link: tun0, Address: netip.MustParseAddr("10.0.2.2")}})
	s := b.only()
	p := wire.Packet{State: wire.Down, DetectMult: 3, My: 7, DesiredMinTx: 1_000_000, RequiredMinRx: 1_000_000}
	b.sendAs(p, wire.Seal{}, func(x *protocol.Received) { x.Link, x.Src = tun0, far })
	if s.state != wire.Init || s.remoteDiscr != 7 {
		t.Fatalf("%v, discriminator %d", s.state, s.remoteDiscr)
	}
	for _, e := range b.out {
		if x, ok := e.(protocol.Send); ok && (x.Dst != netip.MustParseAddr("10.0.2.2") || x.Src != netip.MustParseAddr("10.0.2.1") || x.Link != tun0) {
			t.Errorf("sent from %v to %v on %d", x.Src, x.Dst, x.Link)
		}
	}
}

// RFC 5881 §4, §5: port 3784, TTL 255, one source port for all packets of a
// session, from 49152 on. RFC 5883 §5: port 4784, by the table.
func TestEncapsulation(t *testing.T) {
	b := newBed(t, fastConfig())
	b.watch("rip")
	link6 := netip.MustParseAddr("fe80::2")
	b.watchAs("ripng", protocol.Watch{Path: protocol.Path{Link: eth0, Address: link6}})
	multi := protocol.Path{Link: routing.NoInterface, Address: far, Source: loop, Multihop: true}
	b.watchAs("bgp", protocol.Watch{Path: multi})
	b.advance(10 * time.Second)
	ports := map[netip.Addr]uint16{}
	for _, e := range b.out {
		x, ok := e.(protocol.Send)
		if !ok {
			continue
		}
		want := protocol.Send{Link: eth0, Src: own, DstPort: 3784}
		switch x.Dst {
		case link6:
			want.Src = netip.MustParseAddr("fe80::1")
		case far:
			want = protocol.Send{Link: routing.NoInterface, Src: loop, DstPort: 4784}
		}
		if x.Link != want.Link || x.Src != want.Src || x.DstPort != want.DstPort || x.HopLimit != 255 || x.Protocol != 17 {
			t.Errorf("to %v: %+v, want %+v", x.Dst, x, want)
		}
		if x.SrcPort < 49152 || ports[x.Dst] != 0 && ports[x.Dst] != x.SrcPort {
			t.Errorf("to %v: from port %d, before that %d", x.Dst, x.SrcPort, ports[x.Dst])
		}
		ports[x.Dst] = x.SrcPort
	}
	if len(ports) != 3 || ports[peer] == ports[far] || ports[peer] == ports[link6] {
		t.Errorf("source ports %v, want three different ones", ports)
	}
	claims := 0
	for _, e := range b.out {
		if c, ok := e.(protocol.Claim); ok && c.Protocol == 17 && c.Link == routing.NoInterface {
			claims++
		}
	}
	if claims != 3 {
		t.Errorf("%d claims, want 3: both families over one hop, IPv4 over several", claims)
	}
}

func TestMultihop(t *testing.T) {
	cfg := fastConfig()
	p := cfg.Profiles[""]
	p.MinimumTTL = 250
	cfg.Profiles[""] = p
	b := newBed(t, cfg)
	b.watchAs("bgp", protocol.Watch{Path: protocol.Path{Link: routing.NoInterface, Address: far, Source: loop, Multihop: true}})
	s := b.only()
	say := func(state wire.State, your uint32, hops uint8) {
		b.sendAs(wire.Packet{State: state, DetectMult: 3, My: 7, Your: your, DesiredMinTx: 50_000, RequiredMinRx: 50_000}, wire.Seal{}, func(x *protocol.Received) {
			x.Link, x.Src, x.Dst, x.DstPort, x.HopLimit = eth1, far, loop, MultiPort, hops
		})
	}
	say(wire.Down, 0, 249)
	if s.state != wire.Down || s.counters.Refused != (Refusals{HopLimit: 1}) {
		t.Fatalf("TTL 249: %v, refused %v", s.state, s.counters.Refused)
	}
	say(wire.Down, 0, 250)
	say(wire.Up, s.discriminator, 255)
	if s.state != wire.Up {
		t.Fatalf("%v", s.state)
	}
	b.clear()
	b.advance(time.Second)
	b.wantTold("bgp 192.0.2.9 alive=false") // and no hop: it has none
}
