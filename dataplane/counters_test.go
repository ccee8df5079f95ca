package dataplane

import (
	"testing"

	"routerd/dataplane/port"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/internal/verdict"
)

// A super-packet counts as the packets that it carries, whatever becomes of it.
func TestSuperPacketsCountAsWhatTheyCarry(t *testing.T) {
	const count = 7
	for _, proto := range []uint8{packet.ProtoTCP, packet.ProtoUDP} {
		for _, v6 := range []bool{false, true} {
			whole, _ := super(t, proto, v6, count, 1000, 300)
			// The kernel tells how much it holds in one piece, headers and more.
			whole.Offload.HeaderLength += 500

			n := newNetwork(t)
			b := n.run(t, lan0, whole)
			b.counters.receive(b)
			for what, got := range map[string]uint64{
				"received": b.counters.Received().Packets, "sent": b.counters.Sent(lan1).Packets, "forwarded": b.counters.Verdict(verdict.Forwarded),
			} {
				if got != count {
					t.Errorf("protocol %d, IPv6 %t: %d packets %s, want %d", proto, v6, got, what, count)
				}
			}

			n = newNetwork(t)
			n.view.Interfaces[lan1].Offloads = 0 // it takes none, and gets the pieces
			b = n.run(t, lan0, whole)
			if sent, gone := b.counters.Sent(lan1).Packets, b.counters.Verdict(verdict.Forwarded); sent != count || gone != count {
				t.Errorf("protocol %d, IPv6 %t, in pieces: %d packets sent, %d forwarded, want %d", proto, v6, sent, gone, count)
			}

			n = newNetwork(t)
			n.ports[lan1].SetRoom(0)
			b = n.run(t, lan0, whole)
			if sent, lost := b.counters.Sent(lan1).Packets, b.counters.Verdict(verdict.EgressRefused); sent != 0 || lost != count {
				t.Errorf("protocol %d, IPv6 %t, refused by the device: %d packets sent, %d lost, want 0 and %d", proto, v6, sent, lost, count)
			}
		}
	}
}

// What a header says that makes no sense counts as one packet.
func TestCarriedOfNonsense(t *testing.T) {
	for _, off := range []port.Offload{
		{},
		{GSO: port.GSOTCPv4},
		{GSO: port.GSOTCPv4, SegmentSize: 1000, NeedsChecksum: true, ChecksumStart: 65535},
		{GSO: port.GSOUDPL4, SegmentSize: 1, NeedsChecksum: true, ChecksumStart: 65535},
		{GSO: port.GSOTCPv6, SegmentSize: 1, HeaderLength: 65535},
	} {
		if got := carried(&port.Frame{Buf: make([]byte, 100), End: 100, Offload: off}); got != 1 {
			t.Errorf("%+v counts as %d packets, want 1", off, got)
		}
	}
	long := port.Frame{Buf: make([]byte, port.MaxFrame), End: port.MaxFrame, Offload: port.Offload{GSO: port.GSOTCPv4, SegmentSize: 1}}
	if got := carried(&long); got != 65535 {
		t.Errorf("the longest frame in pieces of a byte counts as %d packets, want 65535", got)
	}
}

// A session has the packets and bytes of both directions, those in
// super-packets one by one, and none that explain has only asked about.
func TestNATSessionTraffic(t *testing.T) {
	n := newNATNetwork(t)
	n.pass(t, lan0, lan1, probe(t, "udp 10.0.1.2:4000 > 10.0.2.2:5000", 72)) // 100 bytes
	n.pass(t, lan1, lan0, probe(t, "udp 10.0.2.2:5000 > 10.0.2.1:4000", 172))
	whole, _ := super(t, packet.ProtoUDP, false, 5, 1000, 700)
	n.run(t, lan0, whole)
	var list [2]flow.Session
	got, _ := n.view.NAT.Sessions().Walk(0, list[:])
	want := flow.Traffic{Packets: 7, Bytes: 100 + 200 + uint64(len(whole.Data))}
	if got != 1 || list[0].Traffic != want {
		t.Errorf("%d sessions, the first has carried %+v; want one with %+v", got, list[0].Traffic, want)
	}
}
