package arp

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

// nth is one of the many addresses of the interface's own subnets.
func nth(i int, six bool) netip.Addr {
	i++ // not the subnet's own address
	if six {
		b := our6.As16()
		binary.BigEndian.PutUint32(b[8:], uint32(i))
		return netip.AddrFrom16(b)
	}
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// A hundred thousand destinations that do not exist, in both families, while
// neighbours are in use: the table stays within its bounds, and nobody who is
// in use, configured or a route's next hop is lost (RFC 6583).
func TestFlood(t *testing.T) {
	const live = 20
	b := newBench(t, func(c *Config, i *InterfaceConfig) {
		c.MaxNeighbors, c.MaxIncomplete, c.MaxHeldBytes, c.RequestRate = 600, 128, 64<<10, 1000
		i.Addresses = append(i.Addresses, netip.MustParsePrefix("10.255.255.1/8"))
	})
	alive := map[netip.Addr]MAC{}
	answer := func() { // the live neighbours answer whatever asks for them
		for _, s := range of[SendFrame](b.out) {
			p := Packet(Ethernet(s.Frame).Payload())
			if mac, ok := alive[p.TargetAddr()]; ok && Ethernet(s.Frame).Type() == EtherTypeARP {
				b.step(arpFrame(ourMAC, mac, OpReply, mac, p.TargetAddr(), ourMAC, p.SenderAddr()))
			}
		}
	}
	for i := range live {
		a := netip.AddrFrom4([4]byte{192, 0, 2, byte(100 + i)})
		alive[a] = MAC{2, 1, 0, 0, 0, byte(i)}
		b.step(Resolve{Interface: eth0, Addr: a})
		answer()
	}
	gateway := netip.MustParseAddr("192.0.2.99") // silent, and asked for all the time
	packet, asked := make([]byte, 1500), 0
	throttled := 0
	for i := range 100_000 {
		b.now = b.now.Add(100 * time.Microsecond)
		b.step(Resolve{Interface: eth0, Addr: nth(i, i%2 == 0), Packet: packet})
		for _, d := range of[Dropped](b.out) {
			switch d.Reason {
			case Evicted, HoldFull:
			case Throttled:
				throttled++
			default:
				t.Fatalf("dropped for %v", d.Reason)
			}
		}
		asked += len(of[SendFrame](b.out))
		answer()
		if i%100 != 0 {
			continue
		}
		for a := range alive {
			e := b.tab.Lookup(eth0, a)
			if e == nil {
				t.Fatalf("packet %d: %v is lost", i, a)
			}
			if e.Use() {
				b.step(Used{e})
			}
		}
		if b.step(Resolve{Interface: eth0, Addr: gateway, Index: 1, Packet: packet}); len(of[Dropped](b.out)) > 1 {
			t.Fatalf("packet %d: the next hop's are dropped: %v", i, b.out)
		}
		if all, incomplete := b.m.Len(); all > 600 || incomplete > 128 || b.m.HeldBytes() > 64<<10 {
			t.Fatalf("packet %d: %d neighbours, %d of them incomplete, %d bytes held", i, all, incomplete, b.m.HeldBytes())
		}
	}
	if evicted := b.m.Counters().Evicted; evicted == 0 || throttled == 0 {
		t.Errorf("%d neighbours evicted, %d packets throttled: the flood was none", evicted, throttled)
	}
	if most := 3 * (10*1000 + 128 + 100*live); asked > most { // 10 s at RequestRate, its burst, and the live
		t.Errorf("%d requests in 10 s, want at most %d", asked, most)
	}
	if b.m.timers.Len() > 600+8 {
		t.Errorf("%d timers", b.m.timers.Len())
	}
	answered := nth(200_000, false)
	b.pass(5 * time.Second)
	b.step(Resolve{Interface: eth0, Addr: answered, Packet: packet})
	b.step(arpFrame(ourMAC, newMAC, OpReply, newMAC, answered, ourMAC, netip.MustParseAddr("10.255.255.1")))
	if len(of[Release](b.out)) != 1 {
		t.Errorf("after the flood a new neighbour is not resolved: %v", b.out)
	}
}

// A flood of neighbours that do speak, each once, pushes out those that
// nobody uses, the oldest first, and never one in use.
func TestTableFull(t *testing.T) {
	b := newBench(t, func(c *Config, i *InterfaceConfig) {
		c.MaxNeighbors = 50
		i.Addresses = append(i.Addresses, netip.MustParsePrefix("10.255.255.1/8"))
	})
	four.bring(b, Reachable)
	for i := range 1000 {
		mac := MAC{2, 2, 0, 0, byte(i >> 8), byte(i)}
		b.step(arpFrame(Broadcast, mac, OpRequest, mac, nth(i, false), MAC{}, our4))
		if len(of[SendFrame](b.out)) != 1 {
			t.Fatalf("request %d is not answered (RFC 6583 §7.1)", i)
		}
	}
	if all, _ := b.m.Len(); all != 50 {
		t.Errorf("%d neighbours, want 50", all)
	}
	if b.state(peer4) != Reachable || b.state(nth(999, false)) != Stale || b.state(nth(0, false)) != Absent {
		t.Errorf("kept: in use %v, the newest %v, the oldest %v", b.state(peer4), b.state(nth(999, false)), b.state(nth(0, false)))
	}
	for i := range 49 { // now all are in use
		e := b.tab.Lookup(eth0, nth(999-i, false))
		if e == nil || !e.Use() {
			t.Fatalf("neighbour %d is %+v", 999-i, e)
		}
		b.step(Used{e})
	}
	b.step(Resolve{Interface: eth0, Addr: nth(5000, false), Packet: []byte("packet")})
	if d := of[Dropped](b.out); len(d) != 1 || d[0].Reason != TableFull {
		t.Errorf("did %v, want the packet dropped: all neighbours are in use", b.out)
	}
}

// One request a second for a neighbour, three in all, whatever is sent to it
// (RFC 1122 §2.3.2.1, RFC 4861 §7.2.2).
func TestThrottle(t *testing.T) {
	for _, a := range []netip.Addr{peer4, peer6} {
		b := newBench(t)
		var at []time.Duration
		unreachable, start := 0, b.now
		for range 60 { // six seconds
			b.step(Resolve{Interface: eth0, Addr: a, Packet: []byte("packet")})
			if asked(b.out) != "" {
				at = append(at, b.now.Sub(start))
			}
			unreachable += len(of[Unreachable](b.out))
			b.pass(99 * time.Millisecond)
			if asked(b.out) != "" {
				at = append(at, b.now.Sub(start))
			}
			unreachable += len(of[Unreachable](b.out))
			b.now = b.now.Add(time.Millisecond)
		}
		if len(at) != 6 || unreachable != 30 {
			t.Errorf("%v: asked at %v, want 6 times in 6 s; %d packets came back, want the 30 of the first 3", a, at, unreachable)
		}
		for i := 1; i < len(at); i++ {
			if at[i]-at[i-1] < 900*time.Millisecond {
				t.Errorf("%v: asked at %v: more than once a second", a, at)
			}
		}
	}
}
