package packet

import (
	"encoding/binary"
	"net/netip"
)

// IP protocol numbers that routerd uses.
const (
	ProtoHopByHop     = 0
	ProtoICMP         = 1
	ProtoIGMP         = 2
	ProtoTCP          = 6
	ProtoUDP          = 17
	ProtoRouting      = 43
	ProtoFragment     = 44
	ProtoESP          = 50
	ProtoAH           = 51
	ProtoICMPv6       = 58
	ProtoNoNextHeader = 59
	ProtoDestOptions  = 60
	ProtoOSPF         = 89
)

// IPv4 is a view of an IPv4 packet (RFC 791 §3.1). Its methods read and write
// in place and may be used only on a view that Valid accepted.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Version|  IHL  |Type of Service|          Total Length         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Identification        |Flags|      Fragment Offset    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Time to Live |    Protocol   |         Header Checksum       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       Source Address                          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    Destination Address                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    Options                    |    Padding    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type IPv4 []byte

// Sizes and flags of the IPv4 header.
const (
	IPv4MinHeader = 20
	IPv4MaxHeader = 60
	// IPv4MinMTU is the MTU that every link must carry (RFC 791 §3.2).
	IPv4MinMTU = 68

	ipv4DontFragment  = 0x4000
	ipv4MoreFragments = 0x2000
	ipv4OffsetMask    = 0x1fff
)

// Valid reports whether the lengths in the header agree with the length of p,
// so that every method is safe. It does not verify the checksum.
func (p IPv4) Valid() bool {
	if len(p) < IPv4MinHeader || p[0]>>4 != 4 {
		return false
	}
	h, t := p.HeaderLen(), p.TotalLen()
	return h >= IPv4MinHeader && h <= t && t <= len(p)
}

func (p IPv4) HeaderLen() int      { return int(p[0]&0x0f) * 4 }
func (p IPv4) TOS() uint8          { return p[1] }
func (p IPv4) TotalLen() int       { return int(binary.BigEndian.Uint16(p[2:])) }
func (p IPv4) ID() uint16          { return binary.BigEndian.Uint16(p[4:]) }
func (p IPv4) TTL() uint8          { return p[8] }
func (p IPv4) Protocol() uint8     { return p[9] }
func (p IPv4) Checksum() uint16    { return binary.BigEndian.Uint16(p[10:]) }
func (p IPv4) Src() netip.Addr     { return netip.AddrFrom4([4]byte(p[12:16])) }
func (p IPv4) Dst() netip.Addr     { return netip.AddrFrom4([4]byte(p[16:20])) }
func (p IPv4) SrcBytes() []byte    { return p[12:16] }
func (p IPv4) DstBytes() []byte    { return p[16:20] }
func (p IPv4) Options() []byte     { return p[IPv4MinHeader:p.HeaderLen()] }
func (p IPv4) Payload() []byte     { return p[p.HeaderLen():p.TotalLen()] }
func (p IPv4) DontFragment() bool  { return p.fragWord()&ipv4DontFragment != 0 }
func (p IPv4) MoreFragments() bool { return p.fragWord()&ipv4MoreFragments != 0 }

// FragmentOffset is in bytes.
func (p IPv4) FragmentOffset() int { return int(p.fragWord()&ipv4OffsetMask) * 8 }

// IsFragment reports whether the packet is a part of a larger one.
func (p IPv4) IsFragment() bool {
	return p.fragWord()&(ipv4MoreFragments|ipv4OffsetMask) != 0
}

func (p IPv4) fragWord() uint16 { return binary.BigEndian.Uint16(p[6:]) }

// HeaderChecksumOK reports whether the header's checksum verifies.
func (p IPv4) HeaderChecksumOK() bool { return Sum(p[:p.HeaderLen()], 0) == 0xffff }

func (p IPv4) SetTotalLen(n int)    { binary.BigEndian.PutUint16(p[2:], uint16(n)) }
func (p IPv4) SetID(id uint16)      { binary.BigEndian.PutUint16(p[4:], id) }
func (p IPv4) SetTTL(ttl uint8)     { p[8] = ttl }
func (p IPv4) SetProtocol(pr uint8) { p[9] = pr }
func (p IPv4) SetChecksum(c uint16) { binary.BigEndian.PutUint16(p[10:], c) }
func (p IPv4) SetSrc(a netip.Addr)  { b := a.As4(); copy(p[12:16], b[:]) }
func (p IPv4) SetDst(a netip.Addr)  { b := a.As4(); copy(p[16:20], b[:]) }

// SetFragment sets the three flags and offset, which is in bytes and a
// multiple of 8.
func (p IPv4) SetFragment(dontFragment, more bool, offset int) {
	w := uint16(offset / 8)
	if dontFragment {
		w |= ipv4DontFragment
	}
	if more {
		w |= ipv4MoreFragments
	}
	binary.BigEndian.PutUint16(p[6:], w)
}

// FillChecksum computes the header checksum.
func (p IPv4) FillChecksum() {
	p.SetChecksum(0)
	p.SetChecksum(Checksum(p[:p.HeaderLen()]))
}

// DecrementTTL lowers the TTL, which must not be zero, by one and adjusts the
// checksum incrementally (RFC 1624 §3).
func (p IPv4) DecrementTTL() {
	old := binary.BigEndian.Uint16(p[8:])
	p[8]--
	p.SetChecksum(UpdateChecksum(p.Checksum(), old, binary.BigEndian.Uint16(p[8:])))
}
