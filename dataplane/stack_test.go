package dataplane

import (
	"bytes"
	"testing"
	"time"

	"routerd/arp"
	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/internal/packet"
	"routerd/internal/siphash"
	"routerd/internal/verdict"
	"routerd/routing"
)

const stackID routing.InterfaceID = lo + 1

// newStackNetwork is newNetwork with a TCP/IP stack of the router's own.
func newStackNetwork(tb testing.TB) *network {
	tb.Helper()
	n := newNetwork(tb)
	n.add(tb, stackID, "local-stack", 1500, port.OffloadAll)
	s := n.view.Interfaces[stackID]
	s.Kind, s.PointToPoint = KindStack, false
	n.view.Stack = s
	n.view.Limits.Stack = StackConfig{Rate: 100, Burst: 100}
	return n
}

func TestStackGetsWhatNobodyClaims(t *testing.T) {
	own4, own6 := build(t, udp4("10.0.1.1")), build(t, udp6("2001:db8:1::1"))
	e4, e6 := build(t, ping4("10.0.1.1")), build(t, ping6("2001:db8:1::1"))
	ttl := func(p Probe, n uint8) []byte { p.TTL = n; return build(t, p) }
	tcp := udp4("10.0.2.1") // the address of another interface
	tcp.Proto = packet.ProtoTCP
	linkLocal := udp6("fe80::1")
	linkLocal.Src = addr("fe80::2")
	own := udp4("10.0.2.2")
	own.Src = addr("10.0.2.1")
	for _, tt := range []struct {
		name   string
		packet []byte
		want   verdict.Verdict
	}{
		{"UDP", own4, verdict.DeliveredToStack},
		{"UDP over IPv6", own6, verdict.DeliveredToStack},
		{"TCP to another interface's address", build(t, tcp), verdict.DeliveredToStack},
		{"with the last hop, and with all of them", ttl(udp4("10.0.1.1"), 1), verdict.DeliveredToStack},
		{"TTL 255", ttl(udp4("10.0.1.1"), 255), verdict.DeliveredToStack},
		{"another protocol", edit4(own4, func(p packet.IPv4) { p.SetProtocol(89) }), verdict.DeliveredToStack},
		{"a next header", edit(own6, func(b []byte) { b[6] = 89 }), verdict.DeliveredToStack},
		{"an ICMP error", reICMP4(e4, 3, 4), verdict.DeliveredToStack},
		{"an echo reply", reICMP4(e4, 0, 0), verdict.DeliveredToStack},
		{"an ICMPv6 error", reICMP6(e6, 2, 0), verdict.DeliveredToStack},

		{"echo stays the dataplane's", e4, verdict.EchoReplied},
		{"echo over IPv6 stays the dataplane's", e6, verdict.EchoReplied},
		{"no next header", edit(own6, func(b []byte) { b[6] = packet.ProtoNoNextHeader }), verdict.NothingInside},
		{"a link-local address", build(t, linkLocal), verdict.PortUnreachable},
		{"what is not for the router", build(t, udp4("10.0.2.2")), verdict.Forwarded},
		{"the router's address from outside", build(t, own), verdict.SpoofedSource},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newStackNetwork(t)
			b := n.run(t, lan0, raw(tt.packet))
			if got := b.Packets()[0].Verdict; got != tt.want {
				t.Fatalf("verdict %s, want %s", got, tt.want)
			}
			got := n.ports[stackID].Take()
			if tt.want != verdict.DeliveredToStack {
				if len(got) != 0 {
					t.Errorf("the stack got %x", got[0].Data)
				}
				return
			}
			if len(got) != 1 || !bytes.Equal(got[0].Data, tt.packet) {
				t.Errorf("the stack got %v, want what arrived, unchanged", got)
			}
			if len(b.Made()) != 0 {
				t.Error("and an ICMP error was made")
			}
		})
	}
}

// Without a stack that is up its packets are refused as ever.
func TestStackThatIsDown(t *testing.T) {
	n := newStackNetwork(t)
	n.view.Stack.Up = false
	if got := n.run(t, lan0, raw(build(t, udp4("10.0.1.1")))).Packets()[0].Verdict; got != verdict.PortUnreachable {
		t.Errorf("verdict %s, want %s", got, verdict.PortUnreachable)
	}
}

func TestStackSends(t *testing.T) {
	from := func(p Probe, src string) Probe { p.Src = addr(src); return p }
	big := func(p Probe) Probe { p.Size, p.DontFragment = 1450, true; return p }
	last := func(p Probe) Probe { p.TTL = 1; return p }
	for _, tt := range []struct {
		name   string
		packet Probe
		want   verdict.Verdict
		errors int // ICMP errors that the stack gets
	}{
		{"IPv4", from(udp4("10.0.2.2"), "10.0.2.1"), verdict.Originated, 0},
		{"IPv6", from(udp6("2001:db8:2::2"), "2001:db8:2::1"), verdict.Originated, 0},
		{"one hop is enough for a neighbour", last(from(udp4("10.0.2.2"), "10.0.2.1")), verdict.Originated, 0},
		{"too big for the way out", big(from(udp4("10.0.2.2"), "10.0.2.1")), verdict.TooBig, 1},
		{"too big for the way out, IPv6", big(from(udp6("2001:db8:2::2"), "2001:db8:2::1")), verdict.TooBig, 1},
		{"nowhere", from(udp4("203.0.113.1"), "10.0.2.1"), verdict.NoRoute, 1},
		{"an address that is not the router's", from(udp4("10.0.2.2"), "10.0.2.9"), verdict.MartianSource, 0},
		{"an IPv6 address that is not the router's", from(udp6("2001:db8:2::2"), "2001:db8:2::9"), verdict.MartianSource, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newStackNetwork(t)
			data := build(t, tt.packet)
			if got := n.run(t, stackID, raw(data)).Packets()[0].Verdict; got != tt.want {
				t.Fatalf("verdict %s, want %s", got, tt.want)
			}
			if sent := n.ports[lan1].Take(); tt.want == verdict.Originated && (len(sent) != 1 || !bytes.Equal(sent[0].Data, data)) {
				t.Errorf("sent %v, want what the stack sent, hop count and all", sent)
			}
			got := n.ports[stackID].Take()
			if len(got) != tt.errors {
				t.Fatalf("the stack got %d packets, want %d", len(got), tt.errors)
			}
			for _, e := range got {
				if e.Data[0]>>4 == 4 && (packet.IPv4(e.Data).Dst() != tt.packet.Src || !packet.IPv4(e.Data).HeaderChecksumOK()) ||
					e.Data[0]>>4 == 6 && packet.IPv6(e.Data).Dst() != tt.packet.Src {
					t.Errorf("the error is %x, want one for %s", e.Data, tt.packet.Src)
				}
			}
		})
	}
}

// A super-packet reaches the stack whole, whatever the MTU.
func TestStackGetsSuperPackets(t *testing.T) {
	n := newStackNetwork(t)
	p := udp4("10.0.1.1")
	p.Proto, p.Size = packet.ProtoTCP, 20+20+4*1448
	super := memory.Packet{Data: build(t, p), Offload: port.Offload{
		NeedsChecksum: true, GSO: port.GSOTCPv4, HeaderLength: 40, SegmentSize: 1448, ChecksumStart: 20, ChecksumOffset: 16,
	}}
	if got := n.run(t, lan0, super).Packets()[0].Verdict; got != verdict.DeliveredToStack {
		t.Fatalf("verdict %s", got)
	}
	got := n.ports[stackID].Take()
	if len(got) != 1 || !bytes.Equal(got[0].Data, super.Data) || got[0].Offload != super.Offload {
		t.Errorf("the stack got %d packets, want the one that arrived, whole", len(got))
	}
}

// Fragments reach the stack as the packet that they are of.
func TestStackGetsReassembledPackets(t *testing.T) {
	n := newStackNetwork(t)
	whole := build(t, udp4("10.0.1.1")) // 80 bytes behind the header
	part := func(from, to int, more bool) memory.Packet {
		b := append(append([]byte(nil), whole[:20]...), whole[20+from:20+to]...)
		ip := packet.IPv4(b)
		ip.SetTotalLen(len(b))
		ip.SetFragment(false, more, from)
		ip.FillChecksum()
		return raw(b)
	}
	b := n.run(t, lan0, part(0, 40, true), part(40, 80, false))
	if first, second := b.Packets()[0].Verdict, b.Packets()[1].Verdict; first != verdict.FragmentHeld || second != verdict.DeliveredToStack {
		t.Errorf("verdicts %s and %s", first, second)
	}
	if got := n.ports[stackID].Take(); len(got) != 1 || !bytes.Equal(got[0].Data[20:], whole[20:]) {
		t.Errorf("the stack got %v, want one whole packet", got)
	}
}

// Each class has a bucket of its own, what is beyond it goes without an ICMP
// error, and forwarding does not know of any.
func TestStackIsPoliced(t *testing.T) {
	n := newStackNetwork(t)
	n.view.Limits.Stack = StackConfig{Rate: 10, Burst: 3}
	b := NewBatch(BatchSize, &Counters{}, &DropRing{})
	flood := make([]memory.Packet, 10)
	for i := range flood {
		flood[i] = raw(build(t, udp4("10.0.1.1")))
	}
	n.runIn(t, b, lan0, flood...)
	tcp := udp4("10.0.1.1")
	tcp.Proto = packet.ProtoTCP
	n.runIn(t, b, lan0, raw(build(t, tcp)), raw(build(t, udp4("10.0.2.2"))))
	for v, want := range map[verdict.Verdict]uint64{
		verdict.DeliveredToStack: 4, verdict.LocalPoliced: 7, verdict.Forwarded: 1, verdict.Originated: 0,
	} {
		if got := b.counters.Verdict(v); got != want {
			t.Errorf("%d packets %s, want %d", got, v, want)
		}
	}
	fill(b, lan0, raw(build(t, udp4("10.0.1.1"))))
	Process(n.view, b, testNow.Add(time.Second))
	if got := b.Packets()[0].Verdict; got != verdict.DeliveredToStack {
		t.Errorf("a second later: %s", got)
	}
}

// What waited for a neighbour is still the stack's when it is released or
// given up.
func TestStackWaitsForNeighbors(t *testing.T) {
	n := newStackNetwork(t)
	p := udp4("10.0.2.2")
	p.Src = addr("10.0.2.1")
	b := NewBatch(1, &Counters{}, &DropRing{})
	h := Held{Packet: build(t, p), In: stackID, Out: lan1}
	Refuse(n.view, b, h, verdict.NeighborFailed, testNow)
	if got := n.ports[stackID].Take(); len(got) != 1 || packet.ICMP(packet.IPv4(got[0].Data).Payload()).Type() != 3 {
		t.Errorf("the stack got %v, want a host unreachable", got)
	}
	Release(n.view, b, h, [6]byte{2}, testNow)
	for v, want := range map[verdict.Verdict]uint64{verdict.NeighborFailed: 1, verdict.DeliveredToStack: 1, verdict.Originated: 1} {
		if got := b.counters.Verdict(v); got != want {
			t.Errorf("%d packets %s, want %d", got, v, want)
		}
	}
}

// A flow that the stack begins is the router's own to the neighbour machine.
func TestStackAsksForNeighbors(t *testing.T) {
	n := newStackNetwork(t)
	n.view.Interfaces[lan1].LinkHeader = 14
	n.view.Neighbors = arp.NewTable(16, siphash.Key{1})
	p := udp4("10.0.2.2")
	for in, src := range map[routing.InterfaceID]string{stackID: "10.0.2.1", lan0: "10.0.1.2"} {
		b := NewBatch(1, &Counters{}, &DropRing{})
		asked := &asker{}
		b.punter = asked
		p.Src = addr(src)
		n.runIn(t, b, in, raw(build(t, p)))
		if len(asked.own) != 1 || asked.own[0] != (in == stackID) {
			t.Errorf("from %s: asked as the router's own %v, want [%v]", src, asked.own, in == stackID)
		}
	}
}

type asker struct{ own []bool }

func (a *asker) Punt(list []Punt) {
	for i := range list {
		if list[i].Kind == PuntResolve {
			a.own = append(a.own, list[i].Own)
		}
	}
}

func TestStackIsExplained(t *testing.T) {
	n := newStackNetwork(t)
	x := Explain(n.view, lan0, build(t, udp4("10.0.1.1")), testNow)
	if x.Verdict != verdict.DeliveredToStack || x.Answer != nil {
		t.Errorf("explained as %+v", x)
	}
	if got := n.ports[stackID].Take(); len(got) != 0 {
		t.Error("and sent")
	}
}
