package icmp

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"

	"routerd/internal/packet"
	"routerd/internal/verdict"
)

var (
	router4 = netip.MustParseAddr("198.51.100.1")
	router6 = netip.MustParseAddr("2001:db8::1")
)

func TestErrors(t *testing.T) {
	type row struct{ four, six *Error }
	is := func(typ, code uint8) *Error { return &Error{Type: typ, Code: code} }
	want := map[verdict.Verdict]row{
		verdict.BadOption:           {is(12, 0), nil},
		verdict.BadExtensionHeader:  {nil, is(4, 0)},
		verdict.SourceRouted:        {is(3, 5), nil},
		verdict.LinkScope:           {nil, is(1, 2)},
		verdict.NoRoute:             {is(3, 0), is(1, 0)},
		verdict.Unreachable:         {is(3, 1), is(1, 3)},
		verdict.Prohibited:          {is(3, 13), is(1, 1)},
		verdict.BackToPort:          {is(3, 1), is(1, 3)},
		verdict.HopLimit:            {is(11, 0), is(3, 0)},
		verdict.TooBig:              {is(3, 4), is(2, 0)},
		verdict.ACLRejected:         {is(3, 13), is(1, 1)},
		verdict.NATPoolExhausted:    {is(3, 13), nil},
		verdict.NATPortless:         {is(3, 13), nil},
		verdict.NATSessionLimit:     {is(3, 13), nil},
		verdict.NATHostLimit:        {is(3, 13), nil},
		verdict.NeighborFailed:      {is(3, 1), is(1, 3)},
		verdict.InterfaceDown:       {is(3, 1), is(1, 3)},
		verdict.ProtocolUnreachable: {is(3, 2), is(4, 1)},
		verdict.PortUnreachable:     {is(3, 3), is(1, 4)},
		verdict.FragmentMalformed:   {nil, is(4, 0)},
		verdict.FragmentTimeout:     {is(11, 1), is(3, 1)},
	}
	check := func(v verdict.Verdict, family string, want *Error, got Error, ok bool) {
		t.Helper()
		if ok != (want != nil) || ok && got != *want {
			t.Errorf("%s provokes over %s %+v, %v; want %+v", v, family, got, ok, want)
		}
	}
	for v := range verdict.All {
		got, ok := Errors4(v)
		check(v, "IPv4", want[v].four, got, ok)
		got, ok = Errors6(v)
		check(v, "IPv6", want[v].six, got, ok)
	}
	for _, v := range []verdict.Verdict{verdict.None, verdict.Verdict(verdict.Count), 255} {
		if _, ok := Errors4(v); ok {
			t.Errorf("verdict %d provokes an ICMP error", v)
		}
		if _, ok := Errors6(v); ok {
			t.Errorf("verdict %d provokes an ICMPv6 error", v)
		}
	}
}

// udp4 is a datagram whose TTL ran out.
var udp4 = []byte{
	0x45, 0xbb, 0x00, 0x20, // TOS 0xbb: precedence 5, TOS 0x18, both ECN bits
	0x12, 0x34, 0x00, 0x00, // identification, no flags
	0x01, 0x11, 0x00, 0x00, // TTL 1, UDP, checksum left out
	192, 0, 2, 7, // source
	203, 0, 113, 9, // destination
	0x82, 0x9a, 0x82, 0x9b, // ports of traceroute
	0x00, 0x0c, 0x00, 0x00, // length, no checksum
	1, 2, 3, 4,
	0xee, 0xee, // beyond the total length: link padding, not quoted
}

func TestAppendError4(t *testing.T) {
	want := []byte{
		'x',                    // what dst held before
		0x45, 0xd8, 0x00, 0x3c, // precedence 6, TOS kept, ECN clear; 60 bytes
		0x00, 0x00, 0x40, 0x00, // identification 0, DF
		0x40, 0x01, 0x75, 0xf3, // TTL 64, ICMP, checksum
		198, 51, 100, 1, // the router
		192, 0, 2, 7, // the datagram's source
		0x0b, 0x00, 0x12, 0x62, // time exceeded in transit, checksum
		0x00, 0x00, 0x00, 0x00, // unused
	}
	want = append(want, udp4[:32]...)
	got := AppendError4([]byte("x"), udp4, router4, Error{Type: TimeExceeded})
	fixChecksums4(want[1:])
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("time exceeded (-want +got):\n%s", diff)
	}
}

// fixChecksums4 fills both checksums of an error by the plain definition, so
// that the literals need not carry them.
func fixChecksums4(p []byte) {
	p[10], p[11], p[22], p[23] = 0, 0, 0, 0
	put := func(at int, b []byte) {
		var sum uint32
		for i := 0; i < len(b); i += 2 {
			sum += uint32(b[i]) << 8
			if i+1 < len(b) {
				sum += uint32(b[i+1])
			}
		}
		for sum > 0xffff {
			sum = sum>>16 + sum&0xffff
		}
		p[at], p[at+1] = byte(^sum>>8), byte(^sum)
	}
	put(10, p[:20])
	put(22, p[20:])
}

func TestErrorRest(t *testing.T) {
	tests := []struct {
		name string
		e    Error
		want []byte
	}{
		{"next-hop MTU", Error{Type: 3, Code: 4}.WithMTU4(1400), []byte{3, 4, 0, 0, 0, 0, 0x05, 0x78}},
		{"MTU beyond 16 bits", Error{Type: 3, Code: 4}.WithMTU4(70000), []byte{3, 4, 0, 0, 0, 0, 0xff, 0xff}},
		{"pointer", Error{Type: 12}.WithPointer4(21), []byte{12, 0, 0, 0, 21, 0, 0, 0}},
	}
	for _, test := range tests {
		m := AppendError4(nil, udp4, router4, test.e)[20:28]
		m[2], m[3] = 0, 0
		if !bytes.Equal(m, test.want) {
			t.Errorf("%s: message begins % x, want % x", test.name, m, test.want)
		}
	}
}

// packet4 makes a datagram of n bytes.
func packet4(n int) packet.IPv4 {
	p := packet.IPv4(bytes.Repeat([]byte{0xa5}, n))
	copy(p, udp4[:20])
	p.SetTotalLen(n)
	return p
}

// packet6 makes a UDP packet of n bytes.
func packet6(n int) packet.IPv6 {
	p := packet.IPv6(bytes.Repeat([]byte{0xa5}, n))
	p.SetVersion(0, 0)
	p.SetPayloadLen(n - 40)
	p.SetNextHeader(packet.ProtoUDP)
	p.SetSrc(netip.MustParseAddr("2001:db8:7::7"))
	p.SetDst(netip.MustParseAddr("2001:db8:9::9"))
	return p
}

func TestErrorLength(t *testing.T) {
	tests := []struct{ orig, four, six int }{
		{40, 68, 88},
		{547, 575, 595},
		{548, 576, 596},
		{549, 576, 597},
		{1231, 576, 1279},
		{1232, 576, 1280},
		{1233, 576, 1280},
		{65535, 576, 1280}, // a super-packet
	}
	for _, test := range tests {
		p := packet.IPv4(AppendError4(nil, packet4(test.orig), router4, Error{Type: TimeExceeded}))
		if len(p) != test.four || p.TotalLen() != test.four {
			t.Errorf("error about %d bytes of IPv4: %d bytes, total length %d, want %d", test.orig, len(p), p.TotalLen(), test.four)
		}
		q := packet.IPv6(AppendError6(nil, packet6(test.orig), router6, Error{Type: TimeExceeded6}))
		if len(q) != test.six || q.TotalLen() != test.six {
			t.Errorf("error about %d bytes of IPv6: %d bytes, total length %d, want %d", test.orig, len(q), q.TotalLen(), test.six)
		}
	}
}

// TestAppendErrorRead has another implementation read what was written.
func TestAppendErrorRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(40, 2000).Draw(t, "length")
		e := Error{
			Type: rapid.Uint8().Draw(t, "type"),
			Code: rapid.Uint8().Draw(t, "code"),
			Rest: rapid.Uint32().Draw(t, "rest"),
		}
		dirty := bytes.Repeat([]byte{0xff}, MaxError6) // stale bytes must not show

		orig4 := packet4(n)
		got := AppendError4(dirty[:0], orig4, router4, e)
		p := gopacket.NewPacket(got, layers.LayerTypeIPv4, gopacket.Default)
		ip, _ := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
		m, _ := p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4)
		if ip == nil || m == nil {
			t.Fatalf("not ICMP over IPv4: % x", got)
		}
		if !packet.IPv4(got).HeaderChecksumOK() || !ChecksumOK4(got) {
			t.Fatalf("a checksum is wrong: % x", got)
		}
		if ip.SrcIP.String() != "198.51.100.1" || ip.DstIP.String() != "192.0.2.7" || ip.TTL != 64 || ip.Flags != layers.IPv4DontFragment {
			t.Fatalf("header %+v", ip)
		}
		if m.TypeCode != layers.CreateICMPv4TypeCode(e.Type, e.Code) || uint32(m.Id)<<16|uint32(m.Seq) != e.Rest {
			t.Fatalf("message %+v, want %+v", m, e)
		}
		if !bytes.HasPrefix(orig4, m.Payload) {
			t.Fatalf("quote % x", m.Payload)
		}

		orig6 := packet6(n)
		for i := range dirty {
			dirty[i] = 0xff
		}
		got = AppendError6(dirty[:0], orig6, router6, e)
		p = gopacket.NewPacket(got, layers.LayerTypeIPv6, gopacket.Default)
		ip6, _ := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
		m6, _ := p.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6)
		if ip6 == nil || m6 == nil {
			t.Fatalf("not ICMPv6: % x", got)
		}
		if !ChecksumOK6(got, 40) {
			t.Fatalf("the checksum is wrong: % x", got)
		}
		if ip6.SrcIP.String() != "2001:db8::1" || ip6.DstIP.String() != "2001:db8:7::7" || ip6.HopLimit != 64 || ip6.TrafficClass != 0 || ip6.FlowLabel != 0 {
			t.Fatalf("header %+v", ip6)
		}
		if m6.TypeCode != layers.CreateICMPv6TypeCode(e.Type, e.Code) || !bytes.Equal(got[48:], orig6[:len(got)-48]) {
			t.Fatalf("message %+v, want %+v", m6, e)
		}
	})
}

func TestAppendErrorAllocates(t *testing.T) {
	dst := make([]byte, 0, MaxError6)
	p4, p6 := packet4(1500), packet6(1500)
	if n := testing.AllocsPerRun(100, func() {
		AppendError4(dst, p4, router4, Error{Type: TimeExceeded})
		AppendError6(dst, p6, router6, Error{Type: TimeExceeded6})
	}); n != 0 {
		t.Errorf("%v allocations for two errors into room enough, want none", n)
	}
	if got := AppendError4(nil, p4, router4, Error{Type: TimeExceeded}); len(got) != MaxError4 {
		t.Errorf("error without room: %d bytes, want %d", len(got), MaxError4)
	}
}

func BenchmarkAppendError4(b *testing.B) {
	dst, orig := make([]byte, 0, MaxError4), packet4(1500)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendError4(dst[:0], orig, router4, Error{Type: TimeExceeded})
	}
}

func BenchmarkAppendError6(b *testing.B) {
	dst, orig := make([]byte, 0, MaxError6), packet6(1500)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendError6(dst[:0], orig, router6, Error{Type: TimeExceeded6})
	}
}
