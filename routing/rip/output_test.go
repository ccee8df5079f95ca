package rip

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/protocol"
	"routerd/routing/rip/wire"
)

// What a regular update says, by split horizon, of a route heard on eth0, one
// heard on eth1, and the links' own subnets.
func TestSplitHorizon(t *testing.T) {
	for horizon, want := range map[SplitHorizon][]string{
		PoisonReverse: {
			"eth0 224.0.0.9 response 10.0.1.0/24=1 198.51.100.0/24=16 203.0.113.0/24=3",
			"eth1 224.0.0.9 response 10.0.0.0/24=1 198.51.100.0/24=2 203.0.113.0/24=16",
		},
		Simple: {
			"eth0 224.0.0.9 response 10.0.1.0/24=1 203.0.113.0/24=3",
			"eth1 224.0.0.9 response 10.0.0.0/24=1 198.51.100.0/24=2",
		},
		NoHorizon: { // with the neighbour as next hop, since it is on the link
			"eth0 224.0.0.9 response 10.0.0.0/24=1 10.0.1.0/24=1 198.51.100.0/24=2>10.0.0.2 203.0.113.0/24=3",
			"eth1 224.0.0.9 response 10.0.0.0/24=1 10.0.1.0/24=1 198.51.100.0/24=2 203.0.113.0/24=3>10.0.1.2",
		},
	} {
		t.Run(horizon.String(), func(t *testing.T) {
			b := newBed(t, func(c *Config) {
				i := DefaultInterface()
				i.SplitHorizon = horizon
				c.Interfaces["eth0"], c.Interfaces["eth1"] = i, i
			})
			b.hear(eth0, peer, entry(netA, 1))
			b.hear(eth1, far, entry(netB, 2))
			b.advance(6 * time.Second) // the triggered update is over
			b.clear()
			b.advance(35 * time.Second)
			lines := b.sends()
			slices.Sort(lines)
			lines = slices.Compact(lines)
			if !slices.Equal(lines, want) {
				t.Errorf("sent:\n  %s\nwant:\n  %s", strings.Join(lines, "\n  "), strings.Join(want, "\n  "))
			}
		})
	}
}

// Regular updates come at the interval, give or take the jitter, and not all
// at the same distance.
func TestInterval(t *testing.T) {
	for _, tt := range []struct {
		protocol    Protocol
		least, most time.Duration
	}{{RIP, 25 * time.Second, 35 * time.Second}, {RIPng, 15 * time.Second, 45 * time.Second}} {
		b := newQuietBed(t, tt.protocol, nil)
		b.up()
		b.redistribute(pfx("2001:db8::/32"), 1, 1)
		b.advance(10 * time.Second)
		b.clear()
		var last time.Time
		distances := map[time.Duration]bool{}
		for range 2000 {
			b.now = b.m.Deadline()
			b.step(protocol.Tick{})
			for _, e := range b.out {
				if s, ok := e.(protocol.Send); !ok || s.Link != eth0 {
					continue
				}
				if d := b.now.Sub(last); !last.IsZero() {
					distances[d.Round(time.Millisecond)] = true
					if d < tt.least || d > tt.most {
						t.Fatalf("%v: an update %v after the last one", tt.protocol, d)
					}
				}
				last = b.now
			}
			b.clear()
		}
		if len(distances) < 20 {
			t.Errorf("%v: only %d different distances between updates", tt.protocol, len(distances))
		}
	}
}

// Whatever takes a route away, who was told of it is told that it is gone.
func TestPoison(t *testing.T) {
	const poison = "eth1 224.0.0.9 response 198.51.100.0/24=16"
	learned := func(b *bed) { b.hear(eth0, peer, entry(netA, 1)) }
	own := func(b *bed) { b.redistribute(netA, 2, 1) }
	export := func(b *bed, p Policy) {
		cfg := b.m.cfg
		i := DefaultInterface()
		i.Export = p
		cfg.Interfaces = map[string]InterfaceConfig{"eth0": DefaultInterface(), "eth1": i}
		b.step(protocol.Configure{Config: cfg})
	}
	for _, tt := range []struct {
		name         string
		make, break_ func(*bed)
	}{
		{"heard as unreachable", learned, func(b *bed) { b.hear(eth0, peer, entry(netA, 16)) }},
		{"timed out", learned, func(b *bed) { b.advance(180 * time.Second) }},
		{"interface down", learned, func(b *bed) { b.step(protocol.LinkDown{Link: eth0}) }},
		{"neighbour lost", learned, func(b *bed) { b.step(protocol.NeighborState{Link: eth0, Address: peer}) }},
		{"cleared", learned, func(b *bed) { b.step(Clear{routing.NoInterface, netip.Addr{}}) }},
		{"redistribution ended", own, func(b *bed) { b.takeBack(netA) }},
		{"redistributed with too high a metric", own, func(b *bed) { b.redistribute(netA, 16, 1) }},
		{"export refused, heard", learned, func(b *bed) { export(b, &refuse{netA, routing.SourceRIP}) }},
		{"export refused, redistributed", own, func(b *bed) { export(b, &refuse{netA, routing.SourceStatic}) }},
		{"heard on the other side", learned, func(b *bed) {
			b.step(protocol.NeighborState{Link: eth0, Address: peer})
			b.hear(eth1, far, entry(netA, 1))
		}},
		{"no longer spoken there", own, func(b *bed) {
			cfg := b.m.cfg
			cfg.Interfaces = map[string]InterfaceConfig{"eth0": DefaultInterface()}
			b.step(protocol.Configure{Config: cfg})
		}},
		{"passive", own, func(b *bed) {
			cfg := b.m.cfg
			i := DefaultInterface()
			i.Passive = true
			cfg.Interfaces = map[string]InterfaceConfig{"eth0": DefaultInterface(), "eth1": i}
			b.step(protocol.Configure{Config: cfg})
		}},
		{"stopped", own, func(b *bed) { b.step(protocol.Stop{}) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t, nil)
			tt.make(b)
			b.advance(6 * time.Second)
			b.clear()
			tt.break_(b)
			b.advance(5 * time.Second)
			found := false
			for _, line := range b.sends() {
				found = found || strings.HasPrefix(line, "eth1") && strings.Contains(line, "198.51.100.0/24=16")
			}
			if !found {
				t.Errorf("sent:\n  %s\nwant among it:\n  %s", strings.Join(b.sends(), "\n  "), poison)
			}
			b.m.sound(t)
		})
	}
}

// A neighbour that was never told of a route is not told of its end: poison does
// not reveal a route that a policy withholds.
func TestNoPoison(t *testing.T) {
	b := newBed(t, func(c *Config) {
		i := DefaultInterface()
		i.SplitHorizon, i.Export = Simple, &refuse{netA, routing.SourceStatic}
		c.Interfaces["eth0"], c.Interfaces["eth1"] = i, i
	})
	b.redistribute(netA, 1, 1)
	b.hear(eth0, peer, entry(netB, 1))
	b.advance(40 * time.Second)
	b.takeBack(netA)
	b.advance(300 * time.Second)
	for _, line := range b.sends() {
		if strings.Contains(line, "198.51.100.0") || strings.HasPrefix(line, "eth0") && strings.Contains(line, "203.0.113.0") {
			t.Errorf("sent: %s", line)
		}
	}
}

// The death of a route is repeated in regular updates until it is forgotten.
func TestPoisonRepeated(t *testing.T) {
	b := newBed(t, nil)
	b.redistribute(netA, 1, 1)
	b.advance(time.Second)
	b.takeBack(netA)
	b.advance(10 * time.Second)
	b.clear()
	b.advance(49 * time.Second)
	found := 0
	for _, line := range b.sends() {
		if strings.Contains(line, "198.51.100.0/24=16") {
			found++
		}
	}
	if found < 2 { // at least one regular update on each side
		t.Errorf("%d packets repeat the poison, want at least 2", found)
	}
}

// When the carrier goes, the others are told and asked within the same step,
// and asked again at most three times in 15 s.
func TestCarrierLoss(t *testing.T) {
	b := newBed(t, nil)
	b.hear(eth0, peer, entry(netA, 1))
	b.advance(500 * time.Millisecond)
	b.clear()
	b.step(protocol.LinkDown{Link: eth0}) // during the time after a triggered update
	b.wantRoute(netA, "")
	b.sent("eth1 224.0.0.9 response 10.0.0.0/24=16 198.51.100.0/24=16", "eth1 224.0.0.9 request all")
	b.hear(eth1, far, entry(netA, 3))
	b.wantRoute(netA, "4 by 10.0.1.2")
	b.clear()
	for range 20 {
		b.hear(eth1, far, entry(netA, 3))
		b.step(protocol.NeighborState{Link: eth1, Address: far})
		b.advance(100 * time.Millisecond)
	}
	asked := 0
	for _, line := range b.sends() {
		if strings.HasSuffix(line, "request all") {
			asked++
		}
	}
	if asked != 2 { // after the one above
		t.Errorf("asked %d times in 2 s, want 2", asked)
	}
	b.advance(15 * time.Second) // what was lost last is asked about then
	asked = 0
	for _, line := range b.sends() {
		if strings.HasSuffix(line, "request all") {
			asked++
		}
	}
	if asked != 3 {
		t.Errorf("asked %d times in 17 s, want 3", asked)
	}
}

// Large tables go in full packets, a burst at a time, and each route once.
func TestPacing(t *testing.T) {
	for _, tt := range []struct {
		protocol Protocol
		routes   int
		full     int // entries of a full packet
	}{{RIP, 1000, 25}, {RIPng, 1000, 72}} {
		b := newQuietBed(t, tt.protocol, nil)
		for n := range tt.routes {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(n >> 8), byte(n)}), 32)
			if tt.protocol == RIPng {
				p = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 14: byte(n >> 8), 15: byte(n)}), 128)
			}
			b.redistribute(p, 1, 1)
		}
		b.step(protocol.LinkUp{Link: eth0, Name: "eth0", Addresses: []netip.Prefix{pfx("10.0.0.1/24"), pfx("fe80::1/64")}, MTU: 1500})
		seen := map[netip.Prefix]int{}
		packets := 0
		for end := b.now.Add(20 * time.Second); ; {
			b.clear()
			if due := b.m.Deadline(); due.After(end) {
				break
			}
			b.now = b.m.Deadline()
			b.step(protocol.Tick{})
			inStep := 0
			for _, e := range b.out {
				s, ok := e.(protocol.Send)
				if !ok {
					continue
				}
				inStep++
				var p wire.Packet
				if err := tt.protocol.Decode(s.Payload, &p); err != nil {
					t.Fatal(err)
				}
				if n := len(p.Entries); n > tt.full {
					t.Errorf("%v: %d entries in a packet, at most %d", tt.protocol, n, tt.full)
				}
				if len(s.Payload) > 1500-48 {
					t.Errorf("%v: a packet of %d octets", tt.protocol, len(s.Payload))
				}
				packets++
				for _, e := range p.Entries {
					seen[e.Prefix]++
				}
			}
			if inStep > burst {
				t.Errorf("%v: %d packets in one step, at most %d", tt.protocol, inStep, burst)
			}
		}
		if want := (tt.routes + tt.full - 1) / tt.full; packets != want {
			t.Errorf("%v: %d packets, want %d", tt.protocol, packets, want)
		}
		for p, n := range seen {
			if n != 1 {
				t.Fatalf("%v: %v was told %d times, want once", tt.protocol, p, n)
			}
		}
		if len(seen) != tt.routes {
			t.Errorf("%v: %d routes told, want %d", tt.protocol, len(seen), tt.routes)
		}
	}
}

// A route that is deleted where an update under way would go on does not end
// the update.
func TestDeletedUnderWay(t *testing.T) {
	b := newBed(t, nil)
	for n := range 600 {
		b.redistribute(netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(n >> 8), byte(n)}), 32), 1, 1)
	}
	b.advance(10 * time.Second)
	i := b.m.interfaces[eth0]
	b.now = i.nextUpdate.At()
	b.step(protocol.Tick{})
	next := i.jobs[0].next
	b.takeBack(next.prefix)
	b.m.forget(next)
	b.clear()
	b.advance(100 * time.Millisecond)
	told := 0
	for _, e := range b.out {
		if s, ok := e.(protocol.Send); ok && s.Link == eth0 {
			told += (len(s.Payload) - wire.HeaderSize) / wire.EntrySize
		}
	}
	if told < 600-burst*25 { // the rest, without the one that went
		t.Errorf("%d routes told after the first burst, want %d", told, 600-burst*25)
	}
}

// Offsets, default routes, redistributed next hops on the link, passive
// interfaces with neighbours.
func TestSaid(t *testing.T) {
	b := newBed(t, func(c *Config) {
		i := DefaultInterface()
		i.OffsetOut = 3
		c.Interfaces["eth0"] = i
		p := DefaultInterface()
		p.Passive, p.Neighbors = true, []netip.Addr{far}
		c.Interfaces["eth1"] = p
		c.DefaultInformation = &Origination{Metric: 5, Tag: 9}
	})
	b.step(protocol.Notices{Notices: routing.Notices{Routes: []routing.Delta{
		{Route: routing.Route{Prefix: netA, Source: routing.SourceOSPF, Distance: 110, Metric: 2, Tag: 70000, NextHops: []routing.NextHop{{Address: far, Interface: eth1}}}},
		{Route: routing.Route{Prefix: netB, Source: routing.SourceOSPF, Distance: 110, Metric: 14}},
	}}})
	b.advance(6 * time.Second)
	b.clear()
	b.advance(40 * time.Second)
	lines := b.sends()
	slices.Sort(lines)
	want := []string{
		"eth0 224.0.0.9 response 0.0.0.0/0=8/9 10.0.1.0/24=4 198.51.100.0/24=5", // 14+3 cannot be said
		"eth1 10.0.1.2 response 0.0.0.0/0=5/9 10.0.0.0/24=1 198.51.100.0/24=2>10.0.1.2 203.0.113.0/24=14",
	}
	if lines = slices.Compact(lines); !slices.Equal(lines, want) {
		t.Errorf("sent:\n  %s\nwant:\n  %s", strings.Join(lines, "\n  "), strings.Join(want, "\n  "))
	}
}

// Metrics of the RIB that RIP cannot say.
func TestRedistributedMetrics(t *testing.T) {
	for metric, want := range map[uint32]uint8{0: 1, 1: 1, 15: 15, 16: 16, 255: 16, 257: 16, 1 << 16: 16} {
		b := newBed(t, nil)
		b.redistribute(netA, metric, 1)
		got := uint8(Infinity)
		if r, ok := b.m.Route(netA); ok {
			got = r.Metric
		}
		if got != want {
			t.Errorf("metric %d becomes %d, want %d", metric, got, want)
		}
	}
}

// The poison of a route that is still there, but not for the neighbours on
// one side, ends with the time for which a dead one would be announced.
func TestPoisonEnds(t *testing.T) {
	b := newBed(t, func(c *Config) {
		i := DefaultInterface()
		i.SplitHorizon = Simple
		c.Interfaces["eth1"] = i
	})
	b.hear(eth0, peer, entry(netA, 1))
	b.advance(time.Second)
	b.hear(eth0, peer, entry(netA, 16))
	b.hear(eth1, far, entry(netA, 1))
	for _, during := range []bool{true, false} {
		b.clear()
		b.advance(121 * time.Second)
		said := false
		for _, line := range b.sends() {
			said = said || strings.HasPrefix(line, "eth1") && strings.Contains(line, netA.String())
		}
		if said != during {
			t.Errorf("within the time of a dead route: %v; poisoned: %v", during, said)
		}
	}
}

// What has changed does not wait for a long update that is under way.
func TestTriggeredFirst(t *testing.T) {
	b := newBed(t, nil)
	for n := range 2000 {
		b.redistribute(netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(n >> 8), byte(n)}), 32), 1, 1)
	}
	b.hear(eth0, peer, entry(netA, 1))
	b.advance(10 * time.Second)
	b.now = b.m.interfaces[eth1].nextUpdate.At()
	b.step(protocol.Tick{})
	b.m.trigger = trigger{}
	b.step(protocol.NeighborState{Link: eth0, Address: peer})
	b.clear()
	b.advance(pause)
	if lines := b.sends(); !slices.Contains(lines, "eth1 224.0.0.9 response 198.51.100.0/24=16") {
		t.Errorf("during an update of 80 packets, the next burst has no word of a lost route: %d packets", len(lines))
	}
}

// Next hop entries of RIPng take room too (RFC 2080 §2.1.1).
func TestNextHopEntries(t *testing.T) {
	b := newQuietBed(t, RIPng, nil)
	var deltas []routing.Delta
	for n := range 100 {
		hop := routing.NextHop{Interface: routing.NoInterface}
		if n%2 == 0 {
			hop = routing.NextHop{Address: netip.AddrFrom16([16]byte{0xfe, 0x80, 15: byte(10 + n)}), Interface: eth0}
		}
		p := netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(n)}), 128)
		deltas = append(deltas, routing.Delta{Route: routing.Route{
			Prefix: p, Source: routing.SourceStatic, Metric: 1, NextHops: []routing.NextHop{hop},
		}})
	}
	b.step(protocol.Notices{Notices: routing.Notices{Routes: deltas}})
	b.up()
	b.advance(5 * time.Second)
	named := 0
	for _, e := range b.out {
		s, ok := e.(protocol.Send)
		if !ok || s.Link != eth0 {
			continue
		}
		if len(s.Payload) > 1500-48 {
			t.Errorf("a packet of %d octets on an MTU of 1500", len(s.Payload))
		}
		var p wire.Packet
		if err := RIPng.Decode(s.Payload, &p); err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Entries {
			if want := netip.AddrFrom16([16]byte{0xfe, 0x80, 15: 10 + e.Prefix.Addr().As16()[15]}); e.NextHop == want {
				named++
			} else if e.NextHop.IsValid() {
				t.Errorf("%v has next hop %v", e.Prefix, e.NextHop)
			}
		}
	}
	if named != 50 {
		t.Errorf("%d routes with a next hop of their own, want 50", named)
	}
}

// A port with two subnets speaks in each, and what is heard in one of them is
// not said in the other.
func TestSeveralAddresses(t *testing.T) {
	b := newQuietBed(t, RIP, func(c *Config) {
		i := DefaultInterface()
		i.SplitHorizon = Simple
		c.Interfaces["eth0"] = i
	})
	b.step(protocol.LinkUp{Link: eth0, Name: "eth0", Addresses: []netip.Prefix{pfx("10.0.0.1/24"), pfx("10.0.5.1/24"), pfx("10.0.0.7/24")}, MTU: 1500})
	b.redistribute(netB, 1, 1)
	b.advance(3 * time.Second)
	b.hear(eth0, addr("10.0.5.2"), entry(netA, 1))
	b.wantRoute(netA, "2 by 10.0.5.2")
	b.advance(60 * time.Second)
	from := map[string]int{}
	for _, e := range b.out {
		s, ok := e.(protocol.Send)
		if !ok {
			continue
		}
		from[s.Src.String()]++
	}
	if len(from) != 2 || from["10.0.0.1"] != from["10.0.5.1"] {
		t.Errorf("packets by source: %v, want as many from 10.0.0.1 as from 10.0.5.1", from)
	}
	for _, line := range b.sends() {
		if strings.Contains(line, netA.String()) || strings.Contains(line, "10.0.5.0") {
			t.Errorf("sent: %s", line)
		}
	}
}

// A subnet that a port gets later is asked too; the same ports told again are
// not news.
func TestAddressAdded(t *testing.T) {
	b := newBed(t, nil)
	b.step(protocol.LinkUp{Link: eth1, Name: "eth1", Addresses: []netip.Prefix{pfx("10.0.1.1/24")}, MTU: 1500})
	b.sent()
	b.step(protocol.LinkUp{Link: eth1, Name: "eth1", Addresses: []netip.Prefix{pfx("10.0.1.1/24"), pfx("10.0.7.1/24")}, MTU: 1500})
	b.sent("eth1 224.0.0.9 request all", "eth1 224.0.0.9 request all", "eth0 224.0.0.9 response 10.0.7.0/24=1")
}

// RIPng speaks from one link-local address, the same as long as it is there
// (RFC 2080 §2.5.2).
func TestLinkLocalSource(t *testing.T) {
	b := newQuietBed(t, RIPng, nil)
	source := func(want string) {
		t.Helper()
		got := fmt.Sprint(b.m.Interfaces()[0].Sources)
		if got != "["+want+"]" {
			t.Errorf("speaks from %s, want %s", got, want)
		}
	}
	b.step(protocol.LinkUp{Link: eth0, Name: "eth0", Addresses: []netip.Prefix{pfx("2001:db8::1/64"), pfx("fe80::5/64"), pfx("fe80::4/64")}, MTU: 1500})
	source("fe80::5")
	b.step(protocol.LinkUp{Link: eth0, Name: "eth0", Addresses: []netip.Prefix{pfx("fe80::4/64"), pfx("fe80::5/64")}, MTU: 1500})
	source("fe80::5")
	b.step(protocol.LinkUp{Link: eth0, Name: "eth0", Addresses: []netip.Prefix{pfx("fe80::4/64")}, MTU: 1500})
	source("fe80::4")
	b.step(protocol.LinkUp{Link: eth0, Name: "eth0", Addresses: []netip.Prefix{pfx("2001:db8::1/64")}, MTU: 1500})
	source("")
	b.clear()
	b.advance(time.Minute)
	b.sent()
}

// However long ago a route has changed, at the end it is poisoned.
func TestStop(t *testing.T) {
	for _, age := range []time.Duration{6 * time.Second, 10 * time.Minute} {
		b := newBed(t, nil)
		b.redistribute(netA, 1, 1)
		b.advance(age)
		b.clear()
		b.step(protocol.Stop{})
		b.sent("eth0 224.0.0.9 response 10.0.1.0/24=16 198.51.100.0/24=16", "eth1 224.0.0.9 response 10.0.0.0/24=16 198.51.100.0/24=16")
		if !b.m.stopped {
			t.Error("not stopped, but nothing is under way")
		}
		b.hear(eth0, peer, entry(netB, 1))
		b.wantRoute(netB, "")
		if d := b.m.Deadline(); !d.IsZero() {
			t.Errorf("stopped, but due at %v", d)
		}
	}
}
