package dataplane

import (
	"encoding/binary"
	"slices"
	"testing"

	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// The verdict table, row by row: one packet, its fate, and the ICMP error
// that goes back, as type<<8|code, or none.
const none = -1

type fate struct {
	name   string
	packet []byte
	want   verdict.Verdict
	icmp   int
}

func edit(b []byte, f func(b []byte)) []byte {
	b = slices.Clone(b)
	f(b)
	return b
}

// edit4 is edit with the header checksum made right again.
func edit4(b []byte, f func(p packet.IPv4)) []byte {
	return edit(b, func(b []byte) { f(b); packet.IPv4(b).FillChecksum() })
}

// withOptions puts options, a multiple of four bytes, behind an IPv4 header.
func withOptions(b []byte, options ...byte) []byte {
	out := slices.Concat(b[:20], options, b[20:])
	p := packet.IPv4(out)
	p[0] = 4<<4 | byte((20+len(options))/4)
	p.SetTotalLen(len(out))
	p.FillChecksum()
	return out
}

// withExtension puts extension headers between an IPv6 header and its payload.
func withExtension(b []byte, next uint8, ext ...byte) []byte {
	out := slices.Concat(b[:40], ext, b[40:])
	ext = out[40 : 40+len(ext)]
	ext[0] = out[6]
	p := packet.IPv6(out)
	p.SetNextHeader(next)
	p.SetPayloadLen(len(out) - 40)
	return out
}

func fates(t testing.TB) []fate {
	u4, u6 := build(t, udp4("10.0.2.2")), build(t, udp6("2001:db8:2::2"))
	own4, own6 := build(t, udp4("10.0.1.1")), build(t, udp6("2001:db8:1::1"))
	e4, e6 := build(t, ping4("10.0.1.1")), build(t, ping6("2001:db8:1::1"))
	from := func(p Probe, src string) []byte { p.Src = addr(src); return build(t, p) }
	big := func(p Probe, df bool) []byte { p.Size, p.DontFragment = 1450, df; return build(t, p) }
	ttl := func(p Probe, n uint8) []byte { p.TTL = n; return build(t, p) }
	code := func(typ, code int) int { return typ<<8 | code }

	return []fate{
		{"IPv4 passes", u4, verdict.Forwarded, none},
		{"IPv6 passes", u6, verdict.Forwarded, none},
		{"more specific options are carried", withOptions(u4, 1, 1, 1, 0), verdict.Forwarded, none},
		{"echo to the near address", e4, verdict.EchoReplied, none},
		{"echo to the far address", build(t, ping4("10.0.2.1")), verdict.EchoReplied, none},
		{"echo to the loopback", build(t, ping4("10.255.0.1")), verdict.EchoReplied, none},
		{"echo to a down interface's address", build(t, ping4("10.0.3.1")), verdict.EchoReplied, none},
		{"IPv6 echo", e6, verdict.EchoReplied, none},
		{"IPv6 echo to a link-local address", from(ping6("fe80::1"), "fe80::2"), verdict.EchoReplied, none},
		{"echo with TTL 1", ttl(ping4("10.0.1.1"), 1), verdict.EchoReplied, none},
		{"echo behind destination options", withExtension(e6, packet.ProtoDestOptions, 0, 0, 1, 4, 0, 0, 0, 0), verdict.EchoReplied, none},
		{"echo reply", reICMP4(e4, 0, 0), verdict.ICMPReceived, none},
		{"ICMP error", reICMP4(e4, 3, 1), verdict.ICMPReceived, none},
		{"ICMPv6 error", reICMP6(e6, 1, 4), verdict.ICMPReceived, none},
		{"ICMP of no use", reICMP4(e4, 40, 0), verdict.ICMPIgnored, none},
		{"ICMPv6 of no use", reICMP6(e6, 150, 0), verdict.ICMPIgnored, none},
		{"first fragment for the router", edit4(e4, func(p packet.IPv4) { p.SetFragment(false, true, 0) }), verdict.FragmentHeld, none},

		{"nothing at all", nil, verdict.Truncated, none},
		{"19 bytes of IPv4", u4[:19], verdict.Truncated, none},
		{"39 bytes of IPv6", u6[:39], verdict.Truncated, none},
		{"version 5", edit(u4, func(b []byte) { b[0] = 0x55 }), verdict.BadVersion, none},
		{"header length 16", edit(u4, func(b []byte) { b[0] = 0x44 }), verdict.BadHeaderLength, none},
		{"header longer than the packet", edit(u4[:24], func(b []byte) { b[0] = 0x4f }), verdict.BadHeaderLength, none},
		{"total length beyond the bytes", u4[:99], verdict.BadTotalLength, none},
		{"total length within the header", edit(u4, func(b []byte) { b[3] = 19 }), verdict.BadTotalLength, none},
		{"payload length beyond the bytes", u6[:99], verdict.BadTotalLength, none},
		{"wrong checksum", edit(u4, func(b []byte) { b[10] ^= 1 }), verdict.BadHeaderChecksum, none},
		{"option longer than the header", withOptions(u4, 7, 9, 4, 0), verdict.BadOption, code(12, 0)},
		{"unknown hop-by-hop option to be reported", withExtension(u6, packet.ProtoHopByHop, 0, 0, 0x80, 4, 0, 0, 0, 0), verdict.BadExtensionHeader, code(4, 2)},
		{"unknown hop-by-hop option to be dropped", withExtension(u6, packet.ProtoHopByHop, 0, 0, 0x40, 4, 0, 0, 0, 0), verdict.BadExtensionHeader, none},
		{"unknown hop-by-hop option to be skipped", withExtension(u6, packet.ProtoHopByHop, 0, 0, 0x1e, 4, 0, 0, 0, 0), verdict.Forwarded, none},
		{"routing header for us", withExtension(own6, packet.ProtoRouting, 0, 0, 0, 1, 0, 0, 0, 0), verdict.BadExtensionHeader, code(4, 0)},
		{"echo with a wrong checksum", edit(e4, func(b []byte) { b[23] ^= 1 }), verdict.BadICMPChecksum, none},
		{"IPv6 echo with a wrong checksum", edit(e6, func(b []byte) { b[43] ^= 1 }), verdict.BadICMPChecksum, none},

		{"from loopback", from(udp4("10.0.2.2"), "127.0.0.1"), verdict.MartianSource, none},
		{"from multicast", from(udp4("10.0.2.2"), "224.0.0.1"), verdict.MartianSource, none},
		{"from unspecified", from(udp6("2001:db8:2::2"), "::"), verdict.MartianSource, none},
		{"to loopback", build(t, udp4("127.0.0.1")), verdict.MartianDestination, none},
		{"to class E", build(t, udp4("240.0.0.1")), verdict.MartianDestination, none},
		{"to IPv6 loopback", build(t, udp6("::1")), verdict.MartianDestination, none},
		{"from the router's own address", from(udp4("10.0.2.2"), "10.255.0.1"), verdict.SpoofedSource, none},
		{"loose source route", withOptions(u4, 131, 7, 4, 10, 0, 3, 2, 0), verdict.SourceRouted, code(3, 5)},
		{"strict source route", withOptions(u4, 137, 7, 4, 10, 0, 3, 2, 0), verdict.SourceRouted, code(3, 5)},
		{"from link-local to afar", from(udp6("2001:db8:2::2"), "fe80::2"), verdict.LinkScope, code(1, 2)},
		{"to somebody's link-local address", build(t, udp6("fe80::99")), verdict.LinkScope, none},
		{"multicast", build(t, udp4("224.0.0.5")), verdict.Multicast, none},
		{"IPv6 multicast", build(t, udp6("ff02::2")), verdict.Multicast, none},
		{"limited broadcast", build(t, udp4("255.255.255.255")), verdict.Broadcast, none},
		{"directed broadcast", build(t, udp4("10.0.2.255")), verdict.Broadcast, none},

		{"no route", build(t, udp4("203.0.113.1")), verdict.NoRoute, code(3, 0)},
		{"no IPv6 route", build(t, udp6("2001:db8:99::1")), verdict.NoRoute, code(1, 0)},
		{"blackhole", build(t, udp4("10.9.1.1")), verdict.Blackhole, none},
		{"unreachable", build(t, udp4("10.10.1.1")), verdict.Unreachable, code(3, 1)},
		{"IPv6 unreachable", build(t, udp6("2001:db8:10::1")), verdict.Unreachable, code(1, 3)},
		{"prohibited", build(t, udp4("10.11.1.1")), verdict.Prohibited, code(3, 13)},
		{"IPv6 prohibited", build(t, udp6("2001:db8:11::1")), verdict.Prohibited, code(1, 1)},
		{"back into the subnet it came from", build(t, udp4("10.0.1.77")), verdict.BackToPort, code(3, 1)},
		{"IPv6 back into the subnet it came from", build(t, udp6("2001:db8:1::77")), verdict.BackToPort, code(1, 3)},
		{"TTL 1", ttl(udp4("10.0.2.2"), 1), verdict.HopLimit, code(11, 0)},
		{"hop limit 1", ttl(udp6("2001:db8:2::2"), 1), verdict.HopLimit, code(3, 0)},
		{"too big with DF", big(udp4("10.0.2.2"), true), verdict.TooBig, code(3, 4)},
		{"too big without DF is fragmented", big(udp4("10.0.2.2"), false), verdict.Forwarded, none},
		{"IPv6 too big", big(udp6("2001:db8:2::2"), false), verdict.TooBig, code(2, 0)},
		{"the way out is down", build(t, udp4("10.0.3.2")), verdict.InterfaceDown, code(3, 1)},

		{"UDP to the router", own4, verdict.PortUnreachable, code(3, 3)},
		{"UDP to the router over IPv6", own6, verdict.PortUnreachable, code(1, 4)},
		{"a protocol nobody speaks", edit4(own4, func(p packet.IPv4) { p.SetProtocol(99) }), verdict.ProtocolUnreachable, code(3, 2)},
		{"a next header nobody speaks", edit(own6, func(b []byte) { b[6] = 99 }), verdict.ProtocolUnreachable, code(4, 1)},
		{"no next header", edit(own6, func(b []byte) { b[6] = packet.ProtoNoNextHeader }), verdict.NothingInside, none},
		{"fragment beyond 64 KiB", edit4(e4, func(p packet.IPv4) { p.SetFragment(false, false, 65528) }), verdict.FragmentMalformed, none},

		{"no error about a later fragment", edit4(ttl(udp4("10.0.2.2"), 1), func(p packet.IPv4) { p.SetFragment(false, false, 800) }), verdict.HopLimit, none},
		{"no error about an ICMP error", reICMP4(ttl(ping4("10.0.2.2"), 1), 3, 1), verdict.HopLimit, none},
		{"an error about an echo request", ttl(ping4("10.0.2.2"), 1), verdict.HopLimit, code(11, 0)},
		{"no error about an ICMPv6 error", reICMP6(ttl(ping6("2001:db8:2::2"), 1), 1, 0), verdict.HopLimit, none},
	}
}

// reICMP4 changes the type and code of the ICMP message in b.
func reICMP4(b []byte, typ, code uint8) []byte {
	return edit(b, func(b []byte) {
		m := packet.ICMP(b[20:])
		m.SetType(typ)
		m.SetCode(code)
		m.SetChecksum(0)
		m.SetChecksum(packet.Checksum(m))
	})
}

func reICMP6(b []byte, typ, code uint8) []byte {
	return edit(b, func(b []byte) {
		m := packet.ICMP(b[40:])
		m.SetType(typ)
		m.SetCode(code)
		m.SetChecksum(0)
		m.SetChecksum(^packet.Sum(m, packet.PseudoHeaderSum6(b[8:24], b[24:40], packet.ProtoICMPv6, len(m))))
	})
}

// elsewhere are the verdicts that one packet alone cannot reach, and the
// tests that reach them.
var elsewhere = map[verdict.Verdict]string{
	verdict.Originated:        "TestFates: every ICMP error",
	verdict.BroadcastSource:   "TestBroadcastSource",
	verdict.URPFStrict:        "TestURPF",
	verdict.URPFLoose:         "TestURPF",
	verdict.FragmentOverlap:   "TestFragmentsForTheRouter",
	verdict.FragmentTimeout:   "TestFragmentTimeout",
	verdict.FragmentEvicted:   "TestFragmentsForTheRouter",
	verdict.FragmentTableFull: "TestFragmentsForTheRouter",
	verdict.NoBuffer:          "TestNoBuffer",
	verdict.EgressRefused:     "TestEgressRefused",
	verdict.BadOffload:        "TestOffloadsThatContradictTheHeaders",
	verdict.HandedToNeighbor:  "TestEthernetFates",
	verdict.HandedToProtocol:  "TestProtocolsHearTheirOwn",
	verdict.BadUDPChecksum:    "TestProtocolsHearTheirOwn",
	verdict.ProtocolQueueFull: "TestProtocolsHearWholeBatches",
	verdict.ProtocolThrottled: "router: TestForgeriesLeaveNeighborsTheirRoom",
	verdict.BadLinkHeader:     "TestEthernetFates",
	verdict.VLANTagged:        "TestEthernetFates",
	verdict.OtherStation:      "TestEthernetFates",
	verdict.UnknownEtherType:  "TestEthernetFates",
	verdict.LinkBroadcast:     "TestEthernetFates",
	verdict.Resolving:         "TestUnresolved",
	verdict.NeighborFailed:    "TestUnresolved",
	verdict.NeighborQueueFull: "TestWholeBatchIsHandedOver",
	verdict.NeighborThrottled: "router: TestDroppedFates",
	verdict.NeighborTableFull: "router: TestDroppedFates",
	verdict.NeighborEvicted:   "router: TestDroppedFates",
	verdict.NotNeighbor:       "router: TestDroppedFates",
	verdict.DeliveredToStack:  "TestStackGetsWhatNobodyClaims",
	verdict.LocalPoliced:      "TestStackIsPoliced",
	verdict.ACLDropped:        "TestFilter",
	verdict.ACLRejected:       "TestFilterRejects",
	verdict.ZoneNoPolicy:      "TestZones",
	verdict.NATBadPacket:      "TestNATFates",
	verdict.NATNoMapping:      "TestNATFates",
	verdict.NATFiltered:       "TestNATFates",
	verdict.NATInvalidState:   "TestNATFates",
	verdict.NATICMPUnmatched:  "TestNATFates",
	verdict.NATPoolExhausted:  "TestNATFates",
	verdict.NATPortless:       "TestNATFates",
	verdict.NATSessionLimit:   "TestNATFates",
	verdict.NATHostLimit:      "TestNATFates",
	verdict.ACLLimited:        "TestFilterLimits",
	verdict.ProbeAnswered:     "TestProbeAnswers",
}

func TestFates(t *testing.T) {
	seen := map[verdict.Verdict]bool{}
	for _, tt := range fates(t) {
		seen[tt.want] = true
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork(t)
			b := n.run(t, lan0, raw(tt.packet))
			p := b.Packets()[0]
			if p.Verdict != tt.want {
				t.Fatalf("verdict %s (%s), want %s", p.Verdict, p.Verdict.Sentence(), tt.want)
			}
			if got := b.counters.Verdict(tt.want); got != 1 {
				t.Errorf("counted %d times as %s, want once", got, tt.want)
			}
			if tt.want != verdict.EchoReplied {
				checkError(t, n, b, tt)
			}
		})
	}
	for v := range verdict.All {
		if _, other := elsewhere[v]; !seen[v] && !other {
			t.Errorf("no packet in this table ends in %s", v)
		}
	}
}

// checkError compares what went back to h1 with the ICMP error expected.
func checkError(t *testing.T, n *network, b *Batch, tt fate) {
	t.Helper()
	sent := n.ports[lan0].Take()
	if tt.icmp == none {
		if len(sent) != 0 {
			t.Errorf("sent back %x, want nothing", sent[0].Data)
		}
		return
	}
	if len(sent) != 1 {
		t.Fatalf("sent back %d packets, want the ICMP error (answers: forbidden %d, limited %d, no way %d)", len(sent),
			b.counters.Answer(AnswerForbidden), b.counters.Answer(AnswerLimited), b.counters.Answer(AnswerNoWay))
	}
	if v := b.Made()[0].Verdict; v != verdict.Originated {
		t.Errorf("the error itself ended as %s", v)
	}
	checkICMP(t, sent[0].Data, tt)
}

// checkICMP verifies every checksum of an ICMP error, its addresses, and that
// it quotes the packet as it arrived.
func checkICMP(t *testing.T, got []byte, tt fate) {
	t.Helper()
	var m packet.ICMP
	if got[0]>>4 == 4 {
		ip := packet.IPv4(got)
		if !ip.Valid() || !ip.HeaderChecksumOK() || packet.Sum(ip.Payload(), 0) != 0xffff {
			t.Fatalf("unsound error %x", got)
		}
		m = packet.ICMP(ip.Payload())
		if want := packet.IPv4(tt.packet).Src(); ip.Dst() != want {
			t.Errorf("error sent to %s, want %s", ip.Dst(), want)
		}
		if tt.want == verdict.TooBig && binary.BigEndian.Uint16(m[6:]) != 1400 {
			t.Errorf("next-hop MTU %d, want 1400", binary.BigEndian.Uint16(m[6:]))
		}
	} else {
		ip := packet.IPv6(got)
		if !ip.Valid() || packet.Sum(ip.Payload(), packet.PseudoHeaderSum6(got[8:24], got[24:40], packet.ProtoICMPv6, len(ip.Payload()))) != 0xffff {
			t.Fatalf("unsound error %x", got)
		}
		m = packet.ICMP(ip.Payload())
		if tt.want == verdict.TooBig && m.Rest() != 1400 {
			t.Errorf("MTU %d, want 1400", m.Rest())
		}
		if tt.want == verdict.ProtocolUnreachable && m.Rest() != 6 {
			t.Errorf("pointer %d, want 6, the next header field", m.Rest())
		}
	}
	if have := int(m.Type())<<8 | int(m.Code()); have != tt.icmp {
		t.Errorf("ICMP type %d code %d, want type %d code %d", m.Type(), m.Code(), tt.icmp>>8, tt.icmp&0xff)
	}
	quoted := m[8:]
	if len(quoted) > len(tt.packet) || string(quoted) != string(tt.packet[:len(quoted)]) {
		t.Errorf("quoted\n%x, want the packet as it arrived\n%x", quoted, tt.packet)
	}
}

func TestURPF(t *testing.T) {
	for _, tt := range []struct {
		name string
		mode URPF
		src  string
		want verdict.Verdict
	}{
		{"off lets anything in", URPFOff, "198.51.100.1", verdict.Forwarded},
		{"strict, source on the interface", URPFStrict, "10.0.1.2", verdict.Forwarded},
		{"strict, source on another interface", URPFStrict, "10.0.4.2", verdict.URPFStrict},
		{"strict, no route back", URPFStrict, "198.51.100.1", verdict.URPFStrict},
		{"strict, blackholed source", URPFStrict, "10.9.0.1", verdict.URPFStrict},
		{"loose, source on another interface", URPFLoose, "10.0.4.2", verdict.Forwarded},
		{"loose, no route back", URPFLoose, "198.51.100.1", verdict.URPFLoose},
		{"loose, blackholed source", URPFLoose, "10.9.0.1", verdict.URPFLoose},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork(t)
			n.view.Interfaces[lan0].URPF = tt.mode
			p := udp4("10.0.2.2")
			p.Src = addr(tt.src)
			if got := n.run(t, lan0, raw(build(t, p))).Packets()[0].Verdict; got != tt.want {
				t.Errorf("verdict %s, want %s", got, tt.want)
			}
		})
	}
	t.Run("loose, only the default route covers the source", func(t *testing.T) {
		n := newNetwork(t)
		n.view.Interfaces[lan0].URPF = URPFLoose
		n.forward("0.0.0.0/0", routing.SourceStatic, hopVia("10.0.2.2", lan1))
		p := udp4("10.0.2.2")
		p.Src = addr("198.51.100.1")
		if got := n.run(t, lan0, raw(build(t, p))).Packets()[0].Verdict; got != verdict.URPFLoose {
			t.Errorf("verdict %s, want %s (RFC 3704 §2.4)", got, verdict.URPFLoose)
		}
	})
}
