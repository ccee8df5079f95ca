package router

import (
	"reflect"

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
	hits  []uint32
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
	if out == v.stack {
		inside := arrives
		inside.Dst, inside.DstPort = s.Reply.Src, s.Reply.SrcPort
		return v.asks(v.rules.In(in), s, &arrives, six) && v.asks(v.rules.Local(), s, &inside, six)
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

// reviewSessions ends the sessions that the filter no longer allows, and returns
// how many. Packets of a batch that was under way with the rules before may have
// made others meanwhile, so it is called once more a moment later.
func (r *Router) reviewSessions() (ended int) {
	t := &r.translator
	if !r.cfg.ACL.Enabled() || t.nat == nil {
		return 0
	}
	v := r.reviewer(r.filter)
	ended = t.nat.EndAll(func(s *flow.Session) bool { return !v.allows(s, false) })
	return ended + t.six.Clear(func(s *flow.Session) bool { return !v.allows(s, true) }, nil)
}

// FilterEnds counts the sessions that end because the filter of cfg, which
// Prepare has accepted, does not allow them. It changes nothing.
func (r *Router) FilterEnds(cfg Config) int {
	t := &r.translator
	if !cfg.ACL.Enabled() || t.nat == nil || r.filter == nil || sameFilter(&cfg.ACL, &r.cfg.ACL) {
		return 0
	}
	rules, err := r.compileACL(cfg, r.tentative())
	if err != nil {
		return 0 // Prepare has said so
	}
	v, n := r.reviewer(rules), 0
	t.nat.Each(func(s *flow.Session) {
		if !v.allows(s, false) {
			n++
		}
	})
	if t.six == nil {
		return n
	}
	var list [256]flow.Session
	for cursor, got := uint32(0), 0; ; {
		got, cursor = t.six.Walk(cursor, list[:])
		for i := range list[:got] {
			if !v.allows(&list[i], true) {
				n++
			}
		}
		if cursor == 0 {
			return n
		}
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
		return out
	}
	return reflect.DeepEqual(plain(a), plain(b))
}
