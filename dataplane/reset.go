package dataplane

import (
	"encoding/binary"

	"routerd/internal/packet"
)

// resetFor writes to b the RST that refuses the TCP segment of the IP packet
// orig, whose TCP header is at l4, as if its destination had sent it (RFC 9293
// §3.10.7.1), and gives its length: 0 if orig is an RST itself or too short.
func resetFor(b, orig []byte, l4 int) int {
	if len(orig) < l4+packet.TCPMinHeader {
		return 0
	}
	segment := packet.TCP(orig[l4:])
	if !segment.Valid() || segment.Flags()&packet.TCPRst != 0 {
		return 0
	}
	header := packet.IPv4MinHeader
	if orig[0]>>4 == 6 {
		header = packet.IPv6Header
	}
	b = b[:header+packet.TCPMinHeader]
	clear(b)
	t := packet.TCP(b[header:])
	copy(t[0:2], segment[2:4])
	copy(t[2:4], segment[0:2])
	t[12] = packet.TCPMinHeader / 4 << 4
	if segment.Flags()&packet.TCPAck != 0 {
		t.SetSeq(segment.Ack())
		t.SetFlags(packet.TCPRst)
	} else {
		n := uint32(len(orig) - l4 - segment.HeaderLen())
		for _, flag := range [...]uint8{packet.TCPSyn, packet.TCPFin} {
			if segment.Flags()&flag != 0 {
				n++
			}
		}
		binary.BigEndian.PutUint32(t[8:], segment.Seq()+n)
		t.SetFlags(packet.TCPRst | packet.TCPAck)
	}
	var sum uint16
	if header == packet.IPv4MinHeader {
		ip := packet.IPv4(b)
		ip[0] = 4<<4 | packet.IPv4MinHeader/4
		ip.SetTotalLen(len(b))
		ip.SetTTL(64)
		ip.SetProtocol(packet.ProtoTCP)
		copy(ip[12:16], orig[16:20])
		copy(ip[16:20], orig[12:16])
		ip.FillChecksum()
		sum = packet.PseudoHeaderSum4(ip.SrcBytes(), ip.DstBytes(), packet.ProtoTCP, len(t))
	} else {
		ip := packet.IPv6(b)
		ip.SetVersion(0, 0)
		ip.SetPayloadLen(len(t))
		ip.SetNextHeader(packet.ProtoTCP)
		ip.SetHopLimit(64)
		copy(ip[8:24], orig[24:40])
		copy(ip[24:40], orig[8:24])
		sum = packet.PseudoHeaderSum6(ip.SrcBytes(), ip.DstBytes(), packet.ProtoTCP, len(t))
	}
	t.SetChecksum(^packet.Sum(t, sum))
	return len(b)
}
