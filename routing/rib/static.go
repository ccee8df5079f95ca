package rib

import (
	"slices"
	"time"

	"routerd/routing"
)

// bindStatics updates the static candidates from the configuration, with
// interface names turned into their present numbers. Unchanged routes stay;
// only their order among equals and their Origin follow the configuration.
func (r *RIB) bindStatics(now time.Time) {
	old := map[staticKey][]uint32{} // places
	for place, n := range r.statics {
		at := r.by(n, routing.SourceStatic, uint32(place))
		k := keyOfStatic(n, r.cand(at), *r.hopsOf(at))
		old[k] = append(old[k], uint32(place))
	}
	was := r.statics
	r.statics = make([]number, len(r.config.Static))
	var moved, added []placed
	for i := range r.config.Static {
		s := &r.config.Static[i]
		c, hops := r.newStatic(now, s, uint32(i))
		n := r.number(s.Prefix.Masked())
		r.statics[i] = n
		k := keyOfStatic(n, &c, hops)
		places := old[k]
		if len(places) == 0 {
			added = append(added, placed{n, c, hops})
			continue
		}
		r.releaseHops(hops)
		old[k] = places[1:]
		at := r.by(n, routing.SourceStatic, places[0])
		before := *r.cand(at)
		if before.place != c.place || before.origin != c.origin {
			r.touch(n)
			r.unlink(n, at)
			before.place, before.origin = c.place|setAside, c.origin
			r.link(n, before, hops)
			moved = append(moved, placed{n, before, hops})
		}
		was[places[0]] = 0 // it stays
	}
	for place, n := range was {
		if n != 0 {
			r.remove(n, r.by(n, routing.SourceStatic, uint32(place)))
		}
	}
	for _, m := range moved {
		r.unlink(m.n, r.by(m.n, routing.SourceStatic, m.c.place))
	}
	for _, m := range moved {
		m.c.place &^= setAside
		r.link(m.n, m.c, m.hops)
	}
	for _, a := range added {
		r.offer(a.n, a.c, a.hops)
	}
	r.bindList(now)
}

// sameStatic reports whether two static routes are the same, their lines included.
func sameStatic(a, b StaticRoute) bool {
	return a.Prefix == b.Prefix && a.Action == b.Action && a.Distance == b.Distance && a.Metric == b.Metric && a.Tag == b.Tag &&
		a.Origin == b.Origin && slices.Equal(a.NextHops, b.NextHops)
}

// staticKey is what makes a static route the same after a reload.
type staticKey struct {
	n        number
	action   routing.Action
	distance uint8
	metric   uint32
	tag      uint32
	hops     uint32
}

func keyOfStatic(n number, c *candidate, hops uint32) staticKey {
	return staticKey{n, c.action, c.offered(), c.metric, c.tag, hops}
}

// placed is a static route that gets a place.
type placed struct {
	n    number
	c    candidate
	hops uint32
}

// setAside marks the place of a route that moves, until all that move are known:
// another one may still stand there.
const setAside = 1 << 31

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
	list := make([]routing.NextHop, len(s.NextHops))
	against := make([]obstacle, len(s.NextHops))
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
