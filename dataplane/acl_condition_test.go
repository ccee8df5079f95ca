package dataplane

import (
	"net/netip"
	"testing"

	"routerd/acl"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/routing"
)

// only is a list on both LANs that accepts what one rule matches, and drops all
// else.
func only(r acl.Rule) acl.Config {
	r.Name = "only"
	return acl.Config{
		Lists:      []acl.List{{Name: "x", Default: acl.Drop, Rules: []acl.Rule{r}}},
		Interfaces: []acl.Binding{{Interface: "lan0", In: "x"}, {Interface: "lan1", In: "x"}},
	}
}

// TestFilterConditions: what a rule asks of a packet beside its addresses and
// ports is read from where the packet has it.
func TestFilterConditions(t *testing.T) {
	const ok, no = verdict.Forwarded, verdict.ACLDropped
	class := func(b []byte, dscp byte) []byte {
		if b[0]>>4 == 4 {
			return edit4(b, func(p packet.IPv4) { p[1] = dscp << 2 })
		}
		return edit(b, func(b []byte) { b[0], b[1] = b[0]&0xf0|dscp>>2, b[1]&0x3f|dscp<<6 })
	}
	from := func(src, dst string, proto uint8, size int) []byte {
		return build(t, Probe{Src: addr(src), Dst: addr(dst), Proto: proto, SrcPort: 1, DstPort: 2, Size: size})
	}
	for _, host := range [][3]string{{"10.0.2.2", "10.0.1.2", "tcp 10.0.2.2:1 > 10.0.1.2:2"}, {"2001:db8:2::2", "2001:db8:1::2", "tcp [2001:db8:2::2]:1 > [2001:db8:1::2]:2"}} {
		udp, echo, kind := from(host[0], host[1], packet.ProtoUDP, 100), uint8(packet.ProtoICMP), uint8(8)
		if udp[0]>>4 == 6 {
			echo, kind = packet.ProtoICMPv6, 128
		}
		ping, other := from(host[0], host[1], echo, 0), []byte(nil)
		if other = reICMP4(ping, 13, 0); kind == 128 {
			other = reICMP6(ping, 139, 0)
		}
		for _, tt := range []struct {
			rule acl.Rule
			in   routing.InterfaceID
			data []byte
			want verdict.Verdict
		}{
			{acl.Rule{DSCPs: []uint8{46}}, lan1, class(udp, 46), ok},
			{acl.Rule{DSCPs: []uint8{46}}, lan1, class(udp, 45), no},
			{acl.Rule{Lengths: []acl.LengthRange{{First: 90, Last: 100}}}, lan1, udp, ok},
			{acl.Rule{Lengths: []acl.LengthRange{{First: 101, Last: 200}}}, lan1, udp, no},
			{acl.Rule{Inbound: []string{"lan1"}}, lan1, udp, ok},
			{acl.Rule{Inbound: []string{"lan1"}}, lan0, from(host[1], host[0], packet.ProtoUDP, 0), no},
			{acl.Rule{Fragments: true}, lan1, udp, no},
			{acl.Rule{Protocols: []uint8{echo}, ICMP: []acl.ICMPType{{Type: kind}}}, lan1, ping, ok},
			{acl.Rule{Protocols: []uint8{echo}, ICMP: []acl.ICMPType{{Type: kind}}}, lan1, other, no},
			{acl.Rule{Protocols: []uint8{packet.ProtoTCP}, TCPFlags: acl.Flags{Of: flagSynAck, Set: flagSyn}}, lan1, segment(t, host[2], flagSyn), ok},
			{acl.Rule{Protocols: []uint8{packet.ProtoTCP}, States: []acl.State{acl.Invalid}, TCPFlags: acl.Flags{Of: flagSynAck, Set: flagAck}}, lan1, segment(t, host[2], flagAck), ok},
			{acl.Rule{Protocols: []uint8{packet.ProtoTCP}, States: []acl.State{acl.Invalid}, TCPFlags: acl.Flags{Of: flagSynAck, Set: flagAck}}, lan1, segment(t, host[2], flagSynAck), no},
		} {
			n := newNetwork(t).filter(t, only(tt.rule), nat.Config{})
			if got := n.run(t, tt.in, raw(tt.data)).Packets()[0].Verdict; got != tt.want {
				t.Errorf("rule %+v, packet %x: %s, want %s", tt.rule, tt.data, got, tt.want)
			}
		}
		n := newNetwork(t).filter(t, only(acl.Rule{Fragments: true}), nat.Config{})
		cut := cut4
		if udp[0]>>4 == 6 {
			cut = cut6
		}
		n.run(t, lan1, raw(cut(udp, 0, 40, true)), raw(cut(udp, 40, 80, false)))
		if got := len(n.ports[lan0].Take()); got != 2 {
			t.Errorf("of a packet in two fragments %d left, by a rule for such: want both", got)
		}
	}
}

// TestFilterOfHairpins: acl-out is asked about what leaves by the interface that
// it came in by, and the router's own list about the destination behind
// translation.
func TestFilterOfHairpins(t *testing.T) {
	toPort := func(port uint16) acl.Rule {
		return acl.Rule{Name: "port", Protocols: []uint8{packet.ProtoTCP}, DestinationPorts: []flow.PortRange{{First: port, Last: port}}}
	}
	for port, want := range map[uint16]verdict.Verdict{8080: verdict.Forwarded, 80: verdict.ACLDropped} {
		cfg := acl.Config{Lists: []acl.List{{Name: "x", Default: acl.Drop, Rules: []acl.Rule{toPort(port)}}}, Interfaces: []acl.Binding{{Interface: "lan0", Out: "x"}}}
		n := newNetwork(t).filter(t, cfg, natConfig())
		n.walk(t, []leg{{lan0, "tcp 10.0.1.2:4000 > 10.0.2.1:80", flagSyn, want}})
		if got := n.view.NAT.Sessions().Len(); (got == 0) != (want == verdict.ACLDropped) {
			t.Errorf("port %d: %d sessions", port, got)
		}
	}
	own := natConfig()
	own.Destination[0].Address = addr("10.0.1.1")
	for port, want := range map[uint16]verdict.Verdict{8080: verdict.DeliveredToStack, 80: verdict.ACLDropped} {
		n := newStackNetwork(t).filter(t, acl.Config{Lists: []acl.List{{Name: "x", Default: acl.Drop, Rules: []acl.Rule{toPort(port)}}}, Local: "x"}, own)
		n.walk(t, []leg{{lan1, "tcp 10.0.2.2:4000 > 10.0.2.1:80", flagSyn, want}})
	}
}

// TestFilterOfOwnFlows: answers to what the router itself sends are known in both
// families, no list is asked about what it sends, and its ICMP errors make no
// sessions.
func TestFilterOfOwnFlows(t *testing.T) {
	closed := guard()
	closed.Interfaces[0].Out, closed.Local = "outside", "outside"
	four, six := both(leg{stackID, "tcp 10.0.2.1:4000 > 10.0.2.2:443", flagSyn, verdict.Forwarded}, leg{lan1, "tcp 10.0.2.2:443 > 10.0.2.1:4000", flagSynAck, verdict.DeliveredToStack})
	for _, legs := range [][]leg{four, six} {
		n := newStackNetwork(t).filter(t, closed, nat.Config{})
		other := legs[1]
		other.want = verdict.ACLDropped
		n.walk(t, []leg{other})
		legs[0].want = n.run(t, stackID, raw(segment(t, legs[0].text, flagSyn))).Packets()[0].Verdict
		if !(legs[0].want == verdict.Forwarded || legs[0].want == verdict.Originated) {
			t.Fatalf("%s, from the router: %s", legs[0].text, legs[0].want)
		}
		n.walk(t, legs)
	}
	n := newNetwork(t).filter(t, guard(), nat.Config{})
	four, six = both(leg{lan1, "udp 10.0.2.2:4000 > 10.0.1.2:23", 0, verdict.ACLRejected})
	n.walk(t, append(four, six...))
	if got := n.view.NAT.Sessions().Len() + n.view.Sessions6.Len(); got != 0 {
		t.Errorf("%d sessions of packets that were rejected, or of the answers", got)
	}
}

// TestFilterOfForgedErrors: an ICMP error about a session's packet passes only to
// the sender of that packet and with a right checksum, and a loose list takes no
// error for the beginning of a flow.
func TestFilterOfForgedErrors(t *testing.T) {
	loose := only(acl.Rule{Action: acl.Accept})
	loose.Lists[0].Loose, loose.Interfaces = true, loose.Interfaces[1:]
	four, six := both(leg{lan0, "udp 10.0.1.2:4000 > 10.0.2.2:53", 0, verdict.Forwarded}, leg{lan0, "udp 10.0.1.2:9 > 10.0.2.2:9", 0, 0})
	for family, legs := range map[uint8][]leg{4: four, 6: six} {
		router, victim := netip.MustParseAddr("10.0.2.77"), "10.0.1."
		proto, header, finish := uint8(packet.ProtoICMP), 28, func(b []byte) []byte { return reICMP4(b, 3, 1) }
		if family == 6 {
			router, victim = netip.MustParseAddr("2001:db8:2::77"), "2001:db8:1::"
			proto, header, finish = packet.ProtoICMPv6, 48, func(b []byte) []byte { return reICMP6(b, 1, 3) }
		}
		about := func(quoted, to string) []byte {
			q := segment(t, quoted, 0)
			e := build(t, Probe{Src: router, Dst: addr(victim + to), Proto: proto, Size: header + len(q)})
			copy(e[header:], q)
			return finish(e)
		}
		n := newNetwork(t).filter(t, loose, nat.Config{})
		n.walk(t, legs[:1])
		wrong := about(legs[0].text, "2")
		wrong[header-6]++
		for what, tt := range map[string]struct {
			data []byte
			want verdict.Verdict
		}{
			"to its sender":         {about(legs[0].text, "2"), verdict.Forwarded},
			"to another host":       {about(legs[0].text, "3"), verdict.ACLDropped},
			"with a wrong checksum": {wrong, verdict.ACLDropped},
			"about no session":      {about(legs[1].text, "2"), verdict.ACLDropped},
		} {
			if got := n.run(t, lan1, raw(tt.data)).Packets()[0].Verdict; got != tt.want {
				t.Errorf("IPv%d, an error %s: %s, want %s", family, what, got, tt.want)
			}
		}
	}
}

// TestFilterCountsWhatSuperPacketsCarry: a super-packet counts as the packets that
// it carries.
func TestFilterCountsWhatSuperPacketsCarry(t *testing.T) {
	closed := guard()
	closed.Interfaces[0].Interface = "lan0"
	n := newNetwork(t).filter(t, closed, nat.Config{})
	many, _ := super(t, packet.ProtoTCP, false, 45, 1300, 1300)
	counters := &Counters{}
	n.runIn(t, NewBatch(BatchSize, counters, &DropRing{}), lan0, many)
	var got, bytes uint64
	for _, numbers := range n.view.ACL.Lists {
		for _, number := range numbers {
			h := counters.Rule(number)
			got, bytes = got+h.Packets, bytes+h.Bytes
		}
	}
	if got != 45 || bytes != uint64(len(many.Data)) {
		t.Errorf("%d packets of %d bytes are counted, want 45 of %d", got, bytes, len(many.Data))
	}
}
