package router

import (
	"reflect"
	"slices"
	"time"

	"routerd/acl"
	"routerd/dataplane"
	"routerd/flow"
	"routerd/internal/packet"
	"routerd/nat"
	"routerd/routing"
)

// reviewer decides whether sessions that exist are still allowed.
type reviewer struct {
	rules *acl.Rules
	stack routing.InterfaceID // of the router's own stack; NoInterface without one
	hits  []acl.Hit
}

func (r *Router) reviewer(rules *acl.Rules) *reviewer {
	v := &reviewer{rules: rules, stack: routing.NoInterface}
	for _, l := range r.links {
		if l.cfg.Kind == dataplane.KindStack {
			v.stack = l.id
		}
	}
	return v
}

// allows reports whether the lists would let the session begin now. What is not
// known any more of its first packet (fragments, DSCP, length) is taken to be as
// an accept rule wants it, and not as another rule does. The router's own flows
// are always allowed.
func (v *reviewer) allows(s *flow.Session, six bool) bool {
	if s.Note.In == 0 {
		return true
	}
	in, out := routing.InterfaceID(s.Note.In-1), routing.InterfaceID(s.Note.Out-1)
	arrives, leaves := s.Forward, s.Reply.Reverse()
	inside := arrives
	inside.Dst, inside.DstPort = s.Reply.Src, s.Reply.SrcPort
	if out == v.stack {
		return v.asks(v.rules.In(in), s, &arrives, six) && v.asks(v.rules.Local(), s, &inside, six)
	}
	if v.rules.Zoned() {
		if way := v.rules.Between(in, out); way != nil && (way.List == nil || !v.asks(way.List, s, &inside, six)) {
			return false
		}
	}
	return v.asks(v.rules.In(in), s, &arrives, six) && v.asks(v.rules.Out(out), s, &leaves, six)
}

// asks reports whether the list l, which may be nil, accepts the first packet of
// the session with the key k.
func (v *reviewer) asks(l *acl.Compiled, s *flow.Session, k *flow.Key, six bool) bool {
	if l == nil {
		return true
	}
	p := acl.Packet{
		In: routing.InterfaceID(s.Note.In - 1), Out: routing.InterfaceID(s.Note.Out - 1), Review: true,
		Family: 4, Protocol: k.Proto, SrcPort: k.SrcPort, DstPort: k.DstPort,
	}
	if nat.Expected(s) {
		p.State = acl.Related
	}
	switch k.Proto {
	case packet.ProtoTCP:
		p.TCPFlags = packet.TCPSyn
	case packet.ProtoICMP:
		p.SrcPort, p.DstPort = 0, 8<<8 // an echo request
	case packet.ProtoICMPv6:
		p.SrcPort, p.DstPort = 0, 128<<8
	}
	if six {
		p.Family = 6
		p.AddressesWide(s.Wide)
	} else {
		p.Addresses4(k.Src, k.Dst)
	}
	d, hits := l.Decide(&p, v.hits[:0])
	v.hits = hits
	return d.Action == acl.Accept
}

// reviewParts is how many parts of the tables one slice of the owner's work
// reviews: a part is at most 256 sessions, see routesAtOnce.
const reviewParts = 2

// review is the passes over all sessions after a change of the filter. Packets of
// a batch that was under way with the rules before may make sessions behind the
// first pass, so a second one follows a moment later.
type review struct {
	by     *reviewer // nil while no pass is under way
	six    bool      // the pass has come to the table of IPv6
	cursor uint32
	last   bool      // it is the second pass
	again  time.Time // when that begins; zero where none is to come
}

// reviewSome does a slice of the pass that is under way or due: it ends the
// sessions that the filter no longer allows. It reports whether there is more.
func (r *Router) reviewSome(now time.Time) (more bool) {
	w, t := &r.review, &r.translator
	if !w.again.IsZero() && !now.Before(w.again) {
		*w = review{by: r.reviewer(r.rules()), last: true}
	}
	if t.nat == nil { // nor are there sessions
		*w = review{}
	}
	if w.by == nil {
		return false
	}
	for range reviewParts {
		if !w.part(t) {
			continue
		}
		if w.by = nil; !w.last {
			w.again = now.Add(natInterval)
		}
		return false
	}
	return true
}

// part reviews the next part of the tables, and reports whether that was the
// last one.
func (w *review) part(t *translator) (done bool) {
	if !w.six {
		_, w.cursor = t.nat.EndSome(w.cursor, func(s *flow.Session) bool { return !w.by.keeps(s, false) })
		w.six = w.cursor == 0
		return w.six && t.six == nil
	}
	_, w.cursor = t.six.ClearSome(w.cursor, func(s *flow.Session) bool { return !w.by.keeps(s, true) }, nil)
	return w.cursor == 0
}

// reviewSessions does a slice of what a change of translation, and then one of the filter,
// mean for sessions. It reports whether there is more, and has Poll called again then.
func (r *Router) reviewSessions(now time.Time) (more bool) {
	more = r.translator.review() || r.reviewSome(now) || r.carriage.review()
	if more {
		r.mail.poke()
	}
	return more
}

// Reviewing reports whether sessions that the rules of translation or the filter no longer
// allow may not have been ended yet, or flows that the kernel carries.
func (r *Router) Reviewing() bool {
	return r.review.by != nil || r.translator.nat != nil && r.translator.nat.Reviewing() || r.carriage.reviewing()
}

// rules is the filter in use, nil without one.
func (r *Router) rules() *acl.Rules {
	if !r.cfg.ACL.Enabled() {
		return nil
	}
	return r.filter
}

// keeps reports whether a session stays. Without a filter nobody would keep those
// up to date that no translation needs.
func (v *reviewer) keeps(s *flow.Session, six bool) bool {
	if v.rules == nil {
		return !six && (s.Rule != 0 || s.Owner != 0 || s.Reply.Reverse() != s.Forward)
	}
	return v.allows(s, six)
}

// FilterEnds gives a function that counts the sessions that end because the
// filter of cfg, which Prepare has accepted, does not allow them. Only the owner
// may call FilterEnds; any goroutine may count, which takes as long as there are
// sessions. Nothing is changed.
func (r *Router) FilterEnds(cfg Config) (count func() int) {
	none := func() int { return 0 }
	t := r.translator
	if !cfg.ACL.Enabled() || t.nat == nil || sameFilter(&cfg.ACL, &r.cfg.ACL) {
		return none
	}
	rules, err := r.compileACL(cfg, r.tentative())
	if err != nil {
		return none // Prepare has said so
	}
	v := r.reviewer(rules)
	return func() (n int) {
		t.nat.Each(func(s *flow.Session) {
			if !v.allows(s, false) {
				n++
			}
		})
		if t.six != nil {
			t.six.Each(func(s *flow.Session) {
				if !v.allows(s, true) {
					n++
				}
			})
		}
		return n
	}
}

// sameFilter reports whether two filters differ at most in where they stand in
// the file.
func sameFilter(a, b *acl.Config) bool {
	plain := func(c *acl.Config) acl.Config {
		out := *c
		out.Lists = nil
		for _, l := range c.Lists {
			rules := l.Rules
			l.Rules, l.Origin = nil, 0
			for _, rule := range rules {
				rule.Origin = 0
				l.Rules = append(l.Rules, rule)
			}
			out.Lists = append(out.Lists, l)
		}
		out.Zones, out.Policies = slices.Clone(c.Zones), slices.Clone(c.Policies)
		for i := range out.Zones {
			out.Zones[i].Origin = 0
		}
		for i := range out.Policies {
			out.Policies[i].Origin = 0
		}
		return out
	}
	return reflect.DeepEqual(plain(a), plain(b))
}
