package icmp

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"routerd/internal/packet"
	"routerd/internal/verdict"
)

// Error is what an ICMP or ICMPv6 error says. Rest is the second word of the
// message: the MTU of the next hop in the low 16 bits (RFC 1191 §4) or, for
// ICMPv6, the MTU or the pointer as they are; ICMP has its pointer in the
// high byte (RFC 792).
type Error struct {
	Type, Code uint8
	Rest       uint32
}

// WithMTU4 sets the MTU of a CodeFragmentationNeeded, in bytes; at most 65535.
func (e Error) WithMTU4(mtu int) Error {
	e.Rest = uint32(min(mtu, 0xffff))
	return e
}

// WithPointer4 points an ICMP ParameterProblem at the byte at offset, which
// lies inside the header: 0 to 59.
func (e Error) WithPointer4(offset int) Error {
	e.Rest = uint32(offset) << 24
	return e
}

// provoked is the error that each verdict calls for. Type zero means none: no
// error has it in either family.
var provoked = [verdict.Count]struct{ four, six Error }{
	// A malformed option in an otherwise valid header (RFC 1812 §4.3.3.5).
	verdict.BadOption: {four: Error{Type: ParameterProblem}},
	// RFC 8200 §4: code and pointer are filled in from the problem found.
	verdict.BadExtensionHeader: {six: Error{Type: ParameterProblem6}},
	verdict.SourceRouted:       {four: Error{Type: DestUnreachable, Code: CodeSourceRouteFailed}}, // RFC 1812 §5.2.7.1
	verdict.LinkScope:          {six: Error{Type: DestUnreachable6, Code: CodeBeyondScope6}},      // RFC 4443 §3.1

	verdict.NoRoute: {
		Error{Type: DestUnreachable, Code: CodeNetUnreachable},
		Error{Type: DestUnreachable6, Code: CodeNoRoute6},
	},
	verdict.Unreachable: {
		Error{Type: DestUnreachable, Code: CodeHostUnreachable},
		Error{Type: DestUnreachable6, Code: CodeAddressUnreachable6},
	},
	verdict.Prohibited: {
		Error{Type: DestUnreachable, Code: CodeProhibited},
		Error{Type: DestUnreachable6, Code: CodeProhibited6},
	},
	verdict.BackToPort: { // RFC 4443 §3.1: code 3 on a point-to-point link
		Error{Type: DestUnreachable, Code: CodeHostUnreachable},
		Error{Type: DestUnreachable6, Code: CodeAddressUnreachable6},
	},
	verdict.HopLimit: {
		Error{Type: TimeExceeded, Code: CodeHopLimitExceeded},
		Error{Type: TimeExceeded6, Code: CodeHopLimitExceeded},
	},
	verdict.TooBig: { // the caller adds the MTU
		Error{Type: DestUnreachable, Code: CodeFragmentationNeeded},
		Error{Type: PacketTooBig6},
	},
	verdict.ACLRejected: { // TCP is answered with an RST instead
		Error{Type: DestUnreachable, Code: CodeProhibited},
		Error{Type: DestUnreachable6, Code: CodeProhibited6},
	},
	// RFC 5508 REQ-8, where resources forbid a new session. What the filter
	// or the state of a session refuses stays without an answer, so that
	// nobody outside learns what is behind it.
	verdict.NATPoolExhausted: {four: Error{Type: DestUnreachable, Code: CodeProhibited}},
	verdict.NATPortless:      {four: Error{Type: DestUnreachable, Code: CodeProhibited}},
	verdict.NATSessionLimit:  {four: Error{Type: DestUnreachable, Code: CodeProhibited}},
	verdict.NATHostLimit:     {four: Error{Type: DestUnreachable, Code: CodeProhibited}},
	verdict.NeighborFailed: { // RFC 1812 §3.3.2, RFC 4861 §7.2.2
		Error{Type: DestUnreachable, Code: CodeHostUnreachable},
		Error{Type: DestUnreachable6, Code: CodeAddressUnreachable6},
	},
	verdict.InterfaceDown: {
		Error{Type: DestUnreachable, Code: CodeHostUnreachable},
		Error{Type: DestUnreachable6, Code: CodeAddressUnreachable6},
	},

	verdict.ProtocolUnreachable: { // RFC 8200 §4: the pointer is the next header field's
		Error{Type: DestUnreachable, Code: CodeProtocolUnreachable},
		Error{Type: ParameterProblem6, Code: CodeNextHeader6},
	},
	verdict.PortUnreachable: {
		Error{Type: DestUnreachable, Code: CodePortUnreachable},
		Error{Type: DestUnreachable6, Code: CodePortUnreachable6},
	},

	// RFC 8200 §4.5: the code and pointer come with the problem found. IPv4
	// has no word about a fragment that cannot be.
	verdict.FragmentMalformed: {six: Error{Type: ParameterProblem6}},
	verdict.FragmentTimeout: { // only if the first fragment is there to be quoted
		Error{Type: TimeExceeded, Code: CodeReassemblyExceeded},
		Error{Type: TimeExceeded6, Code: CodeReassemblyExceeded},
	},
}

// Errors4 gives the ICMP error that a verdict on an IPv4 packet provokes.
// Where the error has an MTU or a pointer, the caller adds it.
func Errors4(v verdict.Verdict) (Error, bool) {
	if int(v) >= len(provoked) {
		return Error{}, false
	}
	e := provoked[v].four
	return e, e.Type != 0
}

// Errors6 does the same for IPv6 and ICMPv6.
func Errors6(v verdict.Verdict) (Error, bool) {
	if int(v) >= len(provoked) {
		return Error{}, false
	}
	e := provoked[v].six
	return e, e.Type != 0
}

// Sizes of the errors made here, whole packets in bytes.
const (
	MaxError4 = 576               // RFC 1812 §4.3.2.3
	MaxError6 = packet.IPv6MinMTU // RFC 4443 §2.4 c

	headers4 = packet.IPv4MinHeader + packet.ICMPHeader
	headers6 = packet.IPv6Header + packet.ICMPHeader
)

// HopLimit is the TTL or hop limit of what the router makes itself: a fresh
// one, never that of the packet it answers (RFC 1812 §4.3.2.2).
const HopLimit = 64

// AppendError4 appends to dst the whole packet, IPv4 header and all, that
// reports e about orig to orig's source, and returns the extended slice.
//
// orig is a packet that Valid accepted and MayAnswer4 let pass, with its
// header as it arrived: unwind a NAT, and unwind whatever a parameter problem
// points at (RFC 1812 §4.3.3.5); a TTL that was lowered already may stay so
// (RFC 1812 §4.3.2.3). Its first bytes are quoted as they are, so the quote
// of a super-packet has the super-packet's length, and a partial transport
// checksum is quoted as such. It must not overlap dst's spare capacity.
// MaxError4 bytes of that suffice: then nothing is allocated.
func AppendError4(dst []byte, orig packet.IPv4, src netip.Addr, e Error) []byte {
	quote := orig[:min(orig.TotalLen(), MaxError4-headers4)]
	at, n := len(dst), headers4+len(quote)
	dst = slices.Grow(dst, n)[:at+n]

	p := packet.IPv4(dst[at:])
	p[0] = 4<<4 | packet.IPv4MinHeader/4
	// RFC 1812 §4.3.2.5: precedence 6, the other TOS bits those of the
	// packet; the two that are ECN now stay clear (RFC 3168 §5).
	p[1] = 6<<5 | orig.TOS()&0x1c
	p.SetTotalLen(n)
	// RFC 6864 §4.1: an atomic datagram may have any identification. DF
	// makes it one, so that no counter is needed.
	p.SetID(0)
	p.SetFragment(true, false, 0)
	p.SetTTL(HopLimit)
	p.SetProtocol(packet.ProtoICMP)
	p.SetSrc(src)
	copy(p.DstBytes(), orig.SrcBytes())
	p.FillChecksum()

	m := appendMessage(p[packet.IPv4MinHeader:], quote, e)
	m.SetChecksum(packet.Checksum(m))
	return dst
}

// AppendError6 is AppendError4 for IPv6: MaxError6 bytes of spare capacity
// suffice.
func AppendError6(dst []byte, orig packet.IPv6, src netip.Addr, e Error) []byte {
	quote := orig[:min(orig.TotalLen(), MaxError6-headers6)]
	at, n := len(dst), headers6+len(quote)
	dst = slices.Grow(dst, n)[:at+n]

	p := packet.IPv6(dst[at:])
	p.SetVersion(0, 0)
	p.SetPayloadLen(n - packet.IPv6Header)
	p.SetNextHeader(packet.ProtoICMPv6)
	p.SetHopLimit(HopLimit)
	p.SetSrc(src)
	copy(p.DstBytes(), orig.SrcBytes())

	m := appendMessage(p[packet.IPv6Header:], quote, e)
	pseudo := packet.PseudoHeaderSum6(p.SrcBytes(), p.DstBytes(), packet.ProtoICMPv6, len(m)) // RFC 4443 §2.3
	m.SetChecksum(^packet.Sum(m, pseudo))
	return dst
}

// appendMessage fills b, which is as long as needed, and leaves the checksum zero.
func appendMessage(b, quote []byte, e Error) packet.ICMP {
	m := packet.ICMP(b)
	m.SetType(e.Type)
	m.SetCode(e.Code)
	m.SetChecksum(0)
	binary.BigEndian.PutUint32(m[4:], e.Rest)
	copy(m[packet.ICMPHeader:], quote)
	return m
}
