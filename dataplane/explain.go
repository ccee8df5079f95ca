package dataplane

import (
	"fmt"
	"time"

	"routerd/acl"
	"routerd/arp"
	"routerd/internal/origin"
	"routerd/internal/verdict"
	"routerd/routing"
	"routerd/routing/fib"
)

// Finding is what one stage found out about one packet, and the place in the
// configuration that made it so.
type Finding struct {
	Text   string
	Origin origin.ID
}

// Step is a Finding with the stage that made it. Made says that it is about
// the router's answer and not about the packet that was asked about.
type Step struct {
	Stage string
	Made  bool
	Finding
}

// Explanation is the way of one packet through the stages.
type Explanation struct {
	Steps   []Step
	Verdict verdict.Verdict
	Out     routing.InterfaceID // where it leaves; NoInterface when it does not
	// Filtered is what the packet filter had to do with it; nil if nothing.
	Filtered *Filtered
	// Left is the packet as it leaves, translated, nil when it does not.
	Left []byte
	// Answer is the packet that the router would send back, if any, and
	// AnswerOut where it would leave.
	Answer        []byte
	AnswerVerdict verdict.Verdict
	AnswerOut     routing.InterfaceID
}

// Filtered is what the packet filter found out about one packet.
type Filtered struct {
	State acl.State
	// Rules decided about it, in the order in which their lists were asked. Of a
	// packet that belongs to a session it is the one that let that begin.
	Rules []acl.Place
}

// Explain runs the packet raw, as if it had come in by the interface in,
// through the same stages and tables as live traffic, without sending it,
// counting it or touching what the workers keep.
func Explain(v *View, in routing.InterfaceID, raw []byte, now time.Time) Explanation {
	b := NewBatch(1, &Counters{}, nil)
	b.dry = true
	return b.explain(v, in, raw, now)
}

// Rehearsal runs packets through the stages one after the other, as Explain
// does, but in earnest: sessions begin and end, and fragments wait for each
// other, in the tables of the View. Only sending is left out. It is for Views
// that no worker forwards by.
type Rehearsal struct{ b *Batch }

// NewRehearsal begins one.
func NewRehearsal() *Rehearsal { return &Rehearsal{NewBatch(1, &Counters{}, nil)} }

// Packet runs the packet raw as if it had come in by the interface in.
func (r *Rehearsal) Packet(v *View, in routing.InterfaceID, raw []byte, now time.Time) Explanation {
	return r.b.explain(v, in, raw, now)
}

func (b *Batch) explain(v *View, in routing.InterfaceID, raw []byte, now time.Time) Explanation {
	b.punter = nobody{}
	f := &b.frames[0]
	f.Reset()
	if i := v.Interface(in); i != nil && i.LinkHeader > 0 && len(raw) > 0 {
		raw = append(i.frameFor(raw), raw...)
	}
	f.End = f.Start + copy(f.Buf[f.Start:], raw)
	b.Received(1, in)

	x := Explanation{Out: routing.NoInterface, AnswerOut: routing.NoInterface}
	b.trace = func(s *stage, v *View, p *Packet) {
		if !p.Made {
			x.Filtered = x.Filtered.more(v, p)
		}
		if found := s.explain(v, p); found.Text != "" {
			x.Steps = append(x.Steps, Step{s.name, p.Made, found})
		}
	}
	Process(v, b, now)
	p := &b.packets[0]
	x.Verdict = p.Verdict
	if p.Verdict == verdict.Forwarded {
		x.Out, x.Left = p.Out, append([]byte(nil), p.ip()...)
	}
	if len(b.made) > 0 {
		m := &b.made[0]
		x.Answer = append([]byte(nil), m.ip()...)
		x.AnswerVerdict, x.AnswerOut = m.Verdict, m.Out
	}
	return x
}

// frameFor gives the link header that the packet raw would come in with.
func (i *Interface) frameFor(raw []byte) []byte {
	etherType := uint16(arp.EtherTypeIPv4)
	if raw[0]>>4 == 6 {
		etherType = arp.EtherTypeIPv6
	}
	return arp.AppendEthernet(nil, i.MAC, arp.MAC{}, etherType)
}

// nobody takes the place of the neighbour machine and ignores what it gets.
type nobody struct{}

func (nobody) Punt([]Punt) {}

// traced runs the stage and then has it explain every packet that it looked at.
func (b *Batch) traced(s *stage, v *View, now time.Time) {
	open := make([]bool, len(b.work))
	for i, p := range b.work {
		open[i] = p.Verdict == verdict.None
	}
	s.run(v, b, now)
	for i, p := range b.work {
		if open[i] || (s.name == "answer" && p.Verdict.Class() == verdict.Dropped) {
			b.trace(s, v, p)
		}
	}
}

// ended is the finding of the stage that dropped the packet.
func ended(p *Packet, o origin.ID) Finding {
	return Finding{"dropped: " + p.Verdict.Sentence(), o}
}

func explainLink(v *View, p *Packet) Finding {
	in := v.Interface(p.In)
	if in == nil || in.LinkHeader == 0 || p.Made {
		return Finding{}
	}
	if p.Verdict == verdict.VLANTagged {
		return Finding{"dropped: " + vlanSentence(p.appendFrame(make([]byte, 0, dropHeader)), in.Name), in.Origin}
	}
	if p.Verdict != verdict.None {
		return ended(p, in.Origin)
	}
	return Finding{"a frame for " + in.MAC.String(), in.Origin}
}

func explainNeighbor(v *View, p *Packet) Finding {
	out := v.Interface(p.Out)
	if out == nil || out.LinkHeader == 0 {
		return Finding{}
	}
	target := p.Hop.Address
	if !target.IsValid() {
		target = p.Dst
	}
	if p.Verdict != verdict.None {
		return Finding{fmt.Sprintf("the link-layer address of %s is not known: it would be asked for, and the packet wait", target), origin.None}
	}
	return Finding{fmt.Sprintf("%s is at %s", target, p.mac), origin.None}
}

func explainValidate(v *View, p *Packet) Finding {
	if p.Verdict != verdict.None {
		return ended(p, origin.None)
	}
	what := fmt.Sprintf("a sound IPv%d packet of %d bytes", p.Family, len(p.ip()))
	if p.Fragment {
		what += ", a fragment"
	}
	if in := v.Interface(p.In); in != nil {
		return Finding{what + " on " + in.Name, in.Origin}
	}
	return Finding{what, origin.None}
}

func explainURPF(v *View, p *Packet) Finding {
	in := v.Interface(p.In)
	if in == nil || in.URPF == URPFOff {
		return Finding{}
	}
	if p.Verdict != verdict.None {
		return ended(p, in.Origin)
	}
	return Finding{fmt.Sprintf("%s leads back to the source (urpf %s)", describeEntry(v, v.FIB(in).Lookup(p.Src)), in.URPF), in.Origin}
}

func explainLookup(v *View, p *Packet) Finding {
	e := p.entry(v)
	var o origin.ID
	if e != nil {
		o = e.Origin
	}
	if p.Verdict != verdict.None {
		f := ended(p, o)
		if e != nil {
			f.Text = describeEntry(v, e) + "; " + f.Text
		}
		return f
	}
	if p.Way == nil || p.Way.Action == routing.Local {
		text := "for the router itself"
		if p.Way == nil {
			text = "link-local, so it stays on " + name(v, p.Out)
		} else if p.forMany(v) && !p.Dst.IsMulticast() {
			text += fmt.Sprintf(": %s is the address of all routers of its subnet", p.Dst)
		} else if e != nil && v.Interface(e.Interface) != nil {
			text += fmt.Sprintf(": %s is an address of %s", p.Dst, name(v, e.Interface))
		}
		return Finding{text, o}
	}
	text, g := describeEntry(v, e), p.Way.Group
	switch n := len(g.Hops()); {
	case p.Hop.Backup:
		text += fmt.Sprintf("; by the backup hop %s, since %s", describeHop(v, p.Hop), describeReasons(v, g))
	case n > 1:
		text += fmt.Sprintf("; its flow takes %s, one of %d next hops", describeHop(v, p.Hop), n)
		fallthrough
	default:
		for i := range g.Hops() {
			text += describeDead(v, g, i, &g.Hops()[i], "one")
		}
	}
	for i := range g.Backups() {
		text += describeDead(v, g, len(g.Hops())+i, &g.Backups()[i], "backup hop")
	}
	return Finding{text, o}
}

// entry gives the entry of the table that p's way is of, nil where the table was
// not asked or has none.
func (p *Packet) entry(v *View) *fib.Entry {
	in := v.Interface(p.In)
	if p.Way == nil || p.Way == ownAddress || p.Way == anycastAddress || in == nil {
		return nil
	}
	return v.FIB(in).Lookup(p.Dst)
}

func explainDeliver(_ *View, p *Packet) Finding {
	switch {
	case p.stack == toOwnStack && p.Verdict == verdict.None:
		return Finding{"taken by the router's own TCP/IP stack, with its hop count as it is", origin.None}
	case p.Verdict == verdict.None:
		return Finding{}
	case p.Verdict.Class() == verdict.Local:
		return Finding{p.Verdict.Sentence(), origin.None}
	}
	return ended(p, origin.None)
}

func explainHopLimit(_ *View, p *Packet) Finding {
	if p.ownHops {
		return Finding{}
	}
	if p.Verdict != verdict.None {
		return ended(p, origin.None)
	}
	left := p.ip()[7]
	if p.Family == 4 {
		left = p.ip()[8]
	}
	return Finding{fmt.Sprintf("%d left, %d when it leaves", left, left-1), origin.None}
}

func explainFit(v *View, p *Packet) Finding {
	out := v.Interface(p.Out)
	if out == nil || p.stack == toOwnStack {
		return Finding{}
	}
	if p.Verdict != verdict.None {
		f := ended(p, out.Origin)
		f.Text += fmt.Sprintf(" (%d bytes, %s carries %d)", p.wireLen(), out.Name, out.MTU)
		return f
	}
	text := fmt.Sprintf("%d bytes fit the MTU of %s, %d", p.wireLen(), out.Name, out.MTU)
	if p.cut&cutFragment != 0 {
		text = fmt.Sprintf("%d bytes are more than the MTU of %s, %d, and may be fragmented", p.wireLen(), out.Name, out.MTU)
	}
	return Finding{text, out.Origin}
}

func explainRedirect(v *View, p *Packet) Finding {
	if !v.Limits.ICMP.Redirects || !p.turnsBack(v) {
		return Finding{}
	}
	return Finding{"it leaves by the link it came in by: its sender is told of the better first hop, if it is on that subnet", origin.None}
}

func explainAnswer(_ *View, p *Packet) Finding {
	if p.Family == 0 || p.Verdict.Class() != verdict.Dropped || p.Verdict == verdict.None {
		return Finding{}
	}
	if _, wanted := p.icmpError(); !wanted || p.quiet {
		return Finding{"no ICMP error: this kind of drop is silent", origin.None}
	}
	switch p.answer {
	case AnswerSent:
		return Finding{"an ICMP error goes back to " + p.Src.String(), origin.None}
	case AnswerForbidden:
		return Finding{"no ICMP error: RFC 1812 §4.3.2.7 and RFC 4443 §2.4 forbid one about such a packet", origin.None}
	case AnswerNoWay:
		return Finding{"no ICMP error: there is no way back to " + p.Src.String() + ", or no address to speak from", origin.None}
	}
	return Finding{"no ICMP error: " + p.answer.String(), origin.None}
}

func explainRewrite(_ *View, p *Packet) Finding {
	if p.ownHops {
		return Finding{}
	}
	if p.Family == 4 {
		return Finding{fmt.Sprintf("TTL %d, checksum adjusted", p.ip4().TTL()), origin.None}
	}
	return Finding{fmt.Sprintf("hop limit %d", p.ip6().HopLimit()), origin.None}
}

func explainEgress(v *View, p *Packet) Finding {
	out := v.Interface(p.Out)
	if p.Verdict.Class() == verdict.Dropped || out == nil {
		return ended(p, origin.None)
	}
	text := "leaves by " + out.Name
	if p.pieces > 1 {
		text += fmt.Sprintf(" in %d pieces", p.pieces)
	}
	return Finding{text, out.Origin}
}
