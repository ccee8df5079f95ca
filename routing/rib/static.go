package rib

import (
	"slices"
	"time"

	"routerd/routing"
)

// bindLater has the static routes follow the configuration and the interfaces that
// there are, before the next settling: once, however many inputs have asked for it.
func (r *RIB) bindLater(now time.Time) {
	r.touched, r.bindDue, r.bindAt = true, true, now
	r.bindList(now)
}

// binding updates the static candidates from the configuration, with interface
// names turned into their present numbers, in slices; inputs wait for its end.
// Unchanged routes stay; only their order among equals and their Origin follow the
// configuration.
type binding struct {
	now  time.Time
	was  []number // the prefixes of the routes before
	step int      // of bindingSteps
	at   int      // position in its list
}

// beginBinding begins what bindLater has asked for.
func (r *RIB) beginBinding() {
	r.bindDue = false
	r.binding = &binding{now: r.bindAt, was: r.statics}
	r.statics = make([]number, 0, len(r.config.Static))
}

// work works for one slice and returns what is left of it, 0 if there is more
// to do.
func (b *binding) work(r *RIB, units int) int {
	for ; b.step < len(bindingSteps); b.step, b.at = b.step+1, 0 {
		of := bindingSteps[b.step].of(r, b)
		for ; b.at < of; b.at++ {
			if units <= 0 {
				return 0
			}
			units--
			units -= bindingSteps[b.step].do(r, b)
		}
	}
	return max(units, 1)
}

// bindingSteps are the steps of a binding, in order: of how many items, and what is
// done with each, which gives the units that it takes besides.
var bindingSteps = []struct {
	of func(*RIB, *binding) int
	do func(*RIB, *binding) int
}{
	{func(r *RIB, _ *binding) int { return len(r.config.Static) }, func(r *RIB, b *binding) int { return r.bindStatic(b.now, b.at) }},
	{func(_ *RIB, b *binding) int { return len(b.was) }, func(r *RIB, b *binding) int { return r.unbindStatics(b.was[b.at]) }},
	{func(r *RIB, _ *binding) int { return len(r.statics) }, func(r *RIB, b *binding) int { return r.settleStatics(r.statics[b.at]) }},
}

// setAside marks the place of a route of the present configuration until all are
// known: another one may still stand there.
const setAside = 1 << 31

// bindStatic has route number i of the configuration offered. If it was before, it
// stays.
func (r *RIB) bindStatic(now time.Time, i int) (units int) {
	s := &r.config.Static[i]
	c, hops := r.newStatic(now, s, uint32(i)|setAside)
	n := r.number(s.Prefix.Masked())
	r.statics = append(r.statics, n)
	at := r.staticLike(n, &c, hops)
	if at == 0 {
		r.offer(n, c, hops)
		return changedUnits
	}
	r.releaseHops(hops)
	was := *r.cand(at)
	if was.place != uint32(i) || was.origin != c.origin || r.at(n).more != 0 {
		r.touch(n) // before the order changes, which says what the FIB has
	}
	was.origin = c.origin
	r.replaceStatic(n, at, was, c.place)
	return changedUnits - 1 // its hops were looked up by their names too
}

// staticLike finds the route of the configuration before that is the same as c,
// the first of several.
func (r *RIB) staticLike(n number, c *candidate, hops uint32) (like ref) {
	for at := r.first(n); at != 0; at = *r.more(at) {
		x := r.cand(at)
		if !x.isConfigured() || x.place&setAside != 0 || *r.hopsOf(at) != hops ||
			x.action != c.action || x.offered() != c.offered() || x.metric != c.metric || x.tag != c.tag {
			continue
		}
		if like == 0 || x.place < r.cand(like).place {
			like = at
		}
	}
	return like
}

// isConfigured reports whether c is a static route that the configuration itself
// has, and not its list.
func (c *candidate) isConfigured() bool {
	return c.source == routing.SourceStatic && c.place != listPlace
}

// replaceStatic gives a route another place.
func (r *RIB) replaceStatic(n number, at ref, c candidate, place uint32) {
	c.place = place
	if r.at(n).more == 0 {
		*r.cand(at) = c
		return
	}
	hops := *r.hopsOf(at)
	r.unlink(n, at)
	r.link(n, c, hops)
}

// unbindStatics removes the routes of n that the configuration has no more.
func (r *RIB) unbindStatics(n number) (units int) {
	for at := r.first(n); at != 0; {
		if c := r.cand(at); !c.isConfigured() || c.place&setAside != 0 {
			at = *r.more(at)
			continue
		}
		r.remove(n, at)
		units += changedUnits
		at = r.first(n)
	}
	return units
}

// settleStatics gives the routes of n the places that they are to have.
func (r *RIB) settleStatics(n number) (units int) {
	for at := r.first(n); at != 0; {
		c := r.cand(at)
		if !c.isConfigured() || c.place&setAside == 0 {
			at = *r.more(at)
			continue
		}
		r.replaceStatic(n, at, *c, c.place&^setAside)
		units++
		at = r.first(n)
	}
	return units
}

// sameStatic reports whether two static routes are the same, their lines included.
func sameStatic(a, b StaticRoute) bool {
	return a.Prefix == b.Prefix && a.Action == b.Action && a.Distance == b.Distance && a.Metric == b.Metric && a.Tag == b.Tag &&
		a.Origin == b.Origin && slices.Equal(a.NextHops, b.NextHops)
}

// newStatic makes the candidate of a static route, which is not yet offered.
func (r *RIB) newStatic(now time.Time, s *StaticRoute, place uint32) (c candidate, hops uint32) {
	c = candidate{
		source: routing.SourceStatic, action: s.Action, metric: s.Metric, tag: s.Tag,
		origin: s.Origin, place: place, since: seconds(now),
	}
	r.setDistance(&c, s.Distance)
	if s.Action != routing.Forward {
		return c, 0
	}
	list := slices.Grow(r.hopBuf[:0], len(s.NextHops))[:len(s.NextHops)]
	against := slices.Grow(r.againstBuf[:0], len(s.NextHops))[:len(s.NextHops)]
	r.hopBuf, r.againstBuf = list, against
	clear(against)
	for i, h := range s.NextHops {
		list[i] = routing.NextHop{Address: h.Address, Interface: routing.NoInterface, Weight: h.Weight}
		if h.Interface != "" {
			if known := r.byName[h.Interface]; known != nil {
				list[i].Interface = known.ID
			} else {
				against[i].missing = h.Interface
			}
		}
		against[i].dead = h.Watch != nil && r.deadHops[trackedHop{h.Address, list[i].Interface}]
	}
	return c, r.acquireHops(list, against)
}
