package dataplane

import (
	"fmt"
	"strings"

	"routerd/acl"
	"routerd/flow"
	"routerd/internal/origin"
	"routerd/internal/verdict"
)

func explainSession(v *View, p *Packet) Finding {
	t := p.track
	switch {
	case p.Verdict == verdict.FragmentHeld:
		return Finding{p.Verdict.Sentence(), origin.None}
	case p.Verdict != verdict.None:
		return ended(p, origin.None)
	case t == nil:
		return Finding{}
	case t.state == acl.Established && t.error:
		return Finding{"related: an ICMP error about a session that exists, which no rule is asked about" + t.by(v, p), t.place(v, p)}
	case t.state == acl.Established:
		return Finding{"established: it belongs to a session that exists, which no rule is asked about" + t.by(v, p), t.place(v, p)}
	case t.state == acl.Related:
		return Finding{"related: it begins a flow that a mapping of an inside host expects", origin.None}
	case t.unread:
		return Finding{"invalid: its flow cannot be told", origin.None}
	case t.error:
		return Finding{"invalid: an ICMP error about a packet of no session", origin.None}
	case t.state == acl.Invalid:
		return Finding{"invalid: it belongs to no session, and is none that begins a flow", origin.None}
	}
	return Finding{"new: it may begin a flow", origin.None}
}

// noted gives what the packet's session keeps.
func (t *tracking) noted(v *View, p *Packet) (flow.Session, acl.Place, bool) {
	sessions := v.Sessions6
	if p.Family == 4 {
		sessions = v.NAT.Sessions()
	}
	s, ok := sessions.Session(t.session)
	if !ok || s.Note.Rule == 0 {
		return s, acl.Place{}, false
	}
	place, ok := v.ACL.Place(s.Note.Rule - 1)
	return s, place, ok
}

// by says which rule let the packet's session begin.
func (t *tracking) by(v *View, p *Packet) string {
	if _, place, ok := t.noted(v, p); ok {
		return "; " + describeRule(place) + " let it begin"
	}
	return ""
}

func (t *tracking) place(v *View, p *Packet) origin.ID {
	_, place, _ := t.noted(v, p)
	return place.Origin
}

func describeRule(p acl.Place) string {
	if p.Rule == "" {
		return fmt.Sprintf("the default action of acl %s", p.List)
	}
	return fmt.Sprintf("rule %s of acl %s", p.Rule, p.List)
}

// describeExcess says which limit of a rule a flow exceeds.
func describeExcess(v *View, p acl.Place, number uint32, e acl.Excess) string {
	limit := "the limit"
	if l := v.ACL.Limit(number); l != nil {
		limit = "the limit of " + l.Describe(e)
	}
	return fmt.Sprintf("dropped: over %s, of %s", limit, describeRule(p))
}

// explainACL says what the list that the stage has asked decided.
func explainACL(v *View, p *Packet) Finding {
	t := p.track
	if t == nil || !t.asked {
		return Finding{}
	}
	place, _ := v.ACL.Place(t.rule - 1)
	t.asked = false // so that the next stage speaks of its own list alone
	switch p.Verdict {
	case verdict.ACLDropped:
		return Finding{"dropped by " + describeRule(place), place.Origin}
	case verdict.ACLLimited:
		return Finding{describeExcess(v, place, t.rule-1, t.excess), place.Origin}
	case verdict.ACLRejected:
		return Finding{"rejected by " + describeRule(place), place.Origin}
	case verdict.None:
		return Finding{"accepted by " + describeRule(place), place.Origin}
	}
	return ended(p, place.Origin)
}

// more adds to f what the latest stage of the filter found out about p.
func (f *Filtered) more(v *View, p *Packet) *Filtered {
	t := p.track
	if t == nil || v.ACL == nil {
		return f
	}
	if f == nil {
		f = &Filtered{State: t.state}
		if _, place, ok := t.noted(v, p); ok && t.state == acl.Established {
			f.Rules = append(f.Rules, place)
		}
	}
	if t.asked {
		if place, ok := v.ACL.Place(t.rule - 1); ok {
			f.Rules = append(f.Rules, place)
		}
	}
	return f
}

func explainTrack(_ *View, p *Packet) Finding {
	t := p.track
	switch {
	case t == nil || p.Family != 6:
		return Finding{}
	case p.Verdict != verdict.None:
		return ended(p, origin.None)
	case t.made:
		return Finding{"a new session would be made", origin.None}
	}
	return Finding{}
}

// DropSentence says why a packet was dropped by the packet filter's rule with
// the number, 0 for a packet that no rule dropped: then it is "".
func (v *View) DropSentence(d *Drop) string {
	if d.Rule == 0 || v.ACL == nil {
		return ""
	}
	place, ok := v.ACL.Place(d.Rule - 1)
	if !ok {
		return ""
	}
	if d.Verdict == verdict.ZoneNoPolicy {
		return "dropped: no policy is for packets " + describeWay(place.From, place.To)
	}
	if d.Verdict == verdict.ACLLimited {
		return describeExcess(v, place, d.Rule-1, d.Excess)
	}
	verb := "dropped"
	if d.Verdict == verdict.ACLRejected {
		verb = "rejected"
	}
	return strings.Join([]string{verb, "by", describeRule(place)}, " ")
}
