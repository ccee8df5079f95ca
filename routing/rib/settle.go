package rib

import (
	"net/netip"

	"routerd/routing"
	"routerd/routing/fib"
)

// settling is one Flush: what has to be looked at, and what came of it.
//
// Prefixes that some next hop lies in (transit) can be in the way of one
// another and are decided together, first. All others, nearly all of a large
// table, are leaves: nothing hangs from them, and they are decided one by one
// at the end, and only if their candidates changed or their hops came to
// something new.
type settling struct {
	rib     *RIB
	open    []*dest // transit
	leaves  []*dest
	sets    []*hopSet
	watches []*watch
	changes []fib.Change
}

func (s *settling) run() {
	r := s.rib
	for _, d := range r.dirty {
		s.enrol(d)
	}
	for _, w := range r.staleWatches {
		s.touchWatch(w)
	}
	for _, hs := range r.staleSets {
		s.touchSet(hs)
	}
	for i := 0; i < len(s.open); i++ {
		d := s.open[i]
		for _, w := range r.watches.Subnets(d.prefix) {
			if w.affectedBy(d) {
				s.touchWatch(w)
			}
		}
	}
	s.settleOpen()
	s.settleSets()
	for _, d := range s.leaves {
		s.decide(d)
	}
	s.notify()
	s.sweep()
}

// affectedBy reports whether a change of d may change what w resolves to: not
// if a longer prefix than d's answers. Where the address itself is a prefix,
// its own route passes over it, so what lies behind counts as well.
func (w *watch) affectedBy(d *dest) bool {
	return !w.via.IsValid() || d.prefix.Bits() >= w.via.Bits() || w.via.IsSingleIP()
}

// enrol has d decided in this Flush.
func (s *settling) enrol(d *dest) {
	if d.pending {
		return
	}
	d.pending, d.looped = true, nil
	if d.transit > 0 {
		s.open = append(s.open, d)
	} else {
		s.leaves = append(s.leaves, d)
	}
}

// touchWatch has everything looked at that depends on w.
func (s *settling) touchWatch(w *watch) {
	if w.stale || len(w.users) == 0 {
		return
	}
	w.stale = true
	s.watches = append(s.watches, w)
	for _, hs := range w.users {
		s.touchSet(hs)
	}
}

// touchSet has the set worked out anew and its transit users decided. Its
// leaves wait to see whether it comes to something new.
func (s *settling) touchSet(hs *hopSet) {
	if hs.stale || hs.refs == 0 {
		return
	}
	hs.stale = true
	s.sets = append(s.sets, hs)
	for c := hs.first; c != nil; c = c.nextUser {
		if c.dest.transit > 0 {
			s.enrol(c.dest)
		}
	}
}

// settleSets works out what each touched set comes to and enrols the leaves
// of those that changed.
func (s *settling) settleSets() {
	r := s.rib
	for _, w := range s.watches {
		w.stale, w.via = false, netip.Prefix{}
		if res := r.resolveAddress(w.prefix.Addr(), nil); res.why == usable {
			w.via = res.via.prefix
		}
	}
	for _, hs := range s.sets {
		hs.stale = false
		var g gathering
		g.gather(r, hs, nil)
		was := hs.outcome
		hs.outcome = g.outcome(r)
		r.releaseGroup(was.group)
		if was == hs.outcome {
			continue
		}
		for c := hs.first; c != nil; c = c.nextUser {
			if c.dest.transit == 0 {
				s.enrol(c.dest)
			}
		}
	}
}

// decide chooses among the candidates of d, or gives what it has to wait for.
func (s *settling) decide(d *dest) []wait {
	for c := d.first; c != nil; c = c.next {
		if c.distance == neverUsed {
			continue
		}
		if c.hops == nil {
			s.choose(d, s.plainOutcome(c), c)
			return nil
		}
		if d.transit == 0 && (c.next == nil || !c.merges(c.next)) {
			if o := c.hops.outcome; o.usable {
				if o.group != nil {
					o.group.refs++
				}
				s.choose(d, o, c)
				return nil
			}
			continue
		}
		g, equals, last := s.gatherEquals(d, c)
		if len(g.waits) > 0 {
			return g.waits
		}
		if o := g.outcome(s.rib); o.usable {
			s.choose(d, o, equals...)
			return nil
		}
		c = last
	}
	s.choose(d, outcome{})
	return nil
}

// gatherEquals collects the hops of c and of those that merge with it: which
// of them have any that is usable, and the last of them all.
func (s *settling) gatherEquals(d *dest, c *candidate) (g gathering, equals []*candidate, last *candidate) {
	var user *dest
	if d.transit > 0 {
		user = d
	}
	for m := c; m == c || m != nil && c.merges(m); m = m.next {
		if g.gather(s.rib, m.hops, user) {
			equals = append(equals, m)
		}
		last = m
	}
	return g, equals, last
}

// plainOutcome is that of a candidate without next hops: it discards, or it
// is the link itself.
func (s *settling) plainOutcome(c *candidate) outcome {
	if c.action != routing.Forward {
		return outcome{true, c.action, nil}
	}
	g := s.rib.acquireGroup([]share{{neighbour{iface: c.owner}, 1, 1, 1}})
	return outcome{true, routing.Forward, g}
}

// choose makes the candidates the choice for d, none where no one is usable,
// and a change of the FIB if that makes a difference. The group's reference
// passes to d.
func (s *settling) choose(d *dest, o outcome, chosen ...*candidate) {
	d.pending = false
	for c := d.first; c != nil; c = c.next {
		c.chosen = false
	}
	for _, c := range chosen {
		c.chosen = true
	}
	was := d.group
	d.group = o.group
	s.rib.releaseGroup(was)
	if len(chosen) == 0 {
		if d.entry != nil {
			d.entry = nil
			s.changes = append(s.changes, fib.Change{Prefix: d.prefix})
		}
		return
	}
	best := chosen[0]
	e := fib.Entry{
		Prefix: d.prefix, Action: o.action, Source: best.source, Distance: best.distance,
		Metric: best.metric, Interface: best.owner, Origin: best.origin,
	}
	if o.group != nil {
		e.Group = o.group.Group
	}
	if d.entry != nil && *d.entry == e {
		return
	}
	d.entry = &e
	s.changes = append(s.changes, fib.Change{Prefix: d.prefix, Entry: d.entry})
}

// sweep forgets prefixes without candidates and what the inputs touched.
func (s *settling) sweep() {
	r := s.rib
	for _, list := range [][]*dest{s.open, s.leaves} {
		for _, d := range list {
			if d.first == nil {
				r.dests.Delete(d.prefix)
			}
		}
	}
	for _, d := range r.dirty {
		d.dirty = false
	}
	r.dirty, r.staleSets, r.staleWatches = nil, nil, nil // after a bulk load they are long
}

// neverUsed is the distance of a route that is kept but not used, as in FRR.
const neverUsed = 255
