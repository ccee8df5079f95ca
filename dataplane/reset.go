package dataplane

import (
	"encoding/binary"

	"routerd/icmp"
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
	header, src, dst := packet.IPv4MinHeader, orig[12:16], orig[16:20]
	if orig[0]>>4 == 6 {
		header, src, dst = packet.IPv6Header, orig[8:24], orig[24:40]
	}
	b = b[:header+packet.TCPMinHeader]
	clear(b)
	t := packet.TCP(putIP(b, dst, src, packet.ProtoTCP, icmp.HopLimit))
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
	t.SetChecksum(^packet.Sum(t, packet.PseudoHeaderSum(b, packet.ProtoTCP, len(t))))
	return len(b)
}
