package rib

import (
	"net/netip"
	"slices"
	"time"

	"routerd/routing"
)

// bindStatics updates the static candidates from the configuration, with
// interface names turned into their present numbers. Unchanged routes stay;
// only their order among equals and their Origin follow the configuration.
func (r *RIB) bindStatics(now time.Time) {
	type key struct {
		prefix   netip.Prefix
		action   routing.Action
		distance uint8
		tag      uint32
		hops     *hopSet
	}
	keyOf := func(prefix netip.Prefix, c *candidate) key { return key{prefix, c.action, c.offered, c.tag, c.hops} }
	old := map[key][]*candidate{}
	for _, c := range r.statics {
		k := keyOf(c.dest.prefix, c)
		old[k] = append(old[k], c)
	}
	statics := make([]*candidate, 0, len(r.config.Static))
	for i := range r.config.Static {
		s := &r.config.Static[i]
		c := r.newStatic(now, s, uint32(i))
		prefix := s.Prefix.Masked()
		k := keyOf(prefix, c)
		if was := old[k]; len(was) > 0 {
			r.releaseHops(c.hops)
			old[k] = was[1:]
			r.moveStatic(was[0], c)
			statics = append(statics, was[0])
			continue
		}
		r.add(prefix, c)
		statics = append(statics, c)
	}
	for _, c := range r.statics {
		k := keyOf(c.dest.prefix, c)
		if slices.Contains(old[k], c) {
			r.remove(c)
		}
	}
	r.statics = statics
}

// newStatic makes the candidate of a static route, which is not yet offered.
func (r *RIB) newStatic(now time.Time, s *StaticRoute, place uint32) *candidate {
	c := &candidate{
		source: routing.SourceStatic, action: s.Action, offered: s.Distance, tag: s.Tag,
		origin: s.Origin, owner: routing.NoInterface, sequence: place, since: now.UnixNano(),
	}
	c.distance = r.config.distanceOf(c.source, c.offered)
	if s.Action != routing.Forward {
		return c
	}
	hops := make([]routing.NextHop, len(s.NextHops))
	missing := make([]string, len(s.NextHops))
	for i, h := range s.NextHops {
		hops[i] = routing.NextHop{Address: h.Address, Interface: routing.NoInterface, Weight: h.Weight}
		if h.Interface == "" {
			continue
		}
		if known := r.byName[h.Interface]; known != nil {
			hops[i].Interface = known.ID
		} else {
			missing[i] = h.Interface
		}
	}
	c.hops = r.acquireHops(hops, missing)
	return c
}

// moveStatic gives an unchanged candidate its new place and line.
func (r *RIB) moveStatic(c, to *candidate) {
	if c.sequence == to.sequence && c.origin == to.origin {
		return
	}
	d := c.dest
	d.unlink(c)
	c.sequence, c.origin = to.sequence, to.origin
	d.link(c)
	r.markDirty(d)
}
