package dataplane

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"routerd/acl"
	"routerd/dataplane/port/memory"
	"routerd/dataplane/reassembly"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/internal/siphash"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/routing"
)

// filter has n filter by cfg, and translate by nc.
func (n *network) filter(tb rapid.TB, cfg acl.Config, nc nat.Config) *network {
	tb.Helper()
	nc.Track = true
	n.translate(tb, nc)
	var list []acl.Interface
	for _, i := range n.view.Interfaces {
		list = append(list, acl.Interface{ID: i.ID, Name: i.Name})
	}
	rules, err := acl.Compile(cfg, list, nil)
	if err != nil {
		tb.Fatal(err)
	}
	n.view.ACL = rules
	n.view.Sessions6 = flow.NewWide(flow.Config{Key: siphash.Key{1, 2}})
	return n
}

// guard is a list that protects what is behind lan0 from lan1: it lets in TCP to
// port 80, and rejects port 23.
func guard(more ...acl.Rule) acl.Config {
	rules := append(more,
		acl.Rule{Name: "web", Protocols: []uint8{packet.ProtoTCP}, DestinationPorts: []flow.PortRange{{First: 80, Last: 80}}, Action: acl.Accept, Origin: 81},
		acl.Rule{Name: "telnet", Protocols: []uint8{packet.ProtoTCP, packet.ProtoUDP}, DestinationPorts: []flow.PortRange{{First: 23, Last: 23}}, Action: acl.Reject, Origin: 82},
	)
	return acl.Config{
		Lists:      []acl.List{{Name: "outside", Default: acl.Drop, Rules: rules, Origin: 80}},
		Interfaces: []acl.Binding{{Interface: "lan1", In: "outside"}},
	}
}

// segment is a packet by its ends, as "tcp 10.0.1.2:4000 > 10.0.2.2:80", of
// either family. Of TCP it has the flags; of ICMP the identifier is the port of
// the side that asks.
func segment(tb rapid.TB, text string, flags uint8) []byte {
	tb.Helper()
	var proto, src, dst string
	if _, err := fmt.Sscanf(text, "%s %s > %s", &proto, &src, &dst); err != nil {
		tb.Fatalf("packet %q: %v", text, err)
	}
	s, d := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	p := Probe{Src: s.Addr(), Dst: d.Addr(), SrcPort: s.Port(), DstPort: d.Port()}
	header := packet.IPv4MinHeader
	switch p.Proto = map[string]uint8{"tcp": packet.ProtoTCP, "udp": packet.ProtoUDP, "icmp": packet.ProtoICMP}[proto]; {
	case s.Addr().Is6():
		header = packet.IPv6Header
		if proto == "icmp" {
			p.Proto = packet.ProtoICMPv6
		}
	}
	b := build(tb, p)
	upper := b[header:]
	sum, at := uint16(0), 2
	switch p.Proto {
	case packet.ProtoTCP:
		packet.TCP(upper).SetFlags(flags)
		at = 16
	case packet.ProtoUDP:
		return b
	default:
		if s.Port() == 0 { // 0 answers 8, and 129 answers 128
			upper[0] = map[uint8]uint8{packet.ProtoICMP: 0, packet.ProtoICMPv6: 129}[p.Proto]
		}
		binary.BigEndian.PutUint16(upper[4:], s.Port()|d.Port())
	}
	if header == packet.IPv6Header {
		sum = packet.PseudoHeaderSum6(b[8:24], b[24:40], p.Proto, len(upper))
	} else if p.Proto == packet.ProtoTCP {
		sum = packet.PseudoHeaderSum4(b[12:16], b[16:20], p.Proto, len(upper))
	}
	upper[at], upper[at+1] = 0, 0
	binary.BigEndian.PutUint16(upper[at:], ^packet.Sum(upper, sum))
	return b
}

const (
	flagSyn    = packet.TCPSyn
	flagSynAck = packet.TCPSyn | packet.TCPAck
	flagAck    = packet.TCPAck
	flagRst    = packet.TCPRst
)

// leg is one packet of a test and its fate.
type leg struct {
	in    routing.InterfaceID
	text  string
	flags uint8
	want  verdict.Verdict
}

// both gives the legs of both families: the text is that of IPv4.
func both(legs ...leg) (four, six []leg) {
	to6 := strings.NewReplacer("10.0.1.", "[2001:db8:1::", "10.0.2.", "[2001:db8:2::", "10.0.4.", "[2001:db8:4::", ":", "]:")
	for _, l := range legs {
		t := l
		t.text = to6.Replace(l.text)
		six = append(six, t)
	}
	return legs, six
}

func (n *network) walk(t *testing.T, legs []leg) {
	t.Helper()
	for i, l := range legs {
		b := n.run(t, l.in, raw(segment(t, l.text, l.flags)))
		if got := b.Packets()[0].Verdict; got != l.want {
			t.Errorf("packet %d, %s flags %#x: %s, want %s", i+1, l.text, l.flags, got, l.want)
		}
		for _, p := range n.ports {
			p.Take()
		}
	}
}

// TestFilter: what the list on lan1 lets through, in both families, without
// translation and beside it.
func TestFilter(t *testing.T) {
	const ok, no, rejected = verdict.Forwarded, verdict.ACLDropped, verdict.ACLRejected
	for _, tt := range []struct {
		name string
		cfg  acl.Config
		legs []leg
	}{
		{"a flow from inside, its answers and no other packet", guard(), []leg{
			{lan1, "udp 10.0.2.2:53 > 10.0.1.2:4000", 0, no},
			{lan0, "udp 10.0.1.2:4000 > 10.0.2.2:53", 0, ok},
			{lan1, "udp 10.0.2.2:53 > 10.0.1.2:4000", 0, ok},
			{lan0, "udp 10.0.1.2:4000 > 10.0.2.2:53", 0, ok},
			{lan1, "udp 10.0.2.2:54 > 10.0.1.2:4000", 0, no},
			{lan1, "udp 10.0.2.3:53 > 10.0.1.2:4000", 0, no},
			{lan1, "udp 10.0.2.2:53 > 10.0.1.2:4001", 0, no},
			{lan1, "udp 10.0.2.2:53 > 10.0.1.3:4000", 0, no},
		}},
		{"TCP from inside", guard(), []leg{
			{lan1, "tcp 10.0.2.2:22 > 10.0.1.2:4000", flagSynAck, no},
			{lan0, "tcp 10.0.1.2:4000 > 10.0.2.2:22", flagSyn, ok},
			{lan1, "tcp 10.0.2.2:22 > 10.0.1.2:4000", flagSynAck, ok},
			{lan0, "tcp 10.0.1.2:4000 > 10.0.2.2:22", flagAck, ok},
		}},
		{"TCP to the open port, and what belongs to no connection there", guard(), []leg{
			{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:80", flagAck, no},
			{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:80", flagSynAck, no},
			{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:80", flagRst, no},
			{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:80", 0, no},
			{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:80", flagSyn | packet.TCPFin, no},
			{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:80", flagSyn, ok},
			{lan0, "tcp 10.0.1.2:80 > 10.0.2.2:4000", flagSynAck, ok},
			{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:80", flagAck, ok},
			{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:81", flagSyn, no},
			{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:23", flagSyn, rejected},
		}},
		{"ping from inside and from outside", guard(), []leg{
			{lan1, "icmp 10.0.2.2:7 > 10.0.1.2:0", 0, no},
			{lan1, "icmp 10.0.2.2:0 > 10.0.1.2:7", 0, no},
			{lan0, "icmp 10.0.1.2:7 > 10.0.2.2:0", 0, ok},
			{lan1, "icmp 10.0.2.2:0 > 10.0.1.2:7", 0, ok},
			{lan1, "icmp 10.0.2.2:0 > 10.0.1.2:8", 0, no},
		}},
		{"a connection that the router has forgotten, from the side without a list", guard(), []leg{
			{lan0, "tcp 10.0.1.2:4000 > 10.0.2.2:22", flagAck, ok},
			{lan1, "tcp 10.0.2.2:22 > 10.0.1.2:4000", flagAck, ok},
		}},
		{"a reply of which the request went past the router", guard(), []leg{
			{lan0, "tcp 10.0.1.2:4000 > 10.0.2.2:22", flagSynAck, ok},
			{lan1, "tcp 10.0.2.2:22 > 10.0.1.2:4000", flagAck, no},
		}},
		{"a list that is loose", func() acl.Config { c := guard(); c.Lists[0].Loose = true; return c }(), []leg{
			{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:80", flagRst, no},
			{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:80", flagAck, ok},
			{lan0, "tcp 10.0.1.2:80 > 10.0.2.2:4000", flagAck, ok},
			{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:81", flagAck, no},
		}},
		{"a rule for what is invalid", guard(acl.Rule{Name: "any", States: []acl.State{acl.Invalid}, Action: acl.Accept}), []leg{
			{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:99", flagAck, ok},
			{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:99", flagSyn, no},
			// It made no session, by which the other direction would be known.
			{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:99", flagSyn, no},
		}},
		{"only what leaves is filtered", acl.Config{
			Lists:      []acl.List{{Name: "out", Default: acl.Drop, Rules: []acl.Rule{{Name: "dns", Protocols: []uint8{packet.ProtoUDP}, DestinationPorts: []flow.PortRange{{First: 53, Last: 53}}}}}},
			Interfaces: []acl.Binding{{Interface: "lan1", Out: "out"}},
		}, []leg{
			{lan0, "udp 10.0.1.2:4000 > 10.0.2.2:53", 0, ok},
			{lan0, "udp 10.0.1.2:4000 > 10.0.2.2:54", 0, no},
			{lan0, "udp 10.0.1.2:4000 > 10.0.4.2:54", 0, ok},
			{lan1, "udp 10.0.2.2:54 > 10.0.1.2:4000", 0, ok},
			{lan0, "udp 10.0.1.2:4000 > 10.0.2.2:54", 0, ok}, // an answer now
		}},
		{"the router itself", acl.Config{
			Lists: []acl.List{{Name: "router", Default: acl.Drop, Rules: []acl.Rule{
				{Name: "no-ping", Protocols: []uint8{packet.ProtoICMP}, ICMP: []acl.ICMPType{{Type: 8, All: true}}, Sources: []flow.AddressRange{flow.RangeOf(prefix("10.0.2.0/24"))}, Action: acl.Drop},
				{Name: "no-ping6", Protocols: []uint8{packet.ProtoICMPv6}, ICMP: []acl.ICMPType{{Type: 128, All: true}}, Sources: []flow.AddressRange{flow.RangeOf(prefix("2001:db8:2::/64"))}, Action: acl.Drop},
				{Name: "ping", Protocols: []uint8{packet.ProtoICMP, packet.ProtoICMPv6}, Action: acl.Accept},
			}}},
			Local: "router",
		}, []leg{
			{lan0, "icmp 10.0.1.2:7 > 10.0.1.1:0", 0, verdict.EchoReplied},
			{lan1, "icmp 10.0.2.2:7 > 10.0.2.1:0", 0, no},
			{lan0, "udp 10.0.1.2:7 > 10.0.1.1:9", 0, no},
			{lan0, "udp 10.0.1.2:7 > 10.0.2.2:9", 0, ok},
		}},
	} {
		four, six := both(tt.legs...)
		t.Run(tt.name, func(t *testing.T) { newNetwork(t).filter(t, tt.cfg, nat.Config{}).walk(t, four) })
		t.Run(tt.name+" over IPv6", func(t *testing.T) { newNetwork(t).filter(t, tt.cfg, nat.Config{}).walk(t, six) })
		t.Run(tt.name+" over IPv6, beside translation", func(t *testing.T) { newNetwork(t).filter(t, tt.cfg, natConfig()).walk(t, six) })
	}
}

// TestFilterWithTranslation: a list sees the addresses that a packet comes in
// with and leaves with, and NAT and filter have one session.
func TestFilterWithTranslation(t *testing.T) {
	const ok, no = verdict.Forwarded, verdict.ACLDropped
	open := func(name string, to string) acl.Rule {
		return acl.Rule{Name: name, Protocols: []uint8{packet.ProtoTCP}, Destinations: []flow.AddressRange{flow.RangeOf(prefix(to))}, DestinationPorts: []flow.PortRange{{First: 80, Last: 8080}}}
	}
	in := func(rules ...acl.Rule) acl.Config {
		return acl.Config{Lists: []acl.List{{Name: "x", Default: acl.Drop, Rules: rules}}, Interfaces: []acl.Binding{{Interface: "lan1", In: "x"}}}
	}
	out := func(iface string, rules ...acl.Rule) acl.Config {
		return acl.Config{Lists: []acl.List{{Name: "x", Default: acl.Drop, Rules: rules}}, Interfaces: []acl.Binding{{Interface: iface, Out: "x"}}}
	}
	from := func(prefixes string) acl.Rule {
		return acl.Rule{Name: "from", Sources: []flow.AddressRange{flow.RangeOf(prefix(prefixes))}}
	}
	for _, tt := range []struct {
		name string
		cfg  acl.Config
		legs []leg
	}{
		{"masquerade, its answers and no other packet", guard(), []leg{
			{lan0, "udp 10.0.1.2:4000 > 10.0.2.2:53", 0, ok},
			{lan1, "udp 10.0.2.2:53 > 10.0.2.1:4000", 0, ok},
			{lan1, "udp 10.0.2.9:53 > 10.0.2.1:4000", 0, no},
		}},
		{"what a mapping expects is related", in(acl.Rule{Name: "related", States: []acl.State{acl.Related}}), []leg{
			{lan1, "udp 10.0.2.9:53 > 10.0.2.1:4000", 0, no},
			{lan0, "udp 10.0.1.2:4000 > 10.0.2.2:53", 0, ok},
			{lan1, "udp 10.0.2.9:53 > 10.0.2.1:4000", 0, ok},
			{lan1, "udp 10.0.2.9:53 > 10.0.2.1:4001", 0, no},
		}},
		{"a forwarded port, by the outside address", in(open("out", "10.0.2.1/32")), []leg{
			{lan1, "tcp 10.0.2.2:5555 > 10.0.2.1:80", flagSyn, ok},
			{lan0, "tcp 10.0.1.3:8080 > 10.0.2.2:5555", flagSynAck, ok},
		}},
		{"acl-in does not see the inside address", in(open("in", "10.0.1.3/32")), []leg{
			{lan1, "tcp 10.0.2.2:5555 > 10.0.2.1:80", flagSyn, no},
		}},
		{"acl-out sees the inside address", out("lan0", open("in", "10.0.1.3/32")), []leg{
			{lan1, "tcp 10.0.2.2:5555 > 10.0.2.1:80", flagSyn, ok},
			{lan1, "tcp 10.0.2.2:5555 > 10.0.1.4:80", flagSyn, no},
		}},
		{"acl-out sees the outside source", out("lan1", from("10.0.2.1/32")), []leg{
			{lan0, "udp 10.0.1.2:4000 > 10.0.2.2:53", 0, ok},
		}},
		{"acl-out does not see the inside source", out("lan1", from("10.0.1.0/24")), []leg{
			{lan0, "udp 10.0.1.2:4000 > 10.0.2.2:53", 0, no},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork(t).filter(t, tt.cfg, func() nat.Config { c := natConfig(); c.Filtering = nat.EndpointIndependent; return c }())
			n.walk(t, tt.legs)
			want := 0
			for _, l := range tt.legs {
				if l.want == ok && l.in == tt.legs[0].in {
					want = 1
				}
			}
			if got := n.view.NAT.Sessions().Len(); want == 0 && got != 0 {
				t.Errorf("%d sessions of flows that were refused", got)
			}
		})
	}
}

// TestFilterRejects: a rejected packet is answered as its sender understands.
func TestFilterRejects(t *testing.T) {
	four, six := both(
		leg{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:23", flagSyn, 0},
		leg{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:23", flagAck, 0},
		leg{lan1, "udp 10.0.2.2:4000 > 10.0.1.2:23", 0, 0},
		leg{lan1, "tcp 10.0.2.2:4000 > 10.0.1.2:23", flagRst, 0},
	)
	for family, legs := range map[uint8][]leg{4: four, 6: six} {
		n := newNetwork(t).filter(t, guard(), nat.Config{})
		answer := func(l leg) []byte {
			sent := segment(t, l.text, l.flags)
			if l.text == legs[0].text && l.flags == flagSyn {
				tcp := packet.TCP(sent[len(sent)-packet.TCPMinHeader:])
				tcp.SetSeq(0x01020304)
			}
			b := n.run(t, l.in, raw(sent))
			if got := b.Packets()[0].Verdict; got != verdict.ACLRejected {
				t.Errorf("%s: %s, want acl_rejected", l.text, got)
			}
			back := n.ports[lan1].Take()
			if len(back) == 0 {
				return nil
			}
			return back[0].Data
		}
		header := map[uint8]int{4: 20, 6: 40}[family]
		for i, want := range []struct {
			flags    uint8
			seq, ack uint32
		}{{flagRst | flagAck, 0, 0x01020305}, {flagRst, 0, 0}} {
			got := answer(legs[i])
			if len(got) != header+packet.TCPMinHeader {
				t.Fatalf("IPv%d, packet %d: answer %x, want an RST", family, i+1, got)
			}
			tcp := packet.TCP(got[header:])
			if tcp.Flags() != want.flags || tcp.Seq() != want.seq || tcp.Ack() != want.ack || tcp.SrcPort() != 23 || tcp.DstPort() != 4000 {
				t.Errorf("IPv%d, packet %d: RST flags %#x seq %#x ack %#x from port %d to %d; want flags %#x seq %#x ack %#x from 23 to 4000", family, i+1,
					tcp.Flags(), tcp.Seq(), tcp.Ack(), tcp.SrcPort(), tcp.DstPort(), want.flags, want.seq, want.ack)
			}
			if family == 4 {
				sound(t, got)
			} else if packet.Sum(tcp, packet.PseudoHeaderSum6(got[8:24], got[24:40], packet.ProtoTCP, len(tcp))) != 0xffff {
				t.Errorf("wrong checksum: %x", got)
			}
		}
		if got := answer(legs[2]); len(got) < header+2 || got[header+1] != map[uint8]uint8{4: 13, 6: 1}[family] {
			t.Errorf("IPv%d: answer to UDP %x, want an ICMP error: administratively prohibited", family, got)
		}
		if got := answer(legs[3]); got != nil {
			t.Errorf("IPv%d: an RST is answered with %x, want silence", family, got)
		}
	}
}

// TestFilterRelatedErrors: an ICMP error about a packet of a session passes, to
// the sender of that packet; no other does.
func TestFilterRelatedErrors(t *testing.T) {
	four, six := both(leg{lan0, "udp 10.0.1.2:4000 > 10.0.2.2:53", 0, 0}, leg{lan0, "udp 10.0.1.2:4001 > 10.0.2.2:53", 0, 0}, leg{lan0, "udp 10.0.1.3:4000 > 10.0.2.2:53", 0, 0})
	for family, legs := range map[uint8][]leg{4: four, 6: six} {
		n := newNetwork(t).filter(t, guard(), nat.Config{})
		n.run(t, lan0, raw(segment(t, legs[0].text, 0)))
		for i, l := range legs {
			quoted := segment(t, l.text, 0)
			to := addr("10.0.1.2")
			if family == 6 {
				to = addr("2001:db8:1::2")
			}
			from := map[uint8]netip.Addr{4: addr("10.0.2.77"), 6: addr("2001:db8:2::77")}[family]
			p := Probe{Src: from, Dst: to, Proto: packet.ProtoICMP, Size: 28 + len(quoted)}
			if family == 6 {
				p.Proto, p.Size = packet.ProtoICMPv6, 48+len(quoted)
			}
			e := build(t, p)
			copy(e[len(e)-len(quoted):], quoted)
			if family == 4 {
				e = reICMP4(e, 3, 1)
			} else {
				e = reICMP6(e, 1, 3)
			}
			want := verdict.ACLDropped
			if i == 0 {
				want = verdict.Forwarded
			}
			if got := n.run(t, lan1, raw(e)).Packets()[0].Verdict; got != want {
				t.Errorf("IPv%d, an error to %s about %s: %s, want %s", family, to, l.text, got, want)
			}
		}
	}
}

// TestFilterCountsAndTells: rules are counted, drops and explanations name them.
func TestFilterCountsAndTells(t *testing.T) {
	n := newNetwork(t).filter(t, guard(), nat.Config{})
	ring, counters := &DropRing{}, &Counters{}
	b := NewBatch(BatchSize, counters, ring)
	web, other := segment(t, "tcp 10.0.2.2:4000 > 10.0.1.2:80", flagSyn), segment(t, "tcp 10.0.2.2:4000 > 10.0.1.2:81", flagSyn)
	n.runIn(t, b, lan1, raw(web), raw(other), raw(segment(t, "tcp [2001:db8:2::2]:4000 > [2001:db8:1::2]:23", flagSyn)))
	hits := map[string]uint64{}
	for _, numbers := range n.view.ACL.Lists {
		for _, number := range numbers {
			place, _ := n.view.ACL.Place(number)
			h := counters.Rule(number)
			hits[place.Rule] = h.Packets
			if h.Packets > 0 && (!h.Last.Equal(testNow) || h.Bytes == 0) {
				t.Errorf("rule %q has %+v, want bytes and the time", place.Rule, h)
			}
		}
	}
	if hits["web"] != 1 || hits["telnet"] != 1 || hits[""] != 1 {
		t.Errorf("hits %v, want one of each rule", hits)
	}
	var said []string
	for _, d := range ring.Last(3) {
		said = append(said, n.view.DropSentence(&d))
	}
	if want := []string{"rejected by rule telnet of acl outside", "dropped by the default action of acl outside"}; len(said) != 2 || said[0] != want[0] || said[1] != want[1] {
		t.Errorf("drops say %q, want %q", said, want)
	}

	steps := func(in routing.InterfaceID, p []byte) map[string]Finding {
		m := map[string]Finding{}
		for _, s := range Explain(n.view, in, p, testNow).Steps {
			m[s.Stage] = s.Finding
		}
		return m
	}
	if got := steps(lan1, other); got["acl-in"] != (Finding{"dropped by the default action of acl outside", 80}) || got["session"].Text != "new: it may begin a flow" {
		t.Errorf("explained as %v", got)
	}
	for _, answer := range []string{"tcp 10.0.1.2:80 > 10.0.2.2:4000"} {
		if got := steps(lan0, segment(t, answer, flagSynAck))["session"]; got.Text != "established: it belongs to a session that exists, which no rule is asked about; rule web of acl outside let it begin" || got.Origin != 81 {
			t.Errorf("an answer is explained as %v", got)
		}
	}
	before := n.view.Sessions6.Len()
	six := segment(t, "tcp [2001:db8:2::2]:4000 > [2001:db8:1::2]:80", flagSyn)
	if got := steps(lan1, six); got["track"].Text != "a new session would be made" || n.view.Sessions6.Len() != before {
		t.Errorf("explained as %v, and there are %d sessions, want %d", got, n.view.Sessions6.Len(), before)
	}
}

// TestFilterPieces6: fragments of IPv6 are put together, since only the first
// has ports, and leave in fragments no larger than those that came, with the
// headers that each has to repeat.
func TestFilterPieces6(t *testing.T) {
	hopByHop := []byte{0, 0, 1, 4, 0, 0, 0, 0} // next header, length, PadN of six bytes
	for name, options := range map[string][]byte{"": nil, "with hop-by-hop options": hopByHop} {
		n := newNetwork(t).filter(t, guard(acl.Rule{Name: "dns", Protocols: []uint8{packet.ProtoUDP}, DestinationPorts: []flow.PortRange{{First: 53, Last: 53}}}), nat.Config{})
		for port, want := range map[uint16]int{53: 2, 54: 0} {
			whole := build(t, Probe{Src: addr("2001:db8:2::2"), Dst: addr("2001:db8:1::2"), Proto: packet.ProtoUDP, SrcPort: 4000, DstPort: port, Size: 40 + 1600})
			payload := whole[packet.IPv6Header:]
			piece := func(offset, end int) memory.Packet {
				front := append([]byte(nil), whole[:packet.IPv6Header]...)
				front[6] = packet.ProtoFragment
				if options != nil {
					front[6] = packet.ProtoHopByHop
					front = append(front, options...)
					front[packet.IPv6Header] = packet.ProtoFragment
				}
				at := len(front)
				front = append(front, make([]byte, packet.IPv6FragmentHeader)...)
				packet.FragmentHeader(front[at:]).Set(packet.ProtoUDP, offset, end < len(payload), 7)
				front = append(front, payload[offset:end]...)
				packet.IPv6(front).SetPayloadLen(len(front) - packet.IPv6Header)
				return raw(front)
			}
			n.run(t, lan1, piece(0, 1000), piece(1000, len(payload)))
			sent := n.ports[lan0].Take()
			if len(sent) != want {
				t.Fatalf("%s: to port %d, %d packets left, want %d", name, port, len(sent), want)
			}
			table, joined := reassembly.New(reassembly.Default), []byte(nil)
			for _, s := range sent {
				if len(s.Data) > packet.IPv6Header+len(options)+packet.IPv6FragmentHeader+1000 {
					t.Errorf("%s: a fragment of %d bytes left, want none longer than those that came", name, len(s.Data))
				}
				if got, _ := table.Add(s.Data, lan0, testNow); got != nil {
					joined = append(joined, got...)
				}
			}
			if want > 0 && !bytes.HasSuffix(joined, payload) {
				t.Errorf("%s: what left is put together to %x, want the payload as it came", name, joined)
			}
			if want > 0 && options != nil && sent[1].Data[6] != packet.ProtoHopByHop {
				t.Errorf("the second fragment begins with next header %d, want the hop-by-hop options in each", sent[1].Data[6])
			}
		}
	}
}
