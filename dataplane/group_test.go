package dataplane

import (
	"net/netip"
	"testing"

	"routerd/arp"
	"routerd/dataplane/port/memory"
	"routerd/internal/packet"
	"routerd/internal/verdict"
)

// extended is an IPv6 packet for group, from h5, with extension headers of type
// next in front of an upper-layer message, whose checksum is made good where it
// is ICMPv6.
func extended(group string, next byte, headers []byte, upper ...byte) memory.Packet {
	p := packet.IPv6(make([]byte, packet.IPv6Header))
	p.SetVersion(0, 0)
	p.SetNextHeader(next)
	p.SetHopLimit(1)
	p.SetSrc(addr("fe80::5:2"))
	p.SetDst(addr(group))
	p = append(append(p, headers...), upper...)
	p.SetPayloadLen(len(p) - packet.IPv6Header)
	if e := packet.WalkExtensions(p); e.Upper == packet.ProtoICMPv6 {
		m := packet.ICMP(p[e.Offset:])
		m.SetChecksum(^packet.Sum(m, packet.PseudoHeaderSum6(p[8:24], p[24:40], packet.ProtoICMPv6, len(m))))
	}
	return framed(arp.MulticastMAC(addr(group)), macH5, arp.EtherTypeIPv6, p)
}

// igmp is an IGMP query for group from src, with a router alert.
func igmp(src, group string, options ...byte) memory.Packet {
	p := packet.IPv4(append([]byte{0x46, 0, 0, 0, 0, 0, 0, 0, 1, packet.ProtoIGMP, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, options...))
	p = append(p, 0x11, 100, 0xee, 0x9b, 0, 0, 0, 0)
	p.SetTotalLen(len(p))
	p.SetSrc(addr(src))
	p.SetDst(addr(group))
	p.FillChecksum()
	return framed(arp.MulticastMAC(addr(group)), macH5, arp.EtherTypeIPv4, p)
}

// What is for a group that the router takes part in is read as what is for
// itself: the extension headers and options of both families, and what is
// behind them.
func TestGroups(t *testing.T) {
	alert := []byte{packet.ProtoICMPv6, 0, 5, 2, 0, 0, 1, 0}
	query := append([]byte{130, 0, 0, 0, 0, 100, 0, 0}, make([]byte, 16)...)
	echo := []byte{128, 0, 0, 0, 0, 1, 0, 1}
	for _, tt := range []struct {
		name string
		in   memory.Packet
		want verdict.Verdict
		told bool // the sender, by a parameter problem
	}{
		{"MLD query", extended("ff02::1", 0, alert, query...), verdict.HandedToProtocol, false},
		{"MLD query of a solicited-node group", extended("ff02::1:ff00:1", 0, alert, query...), verdict.HandedToProtocol, false},
		{"MLDv2 report, to a group of routers that ask", extended("ff02::16", 0, alert, 143, 0, 0, 0, 0, 0, 0, 0), verdict.Multicast, false},
		{"MLDv1 report", extended("ff02::2", 0, alert, append([]byte{131}, query[1:]...)...), verdict.HandedToProtocol, false},
		{"IGMP query", igmp("10.0.5.2", "224.0.0.1", 0x94, 4, 0, 0), verdict.HandedToProtocol, false},
		{"IGMP query of a switch, which has no address", igmp("0.0.0.0", "224.0.0.1", 0x94, 4, 0, 0), verdict.HandedToProtocol, false},
		{"IGMP from nowhere to a host", igmp("0.0.0.0", "10.0.5.1", 0x94, 4, 0, 0), verdict.MartianSource, false},
		{"IGMP for another group", igmp("0.0.0.0", "224.0.0.22", 0x94, 4, 0, 0), verdict.Multicast, false},
		{"a malformed option to a group", igmp("10.0.5.2", "224.0.0.1", 0x94, 9, 0, 0), verdict.BadOption, false},

		{"echo to a solicited-node group", extended("ff02::1:ff00:1", packet.ProtoICMPv6, nil, echo...), verdict.EchoReplied, false},
		{"echo behind destination options", extended("ff02::1", 60, []byte{58, 0, 1, 4, 0, 0, 0, 0}, echo...), verdict.EchoReplied, false},
		{"echo behind hop-by-hop options", extended("ff02::1", 0, []byte{58, 0, 1, 4, 0, 0, 0, 0}, echo...), verdict.EchoReplied, false},
		// RFC 4443 §2.4 e.3: of an unknown option with the bits 10 the sender is
		// told even about a group, with 11 it is not.
		{"an option to report", extended("ff02::1", 0, []byte{58, 0, 0x9e, 4, 0, 0, 0, 0}, echo...), verdict.BadExtensionHeader, true},
		{"the same for the destination", extended("ff02::1", 60, []byte{58, 0, 0x9e, 4, 0, 0, 0, 0}, echo...), verdict.BadExtensionHeader, true},
		{"an option to report to one", extended("ff02::1", 0, []byte{58, 0, 0xde, 4, 0, 0, 0, 0}, echo...), verdict.BadExtensionHeader, false},
		{"an option to discard at", extended("ff02::1", 0, []byte{58, 0, 0x5e, 4, 0, 0, 0, 0}, echo...), verdict.BadExtensionHeader, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, b, _ := newEthernet(t)
			e := &recordingSink{room: 9}
			n.view.Membership = e
			n.publish(arp.Reachable, "fe80::5:2", macH5, 0)
			n.runIn(t, b, eth0, tt.in)
			if got := b.Packets()[0].Verdict; got != tt.want {
				t.Fatalf("verdict %s, want %s", got, tt.want)
			}
			if heard := len(e.heard) == 1; heard != (tt.want == verdict.HandedToProtocol) {
				t.Errorf("heard %+v", e.heard)
			}
			sent := n.ports[eth0].Take()
			if tt.want == verdict.EchoReplied {
				return
			}
			if len(sent) != 0 != tt.told {
				t.Fatalf("%d packets went out, the sender is to be told: %v", len(sent), tt.told)
			}
			if !tt.told {
				return
			}
			ip := packet.IPv6(sent[0].Data[arp.EthernetHeader:])
			if ip.Src() != netip.MustParseAddr("fe80::5:1") || ip.Dst() != netip.MustParseAddr("fe80::5:2") || ip.Payload()[0] != 4 || ip.Payload()[1] != 2 {
				t.Errorf("the error is %x, want a parameter problem of code 2 from the router to the sender", ip)
			}
		})
	}
}

// On a link without other stations nobody reports groups, so nobody is asked.
func TestMembershipOnAPointToPointLink(t *testing.T) {
	n := newNetwork(t)
	b := NewBatch(BatchSize, &Counters{}, &DropRing{})
	e := &recordingSink{room: 9}
	n.view.Membership = e
	n.runIn(t, b, lan0, raw(igmp("10.0.1.2", "224.0.0.1", 0x94, 4, 0, 0).Data[arp.EthernetHeader:]))
	if got := b.Packets()[0].Verdict; got != verdict.Multicast || len(e.heard) != 0 {
		t.Errorf("verdict %s, %d heard; want it dropped as multicast", got, len(e.heard))
	}
}
