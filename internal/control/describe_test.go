package control

import (
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"routerd/dataplane"
	"routerd/internal/corpus"
	"routerd/internal/packet"
)

// probe makes up a packet; edit may change it.
func probe(t testing.TB, p dataplane.Probe, edit func([]byte)) []byte {
	t.Helper()
	raw, err := p.Build()
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(raw)
	}
	return raw
}

var (
	src4, dst4 = netip.MustParseAddr("10.0.1.2"), netip.MustParseAddr("10.0.2.2")
	src6, dst6 = netip.MustParseAddr("2001:db8:1::2"), netip.MustParseAddr("2001:db8:2::2")
)

func TestDescribe(t *testing.T) {
	udp := dataplane.Probe{Src: src4, Dst: netip.MustParseAddr("224.0.0.251"), Proto: packet.ProtoUDP, SrcPort: 5353, DstPort: 5353, Size: 120, TTL: 1}
	tcp := dataplane.Probe{Src: src4, Dst: dst4, Proto: packet.ProtoTCP, SrcPort: 40000, DstPort: 80}
	echo := dataplane.Probe{Src: src4, Dst: dst4, Proto: packet.ProtoICMP, Size: 84}
	echo6 := dataplane.Probe{Src: src6, Dst: dst6, Proto: packet.ProtoICMPv6, Size: 104}
	udp6 := dataplane.Probe{Src: src6, Dst: dst6, Proto: packet.ProtoUDP, SrcPort: 1, DstPort: 53, Size: 100}
	for _, c := range []struct {
		name  string
		probe dataplane.Probe
		edit  func(b []byte)
		want  string
	}{
		{"udp", udp, nil, "IPv4 10.0.1.2:5353 > 224.0.0.251:5353 UDP, TTL 1, 120 bytes"},
		{"tcp", tcp, nil, "IPv4 10.0.1.2:40000 > 10.0.2.2:80 TCP SYN, TTL 64, 40 bytes"},
		{"tcp flags", tcp, func(b []byte) { b[33] = packet.TCPSyn | packet.TCPAck }, "IPv4 10.0.1.2:40000 > 10.0.2.2:80 TCP SYN+ACK, TTL 64, 40 bytes"},
		{"tcp no flags", tcp, func(b []byte) { b[33] = 0 }, "IPv4 10.0.1.2:40000 > 10.0.2.2:80 TCP no flags, TTL 64, 40 bytes"},
		{"echo", echo, nil, "IPv4 10.0.1.2 > 10.0.2.2 ICMP echo request, TTL 64, 84 bytes"},
		{"needed", echo, func(b []byte) { b[20], b[21], b[26], b[27] = 3, 4, 1400>>8, 1400&0xff }, "IPv4 10.0.1.2 > 10.0.2.2 ICMP fragmentation needed (MTU 1400), TTL 64, 84 bytes"},
		{"odd code", echo, func(b []byte) { b[20], b[21] = 3, 99 }, "IPv4 10.0.1.2 > 10.0.2.2 ICMP destination unreachable, TTL 64, 84 bytes"},
		{"odd type", echo, func(b []byte) { b[20], b[21] = 42, 7 }, "IPv4 10.0.1.2 > 10.0.2.2 ICMP type 42 code 7, TTL 64, 84 bytes"},
		{"first fragment", udp, func(b []byte) { packet.IPv4(b).SetFragment(false, true, 0); packet.IPv4(b).SetID(0x1234) }, "IPv4 10.0.1.2:5353 > 224.0.0.251:5353 UDP, first fragment at 0 of 0x1234, TTL 1, 120 bytes"},
		{"middle fragment", udp, func(b []byte) { packet.IPv4(b).SetFragment(false, true, 1480) }, "IPv4 10.0.1.2 > 224.0.0.251 UDP, fragment at 1480 of 0x0, TTL 1, 120 bytes"},
		{"last fragment", udp, func(b []byte) { packet.IPv4(b).SetFragment(false, false, 2960) }, "IPv4 10.0.1.2 > 224.0.0.251 UDP, last fragment at 2960 of 0x0, TTL 1, 120 bytes"},
		{"short header", tcp, func(b []byte) { b[0] = 0x42 }, "IPv4 10.0.1.2 > 10.0.2.2 TCP, header length 8, TTL 64, 40 bytes"},
		{"long header", tcp, func(b []byte) { b[0] = 0x4f }, "IPv4 10.0.1.2 > 10.0.2.2 TCP, TTL 64, 40 bytes"},
		{"wrong length", tcp, func(b []byte) { packet.IPv4(b).SetTotalLen(1500) }, "IPv4 10.0.1.2:40000 > 10.0.2.2:80 TCP SYN, TTL 64, 40 bytes, which says it has 1500"},
		{"protocol", tcp, func(b []byte) { b[9] = packet.ProtoOSPF }, "IPv4 10.0.1.2 > 10.0.2.2 OSPF, TTL 64, 40 bytes"},
		{"odd protocol", tcp, func(b []byte) { b[9] = 253 }, "IPv4 10.0.1.2 > 10.0.2.2 protocol 253, TTL 64, 40 bytes"},
		{"version", tcp, func(b []byte) { b[0] = 0x75 }, "IP version 7, 40 bytes: 75 00 00 28 00 00 00 00 40 06 63 cd 0a 00 01 02"},

		{"echo6", echo6, nil, "IPv6 2001:db8:1::2 > 2001:db8:2::2 ICMPv6 echo request, hop limit 64, 104 bytes"},
		{"too big6", echo6, func(b []byte) { b[40], b[46], b[47] = 2, 1280>>8, 1280&0xff }, "IPv6 2001:db8:1::2 > 2001:db8:2::2 ICMPv6 packet too big (MTU 1280), hop limit 64, 104 bytes"},
		{"unreachable6", echo6, func(b []byte) { b[40], b[41] = 1, 4 }, "IPv6 2001:db8:1::2 > 2001:db8:2::2 ICMPv6 port unreachable, hop limit 64, 104 bytes"},
		{"udp6", udp6, nil, "IPv6 [2001:db8:1::2]:1 > [2001:db8:2::2]:53 UDP, hop limit 64, 100 bytes"},
		// Destination options of 8 bytes, then TCP from 258 to 772.
		{"options6", udp6, func(b []byte) {
			b[6] = packet.ProtoDestOptions
			copy(b[40:], []byte{packet.ProtoUDP, 0, 1, 4, 0, 0, 0, 0, 1, 2, 3, 4})
		}, "IPv6 [2001:db8:1::2]:258 > [2001:db8:2::2]:772 UDP, hop limit 64, 100 bytes"},
		{"fragment6", udp6, func(b []byte) {
			b[6] = packet.ProtoFragment
			packet.FragmentHeader(b[40:]).Set(packet.ProtoUDP, 1448, false, 0xbeef)
		}, "IPv6 2001:db8:1::2 > 2001:db8:2::2 UDP, last fragment at 1448 of 0xbeef, hop limit 64, 100 bytes"},
		{"atomic fragment6", udp6, func(b []byte) {
			b[6] = packet.ProtoFragment
			packet.FragmentHeader(b[40:]).Set(packet.ProtoUDP, 0, false, 1)
			copy(b[48:], []byte{0, 7, 0, 9})
		}, "IPv6 [2001:db8:1::2]:7 > [2001:db8:2::2]:9 UDP, the only fragment at 0 of 0x1, hop limit 64, 100 bytes"},
		// A hop-by-hop header that says it is 2048 bytes long.
		{"cut extension6", udp6, func(b []byte) { b[6], b[41] = packet.ProtoHopByHop, 0xff }, "IPv6 2001:db8:1::2 > 2001:db8:2::2 hop-by-hop options, hop limit 64, 100 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := probe(t, c.probe, c.edit)
			if got := Describe(raw[:min(len(raw), 96)], len(raw)); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

// Whatever is missing of a header, what is left of it is described and
// nothing behind it is read.
func TestDescribeTruncated(t *testing.T) {
	for _, p := range []dataplane.Probe{
		{Src: src4, Dst: dst4, Proto: packet.ProtoTCP, SrcPort: 1, DstPort: 2},
		{Src: src4, Dst: dst4, Proto: packet.ProtoICMP},
		{Src: src6, Dst: dst6, Proto: packet.ProtoTCP, SrcPort: 1, DstPort: 2},
		{Src: src6, Dst: dst6, Proto: packet.ProtoICMPv6},
	} {
		raw := probe(t, p, nil)
		header, family := packet.IPv4MinHeader, "IPv4"
		if p.Src.Is6() {
			header, family = packet.IPv6Header, "IPv6"
		}
		for n := range len(raw) {
			got := Describe(raw[:n:n], n)
			switch {
			case n == 0:
				if got != "0 bytes" {
					t.Errorf("nothing: %q", got)
				}
			case n < header:
				if !strings.HasPrefix(got, family+", cut off in its header, ") {
					t.Errorf("%d bytes: %q", n, got)
				}
			default:
				if !strings.Contains(got, p.Src.String()) || !strings.Contains(got, "which says it has") {
					t.Errorf("%d bytes: %q", n, got)
				}
			}
		}
	}
}

func FuzzDescribe(f *testing.F) {
	for _, name := range []string{"ipv4-options", "ipv4-fragments", "ipv4-malformed", "icmpv4", "icmpv6", "ipv6-exthdr", "ipv6-malformed"} {
		for _, p := range corpus.Hex(f, name) {
			f.Add(p[:min(len(p), 96)], len(p))
		}
	}
	for i, p := range corpus.Packets(f) {
		if i%64 == 0 {
			f.Add(p[:min(len(p), 96)], len(p))
		}
	}
	f.Fuzz(func(t *testing.T, header []byte, length int) {
		s := Describe(header, length)
		if s == "" || len(s) > 300 || !utf8.ValidString(s) || strings.ContainsAny(s, "\n\r\x1b") {
			t.Errorf("% x: %q is not one line", header, s)
		}
	})
}
