package packet

import (
	"encoding/binary"
	"net/netip"
)

// IPv6 is a view of an IPv6 packet (RFC 8200 §3). Its methods read and write
// in place and may be used only on a view that Valid accepted.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Version| Traffic Class |           Flow Label                  |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Payload Length        |  Next Header  |   Hop Limit   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    Source Address, 16 bytes                   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                 Destination Address, 16 bytes                 |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type IPv6 []byte

// Sizes of IPv6.
const (
	IPv6Header = 40
	// IPv6MinMTU is the MTU that every IPv6 link must have (RFC 8200 §5).
	IPv6MinMTU = 1280
	// IPv6FragmentHeader is the length of the fragment header (RFC 8200 §4.5).
	IPv6FragmentHeader = 8
)

// Valid reports whether the payload length agrees with the length of p, so that
// every method is safe.
func (p IPv6) Valid() bool {
	return len(p) >= IPv6Header && p[0]>>4 == 6 && IPv6Header+p.PayloadLen() <= len(p)
}

func (p IPv6) TrafficClass() uint8 { return p[0]<<4 | p[1]>>4 }
func (p IPv6) FlowLabel() uint32   { return binary.BigEndian.Uint32(p) & 0xfffff }
func (p IPv6) PayloadLen() int     { return int(binary.BigEndian.Uint16(p[4:])) }
func (p IPv6) TotalLen() int       { return IPv6Header + p.PayloadLen() }
func (p IPv6) NextHeader() uint8   { return p[6] }
func (p IPv6) HopLimit() uint8     { return p[7] }
func (p IPv6) Src() netip.Addr     { return netip.AddrFrom16([16]byte(p[8:24])) }
func (p IPv6) Dst() netip.Addr     { return netip.AddrFrom16([16]byte(p[24:40])) }
func (p IPv6) SrcBytes() []byte    { return p[8:24] }
func (p IPv6) DstBytes() []byte    { return p[24:40] }
func (p IPv6) Payload() []byte     { return p[IPv6Header:p.TotalLen()] }

// SetVersion writes version, traffic class and flow label.
func (p IPv6) SetVersion(class uint8, flow uint32) {
	binary.BigEndian.PutUint32(p, 6<<28|uint32(class)<<20|flow&0xfffff)
}
func (p IPv6) SetPayloadLen(n int)    { binary.BigEndian.PutUint16(p[4:], uint16(n)) }
func (p IPv6) SetNextHeader(pr uint8) { p[6] = pr }
func (p IPv6) SetHopLimit(h uint8)    { p[7] = h }
func (p IPv6) SetSrc(a netip.Addr)    { b := a.As16(); copy(p[8:24], b[:]) }
func (p IPv6) SetDst(a netip.Addr)    { b := a.As16(); copy(p[24:40], b[:]) }

// FragmentHeader is a view of the IPv6 fragment header (RFC 8200 §4.5): next
// header, reserved, offset and M flag, identification.
type FragmentHeader []byte

func (f FragmentHeader) NextHeader() uint8   { return f[0] }
func (f FragmentHeader) Offset() int         { return int(binary.BigEndian.Uint16(f[2:]) &^ 7) }
func (f FragmentHeader) MoreFragments() bool { return f[3]&1 != 0 }
func (f FragmentHeader) ID() uint32          { return binary.BigEndian.Uint32(f[4:]) }

// Set fills the header; offset is in bytes and a multiple of 8.
func (f FragmentHeader) Set(next uint8, offset int, more bool, id uint32) {
	f[0], f[1] = next, 0
	w := uint16(offset)
	if more {
		w |= 1
	}
	binary.BigEndian.PutUint16(f[2:], w)
	binary.BigEndian.PutUint32(f[4:], id)
}

// IsExtension reports whether next is an extension header that ExtensionLen
// knows how to step over.
func IsExtension(next uint8) bool {
	switch next {
	case ProtoHopByHop, ProtoRouting, ProtoFragment, ProtoDestOptions, ProtoAH:
		return true
	}
	return false
}

// ExtensionLen is the length in bytes of the extension header of type next at
// the start of b, and false if b is too short to hold it.
func ExtensionLen(next uint8, b []byte) (int, bool) {
	if len(b) < 8 {
		return 0, false
	}
	n := (int(b[1]) + 1) * 8 // RFC 8200 §4.3: 8-octet units, not including the first 8 octets
	switch next {
	case ProtoFragment:
		n = IPv6FragmentHeader
	case ProtoAH:
		n = (int(b[1]) + 2) * 4 // RFC 4302 §2.2: 4-octet units minus 2
	}
	return n, n <= len(b)
}
