package dataplane

import (
	"encoding/binary"
	"net/netip"
	"time"

	"routerd/arp"
	"routerd/dataplane/port"
	"routerd/icmp"
	"routerd/internal/packet"
	"routerd/internal/verdict"
)

// redirect tells a host on an Ethernet that there is a better first hop on its
// own link, and forwards its packet all the same (RFC 1812 §5.2.7.2, RFC 4861
// §8.2).
func redirect(v *View, b *Batch, now time.Time) {
	if !v.Limits.ICMP.Redirects {
		return
	}
	for _, p := range b.work {
		if !p.turnsBack(v) {
			continue
		}
		out := v.Interface(p.Out)
		better := p.Hop.Address
		if !better.IsValid() {
			better = p.Dst
		}
		if last := better.AsSlice(); v.Own.Has(better, last[len(last)-1]) || out.anycast(better) {
			continue // the better hop would be the router itself
		}
		if p.Family == 4 {
			b.redirect4(p, out, better, now)
		} else {
			b.redirect6(v, p, out, better, now)
		}
	}
}

// turnsBack reports whether p leaves by the Ethernet interface that it came in
// by, so that its sender may have a better first hop. A translated packet has
// none: a host that bypassed the router would bypass the translation.
func (p *Packet) turnsBack(v *View) bool {
	if p.Verdict != verdict.None || p.Made || p.Out != p.In || p.translated() {
		return false
	}
	out := v.Interface(p.Out)
	return out != nil && out.LinkHeader != 0
}

// redirect4 sends a redirect for the host, the only kind that RFC 1812 §5.2.7.2
// lets a router send, if the source and the better hop are on one subnet.
func (b *Batch) redirect4(p *Packet, out *Interface, better netip.Addr, now time.Time) {
	var own netip.Addr
	for _, a := range out.Addresses {
		if a.Addr().Is4() && a.Contains(p.Src) && a.Contains(better) {
			own = a.Addr()
		}
	}
	if !own.IsValid() || !icmp.MayAnswer4(p.ip4()) {
		return
	}
	f := b.room(now)
	if f == nil {
		return
	}
	gateway := better.As4()
	e := icmp.Error{Type: icmp.Redirect, Code: icmp.CodeRedirectHost, Rest: binary.BigEndian.Uint32(gateway[:])}
	f.End += len(icmp.AppendError4(f.Buf[f.Start:f.Start], p.ip4(), own, e))
	b.originate(f, 4, p.In)
}

// redirect6 sends a redirect whose target is the destination if that is on the
// link, else the link-local address of the better router. If only another
// address of that router is known it sends none (RFC 4861 §8.2).
func (b *Batch) redirect6(v *View, p *Packet, out *Interface, better netip.Addr, now time.Time) {
	if better != p.Dst && !better.IsLinkLocalUnicast() || !onLinkWith(out, p.Src) {
		return
	}
	var own netip.Addr // RFC 4861 §4.5: the source is the link-local address
	for _, a := range out.Addresses {
		if a.Addr().Is6() && a.Addr().IsLinkLocalUnicast() {
			own = a.Addr()
		}
	}
	if !own.IsValid() || !icmp.MayAnswer6(p.ip6(), icmp.Error{Type: icmp.Redirect6}) {
		return
	}
	f := b.room(now)
	if f == nil {
		return
	}
	var mac arp.MAC
	if e := v.Neighbors.Lookup(out.ID, better); e != nil {
		mac = e.MAC
	}
	f.End += len(arp.AppendRedirect(f.Buf[f.Start:f.Start], own, p.Src, better, p.Dst, mac, p.ip()))
	b.originate(f, 6, p.In)
}

// room gives a buffer for a redirect, nil if none may be sent now.
func (b *Batch) room(now time.Time) *port.Frame {
	if !b.errors[errorRedirect].Take(now) {
		b.counters.pending.answers[AnswerLimited]++
		return nil
	}
	return b.take(packet.IPv6MinMTU)
}

// onLinkWith reports whether a is a neighbour on the interface's link.
func onLinkWith(i *Interface, a netip.Addr) bool {
	if a.IsLinkLocalUnicast() {
		return true
	}
	for _, p := range i.Addresses {
		if p.Addr().Is6() && p.Contains(a) {
			return true
		}
	}
	return false
}
