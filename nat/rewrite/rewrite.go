package rewrite

import (
	"encoding/binary"

	"routerd/flow"
	"routerd/internal/packet"
)

// Source makes the source of a packet that Parse has accepted what to says:
// the address, and the port or the identifier of an ICMP request. Partial
// says that the transport checksum is left to the hardware: the field holds
// the sum of the pseudo-header, to which ports do not belong.
func Source(ip packet.IPv4, to *flow.Key, partial bool) {
	end(ip, source, to.Src, to.SrcPort, partial)
}

// Destination is Source for the other end: the identifier is that of an ICMP
// reply.
func Destination(ip packet.IPv4, to *flow.Key, partial bool) {
	end(ip, destination, to.Dst, to.DstPort, partial)
}

func end(ip packet.IPv4, s side, address uint32, port uint16, partial bool) {
	at := 12 + 4*int(s)
	var a delta
	a.put32(ip[at:], address)
	ip.SetChecksum(a.apply(ip.Checksum()))
	transport(ip.Payload(), ip.Protocol(), s, port, a, partial)
}

// Quote makes the packet that an ICMP error quotes what inner says: both
// addresses and ports, the checksum of its header, that of its transport as
// far as that was quoted, and the checksum of the error over all of these.
// Parse has accepted the error. Whatever follows the quote, as extensions do
// (RFC 4884), is left alone.
func Quote(ip packet.IPv4, inner *flow.Key) {
	m := packet.ICMP(ip.Payload())
	quote := packet.IPv4(m[packet.ICMPHeader:])
	b := quotedTransport(m, quote)
	proto := quote.Protocol()

	var a, all delta // of the addresses; of all that the error's checksum covers
	a.put32(quote[12:], inner.Src)
	a.put32(quote[16:], inner.Dst)
	all = a
	all.put16(quote[10:], a.apply(quote.Checksum()))
	all.add(transport(b, proto, source, inner.SrcPort, a, false))
	all.add(transport(b, proto, destination, inner.DstPort, delta{}, false))
	m.SetChecksum(all.apply(m.Checksum()))
}

// quotedTransport is what an error quotes of the transport's header and
// payload, without what an extension follows it with.
func quotedTransport(m packet.ICMP, quote packet.IPv4) []byte {
	header, n := quote.HeaderLen(), len(quote)
	if words := 4 * int(m[5]); words >= 128 { // RFC 4884 §4, §5.1
		n = min(n, words)
	}
	// Beyond its own end the quoted packet is padding. A length too small for
	// what Parse has read is a known mistake of old senders.
	if total := quote.TotalLen(); total >= header+8 {
		n = min(n, total)
	}
	return quote[header:n]
}

// transport writes the port of one end into the transport header at the
// front of b, of which there may be less than all, and updates the checksum
// by that and by the change a of the addresses. It returns what changed in b
// all in all.
func transport(b []byte, proto uint8, s side, port uint16, a delta, partial bool) (changed delta) {
	sum := -1 // where the checksum is
	switch proto {
	case packet.ProtoTCP:
		changed.put16(b[2*s:], port)
		sum = 16
	case packet.ProtoUDP:
		changed.put16(b[2*s:], port)
		sum = 6
	case packet.ProtoICMP:
		a = delta{} // its checksum does not cover the addresses
		if of, ok := querySide(b[0]); ok && of == s {
			changed.put16(b[4:], port)
			sum = 2
		}
	case protoDCCP, protoUDPLite:
		sum = 6
	}
	if sum < 0 || len(b) < sum+2 {
		return changed
	}
	old := binary.BigEndian.Uint16(b[sum:])
	if partial {
		// The field is a sum and no complement of one.
		changed.put16(b[sum:], ^a.apply(^old))
		return changed
	}
	if proto == packet.ProtoUDP && old == 0 {
		return changed // RFC 768: none, and none it stays (RFC 3022 §4.1)
	}
	a.add(changed)
	c := a.apply(old)
	if c == 0 && (proto == packet.ProtoUDP || proto == protoUDPLite) {
		c = 0xffff // RFC 768: a computed zero is sent as all ones
	}
	changed.put16(b[sum:], c)
	return changed
}

// delta is the sum of ~m + m' over the 16-bit words that changed from m to m'
// (RFC 1624 §3, eqn. 3), not folded: there are never more than a few.
type delta struct{ sum uint32 }

func (d *delta) add(o delta) { d.sum += o.sum }

// put16 writes v to the front of b.
func (d *delta) put16(b []byte, v uint16) {
	d.sum += uint32(^binary.BigEndian.Uint16(b)) + uint32(v)
	binary.BigEndian.PutUint16(b, v)
}

// put32 writes v to the front of b.
func (d *delta) put32(b []byte, v uint32) {
	old := ^binary.BigEndian.Uint32(b)
	d.sum += old>>16 + old&0xffff + v>>16 + v&0xffff
	binary.BigEndian.PutUint32(b, v)
}

// apply gives the checksum that c becomes: HC' = ~(~HC + ~m + m').
func (d delta) apply(c uint16) uint16 {
	s := uint32(^c) + d.sum
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return ^uint16(s)
}
