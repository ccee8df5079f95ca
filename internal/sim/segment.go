package sim

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"net/netip"

	"routerd/internal/packet"
	"routerd/routing"
)

// Flags of a TCP segment (RFC 9293 §3.1).
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

const (
	tcpHeader     = 20
	optionMSS     = 2  // kind, RFC 9293 §3.2
	optionMD5     = 19 // kind, RFC 2385 §3.0
	optionMD5Size = 18
)

// segment is a TCP segment with what its IP header says.
type segment struct {
	link     routing.InterfaceID // that it goes by, NoInterface = by the table
	src, dst netip.AddrPort
	hops     uint8 // TTL or hop limit
	dscp     uint8
	seq, ack uint32
	flags    uint8
	window   uint16
	mss      uint16 // of a SYN, 0 = it does not say
	data     []byte
	digest   []byte // nil of one that is not signed
	signed   []byte // what a digest is made of, but for the secret
}

// length is what a segment takes up of the sequence numbers.
func (s *segment) length() uint32 {
	n := uint32(len(s.data))
	if s.flags&flagSYN != 0 {
		n++
	}
	if s.flags&flagFIN != 0 {
		n++
	}
	return n
}

// packet makes the IP packet of a segment, signed unless the secret is empty.
func (s *segment) packet(secret string) []byte {
	var options []byte
	if s.mss != 0 {
		options = append(options, optionMSS, 4, byte(s.mss>>8), byte(s.mss))
	}
	at := len(options)
	if secret != "" {
		options = append(options, make([]byte, optionMD5Size+2)...)
		options[at], options[at+1] = optionMD5, optionMD5Size
		options[at+18], options[at+19] = 1, 1 // no operation
	}
	tcp := make([]byte, tcpHeader, tcpHeader+len(options)+len(s.data))
	binary.BigEndian.PutUint16(tcp, s.src.Port())
	binary.BigEndian.PutUint16(tcp[2:], s.dst.Port())
	binary.BigEndian.PutUint32(tcp[4:], s.seq)
	binary.BigEndian.PutUint32(tcp[8:], s.ack)
	tcp[12], tcp[13] = byte(tcpHeader+len(options))<<2, s.flags
	binary.BigEndian.PutUint16(tcp[14:], s.window)
	if secret != "" {
		size := tcpHeader + len(options) + len(s.data)
		copy(options[at+2:], digestOf(signedPart(s.src.Addr(), s.dst.Addr(), tcp, s.data, size), secret))
	}
	tcp = append(append(tcp, options...), s.data...)
	return s.ip(tcp)
}

// ip puts the IP header in front of a TCP segment, and the checksum in it.
func (s *segment) ip(tcp []byte) []byte {
	if s.dst.Addr().Is4() {
		b := make([]byte, packet.IPv4MinHeader, packet.IPv4MinHeader+len(tcp))
		ip := packet.IPv4(b)
		ip[0], ip[1] = 0x45, s.dscp<<2
		ip.SetTotalLen(len(b) + len(tcp))
		ip.SetFragment(true, false, 0)
		ip.SetTTL(s.hops)
		ip.SetProtocol(packet.ProtoTCP)
		ip.SetSrc(s.src.Addr())
		ip.SetDst(s.dst.Addr())
		ip.FillChecksum()
		sum := packet.PseudoHeaderSum4(ip.SrcBytes(), ip.DstBytes(), packet.ProtoTCP, len(tcp))
		binary.BigEndian.PutUint16(tcp[16:], ^packet.Sum(tcp, sum))
		return append(b, tcp...)
	}
	b := make([]byte, packet.IPv6Header, packet.IPv6Header+len(tcp))
	ip := packet.IPv6(b)
	ip.SetVersion(s.dscp<<2, 0)
	ip.SetPayloadLen(len(tcp))
	ip.SetNextHeader(packet.ProtoTCP)
	ip.SetHopLimit(s.hops)
	ip.SetSrc(s.src.Addr())
	ip.SetDst(s.dst.Addr())
	sum := packet.PseudoHeaderSum6(ip.SrcBytes(), ip.DstBytes(), packet.ProtoTCP, len(tcp))
	binary.BigEndian.PutUint16(tcp[16:], ^packet.Sum(tcp, sum))
	return append(b, tcp...)
}

// parseSegment reads an IP packet, and reports whether it is a sound TCP segment.
func parseSegment(raw []byte) (s segment, ok bool) {
	var tcp []byte
	var sum uint16
	var src, dst netip.Addr
	switch ip := packet.IPv4(raw); {
	case len(raw) > 0 && raw[0]>>4 == 4 && ip.Valid() && ip.Protocol() == packet.ProtoTCP:
		tcp, src, dst, s.hops, s.dscp = ip.Payload(), ip.Src(), ip.Dst(), ip.TTL(), ip.TOS()>>2
		sum = packet.PseudoHeaderSum4(ip.SrcBytes(), ip.DstBytes(), packet.ProtoTCP, len(tcp))
	case len(raw) > 0 && raw[0]>>4 == 6 && packet.IPv6(raw).Valid() && packet.IPv6(raw).NextHeader() == packet.ProtoTCP:
		ip := packet.IPv6(raw)
		tcp, src, dst, s.hops, s.dscp = ip.Payload(), ip.Src(), ip.Dst(), ip.HopLimit(), ip.TrafficClass()>>2
		sum = packet.PseudoHeaderSum6(ip.SrcBytes(), ip.DstBytes(), packet.ProtoTCP, len(tcp))
	default:
		return s, false
	}
	if len(tcp) < tcpHeader || packet.Sum(tcp, sum) != 0xffff {
		return s, false
	}
	head := int(tcp[12]>>4) * 4
	if head < tcpHeader || head > len(tcp) {
		return s, false
	}
	s.src = netip.AddrPortFrom(src, binary.BigEndian.Uint16(tcp))
	s.dst = netip.AddrPortFrom(dst, binary.BigEndian.Uint16(tcp[2:]))
	s.seq, s.ack = binary.BigEndian.Uint32(tcp[4:]), binary.BigEndian.Uint32(tcp[8:])
	s.flags, s.window, s.data = tcp[13], binary.BigEndian.Uint16(tcp[14:]), tcp[head:]
	s.options(tcp[tcpHeader:head])
	plain := append([]byte(nil), tcp[:tcpHeader]...)
	plain[16], plain[17] = 0, 0
	s.signed = signedPart(src, dst, plain, s.data, len(tcp))
	return s, true
}

func (s *segment) options(b []byte) {
	for len(b) > 0 && b[0] != 0 {
		if b[0] == 1 {
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			return
		}
		switch o := b[:b[1]]; {
		case o[0] == optionMSS && len(o) == 4:
			s.mss = binary.BigEndian.Uint16(o[2:])
		case o[0] == optionMD5 && len(o) == optionMD5Size:
			s.digest = o[2:]
		}
		b = b[b[1]:]
	}
}

// genuine reports whether a segment is signed with a secret, or is not signed
// where the secret is empty.
func (s *segment) genuine(secret string) bool {
	if secret == "" || s.digest == nil {
		return secret == "" && s.digest == nil
	}
	return hmac.Equal(s.digest, digestOf(s.signed, secret))
}

// signedPart is what RFC 2385 §2.0 signs, but for the secret: pseudo-header,
// header without options and with a checksum of zero, data.
func signedPart(src, dst netip.Addr, header, data []byte, size int) []byte {
	b := append(src.AsSlice(), dst.AsSlice()...)
	if src.Is4() {
		b = append(b, 0, packet.ProtoTCP, byte(size>>8), byte(size))
	} else {
		b = append(binary.BigEndian.AppendUint32(b, uint32(size)), 0, 0, 0, packet.ProtoTCP)
	}
	return append(append(b, header...), data...)
}

func digestOf(signed []byte, secret string) []byte {
	h := md5.New()
	h.Write(signed)
	h.Write([]byte(secret))
	return h.Sum(nil)
}
