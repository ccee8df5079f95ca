package dataplane

import (
	"time"

	"routerd/acl"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/internal/verdict"
)

// admission is what the flow that a packet begins counts for with rules that have
// limits, from when these let it in: its session takes that over, or else it is
// given back at the end of the run.
type admission struct {
	flow.Holding
	of   *tracking
	n    int // tickets
	kept bool
}

// admit asks the limits of the rule that has accepted p whether they let in the
// flow that p begins, and drops p if they do not.
func (p *Packet) admit(v *View, b *Batch, l *acl.Limit, now time.Time) {
	t, phase := p.track, flow.Open
	if p.Proto == packet.ProtoTCP && t.begins {
		phase = flow.Opening
	}
	if b.admitted(t, l) {
		return
	}
	ticket, excess := l.Take(l.Host(&b.question), phase, v.Flows.Since(now), b.dry)
	switch {
	case excess != acl.Within:
		t.excess = excess
		b.counters.limited(t.rule-1, int(p.carried))
		p.drop(verdict.ACLLimited)
		return
	case b.dry:
		return
	}
	a := t.held
	if a == nil {
		b.admissions = b.admissions[:len(b.admissions)+1]
		a = &b.admissions[len(b.admissions)-1]
		*a = admission{of: t}
		t.held = a
	}
	a.Phase, a.Brief = phase, a.Brief || l.Brief()
	a.Tickets[a.n] = ticket
	a.n++
}

// admitted reports whether the limits have let in an earlier packet of the run
// that begins the same flow, which then has no session yet.
func (b *Batch) admitted(t *tracking, l *acl.Limit) bool {
	if t.unread {
		return false
	}
	for i := range b.admissions {
		a := &b.admissions[i]
		if a.of == t || a.of.key != t.key || a.of.wide != t.wide || a.of.unread {
			continue
		}
		for n := range a.n {
			if a.Tickets[n].Limiter == flow.Limiter(l) {
				return true
			}
		}
	}
	return false
}

// hold has p's session, which was just made, count for what the limits let p in
// by.
func (p *Packet) hold(sessions *flow.Table, session uint32, now flow.Time) {
	if p.track != nil && p.track.held != nil {
		sessions.Hold(session, &p.track.held.Holding, now)
		p.track.held.kept = true
	}
}

// giveBack ends what was counted for flows that have become no session.
func (b *Batch) giveBack() {
	for i := range b.admissions {
		if a := &b.admissions[i]; !a.kept {
			a.Turn(flow.Ended)
		}
	}
	b.admissions = b.admissions[:0]
}
