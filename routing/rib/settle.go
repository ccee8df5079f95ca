package rib

import (
	"net/netip"

	"routerd/routing"
	"routerd/routing/fib"
)

// settling is one settling of the table: what has to be looked at, and the
// result so far. It is done in slices; between two of them nothing else changes
// the table.
//
// Prefixes that contain some next hop (transit) may depend on one another and
// are decided first, together. All others, nearly all of a large table, are
// leaves, on which nothing depends: they are decided one by one at the end, and
// only if their candidates or the resolution of their hops changed.
type settling struct {
	rib     *RIB
	open    []*dest // transit
	leaves  []*dest
	sets    []*hopSet
	watches []*watch
	changes []fib.Change

	left  int        // units left in the slice
	phase int        // of phases
	at    int        // position of the phase in its list
	also  int        // position in its second list
	user  *candidate // position among the users of a set; nil = begin with the next set
	moved bool       // settleOpen: the round has decided something
	after netip.Prefix
}

// phases are the phases of a settling, in order. Each reports whether it is
// complete; if not, it goes on there in the next slice.
var phases = []func(*settling) bool{
	(*settling).enrolDirty, (*settling).spread, (*settling).settleOpen, (*settling).settleWatches,
	(*settling).settleSets, (*settling).decideLeaves, (*settling).notifyHops, (*settling).notifyOpen,
	(*settling).notifyLeaves, (*settling).notifyRenewed, (*settling).sweepOpen, (*settling).sweepLeaves, (*settling).clean,
}

// work works for one slice and reports whether all is done.
func (s *settling) work(units int) bool {
	s.left = units
	for s.phase < len(phases) {
		if !phases[s.phase](s) {
			return false
		}
		s.phase++
		s.at, s.also, s.user = 0, 0, nil
	}
	return true
}

// spend takes one unit of the slice and reports whether there was one.
func (s *settling) spend() bool {
	s.left--
	return s.left >= 0
}

// each calls do for each of the list, and reports whether it came to the end.
func each[T any](s *settling, list []T, do func(T)) bool {
	for ; s.at < len(list); s.at++ {
		if !s.spend() {
			return false
		}
		do(list[s.at])
	}
	return true
}

func (s *settling) enrolDirty() bool { return each(s, s.rib.dirty, s.enrol) }

// spread finds all that depends on what was touched: sets of hops, the transit
// prefixes that use them, the sets of hops that resolve through those, and so
// on.
func (s *settling) spread() bool {
	r := s.rib
	if s.at == 0 && s.also == 0 {
		for _, w := range r.staleWatches {
			s.touchWatch(w)
		}
		for _, hs := range r.staleSets {
			s.touchSet(hs)
		}
		r.staleWatches, r.staleSets = nil, nil
	}
	for s.at < len(s.sets) || s.also < len(s.open) {
		if s.at < len(s.sets) {
			if !s.users(s.sets[s.at], true) {
				return false
			}
			s.at++
			continue
		}
		if !s.spend() {
			return false
		}
		d := s.open[s.also]
		s.also++
		for _, w := range r.watches.Subnets(d.prefix) {
			if w.affectedBy(d) {
				s.touchWatch(w)
			}
		}
	}
	return true
}

// users enrols the users of a set of hops, either transit prefixes or leaves,
// and reports whether it has enrolled all.
func (s *settling) users(hs *hopSet, transit bool) bool {
	if s.user == nil {
		s.user = hs.first
	}
	for ; s.user != nil; s.user = s.user.nextUser {
		if !s.spend() {
			return false
		}
		if d := s.user.dest; (d.transit > 0) == transit {
			s.enrol(d)
		}
	}
	return true
}

// affectedBy reports whether a change of d may change what w resolves to: not
// if w resolves through a longer prefix. If the address itself is a prefix, a
// host route to it is skipped in its own resolution, so shorter prefixes count
// too.
func (w *watch) affectedBy(d *dest) bool {
	return !w.via.IsValid() || d.prefix.Bits() >= w.via.Bits() || w.via.IsSingleIP()
}

// enrol adds d to what this settling decides.
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

// touchWatch touches every set that uses w.
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

// touchSet has the set resolved again and its transit users decided. Its leaves
// are decided only if its resolution changes.
func (s *settling) touchSet(hs *hopSet) {
	if hs.stale || hs.refs == 0 {
		return
	}
	hs.stale = true
	s.sets = append(s.sets, hs)
}

// settleWatches works out which prefix answers for each touched address.
func (s *settling) settleWatches() bool {
	return each(s, s.watches, func(w *watch) {
		w.stale, w.via = false, netip.Prefix{}
		if res := s.rib.resolveAddress(w.prefix.Addr(), nil); res.why == usable {
			w.via = res.via.prefix
		}
	})
}

// settleSets works out what each touched set comes to and enrols the leaves
// of those that changed.
func (s *settling) settleSets() bool {
	for ; s.at < len(s.sets); s.at++ {
		hs := s.sets[s.at]
		if s.user == nil { // else its users have been begun with
			if !s.spend() {
				return false
			}
			if !s.settleSet(hs) {
				continue
			}
		}
		if !s.users(hs, false) {
			return false
		}
	}
	return true
}

// settleSet works out what a set comes to and reports whether that is news.
func (s *settling) settleSet(hs *hopSet) bool {
	hs.stale = false
	var g gathering
	g.gather(s.rib, hs, nil)
	was := hs.outcome
	hs.outcome = g.outcome(s.rib)
	s.rib.releaseGroup(was.group)
	return was != hs.outcome
}

func (s *settling) decideLeaves() bool { return each(s, s.leaves, func(d *dest) { s.decide(d) }) }

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

// plainOutcome is the outcome of a candidate without next hops: it discards, or
// is on the link.
func (s *settling) plainOutcome(c *candidate) outcome {
	if c.action != routing.Forward {
		return outcome{true, c.action, nil}
	}
	g := s.rib.acquireGroup([]share{{neighbour{iface: c.owner}, 1, 1, 1}})
	return outcome{true, routing.Forward, g}
}

// choose makes chosen the choice for d, none if none is usable, and records a
// change of the FIB if there is one. d takes over the reference to the group.
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

// sweep forgets a prefix without candidates.
func (s *settling) sweep(d *dest) {
	if d.first == nil {
		s.rib.dests.Delete(d.prefix)
	}
}

func (s *settling) sweepOpen() bool   { return each(s, s.open, s.sweep) }
func (s *settling) sweepLeaves() bool { return each(s, s.leaves, s.sweep) }

// clean clears what the inputs touched.
func (s *settling) clean() bool {
	if !each(s, s.rib.dirty, func(d *dest) { d.dirty = false }) {
		return false
	}
	s.rib.dirty = nil // frees a list that is long after a bulk load
	return true
}

// neverUsed is the distance of a route that is kept but not used, as in FRR.
const neverUsed = 255
