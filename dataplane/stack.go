package dataplane

import (
	"time"

	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// stackSide says what a packet has to do with the router's own TCP/IP stack.
type stackSide uint8

const (
	noStack      stackSide = iota
	fromOwnStack           // the stack sent it, so it is the router's own
	toOwnStack             // the stack gets it
)

// What the stack gets is policed by class, so that a flood of one leaves the
// others working (RFC 6192 §3.1).
const (
	stackTCP = iota
	stackUDP
	stackOther
	numStackClasses
)

// fromStack marks what the stack sent: its hop count is as it shall leave,
// and its source has to be the router's own and not anybody else's.
func fromStack(list []*Packet) {
	for _, p := range list {
		p.stack, p.ownHops = fromOwnStack, true
	}
}

// fromWrongSide ends a packet whose source, with last as its last byte, is on
// the wrong side of the router or on none.
func (p *Packet) fromWrongSide(v *View, last byte) bool {
	if p.stack == fromOwnStack {
		if !v.Own.Has(p.Src, last) {
			p.drop(verdict.MartianSource)
		}
	} else {
		p.Verdict = v.Own.stranger(p.Src, last)
	}
	return p.Verdict != verdict.None
}

// toStack sends a packet for the router on to its stack, or reports that
// there is none for it. The packet is not changed: super-packets stay whole
// and the hop count is what arrived, which the stack may check (RFC 5082 §3).
// Groups, anycast addresses and link-local ones, which mean nothing without
// their link, are none of the stack's.
func (p *Packet) toStack(v *View, b *Batch) bool {
	s := v.Stack
	if s == nil || !s.Up || s.Output == nil || p.Dst.IsLinkLocalUnicast() && p.Family == 6 || p.forMany(v) {
		return false
	}
	class := stackOther
	switch p.Proto {
	case packet.ProtoTCP:
		class = stackTCP
	case packet.ProtoUDP:
		class = stackUDP
	}
	if !b.police[class].Take(b.now) {
		p.drop(verdict.LocalPoliced)
		return true
	}
	p.Out, p.stack, p.ownHops = s.ID, toOwnStack, true
	return true
}

// comeHome is deliver for what the router itself made and that is for itself:
// the ICMP errors about what its stack sent.
func comeHome(v *View, b *Batch, now time.Time) {
	b.now = now
	for _, p := range b.work {
		if p.Verdict == verdict.None && p.Entry != nil && p.Entry.Action == routing.Local {
			p.toStack(v, b)
		}
	}
}
