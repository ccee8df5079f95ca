package rewrite

import (
	"encoding/binary"

	"routerd/flow"
	"routerd/internal/packet"
)

// Source sets the source of a packet that Parse has accepted to that of to: the
// address, and the port or the identifier of an ICMP request. partial says that
// the transport checksum is partial: the field holds the sum of the
// pseudo-header, which does not cover the ports.
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

// Quote sets addresses and ports of the packet that an ICMP error quotes to
// those of inner. It updates the checksums of the quoted header, of the quoted
// transport if that was quoted, and of the error. Parse has accepted the error.
// Extensions behind the quote (RFC 4884) stay as they are.
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

// quotedTransport is the part of the transport header and payload that an error
// quotes, without extensions.
func quotedTransport(m packet.ICMP, quote packet.IPv4) []byte {
	header, n := quote.HeaderLen(), len(quote)
	if words := 4 * int(m[5]); words >= 128 { // RFC 4884 §4, §5.1
		n = min(n, words)
	}
	// Bytes beyond the quoted packet's end are padding. A total length that is
	// too small is a known mistake of old senders.
	if total := quote.TotalLen(); total >= header+8 {
		n = min(n, total)
	}
	return quote[header:n]
}

// transport writes the port of one end into the transport header at the front
// of b, which may be cut off, and updates the checksum by that and by the
// change a of the addresses. It returns the whole change of b.
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
		// The field is a sum, not its complement.
		changed.put16(b[sum:], ^a.apply(^old))
		return changed
	}
	if proto == packet.ProtoUDP && old == 0 {
		return changed // RFC 768: no checksum, and none is added (RFC 3022 §4.1)
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
