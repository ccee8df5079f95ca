package rib

// changedUnits is what a route that a walk changes counts in a slice, besides
// being looked at.
const changedUnits = 3

// sweeping removes the routes of a source that were stale when it began, in
// slices. Routes that the source offers in between are fresh, and stay.
type sweeping struct {
	Sweep
	kept [2]epoch // what was offered in it or later is fresh
	at   uint32   // the number that comes next
}

// work works for one slice and returns what is left of it, 0 if there is more
// to do.
func (s *sweeping) work(r *RIB, units int) int {
	for ; s.at < r.dests.used; s.at++ {
		if units <= 0 {
			return 0
		}
		units--
		n := number(s.at)
		d := r.at(n)
		if !d.inFamily(s.Family) {
			continue
		}
		at := r.by(n, s.Source, 0)
		if at == 0 {
			continue
		}
		e := r.epoch(s.Source, d.family())
		if e.age(r.cand(at)) > s.since(r, d.family()) {
			units -= changedUnits
			r.remove(n, at)
		}
	}
	for f := range s.kept {
		if s.Family == 0 || (s.Family == 6) == (f == 1) {
			r.epoch(s.Source, f).past = s.since(r, f)
		}
	}
	return max(units, 1)
}

// since is how many epochs ago it began.
func (s *sweeping) since(r *RIB, family int) int {
	return (r.epoch(s.Source, family).now - s.kept[family].now + epochs) % epochs
}

// redistancing sets the distance of every candidate to that of its source in the
// configuration, in slices. What is offered in between has it.
type redistancing struct {
	at uint32 // the number that comes next
}

// work works for one slice and returns what is left of it, 0 if there is more
// to do.
func (w *redistancing) work(r *RIB, units int) int {
	for ; w.at < r.dests.used; w.at++ {
		if units <= 0 {
			return 0
		}
		units--
		for n := number(w.at); r.redistance(n); {
			units -= changedUnits
		}
	}
	return max(units, 1)
}

// redistance moves the first candidate of n whose distance is another one to its
// place, and reports whether there was any.
func (r *RIB) redistance(n number) bool {
	for at := r.first(n); at != 0; at = *r.more(at) {
		c := *r.cand(at)
		was := c.distance
		if r.setDistance(&c, c.offered()); c.distance != was {
			r.touch(n)
			hops := *r.hopsOf(at)
			r.unlink(n, at)
			r.link(n, c, hops)
			return true
		}
	}
	return false
}
