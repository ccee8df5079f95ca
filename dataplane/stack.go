package dataplane

import (
	"time"

	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
)

// stackSide says whether a packet comes from, or goes to, the router's own
// TCP/IP stack.
type stackSide uint8

const (
	noStack      stackSide = iota
	fromOwnStack           // the stack sent it, so it is the router's own
	toOwnStack             // the stack gets it
)

// What the stack gets is policed by class, so that a flood of one does not
// starve the others (RFC 6192 §3.1).
const (
	stackTCP = iota
	stackUDP
	stackOther
	numStackClasses
)

// fromStack marks what the stack sent: its hop count is not lowered, and its
// source has to be an address of the router.
func fromStack(list []*Packet) {
	for _, p := range list {
		p.stack, p.ownHops = fromOwnStack, true
	}
}

// fromWrongSide drops a packet if its source, whose last byte is last, may not
// come in by its interface: an address of the router may only come from its
// stack, and its stack may only send from one.
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

// toStack sends a packet for the router on to its stack, and reports whether
// the stack takes it. The packet is not changed: super-packets stay whole and
// the hop count is as it arrived, which the stack may check (RFC 5082 §3). The
// stack has no multicast, anycast or link-local addresses, so packets to those
// are not sent to it.
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

// deliverOwn is deliver for packets from the router to itself: the ICMP errors
// about what its stack sent.
func deliverOwn(v *View, b *Batch, now time.Time) {
	b.now = now
	for _, p := range b.work {
		if p.Verdict == verdict.None && p.Way != nil && p.Way.Action == routing.Local {
			p.toStack(v, b)
		}
	}
}
