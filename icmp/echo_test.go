package icmp

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"routerd/internal/corpus"
	"routerd/internal/packet"
)

// ping4 is what `ping -c1` sends, with three bytes of data.
var ping4 = []byte{
	0x45, 0x88, 0x00, 0x1f, // TOS 0x88, 31 bytes
	0x00, 0x07, 0x40, 0x00, // identification, DF
	0x3f, 0x01, 0x0e, 0xb8, // TTL 63, ICMP, checksum
	192, 0, 2, 7,
	198, 51, 100, 1,
	0x08, 0x00, 0x65, 0x80, // echo request, checksum
	0x12, 0x34, 0x00, 0x05, // identifier, sequence number
	'a', 'b', 0x1e,
}

var pong4 = []byte{
	0x45, 0x88, 0x00, 0x1f, // the same TOS
	0x12, 0x39, 0x00, 0x00, // identification of its own, may be fragmented
	0x40, 0x01, 0x00, 0x00, // a fresh TTL
	198, 51, 100, 1,
	192, 0, 2, 7,
	0x00, 0x00, 0x00, 0x00, // echo reply
	0x12, 0x34, 0x00, 0x05,
	'a', 'b', 0x1e,
}

func TestEchoReply4(t *testing.T) {
	p, want := packet.IPv4(bytes.Clone(ping4)), bytes.Clone(pong4)
	fixChecksums4(p)
	fixChecksums4(want)
	if !EchoRequestOK4(p) {
		t.Fatalf("% x is not held to be an echo request", p)
	}
	EchoReply4(p)
	if diff := cmp.Diff(want, []byte(p)); diff != "" {
		t.Errorf("reply (-want +got):\n%s", diff)
	}
}

func TestEchoRequestOK4(t *testing.T) {
	tests := []struct {
		name   string
		change func(packet.IPv4)
	}{
		{"an echo reply", func(p packet.IPv4) { p[20] = 0; fixChecksums4(p) }},
		{"a fragment", func(p packet.IPv4) { p.SetFragment(false, true, 0); fixChecksums4(p) }},
		{"UDP", func(p packet.IPv4) { p.SetProtocol(17); fixChecksums4(p) }},
		{"a wrong checksum", func(p packet.IPv4) { p[22]++ }},
		{"changed data", func(p packet.IPv4) { p[30]++ }},
		{"seven bytes", func(p packet.IPv4) { p.SetTotalLen(27); fixChecksums4(p[:27]) }},
	}
	for _, test := range tests {
		p := packet.IPv4(bytes.Clone(ping4))
		fixChecksums4(p)
		if test.change(p); EchoRequestOK4(p) {
			t.Errorf("%s is taken for an echo request", test.name)
		}
	}
}

func TestEchoReplyKeepsOptions(t *testing.T) {
	p := packet.IPv4{
		0x47, 0, 0, 36, 0x12, 0x34, 0, 0, 9, 1, 0, 0,
		192, 0, 2, 7, 198, 51, 100, 1,
		7, 7, 4, 0, 0, 0, 0, 0, // record route with room for one address
		8, 0, 0xf7, 0xff, 0, 0, 0, 0, // echo request
	}
	if !EchoRequestOK4(p) {
		t.Fatal("not an echo request")
	}
	EchoReply4(p)
	if !p.HeaderChecksumOK() || !ChecksumOK4(p) || p.ID() != 0x1234 || !bytes.Equal(p.Options(), []byte{7, 7, 4, 0, 0, 0, 0, 0}) {
		t.Errorf("reply % x", p)
	}
}

func ping6(hopByHop bool, data []byte) packet.IPv6 {
	p := make(packet.IPv6, 40, 100)
	p.SetVersion(0x5c, 0x12345)
	p.SetHopLimit(9)
	p.SetNextHeader(packet.ProtoICMPv6)
	p.SetSrc(netip.MustParseAddr("2001:db8:7::7"))
	p.SetDst(netip.MustParseAddr("2001:db8::1"))
	if hopByHop {
		p.SetNextHeader(packet.ProtoHopByHop)
		p = append(p, 58, 0, 1, 4, 0, 0, 0, 0)
	}
	at := len(p)
	p = append(append(p, 128, 0, 0, 0, 0x12, 0x34, 0, 5), data...)
	p.SetPayloadLen(len(p) - 40)
	m := packet.ICMP(p[at:])
	m.SetChecksum(^packet.Sum(m, packet.PseudoHeaderSum6(p.SrcBytes(), p.DstBytes(), 58, len(m))))
	return p
}

func TestEchoReply6(t *testing.T) {
	for _, options := range []bool{false, true} {
		p := ping6(options, []byte("data!"))
		at := packet.WalkExtensions(p).Offset
		if !EchoRequestOK6(p, at) {
			t.Fatalf("% x is not held to be an echo request", p)
		}
		want := ping6(false, []byte("data!"))
		want.SetVersion(0x5c, 0)
		want.SetHopLimit(64)
		want.SetSrc(netip.MustParseAddr("2001:db8::1"))
		want.SetDst(netip.MustParseAddr("2001:db8:7::7"))
		want[40] = 129
		m := packet.ICMP(want[40:])
		m.SetChecksum(0)
		m.SetChecksum(^packet.Sum(m, packet.PseudoHeaderSum6(want.SrcBytes(), want.DstBytes(), 58, len(m))))
		if diff := cmp.Diff([]byte(want), []byte(EchoReply6(p, at))); diff != "" {
			t.Errorf("reply, extension header %v (-want +got):\n%s", options, diff)
		}
	}
	p := ping6(false, nil)
	for _, bad := range []int{40, 42, 47} {
		q := packet.IPv6(bytes.Clone(p))
		q[bad]++
		if EchoRequestOK6(q, 40) {
			t.Errorf("a request with byte %d changed is accepted", bad)
		}
	}
	for n := range 8 {
		p.SetPayloadLen(n)
		if EchoRequestOK6(p, 40) {
			t.Errorf("a request of %d bytes is accepted", n)
		}
	}
}

// TestEchoChecksum: whatever the data, the adjusted checksum is the computed one.
func TestEchoChecksum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "data")
		p := packet.IPv4(append(bytes.Clone(ping4[:28]), data...))
		p.SetTotalLen(len(p))
		fixChecksums4(p)
		if !EchoRequestOK4(p) {
			t.Fatalf("not a request: % x", p)
		}
		EchoReply4(p)
		got := packet.ICMP(p[20:]).Checksum()
		fixChecksums4(p)
		if want := packet.ICMP(p[20:]).Checksum(); got != want {
			t.Fatalf("checksum of % x adjusted to %#04x, computed %#04x", p, got, want)
		}
		q := ping6(true, data)
		if !EchoRequestOK6(q, 48) || !ChecksumOK6(EchoReply6(q, 48), 40) {
			t.Fatalf("ICMPv6 checksum of % x", q)
		}
	})
}

// TestEchoCorpus: real echo requests are recognised, and nothing else.
func TestEchoCorpus(t *testing.T) {
	requests := 0
	for _, m := range corpus.Hex(t, "icmpv4") {
		p := packet.IPv4(append(bytes.Clone(ping4[:20]), m...))
		p.SetTotalLen(len(p))
		ok := EchoRequestOK4(p)
		if ok {
			requests++
		}
		if want := m[0] == 8 && packet.Checksum(m) == 0; ok != want {
			t.Errorf("% x: taken for an echo request: %v, want %v", m, ok, want)
		}
	}
	if requests < 5 {
		t.Errorf("%d echo requests recognised in the corpus, want some", requests)
	}
}

func TestEchoAllocates(t *testing.T) {
	p, q := packet.IPv4(bytes.Clone(ping4)), ping6(false, nil)
	if n := testing.AllocsPerRun(100, func() {
		_ = EchoRequestOK4(p)
		EchoReply4(p)
		_ = EchoRequestOK6(q, 40)
		EchoReply6(q, 40)
	}); n != 0 {
		t.Errorf("%v allocations for two replies, want none", n)
	}
}

func BenchmarkEchoReply4(b *testing.B) {
	p := packet.IPv4(bytes.Clone(ping4))
	b.ReportAllocs()
	for b.Loop() {
		p[20] = EchoRequest
		EchoReply4(p)
	}
}
