package dataplane

import (
	"time"

	"routerd/arp"
	"routerd/dataplane/port"
	"routerd/icmp"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// deliver handles packets for the router itself. It answers echo requests,
// reads ICMP messages, and gives the rest to the router's own TCP/IP stack;
// without one it refuses them with an ICMP unreachable.
func deliver(v *View, b *Batch, now time.Time) {
	b.now = now
	for _, p := range b.work {
		if p.Verdict != verdict.None || p.Way == nil || p.Way.Action != routing.Local {
			continue
		}
		if p.Family == 6 && p.l4 != packet.IPv6Header {
			// The node that the headers are meant for reads them all (RFC 8200 §4).
			if e := packet.WalkExtensions(p.ip6()); e.AtDestination.Action != packet.ActionSkip {
				p.refuseExtension(e.AtDestination)
				continue
			}
		}
		if !p.Fragment {
			p.receive(v, b, p.Frame)
			continue
		}
		whole, fate := b.held.Add(p.ip(), p.In, now)
		if whole == nil {
			why := b.held.Problem()
			p.code, p.detail, p.quiet = why.Code, why.Pointer, why.Action == packet.ActionSkip
			p.drop(fate)
			continue
		}
		p.receiveWhole(v, b, whole)
	}
}

// receiveWhole delivers a reassembled packet in place of p, the fragment that
// completed it. The bytes of whole are valid only until the reassembly table is
// used again.
func (p *Packet) receiveWhole(v *View, b *Batch, whole []byte) {
	if !p.become(b, whole) {
		return
	}
	if p.Family == 6 {
		e := packet.WalkExtensions(p.ip6())
		p.Proto, p.l4 = e.Upper, e.Offset
		if e.AtDestination.Action != packet.ActionSkip {
			p.refuseExtension(e.AtDestination)
			return
		}
	}
	p.receive(v, b, p.Frame)
}

// become makes p a copy of the reassembled packet whole, and reports whether
// there was memory for it.
func (p *Packet) become(b *Batch, whole []byte) bool {
	f := b.take(len(whole))
	if f == nil {
		p.drop(verdict.NoBuffer)
		return false
	}
	f.End = f.Start + copy(f.Buf[f.Start:], whole)
	p.Frame, p.l3, p.Fragment, p.linked, p.joined = f, f.Start, false, false, true
	if p.Family == 4 {
		p.Proto, p.l4 = p.ip4().Protocol(), p.ip4().HeaderLen()
	}
	return true
}

// receive decides by the upper-layer protocol.
func (p *Packet) receive(v *View, b *Batch, f *port.Frame) {
	if p.toProtocol(v, b, f) || p.toMembership(v, b, f) {
		return
	}
	message := p.Proto == packet.ProtoICMP || p.Proto == packet.ProtoICMPv6
	if !message && p.toProbe(v, b, f) {
		return
	}
	if !message && p.Proto != packet.ProtoNoNextHeader && p.toStack(v, b) {
		return // unchanged, also its checksum if that is partial
	}
	completeChecksum(f) // a sender on this machine may have left it partial
	switch {
	case p.Family == 4 && p.Proto == packet.ProtoICMP:
		p.receiveICMP4(v, b, f)
	case p.Family == 6 && p.Proto == packet.ProtoICMPv6:
		p.receiveICMP6(v, b, f)
	case p.Proto == packet.ProtoTCP || p.Proto == packet.ProtoUDP:
		p.drop(verdict.PortUnreachable)
	case p.Family == 6 && p.Proto == packet.ProtoNoNextHeader:
		p.drop(verdict.NothingInside)
	default:
		if p.Family == 6 { // a parameter problem points at the next-header field
			p.detail = uint32(packet.WalkExtensions(p.ip6()).NextField)
		}
		p.drop(verdict.ProtocolUnreachable)
	}
}

func (p *Packet) receiveICMP4(v *View, b *Batch, f *port.Frame) {
	ip := p.ip4()
	if !icmp.ChecksumOK4(ip) {
		p.drop(verdict.BadICMPChecksum)
		return
	}
	switch packet.ICMP(ip.Payload()).Type() {
	case icmp.EchoRequest:
		icmp.EchoReply4(ip)
		p.replied(v, b, f, len(ip))
	case icmp.EchoReply, icmp.DestUnreachable, icmp.TimeExceeded, icmp.ParameterProblem,
		icmp.SourceQuench, icmp.Redirect:
		if !p.toProbe(v, b, f) && !p.toStack(v, b) { // its path MTU discovery and ping need them
			p.drop(verdict.ICMPReceived)
		}
	default:
		p.drop(verdict.ICMPIgnored)
	}
}

func (p *Packet) receiveICMP6(v *View, b *Batch, f *port.Frame) {
	ip := p.ip6()
	if !icmp.ChecksumOK6(ip, p.l4) {
		p.drop(verdict.BadICMPChecksum)
		return
	}
	switch t := packet.ICMP(ip[p.l4:]).Type(); {
	case t == icmp.EchoRequest6:
		p.replied(v, b, f, len(icmp.EchoReply6(ip, p.l4)))
	case t >= firstDiscovery && t <= lastDiscovery && v.Interface(p.In).LinkHeader > 0 && !p.joined: // RFC 6980 §5
		// With its link header, which is still in front of it.
		b.hand(Punt{Kind: PuntDiscovery, In: p.In, Frame: p.Frame.Buf[p.l3-arp.EthernetHeader : p.Frame.End]}, p)
	case t < icmp.EchoRequest6 || t == icmp.EchoReply6Type:
		if !p.toProbe(v, b, f) && !p.toStack(v, b) {
			p.drop(verdict.ICMPReceived)
		}
	default:
		p.drop(verdict.ICMPIgnored)
	}
}

// replied sends the last n bytes of the frame, which now are the reply, as a
// packet of the router's own.
func (p *Packet) replied(v *View, b *Batch, f *port.Frame, n int) {
	f.Start = f.End - n
	p.l3 = f.Start
	if p.forMany(v) && !p.ownSource(v) {
		p.drop(verdict.ICMPIgnored)
		return
	}
	if b.originate(f, p.Family, p.In) == nil {
		p.drop(verdict.NoBuffer)
		return
	}
	p.drop(verdict.EchoReplied)
}

// forMany reports whether p, which is for the router, is for others as well:
// its destination is a multicast group or the anycast address of a subnet's
// routers.
func (p *Packet) forMany(v *View) bool {
	if p.Family == 4 || p.Dst.IsMulticast() {
		return p.Dst.IsMulticast()
	}
	if p.Way != ownAddress {
		return p.Way == anycastAddress
	}
	in := v.Interface(p.In) // ownAddress is link-local
	return in != nil && !in.Holds(p.Dst)
}

// ownSource gives the reply to a request that was for many a source address of
// the router's own (RFC 1122 §3.2.2.6, RFC 4443 §4.2).
func (p *Packet) ownSource(v *View) bool {
	own, ok := v.sourceFor(v.Interface(p.In), p.Src)
	if !ok {
		return false
	}
	if p.Family == 4 {
		p.ip4().SetSrc(own)
		p.ip4().FillChecksum()
		return true
	}
	ip := p.ip6()
	ip.SetSrc(own)
	m := packet.ICMP(ip.Payload())
	m.SetChecksum(0)
	m.SetChecksum(^packet.Sum(m, packet.PseudoHeaderSum6(ip.SrcBytes(), ip.DstBytes(), packet.ProtoICMPv6, len(m))))
	return true
}
