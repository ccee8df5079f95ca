package nat

import (
	"routerd/flow"
	"routerd/internal/verdict"
)

// track makes the session of a forwarded flow that is not translated, if its
// packet may be the first of one; otherwise the packet passes without a
// session. A flow for which there is no room for a session is refused, since
// its replies could not be known.
func (n *NAT) track(r *Rules, p *Packet, pl *plan, now flow.Time, t *Translation) {
	if p.NoSession || !p.Begins() && !p.Resumes() && !p.Loose {
		return
	}
	n.make(r, p, pl, now, t)
}

// trackOwn is track for a flow from or to the router itself, whose address own
// no mapping uses. It is never refused.
func (n *NAT) trackOwn(r *Rules, p *Packet, own uint32, now flow.Time, t *Translation) {
	t.To, t.New = p.Key, true
	if p.Dry {
		return
	}
	pl := plan{to: p.Key, host: own}
	if n.insert(r, p, &pl, 0, 0, now, t) != verdict.None {
		t.To, t.New = p.Key, false
	}
}

// Each calls f with every session. Sessions made meanwhile may be missed.
func (n *NAT) Each(f func(*flow.Session)) { n.each(f) }

// Expected reports whether the session was begun from outside, by an endpoint
// that an inside host's mapping lets in.
func Expected(s *flow.Session) bool {
	return destinationOf(s.Rule) == 0 && (s.Forward.Dst != s.Reply.Src || s.Forward.DstPort != s.Reply.SrcPort)
}
