package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// ID is what OSPF writes as four octets: a router, an area, the link state ID of
// an LSA, and in version 2 an address or a mask.
type ID uint32

// String writes the ID as an IPv4 address.
func (i ID) String() string { return i.Addr().String() }

// Addr is the IPv4 address with the same octets.
func (i ID) Addr() netip.Addr {
	return netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})
}

// IDOf gives the octets of an IPv4 address.
func IDOf(a netip.Addr) ID {
	b := a.As4()
	return ID(binary.BigEndian.Uint32(b[:]))
}

// prefix is the network of an address and a mask, and invalid where the mask has
// a gap.
func prefix(address, mask ID) netip.Prefix {
	bits := 0
	for m := mask; m&0x80000000 != 0; m <<= 1 {
		bits++
	}
	if uint64(mask)<<bits&0xffffffff != 0 {
		return netip.Prefix{}
	}
	return netip.PrefixFrom((address & mask).Addr(), bits)
}

// MaskOf is the mask of so many bits, 0 to 32.
func MaskOf(bits int) ID { return ID(uint64(0xffffffff) << (32 - bits)) }

// Type is the type of a packet (RFC 2328 §A.3.1).
type Type uint8

const (
	TypeHello           Type = 1
	TypeDescription     Type = 2
	TypeRequest         Type = 3
	TypeUpdate          Type = 4
	TypeAcknowledgement Type = 5
)

var types = [...]string{"", "hello", "database-description", "link-state-request", "link-state-update", "link-state-acknowledgement"}

// String gives the name used in tables, JSON and metrics.
func (t Type) String() string {
	if t == 0 || int(t) >= len(types) {
		return fmt.Sprintf("type %d", uint8(t))
	}
	return types[t]
}

// LSType is the type of an LSA.
type LSType uint16

const (
	RouterLSA     LSType = 1
	NetworkLSA    LSType = 2
	SummaryLSA    LSType = 3  // a network of another area
	ASBRSummary   LSType = 4  // an AS boundary router of another area
	ExternalLSA   LSType = 5  // a network outside the AS
	NSSALSA       LSType = 7  // RFC 3101 §2.2: the same within an NSSA
	LinkOpaque    LSType = 9  // RFC 5250 §3: not beyond the link
	AreaOpaque    LSType = 10 // RFC 5250 §3: not beyond the area
	ASOpaque      LSType = 11 // RFC 5250 §3: in all areas that are no stubs
	highestLSType        = ASOpaque
)

var lsTypes = [highestLSType + 1]string{
	RouterLSA: "router", NetworkLSA: "network", SummaryLSA: "summary", ASBRSummary: "asbr-summary",
	ExternalLSA: "external", NSSALSA: "nssa-external",
	LinkOpaque: "opaque-link", AreaOpaque: "opaque-area", ASOpaque: "opaque-as",
}

// Known reports whether LSAs of the type are used here. RFC 2328 §13 (2) has the
// others discarded.
func (t LSType) Known() bool { return t <= highestLSType && lsTypes[t] != "" }

// String gives the name used in tables, JSON and metrics.
func (t LSType) String() string {
	if !t.Known() {
		return fmt.Sprintf("type %d", uint16(t))
	}
	return lsTypes[t]
}

// Options are the capabilities in Hellos, Database Descriptions and LSAs (RFC
// 5250 §A.1; RFC 5613 §2.1 for OptionL).
type Options uint8

const (
	OptionMT Options = 0x01 // multi-topology
	OptionE  Options = 0x02 // takes external LSAs: no stub area
	OptionMC Options = 0x04 // multicast
	OptionNP Options = 0x08 // N: an NSSA (Hello); P: to be translated (LSA)
	OptionL  Options = 0x10 // the packet has a block of link-local signalling
	OptionDC Options = 0x20 // demand circuits
	OptionO  Options = 0x40 // takes opaque LSAs
	OptionDN Options = 0x80 // not to be used by a router of a VPN
)

// DescriptionFlags are the bits of a Database Description (RFC 2328 §A.3.3).
type DescriptionFlags uint8

const (
	FlagMaster DescriptionFlags = 0x01 // the sender is the master
	FlagMore   DescriptionFlags = 0x02 // more of them follow
	FlagInit   DescriptionFlags = 0x04 // the first of them
)

// AuthType says how a packet is authenticated.
type AuthType uint8

const (
	AuthNone          AuthType = 0 // RFC 2328 §D.1
	AuthSimple        AuthType = 1 // RFC 2328 §D.2: a password
	AuthCryptographic AuthType = 2 // RFC 2328 §D.3, RFC 5709
	AuthExtended      AuthType = 3 // RFC 7474: 64 bits of sequence number, the source address protected
)

var authTypes = [...]string{"none", "simple", "cryptographic", "cryptographic-extended"}

// String gives the name used in tables and JSON.
func (t AuthType) String() string {
	if int(t) >= len(authTypes) {
		return fmt.Sprintf("type %d", uint8(t))
	}
	return authTypes[t]
}
