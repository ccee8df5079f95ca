package rewrite

import (
	"errors"
	"slices"
	"testing"

	"routerd/flow"
	"routerd/internal/corpus"
	"routerd/internal/packet"
	"routerd/nat"
)

// 192.0.2.7:33434 to 203.0.113.9:33435, as an outside router quotes it.
const (
	client = 0xc0000207
	server = 0xcb007109
)

func quotedUDP() packet.IPv4 {
	return build(flow.Key{Src: client, Dst: server, SrcPort: 33434, DstPort: 33435, Proto: packet.ProtoUDP}, nil, make([]byte, 32))
}

func timeExceededAbout(quote []byte) packet.IPv4 {
	body := append([]byte{timeExceeded, 0, 0, 0, 0, 0, 0, 0}, quote...)
	return build(flow.Key{Src: 0xc6336401, Dst: client, Proto: packet.ProtoICMP}, nil, body)
}

func TestParse(t *testing.T) {
	ends := flow.Key{Src: client, Dst: server, Proto: packet.ProtoTCP}
	tcp := build(flow.Key{Src: client, Dst: server, SrcPort: 80, DstPort: 443, Proto: packet.ProtoTCP}, nil, []byte{
		0, 80, 1, 187, // ports
		0, 0, 0, 7, // sequence number
		0, 0, 0, 9, // acknowledgement
		0x50, 0x12, // 20 bytes of header; SYN and ACK
		0x12, 0x34, // window
		0, 0, 0, 0, // checksum, urgent pointer
		1, 2, 3, // data
	})
	icmp := func(typ uint8) packet.IPv4 {
		return build(flow.Key{Src: client, Dst: server, SrcPort: 77, DstPort: 77, Proto: packet.ProtoICMP}, nil, []byte{typ, 0, 0, 0, 0, 0, 0, 1})
	}
	change := func(ip packet.IPv4, f func(ip packet.IPv4)) packet.IPv4 { ip = slices.Clone(ip); f(ip); return ip }
	proto := func(k flow.Key, p uint8) flow.Key { k.Proto = p; return k }
	of := func(k flow.Key, src, dst uint16) flow.Key { k.SrcPort, k.DstPort = src, dst; return k }
	echoed := proto(ends, packet.ProtoICMP)
	outer := flow.Key{Src: 0xc6336401, Dst: client, Proto: packet.ProtoICMP}
	quoteICMP := icmp(timeExceeded)

	for _, tt := range []struct {
		name string
		ip   packet.IPv4
		want nat.Packet
		err  error
	}{
		{"TCP", tcp, nat.Packet{Key: of(ends, 80, 443), TCP: flow.Segment{Flags: 0x12, Window: 0x1234, Seq: 7, Ack: 9, Len: 3}}, nil},
		{"TCP with a header beyond its end", change(tcp, func(ip packet.IPv4) { ip[32] = 0x60 }), nat.Packet{Key: ends}, ErrMalformed},
		{"TCP with a header too short", change(tcp, func(ip packet.IPv4) { ip[32] = 0x40 }), nat.Packet{Key: ends}, ErrMalformed},
		{"UDP that says less than a header", change(quotedUDP(), func(ip packet.IPv4) { ip[25] = 7 }), nat.Packet{Key: proto(ends, 17)}, ErrMalformed},
		{"UDP beyond its end", change(quotedUDP(), func(ip packet.IPv4) { ip[25] = 99 }), nat.Packet{Key: proto(ends, 17)}, ErrMalformed},
		{"fragment", change(tcp, func(ip packet.IPv4) { ip.SetFragment(false, true, 0) }), nat.Packet{Key: ends}, ErrFragment},
		{"GRE", build(proto(ends, 47), nil, make([]byte, 8)), nat.Packet{Key: proto(ends, 47)}, nil},
		{"echo request", icmp(echo), nat.Packet{Key: of(echoed, 77, 0), Query: true}, nil},
		{"echo reply", icmp(echoReply), nat.Packet{Key: of(echoed, 0, 77)}, nil},
		{"timestamp request", icmp(timestamp), nat.Packet{Key: of(echoed, 77, 0), Query: true}, nil},
		{"redirect", icmp(5), nat.Packet{Key: echoed}, ErrNoFlow},
		{"source quench", icmp(4), nat.Packet{Key: echoed}, ErrNoFlow},

		{"error", timeExceededAbout(quotedUDP()), nat.Packet{Key: outer, Error: true, Inner: of(proto(ends, 17), 33434, 33435)}, nil},
		{"error about an error", timeExceededAbout(quoteICMP), nat.Packet{Key: outer, Error: true, Inner: echoed}, ErrNoFlow},
		{"error about a later fragment", timeExceededAbout(change(quotedUDP(), func(ip packet.IPv4) { ip.SetFragment(false, false, 8); ip.FillChecksum() })), nat.Packet{Key: outer}, ErrFragment},
		{"error about a first fragment", timeExceededAbout(change(quotedUDP(), func(ip packet.IPv4) { ip.SetFragment(false, true, 0); ip.FillChecksum() })), nat.Packet{Key: outer, Error: true, Inner: of(proto(ends, 17), 33434, 33435)}, nil},
		{"error about IPv6", timeExceededAbout(change(quotedUDP(), func(ip packet.IPv4) { ip[0] = 0x65 })), nat.Packet{Key: outer}, ErrMalformed},
		{"error with a wrong checksum", change(timeExceededAbout(quotedUDP()), func(ip packet.IPv4) { ip[22]++ }), nat.Packet{Key: outer}, ErrChecksum},
		{"error that quotes a wrong checksum", func() packet.IPv4 {
			ip := timeExceededAbout(quotedUDP())
			ip[28+8]++ // TTL of the quoted packet
			m := packet.ICMP(ip.Payload())
			m.SetChecksum(0)
			m.SetChecksum(packet.Checksum(m))
			return ip
		}(), nat.Packet{Key: outer}, ErrChecksum},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got nat.Packet
			if err := Parse(tt.ip, &got); !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestWindowScale(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options []byte
		want    uint8
	}{
		{"none", nil, 0},
		{"behind the maximum segment size", []byte{2, 4, 5, 180, 1, 3, 3, 7}, 8},
		{"a shift of zero", []byte{3, 3, 0, 0}, 1},
		{"a shift beyond 14", []byte{3, 3, 255, 0}, 15},
		{"behind the end", []byte{0, 3, 3, 7}, 0},
		{"of another length", []byte{3, 4, 7, 7}, 0},
		{"behind an option of no length", []byte{2, 0, 3, 3, 7, 0, 0, 0}, 0},
		{"behind an option beyond the header", []byte{2, 40, 3, 3, 7, 0, 0, 0}, 0},
		{"cut short", []byte{1, 1, 1, 3}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			segment := append(make([]byte, 20), tt.options...)
			ip := build(flow.Key{Src: client, Dst: server, SrcPort: 1, DstPort: 2, Proto: packet.ProtoTCP}, nil, segment)
			tcp := packet.TCP(ip.Payload())
			tcp[12], tcp[13] = byte(len(segment)/4)<<4, packet.TCPSyn
			var p nat.Packet
			if err := Parse(ip, &p); err != nil || p.TCP.Scale != tt.want {
				t.Errorf("scale %d, %v; want %d", p.TCP.Scale, err, tt.want)
			}
		})
	}
}

// TestTruncation: of a header that is not all there no port is believed.
func TestTruncation(t *testing.T) {
	k := flow.Key{Src: client, Dst: server, SrcPort: 80, DstPort: 443, Proto: packet.ProtoTCP}
	for _, whole := range []struct {
		ip   packet.IPv4
		need int // bytes of payload
	}{
		{build(k, nil, make([]byte, 20)), 20},
		{quotedUDP(), 40}, // UDP says how long it is
		{build(flow.Key{Src: client, Dst: server, SrcPort: 7, Proto: packet.ProtoICMP}, nil, []byte{8, 7: 0}), 8},
		{timeExceededAbout(quotedUDP()), 8 + 20 + 8},
	} {
		for n := range whole.need {
			ip := slices.Clone(whole.ip[:packet.IPv4MinHeader+min(n, len(whole.ip)-packet.IPv4MinHeader)])
			ip.SetTotalLen(len(ip))
			if ip.Protocol() == packet.ProtoICMP && n >= 8 {
				m := packet.ICMP(ip.Payload())
				m.SetChecksum(0)
				m.SetChecksum(packet.Checksum(m))
			}
			if n >= len(whole.ip.Payload()) {
				break
			}
			var p nat.Packet
			if err := Parse(ip, &p); err == nil {
				t.Errorf("protocol %d, %d bytes of payload: no error, but %+v", ip.Protocol(), n, p)
			}
			if p.Key.SrcPort != 0 || p.Key.DstPort != 0 {
				t.Errorf("protocol %d, %d bytes of payload: ports %d and %d", ip.Protocol(), n, p.Key.SrcPort, p.Key.DstPort)
			}
		}
	}
}

// FuzzRewrite: what Parse accepts can be rewritten within its bounds, there
// and back, and right checksums stay right.
func FuzzRewrite(f *testing.F) {
	for _, name := range []string{"icmpv4", "ipv4-options", "ipv4-malformed"} {
		for _, p := range corpus.Hex(f, name) {
			f.Add(p, uint32(0x0a000001), uint32(0x0a000002), uint16(1), uint16(2))
		}
	}
	for i, p := range corpus.Packets(f) {
		if i%16 == 0 && p[0]>>4 == 4 && len(p) <= 1500 {
			f.Add(p, uint32(0x0a000001), uint32(0x0a000002), uint16(1), uint16(2))
		}
	}
	f.Add([]byte(timeExceededAbout(quotedUDP())), uint32(1), uint32(2), uint16(3), uint16(4))
	f.Fuzz(func(t *testing.T, b []byte, src, dst uint32, sport, dport uint16) {
		ip := packet.IPv4(b)
		var p nat.Packet
		if !ip.Valid() || Parse(ip, &p) != nil {
			return
		}
		ip = ip[:ip.TotalLen()]
		before := slices.Clone(ip)
		to := flow.Key{Src: src, Dst: dst, SrcPort: sport, DstPort: dport, Proto: p.Key.Proto}
		inner := to
		inner.Proto = p.Inner.Proto
		if p.Error {
			Quote(ip, &inner)
		}
		Source(ip, &to, false)
		Destination(ip, &to, false)
		var q nat.Packet
		if err := Parse(ip, &q); err != nil || q.Key.Src != src || q.Key.Dst != dst || p.Error && (q.Inner.Src != src || q.Inner.Dst != dst) {
			t.Fatalf("%x became %x, which reads %+v, %v", []byte(before), []byte(ip), q, err)
		}
		if before.HeaderChecksumOK() != ip.HeaderChecksumOK() {
			t.Errorf("%x became %x: the header's checksum", []byte(before), []byte(ip))
		}
	})
}
