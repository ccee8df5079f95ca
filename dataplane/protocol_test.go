package dataplane

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"routerd/arp"
	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// recordingSink keeps the packets that it gets, up to room of them.
type recordingSink struct {
	room  int
	heard []Received
}

func (e *recordingSink) Receive(h *Received) verdict.Verdict {
	if len(e.heard) == e.room {
		return verdict.ProtocolQueueFull
	}
	kept := *h
	kept.Packet = bytes.Clone(h.Packet)
	e.heard = append(e.heard, kept)
	return verdict.HandedToProtocol
}

// newClaimingNetwork has RIP and RIPng heard by e on lan0, with a stack beside.
func newClaimingNetwork(t *testing.T, e *recordingSink) *network {
	n := newStackNetwork(t)
	l := &Listeners{}
	for _, c := range []Claim{
		{Family: 4, Protocol: packet.ProtoUDP, Port: 520, Broadcast: true, Sink: e},
		{Family: 6, Protocol: packet.ProtoUDP, Port: 521, Sink: e},
	} {
		if err := l.Claim(c); err != nil {
			t.Fatal(err)
		}
	}
	l.Join(addr("224.0.0.9"))
	l.Join(addr("ff02::9"))
	n.view.Interfaces[lan0].Listeners = l
	return n
}

func rip(src, dst string) Probe {
	p := udp4(dst)
	p.Src = addr(src)
	p.SrcPort, p.DstPort = 520, 520
	if p.Dst.Is6() {
		p.SrcPort, p.DstPort = 521, 521
	}
	return p
}

func TestProtocolsHearTheirOwn(t *testing.T) {
	on := func(p Probe, port uint16) Probe { p.DstPort = port; return p }
	rip4 := build(t, rip("10.0.1.2", "224.0.0.9"))
	noChecksum := edit(rip4, func(b []byte) { packet.UDP(b[20:]).SetChecksum(0) })
	rip6 := build(t, rip("fe80::2", "ff02::9"))
	for _, tt := range []struct {
		name   string
		packet []byte
		in     routing.InterfaceID
		want   verdict.Verdict
	}{
		{"RIP to its group", rip4, lan0, verdict.HandedToProtocol},
		{"to the router's address", build(t, rip("10.0.1.2", "10.0.1.1")), lan0, verdict.HandedToProtocol},
		{"to everybody", build(t, rip("10.0.1.2", "255.255.255.255")), lan0, verdict.HandedToProtocol},
		{"without a checksum, as IPv4 allows", noChecksum, lan0, verdict.HandedToProtocol},
		{"RIPng to its group", rip6, lan0, verdict.HandedToProtocol},
		{"RIPng to the link-local address", build(t, rip("fe80::2", "fe80::1")), lan0, verdict.HandedToProtocol},

		{"an interface that runs none", build(t, rip("10.0.2.2", "224.0.0.9")), lan1, verdict.Multicast},
		{"everybody, where none listens", build(t, rip("10.0.2.2", "255.255.255.255")), lan1, verdict.Broadcast},
		{"another port, to everybody", build(t, on(rip("10.0.1.2", "255.255.255.255"), 68)), lan0, verdict.Broadcast},
		{"another port of the group", build(t, on(rip("10.0.1.2", "224.0.0.9"), 521)), lan0, verdict.PortUnreachable},
		{"another port of the router", build(t, on(rip("10.0.1.2", "10.0.1.1"), 53)), lan0, verdict.DeliveredToStack},
		{"RIP's port over IPv6", build(t, on(rip("2001:db8:1::2", "2001:db8:1::1"), 520)), lan0, verdict.DeliveredToStack},
		{"what is for somebody else", build(t, rip("10.0.1.2", "10.0.2.2")), lan0, verdict.Forwarded},

		{"a wrong checksum", edit(rip4, func(b []byte) { b[len(b)-1]++ }), lan0, verdict.BadUDPChecksum},
		{"a length beyond the packet", edit(rip4, func(b []byte) { packet.UDP(b[20:]).SetLength(2000) }), lan0, verdict.BadUDPChecksum},
		{"a length below the header", edit(noChecksum, func(b []byte) { packet.UDP(b[20:]).SetLength(7) }), lan0, verdict.BadUDPChecksum},
		{"no checksum in IPv6", edit(rip6, func(b []byte) { packet.UDP(b[40:]).SetChecksum(0) }), lan0, verdict.BadUDPChecksum},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := &recordingSink{room: 1}
			n := newClaimingNetwork(t, e)
			b := NewBatch(BatchSize, &Counters{}, &DropRing{})
			n.runIn(t, b, tt.in, raw(tt.packet))
			if got := b.Packets()[0].Verdict; got != tt.want {
				t.Fatalf("verdict %s, want %s", got, tt.want)
			}
			if tt.want != verdict.HandedToProtocol {
				if len(e.heard) != 0 {
					t.Errorf("and was heard: %+v", e.heard)
				}
				return
			}
			want := Received{In: tt.in, Packet: tt.packet, Transport: 20}
			if tt.packet[0]>>4 == 6 {
				want.Transport = 40
			}
			if len(e.heard) != 1 || e.heard[0].In != want.In ||
				e.heard[0].Transport != want.Transport || !bytes.Equal(e.heard[0].Packet, want.Packet) {
				t.Errorf("heard %+v, want %+v", e.heard, want)
			}
		})
	}
}

// A whole batch of a protocol's messages is handed over: a neighbour's table
// comes in one burst.
func TestProtocolsHearWholeBatches(t *testing.T) {
	n := newClaimingNetwork(t, &recordingSink{room: BatchSize - 1})
	b := NewBatch(BatchSize, &Counters{}, &DropRing{})
	messages := slices.Repeat([]memory.Packet{raw(build(t, rip("10.0.1.2", "224.0.0.9")))}, BatchSize)
	n.runIn(t, b, lan0, messages...)
	if got, full := b.counters.Verdict(verdict.HandedToProtocol), b.counters.Verdict(verdict.ProtocolQueueFull); got != BatchSize-1 || full != 1 {
		t.Errorf("%d were handed over and %d refused, want %d and 1", got, full, BatchSize-1)
	}
}

// RIP version 1 comes to a subnet's broadcast address in a frame for everybody.
func TestProtocolsHearSubnetBroadcasts(t *testing.T) {
	n := newClaimingNetwork(t, &recordingSink{room: 1})
	in := n.view.Interfaces[lan0]
	in.LinkHeader, in.MAC = arp.EthernetHeader, arp.MAC{2, 0, 0, 0, 0, 1}
	for dst, want := range map[string]verdict.Verdict{
		"10.0.1.255": verdict.HandedToProtocol,
		"10.0.1.1":   verdict.LinkBroadcast,
		"10.0.2.255": verdict.LinkBroadcast,
	} {
		frame := arp.AppendEthernet(nil, arp.Broadcast, arp.MAC{2, 0, 0, 0, 0, 9}, arp.EtherTypeIPv4)
		b := NewBatch(BatchSize, &Counters{}, &DropRing{})
		n.runIn(t, b, lan0, raw(append(frame, build(t, rip("10.0.1.2", dst))...)))
		if got := b.Packets()[0].Verdict; got != want {
			t.Errorf("to %s: verdict %s, want %s", dst, got, want)
		}
	}
}

// Protocols beside UDP are claimed by their number, on one interface or on all.
func TestProtocolsHearIPProtocols(t *testing.T) {
	const ospf = 89
	e, everywhere := &recordingSink{room: 9}, &recordingSink{room: 9}
	n := newClaimingNetwork(t, e)
	n.view.Listeners = &Listeners{}
	hello := edit(build(t, rip("10.0.1.2", "10.0.1.1")), func(b []byte) {
		b[9] = ospf
		packet.IPv4(b).FillChecksum()
	})
	group := edit(hello, func(b []byte) { copy(b[16:], addr("224.0.0.5").AsSlice()); packet.IPv4(b).FillChecksum() })
	on := n.view.Interfaces[lan0].Listeners
	run := func(in routing.InterfaceID, raw1 []byte) verdict.Verdict {
		b := NewBatch(BatchSize, &Counters{}, &DropRing{})
		n.runIn(t, b, in, raw(raw1))
		return b.Packets()[0].Verdict
	}
	want := func(what string, got, want verdict.Verdict) {
		t.Helper()
		if got != want {
			t.Errorf("%s: verdict %s, want %s", what, got, want)
		}
	}
	want("nobody claims it", run(lan0, hello), verdict.DeliveredToStack)
	claim := Claim{Family: 4, Protocol: ospf, Sink: e}
	if err := on.Claim(claim); err != nil {
		t.Fatal(err)
	}
	want("claimed", run(lan0, hello), verdict.HandedToProtocol)
	want("a group not joined", run(lan0, group), verdict.Multicast)
	on.Join(addr("224.0.0.5"))
	on.Join(addr("224.0.0.5"))
	want("a group joined twice", run(lan0, group), verdict.HandedToProtocol)
	on.Leave(addr("224.0.0.5"))
	want("a group left once", run(lan0, group), verdict.HandedToProtocol)
	on.Leave(addr("224.0.0.5"))
	on.Leave(addr("224.0.0.5")) // more than joined
	want("a group left by all", run(lan0, group), verdict.Multicast)
	want("another interface", run(lan1, edit(hello, func(b []byte) {
		copy(b[12:], addr("10.0.2.2").AsSlice())
		packet.IPv4(b).FillChecksum()
	})), verdict.DeliveredToStack)
	if err := on.Claim(Claim{Family: 4, Protocol: ospf, Sink: everywhere}); err == nil {
		t.Error("two protocols have the same packets")
	}
	on.Release(Claim{Family: 4, Protocol: ospf, Sink: everywhere})
	want("released by somebody else", run(lan0, hello), verdict.HandedToProtocol)
	on.Release(claim)
	want("released", run(lan0, hello), verdict.DeliveredToStack)
	if err := n.view.Listeners.Claim(Claim{Family: 4, Protocol: ospf, Sink: everywhere}); err != nil {
		t.Fatal(err)
	}
	want("claimed on all interfaces", run(lan0, hello), verdict.HandedToProtocol)
	if len(e.heard) != 4 || len(everywhere.heard) != 1 {
		t.Errorf("heard %d and %d packets, want 4 and 1", len(e.heard), len(everywhere.heard))
	}
}

// Claims and groups change while workers look at them.
func TestListenersChangeUnderTraffic(t *testing.T) {
	e := &recordingSink{room: 1 << 30}
	n := newClaimingNetwork(t, e)
	l := n.view.Interfaces[lan0].Listeners
	var changing sync.WaitGroup
	for i := range 2 {
		changing.Go(func() {
			c := Claim{Family: 4, Protocol: uint8(90 + i), Sink: e}
			for range 300 {
				if err := l.Claim(c); err != nil {
					t.Error(err)
				}
				l.Join(addr("224.0.0.5"))
				l.Leave(addr("224.0.0.5"))
				l.Release(c)
			}
		})
	}
	message := build(t, rip("10.0.1.2", "224.0.0.9"))
	b := NewBatch(BatchSize, &Counters{}, &DropRing{})
	for range 300 {
		n.runIn(t, b, lan0, raw(message))
		if got := b.Packets()[0].Verdict; got != verdict.HandedToProtocol {
			t.Fatalf("verdict %s while others change, want %s", got, verdict.HandedToProtocol)
		}
	}
	changing.Wait()
	if g := l.Groups(); !slices.Equal(g, []netip.Addr{addr("224.0.0.9"), addr("ff02::9")}) {
		t.Errorf("the groups left are %v", g)
	}
}

// What is spoken together is written together, in its order.
func TestSendOwnManyAtOnce(t *testing.T) {
	n := newClaimingNetwork(t, &recordingSink{})
	b := NewUnread(3, &Counters{}, &DropRing{})
	message := func(tail byte) []byte {
		return edit(build(t, rip("10.0.1.1", "224.0.0.9")), func(b []byte) { b[len(b)-1] = tail })
	}
	byTable := build(t, rip("10.0.1.1", "10.0.2.2"))
	SendOwn(n.view, b, []OwnPacket{
		{lan0, message(1)}, {lan2, message(2)}, {lan0, message(3)}, {lan0, message(4)},
	}, testNow)
	b.Transmit(testNow)
	SendOwn(n.view, b, []OwnPacket{{routing.NoInterface, byTable}, {lan0, message(5)}}, testNow)
	b.Transmit(testNow)
	var tails []byte
	for _, p := range n.ports[lan0].Take() {
		tails = append(tails, p.Data[len(p.Data)-1])
	}
	if !bytes.Equal(tails, []byte{1, 3, 5}) {
		t.Errorf("sent by lan0: %v, want 1, 3 and 5; the fourth is beyond the batch", tails)
	}
	if got := n.ports[lan1].Take(); len(got) != 1 || !bytes.Equal(got[0].Data, byTable) {
		t.Errorf("sent %v by the table, want the message as it is", got)
	}
	if got := b.counters.Verdict(verdict.InterfaceDown); got != 1 {
		t.Errorf("%d messages ended as interface down, want 1", got)
	}
}

// A batch that nothing is read into needs no more memory than what it sent, and
// sends the longest packets too.
func TestUnreadFramesAreAsLargeAsWhatIsSent(t *testing.T) {
	n := newClaimingNetwork(t, &recordingSink{})
	b := NewUnread(32, &Counters{}, &DropRing{})
	room := func() (sum int) {
		for i := range b.frames {
			sum += len(b.frames[i].Buf)
		}
		return sum
	}
	if got := room(); got != 0 {
		t.Errorf("%d bytes before anything is sent, want none", got)
	}
	message := build(t, rip("10.0.1.1", "224.0.0.9"))
	SendOwn(n.view, b, []OwnPacket{{lan0, message}, {lan0, message}}, testNow)
	b.Transmit(testNow)
	if got := room(); got != 2*leastBuffer {
		t.Errorf("%d bytes for two short packets, want %d", got, 2*leastBuffer)
	}
	n.ports[lan0].Take()
	n.view.Interfaces[lan0].MTU = 65535
	long := build(t, rip("10.0.1.1", "224.0.0.9"))
	long = append(long, make([]byte, 65535-len(long))...)
	binary.BigEndian.PutUint16(long[2:], uint16(len(long)))
	for _, p := range [][]byte{long, message, append(long, make([]byte, port.MaxFrame)...), nil} {
		SendOwn(n.view, b, []OwnPacket{{lan0, p}}, testNow)
		b.Transmit(testNow)
	}
	sent := n.ports[lan0].Take()
	if len(sent) != 2 || !bytes.Equal(sent[0].Data, long) || !bytes.Equal(sent[1].Data, message) {
		t.Errorf("sent %d packets, want the long one and the short one as they are, and neither one beyond all bounds nor an empty one", len(sent))
	}
}

func TestSendOwn(t *testing.T) {
	n := newClaimingNetwork(t, &recordingSink{})
	b := NewBatch(1, &Counters{}, &DropRing{})
	message := build(t, rip("10.0.1.1", "224.0.0.9"))
	say := func(out routing.InterfaceID) {
		SendOwn(n.view, b, []OwnPacket{{out, message}}, testNow)
		b.Transmit(testNow)
	}
	say(lan0)
	if got := n.ports[lan0].Take(); len(got) != 1 || !bytes.Equal(got[0].Data, message) {
		t.Errorf("sent %v, want the message as it is", got)
	}
	say(lan2) // down
	if got := b.counters.Verdict(verdict.InterfaceDown); got != 1 {
		t.Errorf("%d messages ended as interface down, want 1", got)
	}
	out := n.view.Interfaces[lan0]
	out.LinkHeader, out.MAC = arp.EthernetHeader, arp.MAC{2, 0, 0, 0, 0, 1}
	say(lan0)
	want := append(arp.AppendEthernet(nil, arp.MAC{1, 0, 0x5e, 0, 0, 9}, out.MAC, arp.EtherTypeIPv4), message...)
	if got := n.ports[lan0].Take(); len(got) != 1 || !bytes.Equal(got[0].Data, want) {
		t.Errorf("sent %v, want %x", got, want)
	}
	out.LinkHeader = 0
	message = build(t, rip("10.0.1.1", "10.0.2.2"))
	if !out.PointToPoint || !out.Reaches(addr("10.0.2.2")) {
		t.Error("on a point-to-point link somebody is beyond its reach")
	}
	out.PointToPoint = false
	if out.Reaches(addr("10.0.2.2")) || !out.Reaches(addr("10.0.1.2")) || !out.Reaches(addr("224.0.0.9")) || !out.Reaches(addr("fe80::2")) {
		t.Error("an interface reaches its own subnets and groups, and nobody else")
	}
	say(routing.NoInterface)
	if got := n.ports[lan1].Take(); len(got) != 1 || !bytes.Equal(got[0].Data, message) {
		t.Errorf("sent %v by the table, want the message as it is", got)
	}
	if got := b.counters.Verdict(verdict.Originated); got != 3 {
		t.Errorf("%d messages were counted as originated, want 3", got)
	}
}
