package dataplane

import (
	"time"

	"routerd/arp"
	"routerd/dataplane/port"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// Held is a packet that waited for the link-layer address of its next hop, as
// a PuntResolve described it.
type Held struct {
	Packet  []byte
	Offload port.Offload
	In, Out routing.InterfaceID
}

// Release sends a packet that has waited to the neighbour at mac. It is counted
// now, with its final verdict. Transmit has been called when it returns.
func Release(v *View, b *Batch, h Held, mac arp.MAC, now time.Time) {
	p := b.resume(v, h)
	if p == nil {
		return
	}
	p.Out, p.mac = h.Out, mac
	if out := v.Interface(h.Out); out == nil || !out.Up || out.Output == nil {
		p.drop(verdict.InterfaceDown)
	} else {
		b.work = append(b.work[:0], p)
		fit(v, b, now)
		leaveBy(v, b, now)
	}
	b.Transmit(now)
	v.Probes.ended(&h, p.Verdict, mac, now)
}

// Refuse gives up a packet whose neighbour did not answer: with an ICMP error
// to its sender (RFC 1812 §3.3.2, RFC 4861 §7.2.2). Transmit has been called when it
// returns.
func Refuse(v *View, b *Batch, h Held, why verdict.Verdict, now time.Time) {
	p := b.resume(v, h)
	if p == nil {
		return
	}
	v.Probes.ended(&h, why, arp.MAC{}, now)
	p.untranslate(v)
	p.drop(why)
	b.work = append(b.work[:0], p)
	answer(v, b, now)
	b.send(v, now)
	b.Transmit(now)
}

// resume puts a held packet into the batch, alone. Its link header has been
// removed and its hop count lowered before.
func (b *Batch) resume(v *View, h Held) *Packet {
	b.begin(v)
	f := &b.frames[0]
	if !put(f, h.Packet) {
		b.n = 0
		return nil
	}
	f.Offload = h.Offload
	b.Received(1, h.In)
	p := &b.packets[0]
	if v.Stack != nil && h.In == v.Stack.ID {
		fromStack(append(b.work[:0], p))
	}
	if p.Family = h.Packet[0] >> 4; p.Family == 4 {
		ip := p.ip4()
		p.Src, p.Dst, p.Proto, p.l4, p.Fragment = ip.Src(), ip.Dst(), ip.Protocol(), ip.HeaderLen(), ip.IsFragment()
	} else {
		ip := p.ip6()
		e := packet.WalkExtensions(ip)
		p.Src, p.Dst, p.Proto, p.l4, p.Fragment = ip.Src(), ip.Dst(), e.Upper, e.Offset, e.Fragment >= 0
	}
	return p
}
