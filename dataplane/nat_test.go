package dataplane

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/routing"
)

// Of the test network, lan0 with 10.0.1.0/24 is inside and lan1 with the
// router's 10.0.2.1 outside.
func natConfig() nat.Config {
	return nat.Config{
		Source: []nat.SourceRule{{Name: "lan-out", Match: nat.Match{
			Outbound: []string{"lan1"}, Sources: []flow.AddressRange{flow.RangeOf(prefix("10.0.1.0/24"))},
		}}},
		Destination: []nat.DestinationRule{{
			Name: "web", Match: nat.Match{
				Inbound: []string{"lan1"}, Protocols: []uint8{packet.ProtoTCP},
				Destinations:     []flow.AddressRange{flow.RangeOf(prefix("10.0.2.1/32"))},
				DestinationPorts: []flow.PortRange{{First: 80, Last: 80}},
			},
			Address: addr("10.0.1.3"), Ports: flow.PortRange{First: 8080, Last: 8080}, Hairpin: true,
		}},
	}
}

// translate makes n translate by cfg.
func (n *network) translate(tb rapid.TB, cfg nat.Config) *network {
	tb.Helper()
	n.view.NAT = nat.New(nat.Options{Random: rand.NewPCG(1, 1)})
	n.view.Flows = flow.NewClock(testNow.Add(-time.Hour))
	var list []nat.Interface
	for _, i := range n.view.Interfaces {
		list = append(list, nat.Interface{ID: i.ID, Name: i.Name, Addresses: i.Addresses})
	}
	rules, _, err := n.view.NAT.Prepare(cfg, list)
	if err != nil {
		tb.Fatal(err)
	}
	n.view.NAT.Commit(rules)
	for n.view.NAT.Review() {
	}
	return n
}

func newNATNetwork(tb testing.TB) *network { return newNetwork(tb).translate(tb, natConfig()) }

// probe is a packet by its ends: "udp 10.0.1.2:4000 > 10.0.2.2:5000"; an ICMP
// one has the identifier as its port and is an echo request where its source
// has it, else a reply.
func probe(tb testing.TB, ends string, payload int) []byte {
	tb.Helper()
	var proto, src, dst string
	if _, err := fmt.Sscanf(ends, "%s %s > %s", &proto, &src, &dst); err != nil {
		tb.Fatalf("ends %q: %v", ends, err)
	}
	s, d := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	p := Probe{
		Src: s.Addr(), Dst: d.Addr(), SrcPort: s.Port(), DstPort: d.Port(),
		Proto: map[string]uint8{"tcp": packet.ProtoTCP, "udp": packet.ProtoUDP, "icmp": packet.ProtoICMP}[proto],
	}
	p.Size = 28 + payload
	if p.Proto == packet.ProtoTCP {
		p.Size += 12
	}
	b := build(tb, p)
	if p.Proto == packet.ProtoICMP {
		m := packet.ICMP(b[20:])
		if s.Port() == 0 {
			m.SetType(0)
		}
		binary.BigEndian.PutUint16(m[4:], s.Port()|d.Port())
		m.SetChecksum(0)
		m.SetChecksum(packet.Checksum(m))
	}
	return b
}

// ends is the inverse of probe.
func ends(b []byte) string {
	proto := map[uint8]string{packet.ProtoTCP: "tcp", packet.ProtoUDP: "udp", packet.ProtoICMP: "icmp"}[b[9]]
	h := packet.IPv4(b).HeaderLen()
	sport, dport := binary.BigEndian.Uint16(b[h:]), binary.BigEndian.Uint16(b[h+2:])
	if proto == "icmp" {
		sport, dport = 0, binary.BigEndian.Uint16(b[h+4:])
		if b[h] == 8 {
			sport, dport = dport, 0
		}
	}
	ip := packet.IPv4(b)
	return fmt.Sprintf("%s %s > %s", proto, netip.AddrPortFrom(ip.Src(), sport), netip.AddrPortFrom(ip.Dst(), dport))
}

// sound checks every checksum of a whole packet by a full count.
func sound(tb testing.TB, b []byte) {
	tb.Helper()
	if ip := packet.IPv4(b); !ip.Valid() || !ip.HeaderChecksumOK() {
		tb.Fatalf("unsound IPv4 header: %x", b)
	}
	if !transportRight(b) {
		tb.Errorf("wrong transport checksum of %s: %x", ends(b), b)
	}
}

// transportRight counts the transport checksum of a valid packet in full.
func transportRight(b []byte) bool {
	ip := packet.IPv4(b)
	initial, body := uint16(0), ip.Payload()
	switch ip.Protocol() {
	case packet.ProtoUDP:
		if len(body) < packet.UDPHeader {
			return false
		}
		if packet.UDP(body).Checksum() == 0 {
			return true
		}
		fallthrough
	case packet.ProtoTCP:
		initial = packet.PseudoHeaderSum4(b[12:16], b[16:20], ip.Protocol(), len(body))
	case packet.ProtoICMP:
	default:
		return true
	}
	return packet.Sum(body, initial) == 0xffff
}

// pass sends one packet in and gives what left by out; it has to be one packet.
func (n *network) pass(tb testing.TB, in, out routing.InterfaceID, p []byte) []byte {
	tb.Helper()
	b := n.run(tb, in, raw(p))
	sent := n.ports[out].Take()
	if len(sent) != 1 {
		tb.Fatalf("%s: %d packets left by %s (verdict %s), want one", ends(p), len(sent), n.view.Interface(out).Name, b.Packets()[0].Verdict)
	}
	sound(tb, sent[0].Data)
	return sent[0].Data
}

// expect is pass with the ends that the packet has to leave with.
func (n *network) expect(tb testing.TB, in, out routing.InterfaceID, from, to string) {
	tb.Helper()
	if got := ends(n.pass(tb, in, out, probe(tb, from, 40))); got != to {
		tb.Errorf("%s becomes %s, want %s", from, got, to)
	}
}

func TestNATPath(t *testing.T) {
	type step struct {
		in, out  routing.InterfaceID
		from, to string
	}
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"masqueraded UDP and its answer", []step{
			{lan0, lan1, "udp 10.0.1.2:4000 > 10.0.2.2:53", "udp 10.0.2.1:4000 > 10.0.2.2:53"},
			{lan1, lan0, "udp 10.0.2.2:53 > 10.0.2.1:4000", "udp 10.0.2.2:53 > 10.0.1.2:4000"},
			{lan0, lan1, "udp 10.0.1.2:4000 > 10.0.2.2:53", "udp 10.0.2.1:4000 > 10.0.2.2:53"},
		}},
		{"masqueraded TCP and its answer", []step{
			{lan0, lan1, "tcp 10.0.1.2:4000 > 10.0.2.2:80", "tcp 10.0.2.1:4000 > 10.0.2.2:80"},
			{lan1, lan0, "tcp 10.0.2.2:80 > 10.0.2.1:4000", "tcp 10.0.2.2:80 > 10.0.1.2:4000"},
		}},
		{"masqueraded ping and its answer", []step{
			{lan0, lan1, "icmp 10.0.1.2:77 > 10.0.2.2:0", "icmp 10.0.2.1:77 > 10.0.2.2:0"},
			{lan1, lan0, "icmp 10.0.2.2:0 > 10.0.2.1:77", "icmp 10.0.2.2:0 > 10.0.1.2:77"},
		}},
		{"an endpoint-independent mapping lets another one in", []step{
			{lan0, lan1, "udp 10.0.1.2:4000 > 10.0.2.2:53", "udp 10.0.2.1:4000 > 10.0.2.2:53"},
			{lan1, lan0, "udp 10.0.2.9:9 > 10.0.2.1:4000", "udp 10.0.2.9:9 > 10.0.1.2:4000"},
			{lan0, lan1, "udp 10.0.1.2:4000 > 10.0.2.9:9", "udp 10.0.2.1:4000 > 10.0.2.9:9"},
		}},
		{"a forwarded port and its answer", []step{
			{lan1, lan0, "tcp 10.0.2.2:5555 > 10.0.2.1:80", "tcp 10.0.2.2:5555 > 10.0.1.3:8080"},
			{lan0, lan1, "tcp 10.0.1.3:8080 > 10.0.2.2:5555", "tcp 10.0.2.1:80 > 10.0.2.2:5555"},
		}},
		{"a forwarded port by hairpin, with an outside source", []step{
			{lan0, lan0, "tcp 10.0.1.2:6000 > 10.0.2.1:80", "tcp 10.0.2.1:6000 > 10.0.1.3:8080"},
			{lan0, lan0, "tcp 10.0.1.3:8080 > 10.0.2.1:6000", "tcp 10.0.2.1:80 > 10.0.1.2:6000"},
		}},
		{"two inside hosts by their mappings", []step{
			{lan0, lan1, "udp 10.0.1.2:4000 > 10.0.2.2:53", "udp 10.0.2.1:4000 > 10.0.2.2:53"},
			{lan0, lan0, "udp 10.0.1.3:4001 > 10.0.2.1:4000", "udp 10.0.2.1:4001 > 10.0.1.2:4000"},
			{lan0, lan0, "udp 10.0.1.2:4000 > 10.0.2.1:4001", "udp 10.0.2.1:4000 > 10.0.1.3:4001"},
		}},
		{"what no rule matches", []step{
			{lan1, bare0, "udp 10.0.2.2:4000 > 10.0.4.2:53", "udp 10.0.2.2:4000 > 10.0.4.2:53"},
			{lan0, bare0, "udp 10.0.1.2:4000 > 10.0.4.2:53", "udp 10.0.1.2:4000 > 10.0.4.2:53"},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNATNetwork(t)
			for _, s := range tt.steps {
				n.expect(t, s.in, s.out, s.from, s.to)
			}
		})
	}
}

func TestNATFates(t *testing.T) {
	pool := func(cfg *nat.Config) {
		cfg.Pools = []nat.PoolConfig{{
			Name: "one", Addresses: []flow.AddressRange{flow.RangeOf(prefix("198.51.100.1/32"))}, Ports: flow.PortRange{First: 5000, Last: 5000},
		}}
		cfg.Source[0].Method, cfg.Source[0].Pool = nat.FromPool, "one"
	}
	first := probe(t, "udp 10.0.1.2:4000 > 10.0.2.2:53", 10)
	second := probe(t, "udp 10.0.1.2:4001 > 10.0.2.2:53", 10)
	gre := func(p packet.IPv4) { p.SetProtocol(47) }
	about := func(inner []byte) []byte {
		b := append(probe(t, "icmp 10.0.1.2:0 > 10.0.2.2:0", 0), inner...)
		packet.IPv4(b).SetTotalLen(len(b))
		packet.IPv4(b).FillChecksum()
		return reICMP4(b, 3, 1)
	}
	for _, tt := range []struct {
		name   string
		change func(cfg *nat.Config)
		before []byte // by lan0
		in     routing.InterfaceID
		packet []byte
		want   verdict.Verdict
		icmp   int
	}{
		{"a UDP header that contradicts itself", nil, nil, lan0, edit(first, func(b []byte) { b[25] = 3 }), verdict.NATBadPacket, none},
		{"a TCP header cut short", nil, nil, lan0, edit4(first[:28], func(p packet.IPv4) { p.SetProtocol(packet.ProtoTCP); p.SetTotalLen(28) }), verdict.NATBadPacket, none},
		{"a redirect", nil, nil, lan0, reICMP4(probe(t, "icmp 10.0.1.2:1 > 10.0.2.2:0", 30), 5, 1), verdict.NATInvalidState, none},
		{"an error about no session", nil, nil, lan0, about(probe(t, "udp 10.0.2.2:1 > 10.0.1.2:2", 10)), verdict.NATICMPUnmatched, none},
		{"an outside address without mapping", pool, nil, lan1, probe(t, "udp 10.0.2.2:53 > 198.51.100.1:5000", 10), verdict.NATNoMapping, none},
		{
			"a remote endpoint that was not spoken to", func(cfg *nat.Config) { cfg.Filtering = nat.AddressDependent },
			first, lan1, probe(t, "udp 10.0.2.9:53 > 10.0.2.1:4000", 10), verdict.NATFiltered, none,
		},
		{"an empty pool", pool, first, lan0, second, verdict.NATPoolExhausted, 3<<8 | 13},
		{"a protocol without ports that another host speaks there", pool, edit4(first, gre), lan0, edit4(probe(t, "udp 10.0.1.4:4000 > 10.0.2.2:53", 10), gre), verdict.NATPortless, 3<<8 | 13},
		{"a SYN that nobody asked for", nil, first, lan1, probe(t, "tcp 10.0.2.2:53 > 10.0.2.1:5000", 0), verdict.NATNoMapping, none},
		{"an inside host's SYN to the router", nil, first, lan0, probe(t, "tcp 10.0.1.2:53 > 10.0.2.1:5000", 0), verdict.PortUnreachable, 3<<8 | 3},
		{"all sessions taken", func(cfg *nat.Config) { cfg.MaxSessions = 1 }, first, lan0, second, verdict.NATSessionLimit, 3<<8 | 13},
		{"the host's sessions taken", func(cfg *nat.Config) { cfg.MaxSessionsPerHost = 1 }, first, lan0, second, verdict.NATHostLimit, 3<<8 | 13},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := natConfig()
			if tt.change != nil {
				tt.change(&cfg)
			}
			n := newNetwork(t).translate(t, cfg)
			if tt.before != nil {
				n.pass(t, lan0, lan1, tt.before)
			}
			b := n.run(t, tt.in, raw(tt.packet))
			if got := b.Packets()[0].Verdict; got != tt.want {
				t.Fatalf("verdict %s, want %s", got, tt.want)
			}
			if tt.in == lan0 {
				checkError(t, n, b, fate{tt.name, tt.packet, tt.want, tt.icmp})
			} else if sent := n.ports[tt.in].Take(); len(sent) > 0 {
				t.Errorf("answered with %x, want silence", sent[0].Data)
			}
		})
	}
}

// errorAbout is an ICMP error from a router, which quotes length bytes of a packet.
func errorAbout(tb testing.TB, from, to string, typ, code uint8, quote []byte, length int) []byte {
	tb.Helper()
	b := append(probe(tb, "icmp "+from+":0 > "+to+":0", 0), quote[:length]...)
	packet.IPv4(b).SetTotalLen(len(b))
	packet.IPv4(b).FillChecksum()
	return reICMP4(b, typ, code)
}

// TestNATTraceroute: the errors of this router and of those beyond reach the
// inside host, about the packet that it sent (RFC 5508 REQ-4).
func TestNATTraceroute(t *testing.T) {
	n := newNATNetwork(t)
	for _, from := range []string{"udp 10.0.1.2:4000 > 10.0.9.9:33434", "icmp 10.0.1.2:9 > 10.0.9.9:0", "tcp 10.0.1.2:4000 > 10.0.9.9:80"} {
		n.forward("10.0.9.0/24", routing.SourceStatic, hopVia("10.0.2.2", lan1))
		sent := probe(t, from, 24)
		near := edit4(sent, func(p packet.IPv4) { p.SetTTL(1) })
		got := n.pass(t, lan0, lan0, near)
		if src := packet.IPv4(got).Src(); src != addr("10.0.1.1") || !bytes.HasPrefix(near, got[28:]) || got[20] != 11 {
			t.Errorf("%s: the near router says %x, want it to quote %x", from, got, near)
		}
		left := n.pass(t, lan0, lan1, sent)
		for _, length := range []int{28, 36, len(left)} {
			back := n.pass(t, lan1, lan0, errorAbout(t, "10.0.2.2", "10.0.2.1", 11, 0, left, length))
			quoted := packet.IPv4(back[28:])
			if packet.IPv4(back).Dst() != addr("10.0.1.2") || packet.IPv4(back).Src() != addr("10.0.2.2") {
				t.Errorf("%s: the error goes from %s to %s, want 10.0.2.2 to 10.0.1.2", from, packet.IPv4(back).Src(), packet.IPv4(back).Dst())
			}
			if got := ends(quoted); got != from || !quoted.HeaderChecksumOK() {
				t.Errorf("%s: the error quotes %s (%x)", from, got, []byte(quoted))
			}
			if length == len(left) {
				whole := slices.Clone(quoted)
				sound(t, whole)
			}
		}
	}
}

// TestNATErrorFromInside: an inside host's error about what an answer brought
// has the outside address on both its headers (RFC 5508 REQ-5), and so has
// one of a router inside.
func TestNATErrorFromInside(t *testing.T) {
	n := newNATNetwork(t)
	n.expect(t, lan0, lan1, "udp 10.0.1.2:4000 > 10.0.2.2:53", "udp 10.0.2.1:4000 > 10.0.2.2:53")
	answer := "udp 10.0.2.2:53 > 10.0.2.1:4000"
	arrived := n.pass(t, lan1, lan0, probe(t, answer, 20))
	for _, from := range []string{"10.0.1.2", "10.0.1.77"} {
		got := n.pass(t, lan0, lan1, errorAbout(t, from, "10.0.2.2", 3, 3, arrived, 28))
		if src := packet.IPv4(got).Src(); src != addr("10.0.2.1") || ends(got[28:]) != answer {
			t.Errorf("from %s: leaves as from %s about %s, want 10.0.2.1 about %s", from, src, ends(got[28:]), answer)
		}
	}
}

func TestNATPathMTU(t *testing.T) {
	n := newNATNetwork(t)
	big := func(from string, size int) []byte {
		return edit4(probe(t, from, size), func(p packet.IPv4) { p.SetFragment(true, false, 0) })
	}
	t.Run("from beyond", func(t *testing.T) {
		left := n.pass(t, lan0, lan1, big("udp 10.0.1.2:4000 > 10.0.2.2:53", 1300))
		e := errorAbout(t, "10.0.2.9", "10.0.2.1", 3, 4, left, 28)
		packet.ICMP(e[20:]).SetRest(1280)
		back := n.pass(t, lan1, lan0, reICMP4(e, 3, 4))
		if got := ends(back[28:]); got != "udp 10.0.1.2:4000 > 10.0.2.2:53" || packet.ICMP(back[20:]).Rest() != 1280 {
			t.Errorf("the inside host hears of %s with MTU %d", got, packet.ICMP(back[20:]).Rest())
		}
	})
	t.Run("from the router, about a packet that leaves", func(t *testing.T) {
		sent := big("udp 10.0.1.2:4000 > 10.0.2.2:53", 1400)
		b := n.run(t, lan0, raw(sent))
		checkError(t, n, b, fate{"", sent, verdict.TooBig, 3<<8 | 4})
	})
	t.Run("from the router, about a packet that comes in", func(t *testing.T) {
		n.view.Interfaces[lan0].MTU = 1280
		sent := big("udp 10.0.2.2:53 > 10.0.2.1:4000", 1300)
		got := n.pass(t, lan1, lan1, sent)
		if got[20] != 3 || got[21] != 4 || !bytes.HasPrefix(sent, got[28:]) {
			t.Errorf("the sender hears %x, want frag needed about %x", got, sent[:28])
		}
	})
}

func TestNATChecksums(t *testing.T) {
	n := newNATNetwork(t)
	t.Run("none over UDP", func(t *testing.T) {
		sent := probe(t, "udp 10.0.1.2:4000 > 10.0.2.2:53", 20)
		packet.UDP(sent[20:]).SetChecksum(0)
		if got := n.pass(t, lan0, lan1, sent); packet.UDP(got[20:]).Checksum() != 0 {
			t.Errorf("checksum %04x, want none", packet.UDP(got[20:]).Checksum())
		}
	})
	t.Run("wrong stays wrong", func(t *testing.T) {
		sent := probe(t, "tcp 10.0.1.2:4000 > 10.0.2.2:53", 20)
		sent[36] ^= 0x55
		n.run(t, lan0, raw(sent))
		got := n.ports[lan1].Take()[0].Data
		if packet.Sum(got[20:], packet.PseudoHeaderSum4(got[12:16], got[16:20], packet.ProtoTCP, len(got)-20)) == 0xffff {
			t.Error("a damaged segment left with a right checksum")
		}
	})
	for _, out := range []routing.InterfaceID{lan1, bare0} {
		t.Run("partial, by "+n.view.Interface(out).Name, func(t *testing.T) {
			cfg := natConfig()
			cfg.Source[0].Match.Outbound = nil
			n := newNetwork(t).translate(t, cfg)
			dst := map[routing.InterfaceID]string{lan1: "10.0.2.2", bare0: "10.0.4.2"}[out]
			sent := probe(t, "tcp 10.0.1.2:4000 > "+dst+":80", 20)
			binary.BigEndian.PutUint16(sent[36:], packet.PseudoHeaderSum4(sent[12:16], sent[16:20], packet.ProtoTCP, len(sent)-20))
			n.run(t, lan0, memory.Packet{Data: sent, Offload: port.Offload{NeedsChecksum: true, ChecksumStart: 20, ChecksumOffset: 16}})
			got := n.ports[out].Take()[0]
			if packet.IPv4(got.Data).Src() == addr("10.0.1.2") {
				t.Error("not translated")
			}
			if got.Offload.NeedsChecksum {
				c := packet.Checksum(got.Data[20:])
				binary.BigEndian.PutUint16(got.Data[36:], c)
			}
			sound(t, got.Data)
		})
	}
}

// TestNATSuperPackets: what is cut from a translated super-packet is what
// the translated packets would have been.
func TestNATSuperPackets(t *testing.T) {
	for _, proto := range []uint8{packet.ProtoTCP, packet.ProtoUDP} {
		n := newNATNetwork(t)
		whole, list := super(t, proto, false, 5, 1000, 700)
		open := probe(t, map[uint8]string{6: "tcp", 17: "udp"}[proto]+" 10.0.1.2:4000 > 10.0.2.2:5000", 0)
		n.pass(t, lan0, lan1, open)
		n.run(t, lan0, whole)
		sent := n.ports[lan1].Take()
		if len(sent) != 1 || sent[0].Offload.GSO == port.GSONone {
			t.Fatalf("protocol %d: %d packets left, want the super-packet whole", proto, len(sent))
		}
		got := unpack(t, sent[0])
		if len(got) != len(list) {
			t.Fatalf("protocol %d: %d segments, want %d", proto, len(got), len(list))
		}
		for i, b := range got {
			want := edit4(list[i], func(p packet.IPv4) { p.SetSrc(addr("10.0.2.1")); p.SetTTL(p.TTL() - 1) })
			if want = complete(want); !bytes.Equal(b, want) {
				t.Errorf("protocol %d, segment %d:\n%x, want\n%x", proto, i, b, want)
			}
		}
	}
}

// TestNATOwnStack: the router's own flows hold their ports, and nobody
// inside gets one of them.
func TestNATOwnStack(t *testing.T) {
	n := newStackNetwork(t).translate(t, natConfig())
	n.view.NAT.Listen([]nat.Listener{{Protocol: packet.ProtoTCP, Port: 22}})
	n.expect(t, stackID, lan1, "udp 10.0.2.1:4000 > 10.0.2.2:53", "udp 10.0.2.1:4000 > 10.0.2.2:53")
	inside := ends(n.pass(t, lan0, lan1, probe(t, "udp 10.0.1.2:4000 > 10.0.2.2:53", 10)))
	if inside == "udp 10.0.2.1:4000 > 10.0.2.2:53" {
		t.Fatal("an inside host got the port of the router's own flow")
	}
	n.expect(t, lan1, stackID, "udp 10.0.2.2:53 > 10.0.2.1:4000", "udp 10.0.2.2:53 > 10.0.2.1:4000")
	n.expect(t, lan1, stackID, "tcp 10.0.2.2:999 > 10.0.2.1:22", "tcp 10.0.2.2:999 > 10.0.2.1:22")
	n.expect(t, stackID, lan1, "tcp 10.0.2.1:22 > 10.0.2.2:999", "tcp 10.0.2.1:22 > 10.0.2.2:999")
	if got := n.view.NAT.Sessions().Len(); got != 3 {
		t.Errorf("%d sessions, want 3: two of the router's own and one from inside", got)
	}
}
