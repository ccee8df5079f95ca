package rewrite

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"routerd/flow"
	"routerd/internal/packet"
	"routerd/nat"
)

// sum fills in every checksum of a packet by full count, in an ICMP error
// those of the quote first. A quoted transport that is not whole keeps what
// it has.
func sum(ip packet.IPv4) {
	ip.FillChecksum()
	b := ip.Payload()
	at := 6
	switch ip.Protocol() {
	case packet.ProtoTCP:
		at = 16
	case packet.ProtoICMP:
		at = 2
		if isError(b[0]) && len(b) >= 28 {
			packet.IPv4(b[8:]).FillChecksum()
		}
	case packet.ProtoUDP, protoDCCP, protoUDPLite:
	default:
		return
	}
	binary.BigEndian.PutUint16(b[at:], 0)
	initial := uint16(0)
	if ip.Protocol() != packet.ProtoICMP {
		initial = packet.PseudoHeaderSum4(ip[12:16], ip[16:20], ip.Protocol(), len(b))
	}
	c := ^packet.Sum(b, initial)
	if c == 0 && at == 6 && ip.Protocol() != protoDCCP {
		c = 0xffff
	}
	binary.BigEndian.PutUint16(b[at:], c)
}

func isError(typ uint8) bool {
	return typ == unreachable || typ == timeExceeded || typ == parameterProblem
}

// build makes a packet of the protocol with the ends of k.
func build(k flow.Key, options, payload []byte) packet.IPv4 {
	ip := make(packet.IPv4, packet.IPv4MinHeader, packet.IPv4MinHeader+len(options)+len(payload))
	ip = append(append(ip, options...), payload...)
	ip[0] = 4<<4 | byte((packet.IPv4MinHeader+len(options))/4)
	ip.SetTotalLen(len(ip))
	ip.SetTTL(64)
	ip.SetProtocol(k.Proto)
	binary.BigEndian.PutUint32(ip[12:], k.Src)
	binary.BigEndian.PutUint32(ip[16:], k.Dst)
	b := ip.Payload()
	switch k.Proto {
	case packet.ProtoTCP, packet.ProtoUDP:
		binary.BigEndian.PutUint16(b, k.SrcPort)
		binary.BigEndian.PutUint16(b[2:], k.DstPort)
		if k.Proto == packet.ProtoUDP {
			packet.UDP(b).SetLength(len(b))
		} else {
			b[12] = 5 << 4
		}
	case packet.ProtoICMP:
		if s, ok := querySide(b[0]); ok {
			binary.BigEndian.PutUint16(b[4:], [...]uint16{k.SrcPort, k.DstPort}[s])
		}
	}
	sum(ip)
	return ip
}

var protocols = []uint8{packet.ProtoTCP, packet.ProtoUDP, packet.ProtoICMP, protoDCCP, protoUDPLite, 47}

func drawKey(t *rapid.T, proto uint8, typ uint8) flow.Key {
	k := flow.Key{Src: rapid.Uint32().Draw(t, "src"), Dst: rapid.Uint32().Draw(t, "dst"), Proto: proto}
	switch proto {
	case packet.ProtoTCP, packet.ProtoUDP:
		k.SrcPort, k.DstPort = rapid.Uint16().Draw(t, "sport"), rapid.Uint16().Draw(t, "dport")
	case packet.ProtoICMP:
		if s, ok := querySide(typ); ok {
			setPort(&k, s, rapid.Uint16().Draw(t, "id"))
		}
	}
	return k
}

func drawOptions(t *rapid.T) []byte {
	return bytes.Repeat([]byte{1}, 4*rapid.IntRange(0, 10).Draw(t, "options"))
}

// drawPacket draws a whole packet of no ICMP error, and its key.
func drawPacket(t *rapid.T) (packet.IPv4, flow.Key, uint8) {
	proto := rapid.SampledFrom(protocols).Draw(t, "protocol")
	payload := rapid.SliceOfN(rapid.Byte(), 24, 80).Draw(t, "payload")
	payload[0] = rapid.SampledFrom([]uint8{0, 8, 13, 14, 15, 16, 17, 18}).Draw(t, "type")
	if proto != packet.ProtoICMP && proto != packet.ProtoTCP && proto != packet.ProtoUDP {
		payload[0] = 0
	}
	k := drawKey(t, proto, payload[0])
	return build(k, drawOptions(t), payload), k, payload[0]
}

// TestRewriteEqualsFullCount: whatever is rewritten, source, destination or
// both, the packet is the one that a sender with the new ends would have sent.
func TestRewriteEqualsFullCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ip, k, typ := drawPacket(t)
		var p nat.Packet
		if err := Parse(ip, &p); err != nil || p.Key != k || p.Error {
			t.Fatalf("%x is parsed as %+v, %v; want the key %+v", []byte(ip), p, err, k)
		}
		to := drawKey(t, k.Proto, typ)
		got := slices.Clone(ip)
		Source(got, &to, false)
		Destination(got, &to, false)
		want := slices.Clone(ip)
		rebuilt := build(to, want.Options(), want.Payload())
		if !bytes.Equal(got, rebuilt) {
			t.Fatalf("%x\nbecomes %x\nwant    %x", []byte(ip), []byte(got), []byte(rebuilt))
		}
		Destination(got, &k, false)
		Source(got, &k, false)
		if !bytes.Equal(got, ip) {
			t.Fatalf("%x\ncomes back as %x", []byte(ip), []byte(got))
		}
	})
}

// TestPartialChecksum: the field holds the pseudo-header's sum before and
// after, whatever the ports.
func TestPartialChecksum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		proto := rapid.SampledFrom([]uint8{packet.ProtoTCP, packet.ProtoUDP}).Draw(t, "protocol")
		payload := rapid.SliceOfN(rapid.Byte(), 20, 60).Draw(t, "payload")
		ip := build(drawKey(t, proto, 0), drawOptions(t), payload)
		at := map[uint8]int{packet.ProtoTCP: 16, packet.ProtoUDP: 6}[proto]
		pseudo := func(ip packet.IPv4) uint16 {
			return packet.PseudoHeaderSum4(ip[12:16], ip[16:20], proto, len(ip.Payload()))
		}
		binary.BigEndian.PutUint16(ip.Payload()[at:], pseudo(ip))
		to := drawKey(t, proto, 0)
		Source(ip, &to, true)
		Destination(ip, &to, true)
		if got, want := binary.BigEndian.Uint16(ip.Payload()[at:]), pseudo(ip); got != want || !ip.HeaderChecksumOK() {
			t.Fatalf("partial checksum %04x, want %04x of %x", got, want, []byte(ip))
		}
		var p nat.Packet
		if err := Parse(ip, &p); err != nil || p.Key != to {
			t.Fatalf("reads %+v, %v; want %+v", p.Key, err, to)
		}
	})
}

// TestUDPChecksum: zero means none and stays (RFC 768, RFC 3022 §4.1); one
// that comes out as zero is sent as all ones.
func TestUDPChecksum(t *testing.T) {
	k := flow.Key{Src: 0x0a000102, Dst: 0xc6336401, SrcPort: 4000, DstPort: 53, Proto: packet.ProtoUDP}
	ip := build(k, nil, make([]byte, 12))
	packet.UDP(ip.Payload()).SetChecksum(0)
	to := k
	to.Src, to.SrcPort = 0xcb007101, 61000
	Source(ip, &to, false)
	if c := packet.UDP(ip.Payload()).Checksum(); c != 0 {
		t.Errorf("no checksum became %04x", c)
	}
	seen := false
	for port := range 1 << 16 {
		ip := build(k, nil, make([]byte, 12))
		to.SrcPort = uint16(port)
		Source(ip, &to, false)
		switch packet.UDP(ip.Payload()).Checksum() {
		case 0:
			t.Fatalf("source port %d: a computed checksum became none", port)
		case 0xffff:
			seen = true
		}
	}
	if !seen {
		t.Error("no port led to a checksum of zero, so nothing was tested")
	}
}

// drawError draws an ICMP error about a packet, quoted up to a length, and
// perhaps followed by extensions.
func drawError(t *rapid.T) (ip packet.IPv4, quoted flow.Key, length int) {
	quote, k, _ := drawPacket(t)
	length = rapid.IntRange(quote.HeaderLen()+8, len(quote)).Draw(t, "quoted")
	extensions := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "extensions")
	if len(extensions) > 0 {
		length = len(quote)
	}
	body := append([]byte{rapid.SampledFrom([]uint8{3, 11, 12}).Draw(t, "error"), 1, 0, 0, 0, 0, 5, 220}, quote[:length]...)
	if len(extensions) > 0 { // RFC 4884 §5.1: behind 128 bytes or more, filled up with zeros
		body = append(body, make([]byte, max(128-length, -length&3))...)
		body[5] = byte((len(body) - 8) / 4)
	}
	body = append(body, extensions...)
	outer := drawKey(t, packet.ProtoICMP, body[0])
	return build(outer, drawOptions(t), body), k, length
}

// TestQuoteEqualsFullCount: a rewritten quote is what the quoted packet would
// have been with the new ends, cut at the same place, and the error's own
// checksums are right (RFC 5508 REQ-4, REQ-5).
func TestQuoteEqualsFullCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ip, k, length := drawError(t)
		var p nat.Packet
		if err := Parse(ip, &p); err != nil || !p.Error || p.Inner != k || p.Key.SrcPort != 0 || p.Key.DstPort != 0 {
			t.Fatalf("%x is parsed as %+v, %v; want an error about %+v", []byte(ip), p, err, k)
		}
		quote := packet.IPv4(ip.Payload()[8:])
		inner, outer := drawKey(t, k.Proto, quote[quote.HeaderLen()]), drawKey(t, packet.ProtoICMP, ip.Payload()[0])

		// The whole quoted packet with its new ends, of which the error has the front.
		whole := slices.Clone(quote[:length])
		whole = append(whole, make([]byte, quote.TotalLen()-length)...)
		got := slices.Clone(ip)
		Quote(got, &inner)
		Source(got, &outer, false)
		Destination(got, &outer, false)

		want := slices.Clone(got)
		sum(want)
		if !bytes.Equal(got, want) {
			t.Fatalf("%x\nhas checksums other than by full count\n%x", []byte(got), []byte(want))
		}
		back := packet.IPv4(got.Payload()[8:])
		header, front := back.HeaderLen(), k.Proto == packet.ProtoTCP && length < back.HeaderLen()+18
		if !front { // the transport's checksum is quoted
			Source(whole, &inner, false)
			Destination(whole, &inner, false)
			if !bytes.Equal(back[:length], whole[:length]) {
				t.Fatalf("quotes %x\nwant   %x", []byte(back[:length]), []byte(whole[:length]))
			}
		}
		if !bytes.Equal(back[length:], quote[length:]) || !bytes.Equal(back[20:header], quote[20:header]) {
			t.Fatalf("options or extensions changed: %x, were %x", []byte(back), []byte(quote))
		}
		var again nat.Packet
		if err := Parse(got, &again); err != nil || again.Inner != inner || again.Key != outer {
			t.Fatalf("reads %+v, %v; want %+v about %+v", again, err, outer, inner)
		}
	})
}

func TestRewriteAllocatesNothing(t *testing.T) {
	k := flow.Key{Src: 1 << 24, Dst: 2 << 24, SrcPort: 1, DstPort: 2, Proto: packet.ProtoTCP}
	ip := build(k, nil, make([]byte, 40))
	var p nat.Packet
	if got := testing.AllocsPerRun(100, func() {
		if err := Parse(ip, &p); err != nil {
			t.Fatal(err)
		}
		Source(ip, &k, false)
		Destination(ip, &k, false)
	}); got != 0 {
		t.Errorf("%v allocations per packet, want none", got)
	}
}

func BenchmarkRewrite(b *testing.B) {
	k := flow.Key{Src: 1 << 24, Dst: 2 << 24, SrcPort: 1, DstPort: 2, Proto: packet.ProtoTCP}
	ip := build(k, nil, make([]byte, 40))
	var p nat.Packet
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			_ = Parse(ip, &p)
		}
	})
	b.Run("source", func(b *testing.B) {
		for b.Loop() {
			Source(ip, &k, false)
		}
	})
}
