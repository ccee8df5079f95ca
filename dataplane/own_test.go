package dataplane

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"routerd/arp"
	"routerd/dataplane/port/memory"
	"routerd/icmp"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// TestAnycast: the address of all routers of a subnet is the router's (RFC 4291
// §2.6.1), which speaks from an address that is its own alone (RFC 4443 §2.2 b,
// §4.2).
func TestAnycast(t *testing.T) {
	from := func(p Probe, src string) Probe { p.Src = addr(src); return p }
	for _, tt := range []struct {
		name string
		ask  Probe
		want verdict.Verdict
		src  string // "" for no answer
		typ  uint8
	}{
		{"echo to the near subnet's", ping6("2001:db8:1::"), verdict.EchoReplied, "2001:db8:1::1", icmp.EchoReply6Type},
		{"echo to the far subnet's", ping6("2001:db8:2::"), verdict.EchoReplied, "2001:db8:1::1", icmp.EchoReply6Type},
		{"echo to the link's", from(ping6("fe80::"), "fe80::2"), verdict.EchoReplied, "fe80::1", icmp.EchoReply6Type},
		{"a datagram that nobody hears", udp6("2001:db8:1::"), verdict.PortUnreachable, "2001:db8:1::1", icmp.DestUnreachable6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork(t)
			b := n.run(t, lan0, raw(build(t, tt.ask)))
			if got := b.Packets()[0].Verdict; got != tt.want {
				t.Fatalf("verdict %s, want %s", got, tt.want)
			}
			sent := n.ports[lan0].Take()
			if len(sent) != 1 {
				t.Fatalf("%d packets went back, want one", len(sent))
			}
			ip := packet.IPv6(sent[0].Data)
			if ip.Src() != addr(tt.src) || ip.Dst() != tt.ask.Src {
				t.Errorf("%s answers %s, want %s to %s", ip.Src(), ip.Dst(), tt.src, tt.ask.Src)
			}
			if !icmp.ChecksumOK6(ip, packet.IPv6Header) || packet.ICMP(ip.Payload()).Type() != tt.typ {
				t.Errorf("answered by %x", sent[0].Data)
			}
		})
	}
}

// TestAnycastIsNotTheStacks: a TCP/IP stack has no such address.
func TestAnycastIsNotTheStacks(t *testing.T) {
	n := newStackNetwork(t)
	if got := n.run(t, lan0, raw(build(t, udp6("2001:db8:1::")))).Packets()[0].Verdict; got != verdict.PortUnreachable {
		t.Errorf("verdict %s, want port_unreachable", got)
	}
	if got := n.run(t, lan0, raw(build(t, udp6("2001:db8:1::1")))).Packets()[0].Verdict; got != verdict.DeliveredToStack {
		t.Errorf("to the router's own address: %s, want delivered_to_stack", got)
	}
}

// TestAnycastFragments: who waits in vain for the rest says so (RFC 8200 §4.5).
func TestAnycastFragments(t *testing.T) {
	n := newNetwork(t)
	p := ping6("2001:db8:1::")
	p.Size = 3000
	b := n.run(t, lan0, raw(cut6(build(t, p), 0, 800, true)))
	Expire(n.view, b, testNow.Add(2*time.Minute))
	b.Transmit(testNow.Add(2 * time.Minute))
	sent := n.ports[lan0].Take()
	if len(sent) != 1 {
		t.Fatalf("%d packets went back, want a time exceeded", len(sent))
	}
	ip := packet.IPv6(sent[0].Data)
	if m := packet.ICMP(ip.Payload()); m.Type() != 3 || m.Code() != 1 || ip.Src() != addr("2001:db8:1::1") {
		t.Errorf("type %d code %d from %s, want 3, 1 from 2001:db8:1::1", m.Type(), m.Code(), ip.Src())
	}
}

// TestNoRedirectToTheRouter: whatever the table says, nobody is sent from the
// router to itself.
func TestNoRedirectToTheRouter(t *testing.T) {
	n, b, _ := newEthernet(t)
	n.view.Limits.ICMP.Redirects = true
	for dst, gateway := range map[string]string{"10.70.0.1": "10.0.1.1", "10.71.0.1": "10.0.5.1", "2001:db8:70::1": "fe80::5:1"} {
		n.publish(arp.Reachable, gateway, macGateway, 0)
		p := netip.PrefixFrom(addr(dst), 16)
		if addr(dst).Is6() {
			p = netip.PrefixFrom(addr(dst), 48)
		}
		n.forward(p.Masked().String(), routing.SourceStatic, hopVia(gateway, eth0))
		n.runIn(t, b, eth0, fromH5(t, Probe{Dst: addr(dst), Proto: packet.ProtoUDP, DstPort: 9}))
		if got := b.Packets()[0].Verdict; got != verdict.Forwarded {
			t.Errorf("to %s: %s, want forwarded", dst, got)
		}
		if len(b.Made()) != 0 {
			t.Errorf("to %s by %s: redirected by %x", dst, gateway, b.Made()[0].ip())
		}
	}
	for _, dst := range []string{"2001:db8:5::", "2001:db8:5::1"} {
		n.runIn(t, b, eth0, fromH5(t, ping6(dst)))
		if got := b.Packets()[0].Verdict; got != verdict.EchoReplied || len(b.Made()) != 1 {
			t.Errorf("to %s: %s and %d packets made, want the reply alone", dst, got, len(b.Made()))
		}
	}
}

// TestBroadcastSource: RFC 1812 §4.2.2.11 and §5.3.7.
func TestBroadcastSource(t *testing.T) {
	for _, tt := range []struct {
		src  string
		want verdict.Verdict
	}{
		{"10.0.1.255", verdict.BroadcastSource},
		{"10.0.4.255", verdict.BroadcastSource}, // of another subnet
		{"10.0.1.0", verdict.BroadcastSource},   // the old form
		{"10.0.1.254", verdict.Forwarded},
		{"10.0.3.255", verdict.Forwarded},     // its link is down, so it may be another network's
		{"10.255.0.1", verdict.SpoofedSource}, // a /32 has none
		{"10.0.2.1", verdict.SpoofedSource},
	} {
		for _, dst := range []string{"10.0.2.2", "10.0.1.1"} {
			n := newNetwork(t)
			p := ping4(dst)
			p.Src = addr(tt.src)
			want := tt.want
			if dst == "10.0.1.1" && want == verdict.Forwarded {
				want = verdict.EchoReplied
			}
			b := n.run(t, lan0, raw(build(t, p)))
			if got := b.Packets()[0].Verdict; got != want {
				t.Errorf("%s to %s: %s, want %s", tt.src, dst, got, want)
			}
			if want == verdict.BroadcastSource && len(b.Made()) != 0 {
				t.Errorf("%s is answered", tt.src)
			}
		}
	}
}

// TestGroupsWithExtensions: what is for a group that the router takes part in is
// read like what is for itself (RFC 8200 §4), and answered as RFC 4443 §2.4 e.3
// and §4.2 have it.
func TestGroupsWithExtensions(t *testing.T) {
	padding := []byte{0, 0, 1, 4, 0, 0, 0, 0}
	option := func(typ byte) []byte { return []byte{0, 0, typ, 4, 0, 0, 0, 0} }
	const solicited = "ff02::1:ff00:1" // of 2001:db8:5::1
	for _, tt := range []struct {
		name string
		dst  string
		next uint8
		ext  []byte
		want verdict.Verdict
		icmp int
	}{
		{"echo behind padding", "ff02::1", packet.ProtoDestOptions, padding, verdict.EchoReplied, 129 << 8},
		{"echo behind hop-by-hop padding", "ff02::2", packet.ProtoHopByHop, padding, verdict.EchoReplied, 129 << 8},
		{"echo with a router alert", "ff02::1", packet.ProtoHopByHop, []byte{0, 0, 5, 2, 0, 0, 1, 0}, verdict.EchoReplied, 129 << 8},
		{"echo to the group of an address", solicited, packet.ProtoDestOptions, padding, verdict.EchoReplied, 129 << 8},
		{"echo to the group of an address, as it is", solicited, 0, nil, verdict.EchoReplied, 129 << 8},
		{"echo to the group of an anycast address", "ff02::1:ff00:0", 0, nil, verdict.EchoReplied, 129 << 8},
		{"echo to somebody else's group", "ff02::1:ff00:77", 0, nil, verdict.Multicast, none},
		{"an option to skip", "ff02::1", packet.ProtoDestOptions, option(0x1e), verdict.EchoReplied, 129 << 8},
		{"an option to discard", "ff02::1", packet.ProtoDestOptions, option(0x5e), verdict.BadExtensionHeader, none},
		{"an option to report in any case", "ff02::1", packet.ProtoDestOptions, option(0x9e), verdict.BadExtensionHeader, 4<<8 | 2},
		{"a hop-by-hop option to report in any case", "ff02::1", packet.ProtoHopByHop, option(0x9e), verdict.BadExtensionHeader, 4<<8 | 2},
		{"an option to report to unicast", "ff02::1", packet.ProtoDestOptions, option(0xde), verdict.BadExtensionHeader, none},
		{"a routing header", "ff02::1", packet.ProtoRouting, []byte{0, 0, 0, 1, 0, 0, 0, 0}, verdict.BadExtensionHeader, none},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, b, _ := newEthernet(t)
			p := ping6(tt.dst)
			p.Src = addr("2001:db8:5::2")
			whole := build(t, p)
			if tt.ext != nil {
				whole = withExtension(whole, tt.next, tt.ext...)
			}
			n.runIn(t, b, eth0, framed(arp.MulticastMAC(p.Dst), macH5, arp.EtherTypeIPv6, whole))
			if got := b.Packets()[0].Verdict; got != tt.want {
				t.Fatalf("verdict %s, want %s", got, tt.want)
			}
			if tt.icmp == none {
				if len(b.Made()) != 0 {
					t.Errorf("answered by %x", b.Made()[0].ip())
				}
				return
			}
			if len(b.Made()) != 1 {
				t.Fatalf("%d packets made, want the answer", len(b.Made()))
			}
			ip := b.Made()[0].ip6()
			m := packet.ICMP(ip.Payload())
			if ip.Src() != addr("2001:db8:5::1") || !icmp.ChecksumOK6(ip, packet.IPv6Header) || int(m.Type())<<8|int(m.Code()) != tt.icmp {
				t.Errorf("answered by %x", []byte(ip))
			}
		})
	}
}

// TestGroupsWithOptions: IPv4 options too are read in what is for a group as in
// what is for the router itself; nobody is told (RFC 1812 §4.3.2.7).
func TestGroupsWithOptions(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options []byte
		want    verdict.Verdict
	}{
		{"padding", []byte{1, 1, 1, 0}, verdict.EchoReplied},
		{"router alert", []byte{148, 4, 0, 0}, verdict.EchoReplied},
		{"longer than the header", []byte{7, 9, 4, 0}, verdict.BadOption},
		{"a source route", []byte{131, 7, 4, 10, 0, 3, 2, 0}, verdict.SourceRouted},
	} {
		n, b, _ := newEthernet(t)
		p := ping4("224.0.0.1")
		p.Src = addr("10.0.5.2")
		n.runIn(t, b, eth0, framed(arp.MulticastMAC(p.Dst), macH5, arp.EtherTypeIPv4, withOptions(build(t, p), tt.options...)))
		if got := b.Packets()[0].Verdict; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if answered := len(b.Made()) != 0; answered != (tt.want == verdict.EchoReplied) {
			t.Errorf("%s: answered %v", tt.name, answered)
		}
	}
}

// TestGroupFragments: a packet for a group may come in pieces too.
func TestGroupFragments(t *testing.T) {
	n, b, _ := newEthernet(t)
	p := ping6("ff02::1")
	p.Src, p.Size = addr("2001:db8:5::2"), 2000
	whole := build(t, p)
	var in []memory.Packet
	for _, piece := range [][]byte{cut6(whole, 0, 1200, true), cut6(whole, 1200, 2000, false)} {
		in = append(in, framed(arp.MulticastMAC(p.Dst), macH5, arp.EtherTypeIPv6, piece))
	}
	n.runIn(t, b, eth0, in...)
	if got := b.Packets()[1].Verdict; got != verdict.EchoReplied {
		t.Errorf("verdict %s, want echo_replied", got)
	}
}

// TestDiscoveryWithExtensions: neighbour discovery may have extension headers in
// front of it, and never a fragment header (RFC 6980 §5).
func TestDiscoveryWithExtensions(t *testing.T) {
	ns := func(dst string) []byte {
		return arp.AppendSolicitation(nil, addr("2001:db8:5::2"), addr(dst), addr("2001:db8:5::1"), macH5, nil)
	}
	padding := []byte{0, 0, 1, 4, 0, 0, 0, 0}
	for name, tt := range map[string]struct {
		packets [][]byte
		want    verdict.Verdict
	}{
		"to a group":               {[][]byte{ns("ff02::1:ff00:1")}, verdict.HandedToNeighbor},
		"to a group, with options": {[][]byte{withExtension(ns("ff02::1:ff00:1"), packet.ProtoDestOptions, padding...)}, verdict.HandedToNeighbor},
		"to the router, with hop-by-hop options": {
			[][]byte{withExtension(ns("2001:db8:5::1"), packet.ProtoHopByHop, padding...)}, verdict.HandedToNeighbor,
		},
		"with an option to refuse": {
			[][]byte{withExtension(ns("2001:db8:5::1"), packet.ProtoDestOptions, 0, 0, 0x5e, 4, 0, 0, 0, 0)}, verdict.BadExtensionHeader,
		},
		"in one fragment":  {[][]byte{cut6(ns("2001:db8:5::1"), 0, 100, false)}, verdict.ICMPIgnored},
		"in two fragments": {[][]byte{cut6(ns("2001:db8:5::1"), 0, 16, true), cut6(ns("2001:db8:5::1"), 16, 100, false)}, verdict.ICMPIgnored},
	} {
		t.Run(name, func(t *testing.T) {
			n, b, c := newEthernet(t)
			var in []memory.Packet
			for _, p := range tt.packets {
				in = append(in, framed(macRouter, macH5, arp.EtherTypeIPv6, p))
			}
			n.runIn(t, b, eth0, in...)
			if got := b.Packets()[len(in)-1].Verdict; got != tt.want {
				t.Fatalf("verdict %s, want %s", got, tt.want)
			}
			handed := slices.ContainsFunc(c.taken, func(p Punt) bool { return p.Kind == PuntDiscovery })
			if handed != (tt.want == verdict.HandedToNeighbor) {
				t.Errorf("handed to the neighbour machine: %v", handed)
			}
		})
	}
}
