package rewrite

import (
	"encoding/binary"
	"errors"

	"routerd/flow"
	"routerd/internal/packet"
	"routerd/nat"
)

// Why Parse could not tell a packet's flow.
var (
	ErrTruncated = errors.New("the transport header is cut short")
	ErrMalformed = errors.New("the transport header contradicts itself")
	ErrChecksum  = errors.New("an ICMP error, or the header it quotes, has a wrong checksum")
	ErrFragment  = errors.New("a fragment, which has no ports or not all of its packet")
	ErrNoFlow    = errors.New("an ICMP message of no flow")
)

// The ICMP types that matter here (RFC 792, RFC 950).
const (
	echoReply        = 0
	unreachable      = 3
	echo             = 8
	timeExceeded     = 11
	parameterProblem = 12
	timestamp        = 13
	timestampReply   = 14
	information      = 15
	informationReply = 16
	mask             = 17
	maskReply        = 18
)

// Protocols without ports whose checksum covers the addresses, at the same
// offset as UDP's.
const (
	protoDCCP    = 33  // RFC 4340 §9.1
	protoUDPLite = 136 // RFC 3828 §3.1
)

// Parse fills in the flow of a packet that is Valid and no fragment: Key,
// Inner, Error, Query and TCP of p. It leaves the other fields alone.
//
// If it fails, with one of the errors above, p.Key has the addresses and the
// protocol without ports.
func Parse(ip packet.IPv4, p *nat.Packet) error {
	setAddresses(&p.Key, ip)
	p.Inner, p.Error, p.Query = flow.Key{}, false, false
	if ip.IsFragment() {
		return ErrFragment
	}
	b := ip.Payload()
	if ip.Protocol() == packet.ProtoICMP {
		return parseICMP(b, p)
	}
	return Transport(b, &p.Key, &p.TCP)
}

// Transport fills in the ports of k, and of TCP the segment, from the transport
// header at the beginning of b, which is of k's protocol. A protocol without
// ports, and ICMP, have none to fill in.
func Transport(b []byte, k *flow.Key, s *flow.Segment) error {
	switch k.Proto {
	case packet.ProtoTCP:
		return parseTCP(b, k, s)
	case packet.ProtoUDP:
		return parseUDP(b, k)
	}
	return nil
}

// setAddresses makes k the key of a protocol without ports, field by field: copying a
// key that was just written would wait for the writes.
func setAddresses(k *flow.Key, ip packet.IPv4) {
	k.Src, k.Dst = binary.BigEndian.Uint32(ip[12:]), binary.BigEndian.Uint32(ip[16:])
	k.SrcPort, k.DstPort = 0, 0
	k.Proto, k.Table = ip.Protocol(), 0
}

func parseTCP(b []byte, k *flow.Key, s *flow.Segment) error {
	if len(b) < packet.TCPMinHeader {
		return ErrTruncated
	}
	t := packet.TCP(b)
	if !t.Valid() {
		return ErrMalformed
	}
	k.SrcPort, k.DstPort = t.SrcPort(), t.DstPort()
	*s = flow.Segment{
		Flags: t.Flags(), Window: binary.BigEndian.Uint16(t[14:]),
		Seq: t.Seq(), Ack: t.Ack(), Len: uint32(len(b) - t.HeaderLen()),
	}
	if s.Flags&packet.TCPSyn != 0 {
		s.Scale = scale(t[packet.TCPMinHeader:t.HeaderLen()])
	}
	return nil
}

// The TCP options that matter here.
const (
	optionEnd   = 0
	optionNop   = 1
	optionScale = 3
)

// scale reads the window scale option of a SYN as flow.Segment has it: 1 + the
// shift, 0 without one (RFC 7323 §2.2). A malformed option ends the search.
func scale(o []byte) uint8 {
	const most = 14 // RFC 7323 §2.3: a larger shift is used as this one
	for len(o) > 0 && o[0] != optionEnd {
		if o[0] == optionNop {
			o = o[1:]
			continue
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			break
		}
		if o[0] == optionScale && o[1] == 3 {
			return 1 + min(o[2], most)
		}
		o = o[o[1]:]
	}
	return 0
}

func parseUDP(b []byte, k *flow.Key) error {
	u := packet.UDP(b)
	if !u.Valid() {
		return ErrTruncated
	}
	if u.Length() < packet.UDPHeader || u.Length() > len(u) {
		return ErrMalformed
	}
	k.SrcPort, k.DstPort = u.SrcPort(), u.DstPort()
	return nil
}

func parseICMP(b []byte, p *nat.Packet) error {
	m := packet.ICMP(b)
	if !m.Valid() {
		return ErrTruncated
	}
	if side, ok := querySide(m.Type()); ok {
		p.Query = side == source
		setPort(&p.Key, side, identifier(m))
		return nil
	}
	switch m.Type() {
	case unreachable, timeExceeded, parameterProblem:
		return parseError(m, p)
	}
	return ErrNoFlow
}

// side is one end of a packet.
type side uint8

const (
	source side = iota
	destination
)

// querySide says whose port the identifier of a query counts as: the source's
// in a request, the destination's in a reply (RFC 5508 §3.1).
func querySide(typ uint8) (side, bool) {
	switch typ {
	case echo, timestamp, information, mask:
		return source, true
	case echoReply, timestampReply, informationReply, maskReply:
		return destination, true
	}
	return 0, false
}

func identifier(m packet.ICMP) uint16 { return binary.BigEndian.Uint16(m[4:]) }

func setPort(k *flow.Key, s side, port uint16) {
	if s == source {
		k.SrcPort = port
	} else {
		k.DstPort = port
	}
}

// parseError reads the packet that an ICMP error quotes, which is at least its
// header and eight bytes (RFC 792).
func parseError(m packet.ICMP, p *nat.Packet) error {
	quote := packet.IPv4(m[packet.ICMPHeader:])
	if len(quote) < packet.IPv4MinHeader {
		return ErrTruncated
	}
	header := quote.HeaderLen()
	if quote[0]>>4 != 4 || header < packet.IPv4MinHeader {
		return ErrMalformed
	}
	if header > len(quote) {
		return ErrTruncated
	}
	if packet.Checksum(m) != 0 || !quote.HeaderChecksumOK() { // RFC 5508 REQ-3
		return ErrChecksum
	}
	if quote.FragmentOffset() != 0 {
		return ErrFragment
	}
	p.Error = true
	setAddresses(&p.Inner, quote)
	return parseQuoted(quote[header:], &p.Inner)
}

// parseQuoted reads the ports of a quoted packet from the part of its payload
// that is quoted.
func parseQuoted(b []byte, k *flow.Key) error {
	switch k.Proto {
	case packet.ProtoTCP, packet.ProtoUDP:
		if len(b) < 8 {
			return ErrTruncated
		}
		k.SrcPort, k.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	case packet.ProtoICMP:
		if len(b) < packet.ICMPHeader {
			return ErrTruncated
		}
		s, ok := querySide(b[0])
		if !ok {
			return ErrNoFlow // there are no errors about errors
		}
		setPort(k, s, identifier(packet.ICMP(b)))
	}
	return nil
}
