package arp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// MAC is an Ethernet address.
type MAC [6]byte

// Broadcast is the Ethernet broadcast address.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// String gives the six bytes in lower-case hexadecimal with colons.
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// MarshalText gives what String gives, for logs and JSON, which would write the
// bytes as a list of numbers.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// IsStation reports whether m can be the address of a station: it is neither a
// group address nor zero.
func (m MAC) IsStation() bool { return m[0]&1 == 0 && m != MAC{} }

// EtherTypes that routerd uses.
const (
	EtherTypeIPv4 = 0x0800
	EtherTypeARP  = 0x0806
	EtherTypeIPv6 = 0x86dd
)

// EthernetHeader is the length of an Ethernet header without tags.
const EthernetHeader = 14

// Ethernet is a view of an Ethernet frame (RFC 894, RFC 2464 §3): destination,
// source, type, payload. Its methods may be used only on a view that Valid
// accepted.
type Ethernet []byte

// Valid reports whether the header is all there.
func (e Ethernet) Valid() bool { return len(e) >= EthernetHeader }

func (e Ethernet) Dst() MAC        { return MAC(e[0:6]) }
func (e Ethernet) Src() MAC        { return MAC(e[6:12]) }
func (e Ethernet) Type() uint16    { return binary.BigEndian.Uint16(e[12:]) }
func (e Ethernet) Payload() []byte { return e[EthernetHeader:] }

// AppendEthernet appends an Ethernet header to b.
func AppendEthernet(b []byte, dst, src MAC, etherType uint16) []byte {
	b = append(b, dst[:]...)
	b = append(b, src[:]...)
	return binary.BigEndian.AppendUint16(b, etherType)
}

// MulticastMAC gives the Ethernet group that the IP multicast group a is sent
// to: RFC 1112 §6.4 and RFC 2464 §7.
func MulticastMAC(a netip.Addr) MAC {
	if a.Is4() {
		b := a.As4()
		return MAC{0x01, 0x00, 0x5e, b[1] & 0x7f, b[2], b[3]}
	}
	b := a.As16()
	return MAC{0x33, 0x33, b[12], b[13], b[14], b[15]}
}

// LinkLocal gives the link-local address that a port with the Ethernet
// address m forms: fe80::/64 and the modified EUI-64 of m (RFC 4291 §2.5.1,
// RFC 2464 §4).
func LinkLocal(m MAC) netip.Addr {
	return netip.AddrFrom16([16]byte{
		0: 0xfe, 1: 0x80,
		8: m[0] ^ 0x02, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5],
	})
}

// SolicitedNode gives the solicited-node multicast group of a (RFC 4291
// §2.7.1).
func SolicitedNode(a netip.Addr) netip.Addr {
	b := a.As16()
	return netip.AddrFrom16([16]byte{
		0: 0xff, 1: 0x02, 11: 0x01, 12: 0xff, 13: b[13], 14: b[14], 15: b[15],
	})
}

// The groups of all nodes and all routers of a link (RFC 4291 §2.7.1).
var (
	AllNodes   = netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0x01})
	AllRouters = netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0x02})
)
