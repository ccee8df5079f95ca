package dataplane

import (
	"time"

	"routerd/acl"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// aclIn has the list of the interface that a packet came in by decide about it,
// with the addresses that it came with, unless it belongs to a session.
func aclIn(v *View, b *Batch, now time.Time) {
	if !b.filtering {
		return
	}
	for _, p := range b.work {
		if p.Verdict != verdict.None || !p.isAsked() {
			continue
		}
		if l := v.ACL.In(p.In); l != nil {
			p.decide(v, b, l, &p.track.key, now)
		}
	}
}

// aclLocal has the router's own list decide about packets to the router, with
// the destination that they have behind translation.
func aclLocal(v *View, b *Batch, now time.Time) {
	if !b.filtering || v.ACL.Local() == nil {
		return
	}
	for _, p := range b.work {
		if p.Verdict == verdict.None && p.isAsked() && p.Way != nil && p.Way.Action == routing.Local {
			p.decide(v, b, v.ACL.Local(), p.inside(), now)
		}
	}
}

// inside is p's key with the destination that it has behind translation.
func (p *Packet) inside() *flow.Key {
	if p.nat == nil {
		return &p.track.key
	}
	return &p.nat.to.To
}

// aclOut has the list of the interface that a packet leaves by decide about it,
// with the addresses that it leaves with. What the router itself sends is not
// asked about.
func aclOut(v *View, b *Batch, now time.Time) {
	if !b.filtering {
		return
	}
	b.flowNow = v.Flows.At(now)
	for _, p := range b.work {
		t := p.track
		if p.Verdict != verdict.None || !p.isAsked() || p.stack != noStack {
			continue
		}
		l := v.ACL.Out(p.Out)
		if l == nil {
			continue
		}
		key := &t.key
		if p.nat != nil {
			// Its session is made behind this stage: ask how it would be.
			b.asking, b.leaves = p.nat.packet, p.nat.to
			b.asking.Dry = true
			if v.NAT.Outbound(&b.asking, p.Out, b.flowNow, &b.leaves); b.leaves.Verdict != verdict.None {
				continue // natOut drops it
			}
			key = &b.leaves.To
		}
		p.decide(v, b, l, key, now)
	}
}

// decide has the list l decide about p, whose flow is k.
func (p *Packet) decide(v *View, b *Batch, l *acl.Compiled, k *flow.Key, now time.Time) {
	t, q := p.track, &b.question
	q.In, q.Out, q.Family, q.Protocol = p.In, p.Out, p.Family, p.Proto
	q.State, q.TCPFlags, q.Fragment = t.stateFor(l), t.segment.Flags, p.Fragment || p.joined
	q.SrcPort, q.DstPort, q.Length = k.SrcPort, k.DstPort, uint32(p.wireLen())
	if p.Proto == packet.ProtoICMP || p.Proto == packet.ProtoICMPv6 {
		q.SrcPort, q.DstPort = 0, t.icmp
	}
	ip := p.ip()
	if p.Family == 4 {
		q.DSCP = ip[1] >> 2
		q.Addresses4(k.Src, k.Dst)
	} else {
		q.DSCP = p.ip6().TrafficClass() >> 2
		q.Addresses6(ip[8:40])
	}
	var d acl.Decision
	d, b.hits = l.Decide(q, b.hits[:0])
	for _, h := range b.hits {
		b.counters.matched(h.Number, int(p.carried), len(ip), now)
		if h.Log != 0 {
			b.log(p, h, now)
		}
	}
	t.asked, t.rule = true, d.Number+1
	switch d.Action {
	case acl.Drop:
		p.drop(verdict.ACLDropped)
	case acl.Reject:
		p.drop(verdict.ACLRejected)
	default:
		t.admit = t.rule
		t.stray = t.stray || q.State == acl.Invalid
		if p.nat != nil {
			p.nat.packet.Loose, p.nat.packet.NoSession = t.loose, t.stray
		}
		if d.Limit != nil {
			p.admit(v, b, d.Limit, now)
		}
	}
}
