package rib

import "routerd/routing"

// decideLeaf chooses among the candidates of a leaf, by what their sets of hops
// come to.
func (s *settling) decideLeaf(n number, was facts) {
	r := s.rib
	if d := r.at(n); d.more == 0 {
		l := s.leadsAlone(n, d)
		s.lead(n, d, l, l == d.leads && (l == 0 || d.facts() == was))
		return
	}
	for c := r.first(n); c != 0; c = *r.more(c) {
		me := r.cand(c)
		if me.distance == neverUsed {
			continue
		}
		set := *r.hopsOf(c)
		if next := *r.more(c); set != 0 && next != 0 && me.merges(r.cand(next)) {
			s.decide(n, was) // equals, whose hops are put together
			return
		}
		var l leads
		if set == 0 {
			l = s.plain(me)
		} else {
			l = r.acquireLeads(r.sets[set].leads)
		}
		if l != 0 {
			s.choose(n, was, l, c)
			return
		}
	}
	s.choose(n, was, 0)
}

// leadsAlone gives where n leads if it has no more than one candidate, as nearly
// all have.
func (s *settling) leadsAlone(n number, d *dest) (l leads) {
	if d.source != routing.SourceNone && d.distance != neverUsed {
		if set := *s.rib.hops.at(uint32(n)); set != 0 {
			l = s.rib.acquireLeads(s.rib.sets[set].leads)
		} else {
			l = s.plain(&d.candidate)
		}
	}
	if d.candidate.flags |= isChosen; l == 0 {
		d.candidate.flags &^= isChosen
	}
	return l
}

// decide chooses among the candidates of n, or gives what it has to wait for.
func (s *settling) decide(n number, was facts) []wait {
	r := s.rib
	for c := r.first(n); c != 0; c = *r.more(c) {
		me := r.cand(c)
		switch {
		case me.distance == neverUsed:
			continue
		case *r.hopsOf(c) == 0:
			s.choose(n, was, s.plain(me), c)
			return nil
		}
		g, equals, last := s.gatherEquals(n, c)
		if len(g.waits) > 0 {
			return g.waits
		}
		if l := g.outcome(r); l != 0 {
			s.choose(n, was, l, equals...)
			return nil
		}
		c = last
	}
	s.choose(n, was, 0)
	return nil
}

// gatherEquals collects the hops of c and of those that merge with it: which
// of them have any that is usable, and the last of them all.
func (s *settling) gatherEquals(n number, c ref) (g gathering, equals []ref, last ref) {
	r := s.rib
	user := number(0)
	if r.at(n).is(isTransit) {
		user = n
	}
	for m := c; m == c || m != 0 && r.cand(c).merges(r.cand(m)); m = *r.more(m) {
		if g.gather(r, r.sets[*r.hopsOf(m)], user) {
			equals = append(equals, m)
		}
		last = m
	}
	return g, equals, last
}

// plain is what a candidate without next hops comes to: it discards, or is on
// the link.
func (s *settling) plain(c *candidate) leads {
	if c.action != routing.Forward {
		return leads(c.action)
	}
	return s.rib.acquireGroup([]share{{neighbour{iface: c.owner()}, 1, 1, 1}}, nil)
}

// choose makes chosen the choice for n, none if none is usable, and records a
// change of the FIB if there is one. n takes over the reference of l.
func (s *settling) choose(n number, was facts, l leads, chosen ...ref) {
	r := s.rib
	d := r.at(n)
	d.flags &^= isPending
	for c := r.first(n); c != 0; c = *r.more(c) {
		r.cand(c).flags &^= isChosen
	}
	for _, c := range chosen {
		r.cand(c).flags |= isChosen
	}
	s.lead(n, d, l, l == d.leads && (l == 0 || r.cand(chosen[0]).facts() == was))
}

// lead makes l where n leads, and records that the FIB changes unless it is to say
// the same as before.
func (s *settling) lead(n number, d *dest, l leads, same bool) {
	old := d.leads
	d.leads = l
	s.rib.releaseLeads(old)
	if same {
		return
	}
	s.traces.set(uint32(n), old != 0)
	s.changed.add(n)
	s.roam(d)
}
