package dataplane

import (
	"net/netip"
	"time"

	"routerd/icmp"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/routing"
	"routerd/routing/fib"
)

// Answer says what became of the ICMP error that a dropped packet deserved.
type Answer uint8

// The answers, in the order in which they are decided.
const (
	AnswerSent      Answer = iota // built and handed to lookup
	AnswerForbidden               // RFC 1812 §4.3.2.7, RFC 4443 §2.4(e): never about such a packet
	AnswerLimited                 // the worker's token bucket for such errors was empty
	AnswerNoWay                   // no route back to the sender, or no own address to send from
	AnswerNoBuffer                // the batch was out of memory
	numAnswers
)

var answers = [numAnswers]string{"sent", "forbidden", "rate_limited", "no_way_back", "no_buffer"}

// NumAnswers is the length of an array indexed by Answer.
const NumAnswers = int(numAnswers)

// String gives the name used in metrics and JSON.
func (a Answer) String() string { return answers[a] }

// Each class of errors is limited by itself, so that a flood that provokes one
// does not suppress the others: a connection whose sender does not hear of the
// path's MTU stalls (RFC 1191 §4, RFC 8201 §4).
const (
	errorPathMTU  = iota // fragmentation needed, packet too big
	errorRedirect        // a host that ignores them provokes one with every packet
	errorOther
	numErrorClasses
)

// answer sends the ICMP errors that the verdicts of this batch call for.
func answer(v *View, b *Batch, now time.Time) {
	for _, p := range b.work {
		if p.Verdict == verdict.None || p.Made || p.quiet || p.Family == 0 || p.Verdict.Class() != verdict.Dropped {
			continue
		}
		e, wanted := p.icmpError()
		if !wanted {
			continue
		}
		p.answer = b.refuse(v, p, e, now)
		b.counters.pending.answers[p.answer]++
	}
}

// icmpError is the error that the packet's verdict calls for, if any.
func (p *Packet) icmpError() (icmp.Error, bool) {
	if p.Family == 4 {
		e, ok := icmp.Errors4(p.Verdict)
		switch p.Verdict {
		case verdict.TooBig:
			e = e.WithMTU4(int(p.detail))
		case verdict.BadOption:
			e = e.WithPointer4(int(p.detail))
		}
		return e, ok
	}
	e, ok := icmp.Errors6(p.Verdict)
	switch p.Verdict {
	case verdict.TooBig, verdict.ProtocolUnreachable:
		e.Rest = p.detail
	case verdict.BadExtensionHeader, verdict.FragmentMalformed:
		e.Code, e.Rest = p.code, p.detail
	case verdict.LinkScope:
		ok = ok && !p.Dst.IsLinkLocalUnicast() // RFC 4443 §3.1 code 2 is about the source alone
	}
	return e, ok
}

// refuse builds the error, from the router's own address, to the sender.
func (b *Batch) refuse(v *View, p *Packet, e icmp.Error, now time.Time) Answer {
	p.restore()
	orig := p.ip()
	if !mayAnswer(p, orig, e) {
		return AnswerForbidden
	}
	src, ok := v.errorSource(p)
	if !ok {
		return AnswerNoWay
	}
	class := errorOther
	if p.Verdict == verdict.TooBig {
		class = errorPathMTU
	}
	if !b.errors[class].Take(now) {
		return AnswerLimited
	}
	f := b.take(packet.IPv6MinMTU)
	if f == nil {
		return AnswerNoBuffer
	}
	if p.Verdict == verdict.ACLRejected && p.Proto == packet.ProtoTCP {
		n := resetFor(f.Buf[f.Start:], orig, p.l4)
		if n == 0 {
			return AnswerForbidden
		}
		f.End += n
	} else if p.Family == 4 {
		f.End += len(icmp.AppendError4(f.Buf[f.Start:f.Start], orig, src, e))
	} else {
		f.End += len(icmp.AppendError6(f.Buf[f.Start:f.Start], orig, src, e))
	}
	if b.originate(f, p.Family, p.In) == nil {
		return AnswerNoBuffer
	}
	return AnswerSent
}

func mayAnswer(p *Packet, orig []byte, e icmp.Error) bool {
	if p.Family == 4 {
		return icmp.MayAnswer4(orig)
	}
	return icmp.MayAnswer6(orig, e)
}

// errorSource chooses the source address of an ICMP error: the one that the
// packet was sent to if that is the router's own (RFC 4443 §2.2 a), else one of
// the interface that the error leaves by (RFC 1812 §4.3.2.4). For ICMPv6 it is
// one of the interface that the packet came in by (RFC 4443 §2.2 b), as on
// Linux: that is what traceroute asks for.
func (v *View) errorSource(p *Packet) (netip.Addr, bool) {
	in := v.Interface(p.In)
	if in == nil {
		return netip.Addr{}, false
	}
	if p.stack == fromOwnStack {
		return p.Src, true // the stack gets it from its own address
	}
	if p.Way != nil && p.Way.Action == routing.Local {
		if p.forMany(v) {
			return v.sourceFor(in, p.Src)
		}
		return p.Dst, true
	}
	if p.Src.Is6() && p.Src.IsLinkLocalUnicast() {
		return v.sourceFor(in, p.Src)
	}
	back := v.FIB(in).Way(p.Src)
	if back == nil || back.Action != routing.Forward {
		return netip.Addr{}, false
	}
	if p.Family == 6 {
		if near, ok := in.SourceFor(p.Src); ok && reaches(near, p.Src) {
			return near, true
		}
	}
	out := v.Interface(back.Group.Hops()[0].Interface)
	if out == nil {
		return netip.Addr{}, false
	}
	return v.sourceFor(out, p.Src)
}

// expire gives up the fragments that have waited too long. If the first
// fragment of a packet had arrived, its sender gets an ICMP error (RFC 792, RFC
// 8200 §4.5).
func (b *Batch) expire(v *View, now time.Time) {
	b.begin(v)
	for {
		x, more := b.held.Expire(now)
		if !more {
			break
		}
		b.counters.pending.verdicts[verdict.FragmentTimeout]++
		if x.First == nil {
			continue
		}
		p, ok := b.copyIn(x.First, x.In)
		if !ok {
			continue
		}
		p.Verdict = verdict.FragmentTimeout
		if p.Way = v.localWay(&p); p.Way == nil {
			continue // only the destination reports that reassembly timed out (RFC 792)
		}
		if e, ok := p.icmpError(); ok {
			b.counters.pending.answers[b.refuse(v, &p, e, now)]++
		}
	}
	b.send(v, now)
}

// localWay gives the way that makes p's destination the router's own, nil
// if it is not.
func (v *View) localWay(p *Packet) *fib.Way {
	in := v.Interface(p.In)
	if in == nil {
		return nil
	}
	if p.Dst.IsLinkLocalUnicast() && p.Family == 6 {
		if in.Holds(p.Dst) || in.anycast(p.Dst) {
			return ownAddress
		}
		return nil
	}
	switch way := v.FIB(in).Way(p.Dst); {
	case way == nil:
	case way.Action == routing.Local:
		return way
	case way.Anycast == p.Dst:
		return anycastAddress
	}
	return nil
}

// copyIn makes a packet for the router from a copy of raw.
func (b *Batch) copyIn(raw []byte, in routing.InterfaceID) (Packet, bool) {
	f := b.take(len(raw))
	if f == nil {
		return Packet{}, false
	}
	f.End = f.Start + copy(f.Buf[f.Start:], raw)
	p := Packet{Frame: f, In: in, Out: routing.NoInterface, l3: f.Start, Family: raw[0] >> 4}
	if p.Family == 4 {
		p.Src, p.Dst = p.ip4().Src(), p.ip4().Dst()
	} else {
		p.Src, p.Dst = p.ip6().Src(), p.ip6().Dst()
	}
	return p, true
}
