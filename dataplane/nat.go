package dataplane

import (
	"errors"
	"net/netip"
	"time"

	"routerd/flow"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/nat/rewrite"
)

// translation is what address translation knows of one packet of the batch.
type translation struct {
	packet nat.Packet
	to     nat.Translation
	// unmatched is the verdict if the packet's flow cannot be read and
	// translation needs it. Package nat then gets it as an ICMP error that
	// matches no flow, which it treats alike.
	unmatched verdict.Verdict
	// turned is set once the destination has been translated.
	turned bool
	// still is set if the packet's session translates nothing.
	still bool
}

// natIn translates destinations, as findSessions has found out, so that the
// lookup finds the way to the inside host. A new flow has only been looked up in
// the rules: natOut makes its session, when it is known that the packet goes on
// and by which interface.
func natIn(v *View, b *Batch, _ time.Time) {
	if v.NAT == nil {
		return
	}
	for _, p := range b.work {
		if p.nat != nil && !p.nat.still && p.Verdict == verdict.None {
			p.turnDestination()
		}
	}
}

// translate reads the flow of p. The slice has room for all packets of a batch,
// each of which comes here at most once, so it never moves.
func (b *Batch) translate(p *Packet) *translation {
	b.translations = b.translations[:len(b.translations)+1]
	t := &b.translations[len(b.translations)-1]
	*t = translation{}
	t.packet.In, t.packet.Own, t.packet.Dry = p.In, p.Made || p.stack == fromOwnStack, b.dry
	t.packet.Packets, t.packet.Bytes = uint32(p.carried), uint32(len(p.ip()))
	if err := rewrite.Parse(p.ip4(), &t.packet); err != nil {
		t.packet.Error, t.packet.Query, t.packet.Inner = true, false, flow.Key{}
		t.unmatched = verdict.NATBadPacket
		if errors.Is(err, rewrite.ErrNoFlow) {
			t.unmatched = verdict.NATInvalidState
		}
	}
	p.nat = t
	return t
}

// end drops p if translation says so.
func (t *translation) end(p *Packet) bool {
	switch {
	case t.to.Verdict == verdict.None:
		return false
	case t.to.Verdict == verdict.NATICMPUnmatched && t.unmatched != verdict.None:
		p.drop(t.unmatched)
	default:
		p.drop(t.to.Verdict)
	}
	return true
}

// turnDestination translates p's destination and, in an ICMP error, the packet
// that it quotes.
func (p *Packet) turnDestination() {
	t := p.nat
	if t.end(p) {
		return
	}
	if t.packet.Error && t.to.Inner != t.packet.Inner {
		rewrite.Quote(p.ip4(), &t.to.Inner)
	}
	if t.to.To.Dst != t.packet.Key.Dst || t.to.To.DstPort != t.packet.Key.DstPort {
		t.turned = true
		p.setDestination(&t.to.To)
	}
}

func (p *Packet) setDestination(k *flow.Key) {
	rewrite.Destination(p.ip4(), k, p.partial())
	p.Dst = p.ip4().Dst()
}

func (p *Packet) setSource(k *flow.Key) {
	rewrite.Source(p.ip4(), k, p.partial())
	p.Src = p.ip4().Src()
}

// partial reports whether p's own transport checksum is partial; the one of an
// inner header, in a tunnel, does not change.
func (p *Packet) partial() bool {
	off := &p.Frame.Offload
	return off.NeedsChecksum && int(off.ChecksumStart) == p.l3-p.Frame.Start+p.l4
}

// natOut translates sources, and makes the sessions of new flows. Nothing
// behind it ends a packet with an ICMP error that would have to quote the
// source as it arrived; answer restores the destination.
func natOut(v *View, b *Batch, now time.Time) {
	if v.NAT == nil {
		return
	}
	b.flowNow = v.Flows.At(now)
	for _, p := range b.work {
		if p.Verdict != verdict.None || p.Family != 4 {
			continue
		}
		if p.Made || p.stack == fromOwnStack {
			p.turnOwn(v, b)
			continue
		}
		t := p.nat
		if t == nil || t.still {
			continue
		}
		if p.stack == toOwnStack && t.to.Session == nat.NoSession && t.to.To == t.packet.Key {
			if made := v.NAT.Delivered(&t.packet, b.flowNow); made != nat.NoSession {
				v.NAT.Sessions().Annotate(made, p.note())
				p.hold(v.NAT.Sessions(), made, b.flowNow)
			}
			continue
		}
		p.turnSource(v, b)
	}
}

// turnOwn translates what the router itself sends: its flows reserve their
// ports on an address that inside hosts share. Packets for one link, such as
// those of routing protocols, are not translated.
func (p *Packet) turnOwn(v *View, b *Batch) {
	if p.stack == toOwnStack || p.Fragment || p.Dst.IsMulticast() {
		return
	}
	b.translate(p)
	p.turnSource(v, b)
}

func (p *Packet) turnSource(v *View, b *Batch) {
	t := p.nat
	v.NAT.Outbound(&t.packet, p.Out, b.flowNow, &t.to)
	if t.end(p) {
		return
	}
	if t.to.New && !t.packet.Own && !b.dry { // also without a filter: one may be switched on
		v.NAT.Sessions().Annotate(t.to.Session, p.note())
		p.hold(v.NAT.Sessions(), t.to.Session, b.flowNow)
	}
	if t.to.To.Src != t.packet.Key.Src || t.to.To.SrcPort != t.packet.Key.SrcPort {
		p.setSource(&t.to.To)
	}
}

// translated reports whether p leaves with another source or destination than
// it came with.
func (p *Packet) translated() bool { return p.nat != nil && p.nat.to.To != p.nat.packet.Key }

// turned reports whether p's destination has been translated.
func (p *Packet) turned() bool { return p.nat != nil && p.nat.turned }

// restore gives p the destination that it arrived with, for an ICMP error that
// quotes it.
func (p *Packet) restore() {
	if p.turned() {
		p.nat.turned = false
		p.setDestination(&p.nat.packet.Key)
	}
}

// untranslate gives a packet whose neighbour did not answer the source and
// destination that it came with, which its session tells.
func (p *Packet) untranslate(v *View) {
	if v.NAT == nil || p.Family != 4 {
		return
	}
	var q nat.Packet
	if err := rewrite.Parse(p.ip4(), &q); err != nil || q.Error {
		return
	}
	hit := v.NAT.Sessions().Find(q.Key.Reverse())
	if hit.Session == nat.NoSession || hit.Other == q.Key {
		return
	}
	p.setDestination(&hit.Other)
	p.setSource(&hit.Other)
}

// gather reassembles a packet in transit, since only its first fragment has
// ports (RFC 4787 REQ-14), and reports whether p has become the whole packet.
// It leaves again in fragments no larger than those received.
func (p *Packet) gather(b *Batch, now time.Time) bool {
	whole, fate := b.held.Add(p.ip(), p.In, now)
	if whole == nil {
		p.quiet = p.Family == 6 // the destination reports what is wrong (RFC 8200 §4.5)
		p.drop(fate)
		return false
	}
	if !p.become(b, whole) {
		return false
	}
	largest, df := b.held.Largest()
	p.piece = uint16(largest)
	if p.Family == 6 {
		e := packet.WalkExtensions(p.ip6())
		p.Proto, p.l4 = e.Upper, e.Offset
		return true
	}
	if df {
		ip := packet.IPv4(p.ip())
		ip.SetFragment(true, false, 0)
		ip.FillChecksum()
	}
	return true
}

// endpoint formats an address with a port.
func endpoint(a uint32, port uint16) string {
	addr := address4(a)
	if port == 0 {
		return addr.String()
	}
	return netip.AddrPortFrom(addr, port).String()
}
