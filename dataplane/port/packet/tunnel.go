package packet

import (
	"encoding/binary"

	"routerd/dataplane/port"
	"routerd/internal/packet"
)

// tunnel is a super-packet whose segments are segments of an encapsulated
// packet. A sender's kernel makes such packets with VXLAN, GENEVE, GRE or IP in
// IP if its device offers to segment them, as a veth does. The virtio-net
// header describes the inner packet alone, so neither the kernel nor another
// port can segment the frame: it is segmented here. Offsets count from the
// start of the frame.
//
//	link | outer IP | UDP or GRE, and the tunnel's own header, or nothing | inner IP | TCP or UDP | payload
//	     outer      between                                              inner      transport    payload
type tunnel struct {
	outer, between, inner, transport, payload int
	via                                       uint8 // what the outer IP packet carries: UDP, GRE or an IP packet
	proto                                     uint8 // of the inner IP packet: TCP or UDP

	frame port.Frame // the whole; its buffer is the queue's
	sent  int        // bytes of payload that have been cut off
	count int        // segments that have been cut off
}

// What an outer IP packet may carry beside UDP.
const (
	protoIPv4 = 4  // RFC 2003
	protoIPv6 = 41 // RFC 2473, RFC 4213
	protoGRE  = 47 // RFC 2784
)

const greChecksum = 0x80 // the C bit, in the first byte (RFC 2784 §2.1)

// tunnelled reports whether f is a super-packet whose segments are not those
// of its own transport.
func tunnelled(f *port.Frame) bool {
	if f.Offload.GSO == port.GSONone || !f.Offload.NeedsChecksum {
		return false
	}
	_, at, proto, ok := outerHeader(f.Bytes())
	if !ok || int(f.Offload.ChecksumStart) == at {
		return false
	}
	switch proto {
	case packet.ProtoUDP, protoGRE, protoIPv4, protoIPv6:
		return int(f.Offload.ChecksumStart) > at
	}
	return false
}

// outerHeader finds the IP header of a frame, what it carries and where that
// begins.
func outerHeader(b []byte) (at, next int, proto uint8, ok bool) {
	at = linkHeader
	etherType := binary.BigEndian.Uint16(b[at-2:])
	for tags := 0; (etherType == 0x8100 || etherType == 0x88a8) && tags < 2 && len(b) >= at+4; tags++ {
		etherType = binary.BigEndian.Uint16(b[at+2:])
		at += 4
	}
	switch rest := b[at:]; {
	case etherType == 0x0800 && len(rest) >= packet.IPv4MinHeader:
		h := packet.IPv4(rest)
		return at, at + h.HeaderLen(), h.Protocol(), rest[0]>>4 == 4 && h.HeaderLen() >= packet.IPv4MinHeader && h.TotalLen() == len(rest)
	case etherType == 0x86dd && len(rest) >= packet.IPv6Header:
		h := packet.IPv6(rest)
		proto, next = h.NextHeader(), packet.IPv6Header
		for range packet.MaxExtensions { // the encapsulation limit is one (RFC 2473 §5.1)
			n, is := packet.ExtensionLen(proto, rest[next:])
			if !packet.IsExtension(proto) || !is {
				break
			}
			proto, next = rest[next], next+n
		}
		return at, at + next, proto, rest[0]>>4 == 6 && h.TotalLen() == len(rest)
	}
	return 0, 0, 0, false
}

// begin takes the frame f, for which tunnelled is true. It reports false if the
// frame is of a kind that is not known here: a tunnel in a tunnel, or
// contradictory headers.
func (t *tunnel) begin(f *port.Frame) bool {
	b := f.Bytes()
	*t = tunnel{frame: *f, transport: int(f.Offload.ChecksumStart), payload: int(f.Offload.HeaderLength), proto: packet.ProtoTCP}
	var ok bool
	if t.outer, t.between, t.via, ok = outerHeader(b); !ok {
		return false
	}
	if f.Offload.GSO == port.GSOUDPL4 {
		t.proto = packet.ProtoUDP
	}
	if t.payload <= t.transport || t.payload >= len(b) || f.Offload.SegmentSize == 0 || !t.findInner(b) {
		return false
	}
	switch t.via {
	case packet.ProtoUDP:
		return t.between+packet.UDPHeader <= t.inner && packet.UDP(b[t.between:]).Length() == len(b)-t.between
	case protoGRE:
		return t.between+8 <= t.inner || t.between+4 == t.inner && b[t.between]&greChecksum == 0
	}
	return t.between == t.inner
}

// findInner finds the IP header in front of the transport header, which is all
// that the device describes.
func (t *tunnel) findInner(b []byte) bool {
	for words := packet.IPv4MinHeader / 4; words <= packet.IPv4MaxHeader/4; words++ {
		at := t.transport - 4*words
		if at < t.between {
			break
		}
		h := packet.IPv4(b[at:])
		if h[0] == 0x40|byte(words) && h.Protocol() == t.proto && h.TotalLen() == len(h) && h.HeaderChecksumOK() {
			t.inner = at
			return t.frame.Offload.GSO != port.GSOTCPv6
		}
	}
	at := t.transport - packet.IPv6Header
	if at < t.between {
		return false
	}
	h := packet.IPv6(b[at:])
	t.inner = at
	return h[0]>>4 == 6 && h.NextHeader() == t.proto && h.TotalLen() == len(h) && t.frame.Offload.GSO != port.GSOTCPv4
}

// done reports whether everything has been cut off.
func (t *tunnel) done() bool { return t.payload+t.sent >= t.frame.Len() }

// next cuts off the next segment into f. It is a complete packet, with all
// lengths and checksums right.
func (t *tunnel) next(f *port.Frame) {
	whole := t.frame.Bytes()
	part := whole[t.payload+t.sent:]
	part = part[:min(len(part), int(t.frame.Offload.SegmentSize))]
	f.Reset()
	f.HasVLAN, f.VLAN = t.frame.HasVLAN, t.frame.VLAN
	f.End = f.Start + t.payload + len(part)
	b := f.Bytes()
	copy(b, whole[:t.payload])
	copy(b[t.payload:], part)
	last := t.payload+t.sent+len(part) == len(whole)
	// From the inside out, since outer checksums may cover all that is inside.
	t.closeTransport(b, last)
	t.closeIP(b[t.inner:])
	t.closeBetween(b)
	t.closeIP(b[t.outer:])
	t.sent += len(part)
	t.count++
}

// closeIP sets length, identification and checksum for one segment.
func (t *tunnel) closeIP(b []byte) {
	if b[0]>>4 == 6 {
		packet.IPv6(b).SetPayloadLen(len(b) - packet.IPv6Header)
		return
	}
	h := packet.IPv4(b)
	h.SetTotalLen(len(b))
	h.SetID(h.ID() + uint16(t.count))
	h.FillChecksum()
}

// closeTransport makes the inner transport header that of one segment: sequence
// number advanced, FIN and PSH on the last alone, CWR on the first (RFC 3168
// §6.1.2).
func (t *tunnel) closeTransport(b []byte, last bool) {
	inner, segment := b[t.inner:], b[t.transport:]
	if t.proto == packet.ProtoUDP {
		closeUDP(segment, inner)
		return
	}
	h := packet.TCP(segment)
	h.SetSeq(h.Seq() + uint32(t.sent))
	flags := h.Flags()
	if !last {
		flags &^= packet.TCPFin | packet.TCPPsh
	}
	if t.count > 0 {
		flags &^= packet.TCPCwr
	}
	h.SetFlags(flags)
	h.SetChecksum(0)
	h.SetChecksum(^packet.Sum(segment, packet.PseudoHeaderSum(inner, packet.ProtoTCP, len(segment))))
}

// closeBetween sets length and checksum in the header between the two IP
// packets.
func (t *tunnel) closeBetween(b []byte) {
	rest := b[t.between:]
	switch {
	case t.via == packet.ProtoUDP && packet.UDP(rest).Checksum() == 0:
		packet.UDP(rest).SetLength(len(rest)) // sent without one (RFC 768, RFC 6935 §5)
	case t.via == packet.ProtoUDP:
		closeUDP(rest, b[t.outer:])
	case t.via == protoGRE && rest[0]&greChecksum != 0:
		binary.BigEndian.PutUint16(rest[4:], 0)
		binary.BigEndian.PutUint16(rest[4:], packet.Checksum(rest))
	}
}

// closeUDP fills in length and checksum of a datagram of the IP packet ip. A
// checksum that comes out as zero is sent as all ones (RFC 768).
func closeUDP(datagram packet.UDP, ip []byte) {
	datagram.SetLength(len(datagram))
	datagram.SetChecksum(0)
	c := ^packet.Sum(datagram, packet.PseudoHeaderSum(ip, packet.ProtoUDP, len(datagram)))
	if c == 0 {
		c = 0xffff
	}
	datagram.SetChecksum(c)
}
