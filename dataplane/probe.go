package dataplane

import (
	"cmp"
	"fmt"
	"net/netip"

	"routerd/icmp"
	"routerd/internal/packet"
)

// Probe describes a packet to make up, for Explain or to be sent.
type Probe struct {
	Src, Dst         netip.Addr
	Proto            uint8 // of TCP, UDP, ICMP and ICMPv6 the header is made, of others only zeros
	SrcPort, DstPort uint16
	TCPFlags         uint8     // of TCP; 0 = SYN
	ICMP             *ICMPType // nil = an echo request
	DSCP             uint8
	Size             int // bytes of the whole packet; 0 = as small as it can be
	DontFragment     bool
	TTL              uint8 // 0 = icmp.HopLimit
	// Ident is the identifier of an echo request, and of the IPv4 packet. Sequence is
	// TCP's number of the SYN, and of an echo request its lower 16 bits.
	Ident    uint16
	Sequence uint32
}

// ICMPType is the type and code of an ICMP or ICMPv6 message.
type ICMPType struct{ Type, Code uint8 }

// Build makes the packet, with every checksum right.
func (p Probe) Build() ([]byte, error) {
	if p.Src.Is4() != p.Dst.Is4() {
		return nil, fmt.Errorf("making up a packet from %s to %s: both addresses have to be of one family", p.Src, p.Dst)
	}
	header := packet.IPv4MinHeader
	if p.Dst.Is6() {
		header = packet.IPv6Header
	}
	upper := packet.UDPHeader // an ICMP echo header is as long
	if p.Proto == packet.ProtoTCP {
		upper = packet.TCPMinHeader
	}
	size := max(p.Size, header+upper)
	if p.Size != 0 && p.Size < size || size > 65535 {
		return nil, fmt.Errorf("making up a packet of %d bytes: wanted %d to 65535", p.Size, header+upper)
	}
	raw := make([]byte, size)
	if p.Dst.Is4() {
		packet.IPv4(raw).SetFragment(p.DontFragment, false, 0)
		packet.IPv4(raw).SetID(p.Ident)
		raw[1] = p.DSCP << 2
	}
	body := putIP(raw, p.Src.AsSlice(), p.Dst.AsSlice(), p.Proto, cmp.Or(p.TTL, icmp.HopLimit))
	if p.Dst.Is6() {
		packet.IPv6(raw).SetVersion(p.DSCP<<2, 0)
	}
	p.fill(body, packet.PseudoHeaderSum(raw, p.Proto, len(body)))
	return raw, nil
}

// putIP writes the IP header of the packet b, which is zero but for the identification
// and the flags of IPv4, and returns what is behind it.
func putIP(b, src, dst []byte, proto, ttl uint8) (upper []byte) {
	if len(src) == 4 {
		ip := packet.IPv4(b)
		ip[0] = 4<<4 | packet.IPv4MinHeader/4
		ip.SetTotalLen(len(b))
		ip.SetTTL(ttl)
		ip.SetProtocol(proto)
		copy(ip.SrcBytes(), src)
		copy(ip.DstBytes(), dst)
		ip.FillChecksum()
		return b[packet.IPv4MinHeader:]
	}
	ip := packet.IPv6(b)
	upper = b[packet.IPv6Header:]
	ip.SetVersion(0, 0)
	ip.SetPayloadLen(len(upper))
	ip.SetNextHeader(proto)
	ip.SetHopLimit(ttl)
	copy(ip.SrcBytes(), src)
	copy(ip.DstBytes(), dst)
	return upper
}

// fill writes the transport header; sum is the pseudo-header's.
func (p Probe) fill(body []byte, sum uint16) {
	switch p.Proto {
	case packet.ProtoTCP:
		putPorts(body, p.SrcPort, p.DstPort)
		body[12] = packet.TCPMinHeader / 4 << 4
		packet.TCP(body).SetFlags(cmp.Or(p.TCPFlags, packet.TCPSyn))
		packet.TCP(body).SetSeq(p.Sequence)
		packet.TCP(body).SetChecksum(^packet.Sum(body, sum))
	case packet.ProtoUDP:
		putPorts(body, p.SrcPort, p.DstPort)
		packet.UDP(body).SetLength(len(body))
		packet.UDP(body).SetChecksum(^packet.Sum(body, sum))
	case packet.ProtoICMP:
		body[0] = icmp.EchoRequest
		p.typeICMP(body)
		putPorts(body[4:], p.Ident, uint16(p.Sequence))
		packet.ICMP(body).SetChecksum(packet.Checksum(body))
	case packet.ProtoICMPv6:
		body[0] = icmp.EchoRequest6
		p.typeICMP(body)
		putPorts(body[4:], p.Ident, uint16(p.Sequence))
		packet.ICMP(body).SetChecksum(^packet.Sum(body, sum))
	}
}

func (p Probe) typeICMP(body []byte) {
	if p.ICMP != nil {
		body[0], body[1] = p.ICMP.Type, p.ICMP.Code
	}
}

func putPorts(b []byte, src, dst uint16) {
	b[0], b[1], b[2], b[3] = byte(src>>8), byte(src), byte(dst>>8), byte(dst)
}
