package packet

import (
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"routerd/internal/corpus"
)

// datagram is a first fragment with one option.
var datagram = IPv4{
	0x46, 0xb9, 0x00, 0x20, // version 4, 24 bytes of header, TOS 0xb9, 32 bytes
	0x12, 0x34, 0x20, 0x03, // identification, more fragments, offset 24
	0x40, 0x11, 0xbe, 0xef, // TTL 64, UDP, checksum
	192, 0, 2, 7, // source
	198, 51, 100, 1, // destination
	0x94, 0x04, 0x00, 0x00, // router alert
	1, 2, 3, 4, 5, 6, 7, 8,
	0xee, 0xee, // link padding
}

func TestIPv4(t *testing.T) {
	p := datagram
	if !p.Valid() {
		t.Fatal("not valid")
	}
	got := []any{
		p.HeaderLen(), p.TOS(), p.TotalLen(), p.ID(), p.TTL(), p.Protocol(), p.Checksum(),
		p.Src().String(), p.Dst().String(), len(p.Options()), len(p.Payload()), p.Payload()[0],
		p.DontFragment(), p.MoreFragments(), p.FragmentOffset(), p.IsFragment(),
	}
	want := []any{
		24, uint8(0xb9), 32, uint16(0x1234), uint8(64), uint8(17), uint16(0xbeef),
		"192.0.2.7", "198.51.100.1", 4, 8, uint8(1),
		false, true, 24, true,
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("field %d: %v, want %v", i, got[i], want[i])
		}
	}
}

func TestIPv4Valid(t *testing.T) {
	for n := range datagram {
		if got, want := datagram[:n].Valid(), n >= 32; got != want {
			t.Errorf("the first %d bytes: valid %v, want %v", n, got, want)
		}
	}
	tests := []struct {
		name  string
		at    int
		value byte
		want  bool
	}{
		{"version 6", 0, 0x66, false},
		{"header of 16 bytes", 0, 0x44, false},
		{"header of 20 bytes", 0, 0x45, true},
		{"header of 32 bytes, no payload", 0, 0x48, true},
		{"header beyond the total length", 0, 0x49, false},
		{"total length of the header", 3, 24, true},
		{"total length below the header", 3, 23, false},
		{"total length with the padding", 3, 34, true},
		{"total length beyond the bytes", 3, 35, false},
	}
	for _, test := range tests {
		p := append(IPv4{}, datagram...)
		p[test.at] = test.value
		if got := p.Valid(); got != test.want {
			t.Errorf("%s: valid %v, want %v", test.name, got, test.want)
		}
	}
}

func TestSetFragment(t *testing.T) {
	tests := []struct {
		df, mf bool
		offset int
		want   [2]byte
	}{
		{false, false, 0, [2]byte{0x00, 0x00}},
		{true, false, 0, [2]byte{0x40, 0x00}},
		{false, true, 8, [2]byte{0x20, 0x01}},
		{false, false, 65528, [2]byte{0x1f, 0xff}},
	}
	for _, test := range tests {
		p := append(IPv4{}, datagram...)
		p.SetFragment(test.df, test.mf, test.offset)
		if [2]byte(p[6:8]) != test.want || p.DontFragment() != test.df || p.MoreFragments() != test.mf || p.FragmentOffset() != test.offset {
			t.Errorf("SetFragment(%v, %v, %d) wrote % x, want % x", test.df, test.mf, test.offset, p[6:8], test.want)
		}
		f := make(FragmentHeader, 8)
		f.Set(17, test.offset, test.mf, 0x01020304)
		if f.NextHeader() != 17 || f.Offset() != test.offset || f.MoreFragments() != test.mf || f.ID() != 0x01020304 {
			t.Errorf("FragmentHeader.Set(17, %d, %v) wrote % x", test.offset, test.mf, f)
		}
	}
}

// v6 is a UDP packet.
var v6 = IPv6{
	0x65, 0xc1, 0x23, 0x45, // version 6, traffic class 0x5c, flow label 0x12345
	0x00, 0x09, 17, 0x40, // 9 bytes of payload, UDP, hop limit 64
	0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7,
	0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	0x82, 0x9a, 0x00, 0x35, 0x00, 0x09, 0xbe, 0xef, // UDP header
	'x',
	0xee, // link padding
}

func TestIPv6(t *testing.T) {
	p := v6
	u := UDP(p.Payload())
	got := []any{
		p.TrafficClass(), p.FlowLabel(), p.PayloadLen(), p.TotalLen(), p.NextHeader(), p.HopLimit(),
		p.Src().String(), p.Dst().String(), len(p.Payload()),
		u.Valid(), u[:7].Valid(), u.SrcPort(), u.DstPort(), u.Length(), u.Checksum(),
	}
	want := []any{
		uint8(0x5c), uint32(0x12345), 9, 49, uint8(17), uint8(64),
		"2001:db8::7", "2001:db8::1", 9,
		true, false, uint16(0x829a), uint16(53), 9, uint16(0xbeef),
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("field %d: %v, want %v", i, got[i], want[i])
		}
	}
	for n := range p {
		if got, want := p[:n].Valid(), n >= 49; got != want {
			t.Errorf("the first %d bytes: valid %v, want %v", n, got, want)
		}
	}
	q := append(IPv6{}, v6...)
	q.SetVersion(0xff, 0xfffff)
	q.SetPayloadLen(3)
	q.SetNextHeader(58)
	q.SetHopLimit(1)
	if q[0] != 0x6f || q.TrafficClass() != 0xff || q.FlowLabel() != 0xfffff || q.PayloadLen() != 3 || q.NextHeader() != 58 || q.HopLimit() != 1 {
		t.Errorf("setters wrote % x", q[:8])
	}
	if q[0] = 0x45; q.Valid() {
		t.Error("version 4 is valid")
	}
}

func TestTCP(t *testing.T) {
	s := TCP{
		0x00, 0x50, 0x01, 0xbb, // ports 80, 443
		0x01, 0x02, 0x03, 0x04, // sequence number
		0x05, 0x06, 0x07, 0x08, // acknowledgement
		0x60, 0x12, 0xff, 0xff, // 24 bytes of header, SYN and ACK, window
		0xbe, 0xef, 0x00, 0x00, // checksum, urgent pointer
		0x02, 0x04, 0x05, 0xb4, // maximum segment size
	}
	if s.SrcPort() != 80 || s.DstPort() != 443 || s.Seq() != 0x01020304 || s.Ack() != 0x05060708 ||
		s.HeaderLen() != 24 || s.Flags() != TCPSyn|TCPAck || s.Checksum() != 0xbeef {
		t.Errorf("read % x wrong", s)
	}
	for n := range len(s) + 1 {
		if got, want := s[:n].Valid(), n == len(s); got != want {
			t.Errorf("the first %d bytes: valid %v, want %v", n, got, want)
		}
	}
	if s[12] = 0x40; s.Valid() {
		t.Error("a header of 16 bytes is valid")
	}
	s.SetSeq(9)
	s.SetFlags(TCPRst)
	s.SetChecksum(7)
	if s.Seq() != 9 || s.Flags() != 4 || s.Checksum() != 7 {
		t.Errorf("setters wrote % x", s)
	}
}

func TestICMPAndUDPSetters(t *testing.T) {
	m := make(ICMP, 8)
	m.SetType(3)
	m.SetCode(4)
	m.SetChecksum(0xbeef)
	m.SetRest(1400)
	if !m.Valid() || m[:7].Valid() || m.Type() != 3 || m.Code() != 4 || m.Checksum() != 0xbeef || m.Rest() != 1400 {
		t.Errorf("ICMP % x", m)
	}
	u := make(UDP, 8)
	u.SetLength(8)
	u.SetChecksum(0xbeef)
	if u.Length() != 8 || u.Checksum() != 0xbeef {
		t.Errorf("UDP % x", u)
	}
}

// TestCaptures compares what is read of captured packets with what another
// implementation reads.
func TestCaptures(t *testing.T) {
	four, six := 0, 0
	for _, b := range corpus.Packets(t) {
		if p := IPv4(b); p.Valid() && WalkOptions(p).BadPointer < 0 {
			var l layers.IPv4
			if err := l.DecodeFromBytes(b, gopacket.NilDecodeFeedback); err != nil {
				t.Errorf("valid here, but elsewhere: %v: % x", err, b[:20])
				continue
			}
			four++
			if int(l.IHL)*4 != p.HeaderLen() || int(l.Length) != p.TotalLen() && l.Length != 0 || l.Id != p.ID() || l.TTL != p.TTL() ||
				uint8(l.Protocol) != p.Protocol() || l.Checksum != p.Checksum() || l.TOS != p.TOS() || int(l.FragOffset)*8 != p.FragmentOffset() ||
				l.SrcIP.String() != p.Src().String() || l.DstIP.String() != p.Dst().String() || len(l.Payload) != len(p.Payload()) {
				t.Errorf("read differently: % x", b[:p.HeaderLen()])
			}
		}
		if p := IPv6(b); p.Valid() {
			six++
			compareUpper(t, p)
		}
	}
	if four < 500 || six < 200 {
		t.Errorf("%d IPv4 and %d IPv6 packets compared, want more", four, six)
	}
}

// compareUpper checks the walk over extension headers against gopacket's.
func compareUpper(t *testing.T, p IPv6) {
	t.Helper()
	e := WalkExtensions(p)
	if e.Truncated || e.NonFirst {
		return
	}
	decoded := gopacket.NewPacket(p[:p.TotalLen()], layers.LayerTypeIPv6, gopacket.NoCopy)
	upper := decoded.TransportLayer()
	if upper == nil || decoded.ErrorLayer() != nil || (e.Upper != ProtoTCP && e.Upper != ProtoUDP) {
		return
	}
	at := e.Offset
	if c := upper.LayerContents(); &c[0] != &p[at] {
		t.Errorf("upper layer at %d, elsewhere not: % x", at, p[:min(len(p), 80)])
	}
}
