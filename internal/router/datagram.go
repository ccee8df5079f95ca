package router

import (
	"encoding/binary"
	"net/netip"

	"routerd/internal/packet"
)

// internetControl is the precedence of routing protocols (RFC 1812 §5.3.3, RFC
// 791), which is the DiffServ class selector 6 (RFC 2474 §4.2.2).
const internetControl = 0xc0

// datagram is a packet of one of the router's own protocols, over UDP or
// directly over IP.
type datagram struct {
	Src, Dst netip.AddrPort
	Protocol uint8  // of IP
	Hops     uint8  // TTL or hop limit
	ID       uint16 // identification, of IPv4
	Payload  []byte
}

// append appends the whole packet with its IP header and checksums. Payload
// already has the checksum of a protocol other than UDP. Src and Dst are of one
// family.
func (d *datagram) append(b []byte) []byte {
	udp := d.Protocol == packet.ProtoUDP
	size := len(d.Payload)
	if udp {
		size += packet.UDPHeader
	}
	b, sum := d.appendIP(b, size)
	if !udp {
		return append(b, d.Payload...)
	}
	at := len(b)
	b = append(b, make([]byte, packet.UDPHeader)...)
	b = append(b, d.Payload...)
	u := packet.UDP(b[at:])
	binary.BigEndian.PutUint16(u, d.Src.Port())
	binary.BigEndian.PutUint16(u[2:], d.Dst.Port())
	u.SetLength(size)
	c := ^packet.Sum(u, sum)
	if c == 0 { // 0 would mean no checksum (RFC 768, RFC 8200 §8.1)
		c = 0xffff
	}
	u.SetChecksum(c)
	return b
}

// appendIP appends the IP header of a packet with size octets of payload, and
// returns the checksum of its pseudo-header.
func (d *datagram) appendIP(b []byte, size int) ([]byte, uint16) {
	at := len(b)
	if d.Dst.Addr().Is4() {
		b = append(b, make([]byte, packet.IPv4MinHeader)...)
		ip := packet.IPv4(b[at:])
		ip[0], ip[1] = 0x45, internetControl
		ip.SetTotalLen(packet.IPv4MinHeader + size)
		ip.SetID(d.ID)
		ip.SetTTL(d.Hops)
		ip.SetProtocol(d.Protocol)
		ip.SetSrc(d.Src.Addr())
		ip.SetDst(d.Dst.Addr())
		ip.FillChecksum()
		return b, packet.PseudoHeaderSum4(ip.SrcBytes(), ip.DstBytes(), d.Protocol, size)
	}
	b = append(b, make([]byte, packet.IPv6Header)...)
	ip := packet.IPv6(b[at:])
	ip.SetVersion(internetControl, 0)
	binary.BigEndian.PutUint16(ip[4:], uint16(size))
	ip[6], ip[7] = d.Protocol, d.Hops
	ip.SetSrc(d.Src.Addr().WithZone(""))
	ip.SetDst(d.Dst.Addr().WithZone(""))
	return b, packet.PseudoHeaderSum6(ip.SrcBytes(), ip.DstBytes(), d.Protocol, size)
}
