package dataplane

import (
	"encoding/binary"

	"routerd/dataplane/port"
	"routerd/internal/packet"
)

// cutUp turns p into pieces that its egress port takes and adds them to e. It
// reports false when the batch has no memory left for them.
func (b *Batch) cutUp(p *Packet, e *egress) bool {
	if p.cut&cutChecksum != 0 {
		completeChecksum(p.Frame)
	}
	switch {
	case p.cut&cutSegment != 0:
		return b.segment(p, e)
	case p.cut&cutFragment != 0:
		return b.fragment(p, p.Frame, e)
	}
	e.add(p, p.Frame)
	return true
}

// completeChecksum turns a partial checksum into a complete one. A UDP checksum
// of zero is sent as all ones (RFC 768, RFC 8200 §8.1).
func completeChecksum(f *port.Frame) {
	raw, off := f.Bytes(), &f.Offload
	at := int(off.ChecksumStart) + int(off.ChecksumOffset)
	if !off.NeedsChecksum || at+2 > len(raw) {
		return
	}
	c := packet.Checksum(raw[off.ChecksumStart:])
	if c == 0 && off.ChecksumOffset == 6 {
		c = 0xffff
	}
	binary.BigEndian.PutUint16(raw[at:], c)
	off.NeedsChecksum = false
}

// segment cuts a super-packet into the packets that it stands for, as a network
// card would: headers repeated, lengths, identifications and sequence numbers
// adjusted, FIN and PSH on the last alone, checksums complete.
func (b *Batch) segment(p *Packet, e *egress) bool {
	ip := p.ip()
	header, size := p.headerLen(), int(p.Frame.Offload.SegmentSize)
	if size == 0 || header > len(ip) {
		return false
	}
	payload := ip[header:]
	for n := 0; len(payload) > 0; n++ {
		part := payload[:min(size, len(payload))]
		payload = payload[len(part):]
		f := b.take(header + len(part))
		if f == nil {
			return false
		}
		f.End = f.Start + header + len(part)
		piece := f.Bytes()
		copy(piece, ip[:header])
		copy(piece[header:], part)
		p.number(piece, n, n*size, len(payload) == 0)
		if p.cut&cutFragment != 0 && len(piece) > e.out.MTU {
			if !b.fragment(p, f, e) {
				return false
			}
			continue
		}
		e.add(p, f)
	}
	return true
}

// number makes piece, a copy of p's headers and a part of its payload, the
// nth segment, beginning offset bytes into the payload.
func (p *Packet) number(piece []byte, n, offset int, last bool) {
	if p.Family == 4 {
		ip := packet.IPv4(piece)
		ip.SetTotalLen(len(piece))
		ip.SetID(ip.ID() + uint16(n))
		ip.FillChecksum()
	} else {
		packet.IPv6(piece).SetPayloadLen(len(piece) - packet.IPv6Header)
	}
	transport := piece[p.l4:]
	sum := p.pseudoSum(len(transport))
	if p.Proto == packet.ProtoUDP {
		u := packet.UDP(transport)
		u.SetLength(len(u))
		u.SetChecksum(0)
		c := ^packet.Sum(u, sum)
		if c == 0 {
			c = 0xffff // RFC 768: a computed zero is sent as all ones
		}
		u.SetChecksum(c)
		return
	}
	t := packet.TCP(transport)
	t.SetSeq(t.Seq() + uint32(offset))
	flags := t.Flags()
	if !last {
		flags &^= packet.TCPFin | packet.TCPPsh
	}
	if n > 0 {
		flags &^= packet.TCPCwr // RFC 3168 §6.1.2: once per window reduction
	}
	t.SetFlags(flags)
	t.SetChecksum(0)
	t.SetChecksum(^packet.Sum(t, sum))
}

// fragment cuts the IP packet in f to the MTU of e.
func (b *Batch) fragment(p *Packet, f *port.Frame, e *egress) bool {
	if p.Family == 4 {
		return b.fragment4(p, f, e)
	}
	return b.fragment6(p, f, e)
}

// fragment4 fragments as RFC 791 §3.2 says: every fragment but the last carries
// a multiple of eight bytes, options with the copied flag go into each, and a
// fragment that is fragmented again keeps its offset. A packet that was
// reassembled for translation leaves in fragments no larger than those that it
// came in, and keeps its DF.
func (b *Batch) fragment4(p *Packet, f *port.Frame, e *egress) bool {
	whole := packet.IPv4(f.Bytes())
	payload := whole.Payload()
	offset, more := whole.FragmentOffset(), whole.MoreFragments()
	mtu, df := e.out.MTU, whole.DontFragment()
	if p.piece != 0 {
		mtu = min(mtu, int(p.piece))
	}
	var later [packet.IPv4MaxHeader]byte // the header of all fragments but the first
	laterLen := copy(later[:], whole[:packet.IPv4MinHeader])
	laterLen += copiedOptions(later[laterLen:], whole)

	header := []byte(whole[:whole.HeaderLen()])
	for len(payload) > 0 {
		room := mtu - len(header)
		last := len(payload) <= room
		if !last {
			room &^= 7
		}
		if room <= 0 {
			return false
		}
		part := payload[:min(room, len(payload))]
		payload = payload[len(part):]
		g := b.take(len(header) + len(part))
		if g == nil {
			return false
		}
		g.End = g.Start + len(header) + len(part)
		piece := packet.IPv4(g.Bytes())
		copy(piece, header)
		copy(piece[len(header):], part)
		piece[0] = 4<<4 | byte(len(header)/4)
		piece.SetTotalLen(len(piece))
		piece.SetFragment(df, more || !last, offset)
		piece.FillChecksum()
		e.add(p, g)
		offset += len(part)
		header = later[:laterLen]
	}
	return true
}

// fragment6 fragments as RFC 8200 §4.5 says: what the router itself sends, and
// packets that were reassembled for the filter, which leave in fragments no
// larger than those that they came in.
func (b *Batch) fragment6(p *Packet, f *port.Frame, e *egress) bool {
	whole := packet.IPv6(f.Bytes())
	front, nextAt := unfragmentable(whole)
	payload, next := whole[front:whole.TotalLen()], whole[nextAt]
	header, mtu := front+packet.IPv6FragmentHeader, e.out.MTU
	if p.piece != 0 {
		mtu = min(mtu, int(p.piece))
	}
	// It cannot be predicted from earlier ones, and two workers never give the
	// same at once (RFC 7739 §5.2, RFC 8200 §4.5).
	b.ident++
	ident := uint32(b.secret.Sum(uint64(b.Stream)<<32|uint64(b.ident), 0))
	for offset := 0; len(payload) > 0; {
		room := mtu - header
		last := len(payload) <= room
		if !last {
			room &^= 7
		}
		if room <= 0 {
			return false
		}
		part := payload[:min(room, len(payload))]
		payload = payload[len(part):]
		g := b.take(header + len(part))
		if g == nil {
			return false
		}
		g.End = g.Start + header + len(part)
		piece := packet.IPv6(g.Bytes())
		copy(piece, whole[:front])
		copy(piece[header:], part)
		piece.SetPayloadLen(len(piece) - packet.IPv6Header)
		piece[nextAt] = packet.ProtoFragment
		packet.FragmentHeader(piece[front:]).Set(next, offset, !last, ident)
		e.add(p, g)
		offset += len(part)
	}
	return true
}

// unfragmentable gives the length of the headers that every fragment repeats, up
// to the routing header or, without one, the hop-by-hop options (RFC 8200 §4.5),
// and the place of the byte that says what follows them.
func unfragmentable(whole packet.IPv6) (length, nextAt int) {
	length, nextAt = packet.IPv6Header, 6
	for next, at := whole.NextHeader(), packet.IPv6Header; next == packet.ProtoHopByHop || next == packet.ProtoDestOptions || next == packet.ProtoRouting; {
		n, ok := packet.ExtensionLen(next, whole[at:])
		if !ok {
			break
		}
		from := at
		if at += n; next != packet.ProtoDestOptions {
			length, nextAt = at, from
		}
		next = whole[from]
	}
	return length, nextAt
}
