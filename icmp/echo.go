package icmp

import (
	"encoding/binary"

	"routerd/internal/packet"
)

// ChecksumOK4 reports whether the ICMP message in p, which Valid accepted and
// which is no fragment, has its eight header bytes and a checksum that verifies.
func ChecksumOK4(p packet.IPv4) bool {
	m := packet.ICMP(p.Payload())
	return m.Valid() && packet.Sum(m, 0) == 0xffff
}

// ChecksumOK6 does the same for the ICMPv6 message at offset at of p, as
// packet.WalkExtensions gave it (RFC 4443 §2.3).
func ChecksumOK6(p packet.IPv6, at int) bool {
	if at+packet.ICMPHeader > p.TotalLen() {
		return false
	}
	m := p[at:p.TotalLen()]
	return packet.Sum(m, packet.PseudoHeaderSum6(p.SrcBytes(), p.DstBytes(), packet.ProtoICMPv6, len(m))) == 0xffff
}

// EchoRequestOK4 reports whether p, which Valid accepted, is a whole echo
// request with a good checksum.
func EchoRequestOK4(p packet.IPv4) bool {
	return p.Protocol() == packet.ProtoICMP && !p.IsFragment() && ChecksumOK4(p) &&
		packet.ICMP(p.Payload()).Type() == EchoRequest
}

// EchoRequestOK6 reports whether p, which Valid accepted, carries a whole
// ICMPv6 echo request with a good checksum at offset at, as
// packet.WalkExtensions gave it for ICMPv6.
func EchoRequestOK6(p packet.IPv6, at int) bool {
	return ChecksumOK6(p, at) && p[at] == EchoRequest6
}

// EchoReply4 turns p, which EchoRequestOK4 accepted, into its reply, in place:
// from the address the request was sent to (RFC 1812 §4.3.3.6), with the same
// TOS (RFC 1812 §4.3.2.5), data and options, a new TTL, and without DF. Header
// and ICMP checksums are right afterwards.
func EchoReply4(p packet.IPv4) {
	m := packet.ICMP(p.Payload())
	// A reply that may be fragmented needs a unique identification (RFC 6864
	// §4.3). That of the request will do, unless the request was atomic and its
	// identification means nothing (§4.1): then identifier and sequence number
	// make it unique.
	if p.DontFragment() {
		p.SetID(binary.BigEndian.Uint16(m[4:]) + binary.BigEndian.Uint16(m[6:]))
	}
	p.SetFragment(false, false, 0)
	p.SetTTL(HopLimit)
	swap(p.SrcBytes(), p.DstBytes())
	p.FillChecksum()
	answer(m, EchoReply)
}

// EchoReply6 turns p, whose echo request at offset at EchoRequestOK6 accepted,
// into its reply and returns the reply: the end of p. Extension headers are
// dropped, since they were for the request's path: the IPv6 header moves up to
// the message. The traffic class stays, the flow label does not.
func EchoReply6(p packet.IPv6, at int) packet.IPv6 {
	n := p.TotalLen() - at
	r := p[at-packet.IPv6Header : p.TotalLen()]
	copy(r[:packet.IPv6Header], p)
	r.SetVersion(r.TrafficClass(), 0)
	r.SetPayloadLen(n)
	r.SetNextHeader(packet.ProtoICMPv6)
	r.SetHopLimit(HopLimit)
	swap(r.SrcBytes(), r.DstBytes()) // the pseudo-header's sum stays the same
	answer(packet.ICMP(r[packet.IPv6Header:]), EchoReply6Type)
	return r
}

func swap(a, b []byte) {
	for i := range a {
		a[i], b[i] = b[i], a[i]
	}
}

// answer changes the type and adjusts the checksum incrementally (RFC 1624 §3).
func answer(m packet.ICMP, t uint8) {
	old := binary.BigEndian.Uint16(m)
	m.SetType(t)
	c := packet.UpdateChecksum(m.Checksum(), old, binary.BigEndian.Uint16(m))
	if c == 0 && t == EchoReply {
		// A message of zeros alone has the checksum 0xffff, which an
		// incremental update cannot tell from 0: compute it in full.
		m.SetChecksum(0)
		c = packet.Checksum(m)
	}
	m.SetChecksum(c)
}
