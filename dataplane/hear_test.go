package dataplane

import (
	"bytes"
	"slices"
	"testing"

	"routerd/arp"
	"routerd/dataplane/port/memory"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// ear keeps what it is handed to hear, up to room datagrams.
type ear struct {
	nobody
	room  int
	heard []Heard
}

func (e *ear) Hear(list []Heard) {
	for i := range list {
		if len(e.heard) == e.room {
			list[i].Refused = true
			continue
		}
		h := list[i]
		h.Packet = bytes.Clone(h.Packet)
		e.heard = append(e.heard, h)
	}
}

// newClaimingNetwork has RIP on lan0 and RIPng on lan0, with a stack beside.
func newClaimingNetwork(t *testing.T) *network {
	n := newStackNetwork(t)
	n.view.Interfaces[lan0].Claims = []Claim{
		{Protocol: ProtocolRIP, Port: 520, Group: addr("224.0.0.9"), Broadcast: true},
		{Protocol: ProtocolRIPng, Port: 521, Group: addr("ff02::9")},
	}
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
			n := newClaimingNetwork(t)
			e := &ear{room: 1}
			b := NewBatch(BatchSize, &Counters{}, &DropRing{})
			b.punter = e
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
			want := Heard{Protocol: ProtocolRIP, In: tt.in, Packet: tt.packet, Transport: 20}
			if tt.packet[0]>>4 == 6 {
				want.Protocol, want.Transport = ProtocolRIPng, 40
			}
			if len(e.heard) != 1 || e.heard[0].Protocol != want.Protocol || e.heard[0].In != want.In ||
				e.heard[0].Transport != want.Transport || !bytes.Equal(e.heard[0].Packet, want.Packet) {
				t.Errorf("heard %+v, want %+v", e.heard, want)
			}
		})
	}
}

// A whole batch of a protocol's messages is handed over: a neighbour's table
// comes in one burst.
func TestProtocolsHearWholeBatches(t *testing.T) {
	n := newClaimingNetwork(t)
	e := &ear{room: BatchSize - 1}
	b := NewBatch(BatchSize, &Counters{}, &DropRing{})
	b.punter = e
	messages := slices.Repeat([]memory.Packet{raw(build(t, rip("10.0.1.2", "224.0.0.9")))}, BatchSize)
	n.runIn(t, b, lan0, messages...)
	if got, full := b.counters.Verdict(verdict.HandedToProtocol), b.counters.Verdict(verdict.ProtocolQueueFull); got != BatchSize-1 || full != 1 {
		t.Errorf("%d were handed over and %d refused, want %d and 1", got, full, BatchSize-1)
	}
}

// RIP version 1 comes to a subnet's broadcast address in a frame for everybody.
func TestProtocolsHearSubnetBroadcasts(t *testing.T) {
	n := newClaimingNetwork(t)
	in := n.view.Interfaces[lan0]
	in.LinkHeader, in.MAC = arp.EthernetHeader, arp.MAC{2, 0, 0, 0, 0, 1}
	for dst, want := range map[string]verdict.Verdict{
		"10.0.1.255": verdict.HandedToProtocol,
		"10.0.1.1":   verdict.LinkBroadcast,
		"10.0.2.255": verdict.LinkBroadcast,
	} {
		frame := arp.AppendEthernet(nil, arp.Broadcast, arp.MAC{2, 0, 0, 0, 0, 9}, arp.EtherTypeIPv4)
		b := NewBatch(BatchSize, &Counters{}, &DropRing{})
		b.punter = &ear{room: 1}
		n.runIn(t, b, lan0, raw(append(frame, build(t, rip("10.0.1.2", dst))...)))
		if got := b.Packets()[0].Verdict; got != want {
			t.Errorf("to %s: verdict %s, want %s", dst, got, want)
		}
	}
}

func TestSpeak(t *testing.T) {
	n := newClaimingNetwork(t)
	b := NewBatch(1, &Counters{}, &DropRing{})
	message := build(t, rip("10.0.1.1", "224.0.0.9"))
	say := func(out routing.InterfaceID) {
		Speak(n.view, b, out, message, testNow)
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
