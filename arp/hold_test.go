package arp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/internal/packet"
)

// from is an IPv4 packet of some size from a host, of a protocol.
func from(src netip.Addr, protocol uint8, size int) []byte {
	b := make([]byte, max(size, packet.IPv4MinHeader))
	ip := packet.IPv4(b)
	ip[0] = 0x45
	ip.SetTotalLen(len(b))
	ip.SetTTL(63)
	ip.SetProtocol(protocol)
	ip.SetSrc(src)
	ip.SetDst(netip.MustParseAddr("192.0.2.200"))
	ip.FillChecksum()
	return b
}

// What is sent to a neighbour before it has answered arrives, in its order:
// twenty packets, and all fragments of the largest datagram.
func TestPacketsWaitForTheirNeighbour(t *testing.T) {
	for _, c := range []struct {
		name        string
		count, size int
	}{
		{"twenty pings", 20, 84},
		{"fragments of the largest datagram", 45, 1500},
		{"as many as Linux holds", 212992 / (1500 + 256), 1500},
	} {
		b := newBench(t)
		for i := range c.count {
			b.step(Resolve{Interface: eth0, Addr: peer4, Packet: make([]byte, c.size), Tag: i})
			if d := of[Dropped](b.out); len(d) != 0 {
				t.Fatalf("%s: packet %d: dropped %v", c.name, i, d[0].Reason)
			}
		}
		b.step(arpReply(peerMAC))
		sent := of[Release](b.out)
		if len(sent) != c.count {
			t.Fatalf("%s: %d of %d arrive", c.name, len(sent), c.count)
		}
		for i, r := range sent {
			if r.Tag != i {
				t.Fatalf("%s: the packet sent at place %d is number %v", c.name, i, r.Tag)
			}
		}
		if b.m.HeldBytes() != 0 {
			t.Errorf("%s: %d bytes are still held", c.name, b.m.HeldBytes())
		}
	}
}

// The newest packets are held: RFC 1122 §2.3.2.2, RFC 4861 §7.2.2.
func TestHold(t *testing.T) {
	b := newBench(t, func(c *Config, _ *InterfaceConfig) { c.MaxHeldEach = 3 * (1 + heldOverhead) })
	for i := range 5 {
		b.step(Resolve{Interface: eth0, Addr: peer4, Packet: fmt.Appendf(nil, "%d", i), Tag: i})
		if d := of[Dropped](b.out); i >= 3 && (len(d) != 1 || d[0].Tag != i-3 || d[0].Reason != HoldFull) {
			t.Errorf("packet %d: dropped %v, want the oldest", i, d)
		}
	}
	b.step(Resolve{Interface: eth0, Addr: peer4, Packet: make([]byte, 4*heldOverhead), Tag: 5})
	if d := of[Dropped](b.out); len(d) != 1 || d[0].Tag != 5 {
		t.Errorf("a packet larger than one neighbour may hold: dropped %v, want it alone", d)
	}
	b.step(arpReply(peerMAC))
	var got string
	for _, r := range of[Release](b.out) {
		got += string(r.Packet)
	}
	if got != "234" || b.m.HeldBytes() != 0 {
		t.Errorf("released %q, want the newest in their order; %d bytes left", got, b.m.HeldBytes())
	}
	// The entry is seen before the packets go, so that later ones cannot
	// overtake them by asking again.
	if _, ok := b.out[0].(Publish); !ok {
		t.Errorf("first effect %T, want Publish", b.out[0])
	}
}

// Where all hold too much together, who holds most loses its oldest, and never
// who matters more than the one that comes.
func TestHeldBytes(t *testing.T) {
	const each = 100 + heldOverhead
	b := newBench(t, func(c *Config, _ *InterfaceConfig) { c.MaxHeldBytes = 4 * each })
	send := func(to netip.Addr, index uint32, tag any) []Dropped {
		b.step(Resolve{Interface: eth0, Addr: to, Index: index, Packet: make([]byte, 100), Tag: tag})
		return of[Dropped](b.out)
	}
	for i := range 4 {
		if d := send(peer4, 0, i); len(d) != 0 {
			t.Fatalf("packet %d: dropped %v", i, d)
		}
	}
	if d := send(peer6, 0, "first"); len(d) != 1 || d[0].Tag != 0 || d[0].Reason != HoldFull || b.state(peer4) != Incomplete {
		t.Errorf("dropped %v, want the oldest of who holds most, who is still asked for", d)
	}
	if d := send(peer4, 0, 4); len(d) != 1 || d[0].Tag != 1 {
		t.Errorf("dropped %v, want its own oldest", d)
	}
	gateway := netip.MustParseAddr("192.0.2.99")
	for i := range 4 { // a next hop takes the place of all others
		if d := send(gateway, 1, i); len(d) != 1 {
			t.Errorf("packet %d to a next hop: dropped %v", i, d)
		}
	}
	if d := send(peer6, 0, "last"); len(d) != 1 || d[0].Tag != "last" {
		t.Errorf("dropped %v, want the packet itself: only a next hop's are held", d)
	}
	if b.m.HeldBytes() != 4*each {
		t.Errorf("%d bytes held, want %d", b.m.HeldBytes(), 4*each)
	}
}

// Whatever comes, every packet is held, sent or given back once, and what is
// counted is what is held.
func TestHeldModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(rt, func(c *Config, i *InterfaceConfig) {
			c.MaxNeighbors, c.MaxIncomplete, c.MaxHeldEach, c.MaxHeldBytes = 12, 6, 2000, 6000
			i.Addresses = append(i.Addresses, netip.MustParsePrefix("10.255.255.1/8"))
		})
		waiting := map[int]bool{}
		settle := func(all []Effect) {
			for _, e := range all {
				tag := -1
				switch e := e.(type) {
				case Release:
					tag = e.Tag.(int)
				case Dropped:
					tag = e.Tag.(int)
				case Unreachable:
					tag = e.Tag.(int)
				default:
					continue
				}
				if !waiting[tag] {
					rt.Fatalf("packet %d ends twice", tag)
				}
				delete(waiting, tag)
			}
		}
		for i := range rapid.IntRange(1, 80).Draw(rt, "steps") {
			to := nth(rapid.IntRange(0, 9).Draw(rt, "to"), false)
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0:
				mac := MAC{2, 9, 0, 0, 0, 1}
				settle(b.step(arpFrame(ourMAC, mac, OpReply, mac, to, ourMAC, netip.MustParseAddr("10.255.255.1"))))
			case 1:
				settle(b.pass(time.Duration(rapid.IntRange(1, 2000).Draw(rt, "ms")) * time.Millisecond))
			default:
				waiting[i] = true
				settle(b.step(Resolve{
					Interface: eth0, Addr: to, Index: uint32(rapid.IntRange(0, 1).Draw(rt, "hop")) * binary.BigEndian.Uint32(to.AsSlice()),
					Own: rapid.Bool().Draw(rt, "own"), Packet: make([]byte, rapid.IntRange(1, 2200).Draw(rt, "size")), Tag: i,
				}))
			}
			held, bytes := 0, 0
			for _, n := range b.m.neighbors {
				held += len(n.held)
				bytes += n.heldBytes
				if n.heldBytes > 2000 || (n.heldBytes > 0) != (n.hoard != nil) {
					rt.Fatalf("%v holds %d bytes", n.addr, n.heldBytes)
				}
			}
			if held != len(waiting) || bytes != b.m.HeldBytes() || bytes > 6000 {
				rt.Fatalf("%d packets held and %d counted as waiting; %d bytes, counted as %d", held, len(waiting), bytes, b.m.HeldBytes())
			}
		}
		settle(b.pass(time.Minute))
		if len(waiting) != 0 || b.m.HeldBytes() != 0 {
			rt.Fatalf("a minute later %d packets wait, %d bytes", len(waiting), b.m.HeldBytes())
		}
	})
}

// A neighbour that nobody has asked for yet is asked for and gets its first
// packet in the middle of a flood of destinations that do not exist: packets of
// another host's, of the same host's by another protocol, and, as long as the
// link's budget lasts, of the same kind.
func TestFreshNeighbourInAFlood(t *testing.T) {
	scanner := netip.MustParseAddr("203.0.113.66")
	for _, c := range []struct {
		name     string
		every    time.Duration // between two packets of the flood
		src      netip.Addr    // of the fresh neighbour's packet
		protocol uint8         // likewise
	}{
		{"the scanner's own, 10,000 a second", 100 * time.Microsecond, scanner, packet.ProtoUDP},
		{"another host, 100,000 a second", 10 * time.Microsecond, netip.MustParseAddr("203.0.113.7"), packet.ProtoUDP},
		{"the scanner's ping, 100,000 a second", 10 * time.Microsecond, scanner, packet.ProtoICMP},
	} {
		b := newBench(t, func(_ *Config, i *InterfaceConfig) {
			i.Addresses = append(i.Addresses, netip.MustParsePrefix("10.255.255.1/8"))
		})
		const flood = 20_000
		scan := from(scanner, packet.ProtoUDP, 1400)
		for i := range flood {
			b.now = b.now.Add(c.every)
			b.step(Resolve{Interface: eth0, Addr: nth(i, false), Packet: scan})
			if i%(flood/20) != flood/20-1 {
				continue
			}
			fresh := netip.AddrFrom4([4]byte{192, 0, 2, byte(20 + i/(flood/20))})
			b.step(Resolve{Interface: eth0, Addr: fresh, Packet: from(c.src, c.protocol, 84)})
			if len(of[Dropped](b.out)) > 1 || asked(b.out) == "" { // one of the flood may go for it
				t.Fatalf("%s: after %d packets a fresh neighbour is not asked for: %v", c.name, i, b.out)
			}
			for j := range 20 { // it answers a moment later
				b.now = b.now.Add(c.every)
				b.step(Resolve{Interface: eth0, Addr: nth(flood+i*20+j, false), Packet: scan})
			}
			b.step(arpFrame(ourMAC, newMAC, OpReply, newMAC, fresh, ourMAC, our4))
			if len(of[Release](b.out)) != 1 {
				t.Fatalf("%s: after %d packets a fresh neighbour's first packet does not arrive: %v", c.name, i, b.out)
			}
		}
	}
}

// A flood of packets to a few that do not answer, as large as there are, fills
// what may be held, and a fresh neighbour's packets are still kept.
func TestFreshNeighbourBesideFullQueues(t *testing.T) {
	b := newBench(t, func(_ *Config, i *InterfaceConfig) {
		i.Addresses = append(i.Addresses, netip.MustParsePrefix("10.255.255.1/8"))
	})
	super := make([]byte, 60000)
	flood := func(i int) {
		b.now = b.now.Add(time.Microsecond)
		b.step(Resolve{Interface: eth0, Addr: nth(i%200, false), Packet: super})
	}
	for i := range 2000 {
		flood(i)
	}
	for i := range 20 {
		b.step(Resolve{Interface: eth0, Addr: peer4, Packet: make([]byte, 1500), Tag: i})
		flood(i)
	}
	b.step(arpReply(peerMAC))
	if got := len(of[Release](b.out)); got != 20 {
		t.Errorf("%d of 20 packets to a fresh neighbour arrive beside full queues", got)
	}
	if most := DefaultConfig().MaxHeldBytes; b.m.HeldBytes() > most {
		t.Errorf("%d bytes held, at most %d are wanted", b.m.HeldBytes(), most)
	}
}

// A flooded link takes nothing from another one.
func TestFloodOfOneLink(t *testing.T) {
	b := newBench(t, func(_ *Config, i *InterfaceConfig) {
		i.Addresses = append(i.Addresses, netip.MustParsePrefix("10.255.255.1/8"))
	})
	const eth1 = eth0 + 1
	b.step(InterfaceUp{eth1, InterfaceConfig{MAC: newMAC, Addresses: []netip.Prefix{netip.MustParsePrefix("198.51.100.1/24")}}})
	same := from(netip.MustParseAddr("203.0.113.66"), packet.ProtoUDP, 84)
	for i := range 50_000 {
		b.now = b.now.Add(10 * time.Microsecond)
		b.step(Resolve{Interface: eth0, Addr: nth(i, false), Packet: same})
	}
	if b.m.Counters().Throttled == 0 {
		t.Fatal("the flood was none")
	}
	b.step(Resolve{Interface: eth1, Addr: netip.MustParseAddr("198.51.100.9"), Packet: same})
	if asked(b.out) == "" {
		t.Errorf("a neighbour on another link is not asked for: %v", b.out)
	}
}
