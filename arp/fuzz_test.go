package arp

import (
	"net/netip"
	"testing"
	"time"

	"routerd/internal/corpus"
	"routerd/internal/packet"
)

// whole puts an IPv6 header before an ICMPv6 message from the corpora, which
// have lost theirs, with a checksum that agrees.
func whole(icmpv6 []byte, src, dst netip.Addr, kind uint8) []byte {
	b := beginND(nil, src, dst, kind)
	b = append(b[:packet.IPv6Header], icmpv6...)
	if len(icmpv6) >= 4 && len(icmpv6) < 65536 {
		return resum(b)
	}
	return b
}

// Every captured packet is decoded or refused, by the codec and by the
// machine.
func TestCorpora(t *testing.T) {
	b := newBench(t)
	good := 0
	for _, p := range corpus.Hex(t, "arp") {
		if Packet(p).Valid() {
			good++
		}
		b.step(Received{eth0, append(AppendEthernet(nil, Broadcast, peerMAC, EtherTypeARP), p...)})
	}
	if good == 0 {
		t.Error("no ARP packet of the corpus is valid")
	}
	good = 0
	for _, p := range corpus.Hex(t, "icmpv6") {
		for _, src := range []netip.Addr{LinkLocal(peerMAC), nobody} {
			dst := AllNodes
			if len(p) >= 24 && p[0] == 135 {
				dst = SolicitedNode(netip.AddrFrom16([16]byte(p[8:24])))
			}
			x := whole(p, src, dst, 0)
			if _, err := Parse(x); err == nil {
				good++
			}
			b.step(Received{eth0, append(AppendEthernet(nil, MulticastMAC(dst), peerMAC, EtherTypeIPv6), x...)})
		}
	}
	if good == 0 {
		t.Error("no discovery message of the corpus is valid")
	}
}

func FuzzPacket(f *testing.F) {
	f.Add([]byte(request))
	for _, p := range corpus.Hex(f, "arp") {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p := Packet(b)
		if !p.Valid() {
			return
		}
		again := AppendPacket(nil, p.Op(), p.SenderMAC(), p.SenderAddr(), p.TargetMAC(), p.TargetAddr())
		if string(again) != string(b[:PacketLen]) {
			t.Errorf("read and built again: % x, was % x", again, b)
		}
		m := newBench(t)
		m.step(Received{eth0, append(AppendEthernet(nil, Broadcast, p.SenderMAC(), EtherTypeARP), b...)})
		m.pass(time.Second)
	})
}

func FuzzDiscovery(f *testing.F) {
	for _, p := range messages() {
		f.Add(p[packet.IPv6Header:])
	}
	for _, p := range corpus.Hex(f, "icmpv6") {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := newBench(t)
		for _, src := range []netip.Addr{peer6, LinkLocal(peerMAC), nobody} {
			for _, dst := range []netip.Addr{our6, AllNodes, SolicitedNode(our6)} {
				p := packet.IPv6(whole(b, src, dst, 0))
				if !p.Valid() {
					return
				}
				if msg, err := Parse(p); err == nil {
					options := 0
					for _, o := range msg.Options {
						options += len(o)
					}
					if options != len(msg.options) {
						t.Errorf("%d bytes of options were walked, want %d: % x", options, len(msg.options), b)
					}
					for p := range msg.Prefixes {
						if !p.Prefix.IsValid() {
							t.Errorf("prefix %v: % x", p.Prefix, b)
						}
					}
					for s := range msg.RDNSS {
						_ = s
					}
					_ = msg.RedirectedHeader()
				}
				m.step(Received{eth0, append(AppendEthernet(nil, ourMAC, peerMAC, EtherTypeIPv6), p...)})
			}
		}
		m.pass(time.Second)
	})
}
