package dataplane

import (
	"fmt"
	"net/netip"

	"routerd/internal/packet"
)

// Probe describes a packet to make up, for Explain or to be sent.
type Probe struct {
	Src, Dst         netip.Addr
	Proto            uint8 // packet.ProtoTCP, ProtoUDP, ProtoICMP or ProtoICMPv6
	SrcPort, DstPort uint16
	Size             int // bytes of the whole packet; 0 = as small as it can be
	DontFragment     bool
	TTL              uint8 // 0 = 64
	// Ident is the identifier of an echo request, and of the IPv4 packet. Sequence is
	// TCP's number of the SYN, and of an echo request its lower 16 bits.
	Ident    uint16
	Sequence uint32
}

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
	body := raw[header:]
	ttl := p.TTL
	if ttl == 0 {
		ttl = 64
	}
	var sum uint16
	if p.Dst.Is4() {
		ip := packet.IPv4(raw)
		raw[0] = 4<<4 | packet.IPv4MinHeader/4
		ip.SetTotalLen(size)
		ip.SetFragment(p.DontFragment, false, 0)
		ip.SetID(p.Ident)
		ip.SetTTL(ttl)
		ip.SetProtocol(p.Proto)
		ip.SetSrc(p.Src)
		ip.SetDst(p.Dst)
		ip.FillChecksum()
		sum = packet.PseudoHeaderSum4(ip.SrcBytes(), ip.DstBytes(), p.Proto, len(body))
	} else {
		ip := packet.IPv6(raw)
		ip.SetVersion(0, 0)
		ip.SetPayloadLen(len(body))
		ip.SetNextHeader(p.Proto)
		ip.SetHopLimit(ttl)
		ip.SetSrc(p.Src)
		ip.SetDst(p.Dst)
		sum = packet.PseudoHeaderSum6(ip.SrcBytes(), ip.DstBytes(), p.Proto, len(body))
	}
	p.fill(body, sum)
	return raw, nil
}

// fill writes the transport header; sum is the pseudo-header's.
func (p Probe) fill(body []byte, sum uint16) {
	switch p.Proto {
	case packet.ProtoTCP:
		putPorts(body, p.SrcPort, p.DstPort)
		body[12] = packet.TCPMinHeader / 4 << 4
		packet.TCP(body).SetFlags(packet.TCPSyn)
		packet.TCP(body).SetSeq(p.Sequence)
		packet.TCP(body).SetChecksum(^packet.Sum(body, sum))
	case packet.ProtoUDP:
		putPorts(body, p.SrcPort, p.DstPort)
		packet.UDP(body).SetLength(len(body))
		packet.UDP(body).SetChecksum(^packet.Sum(body, sum))
	case packet.ProtoICMP:
		body[0] = 8
		putPorts(body[4:], p.Ident, uint16(p.Sequence))
		packet.ICMP(body).SetChecksum(packet.Checksum(body))
	case packet.ProtoICMPv6:
		body[0] = 128
		putPorts(body[4:], p.Ident, uint16(p.Sequence))
		packet.ICMP(body).SetChecksum(^packet.Sum(body, sum))
	}
}

func putPorts(b []byte, src, dst uint16) {
	b[0], b[1], b[2], b[3] = byte(src>>8), byte(src), byte(dst>>8), byte(dst)
}
