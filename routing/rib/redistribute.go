package rib

import (
	"net/netip"
	"slices"

	"routerd/routing"
)

// notifyHops notifies the subscribers that their offers are decided, and of
// changes of the next hops that they track.
func (s *settling) notifyHops() bool {
	if s.at == 0 {
		for _, sub := range s.rib.subscribers {
			if sub.marked != sub.installed {
				sub.installed, sub.installedDue = sub.marked, true
			}
		}
	}
	return each(s, s.sets, func(hs *hopSet) {
		for _, t := range hs.trackers {
			t.update(s.rib)
		}
	})
}

// notify notifies them of the change of a prefix.
func (s *settling) notify(n number) { s.rib.redistribute(n, false) }

func (s *settling) notifyOpen() bool {
	return len(s.rib.subscribers) == 0 || each(s, s.open, s.notify)
}

func (s *settling) notifyDirty() bool {
	return len(s.rib.subscribers) == 0 || s.dirtyLeaves(func(x *dirtied) { s.notify(x.n) })
}

func (s *settling) notifyLeaves() bool {
	return len(s.rib.subscribers) == 0 || eachOf(s, &s.leaves, func(n *number) { s.notify(*n) })
}

// notifyRenewed offers the whole table to new subscriptions.
func (s *settling) notifyRenewed() bool {
	r := s.rib
	if !slices.ContainsFunc(r.subscribers, func(sub *subscriber) bool { return sub.renewed }) {
		return true
	}
	for n := range r.behind(s.after) {
		if !s.spend() {
			return false
		}
		s.after = r.prefix(n)
		r.redistribute(n, true)
	}
	for _, sub := range r.subscribers {
		sub.renewed = false
	}
	return true
}

// redistribute updates what is offered to the subscribers of n; with
// onlyRenewed, to new subscriptions only.
func (r *RIB) redistribute(n number, onlyRenewed bool) {
	d, best := r.at(n), r.best(n)
	if !d.is(isOffered) && !r.wanted(best) {
		return
	}
	d.flags &^= isOffered
	for _, s := range r.subscribers {
		if !onlyRenewed || s.renewed {
			s.offer(r, n, best)
		}
		if s.outbox.told.get(n) != 0 || s.outbox.queued.has(uint32(n)) {
			d.flags |= isOffered
		}
	}
}

// wanted reports whether any subscriber wants routes of c's source.
func (r *RIB) wanted(c *candidate) bool {
	source := sourceOfCandidate(c)
	for _, s := range r.subscribers {
		if s.wants[source] != nil {
			return true
		}
	}
	return false
}

func sourceOfCandidate(c *candidate) routing.Source {
	if c == nil {
		return routing.SourceNone // which nobody wants
	}
	return c.source
}

// best is the candidate that packets are forwarded by, the first of equal
// ones, or nil.
func (r *RIB) best(n number) *candidate {
	if c := r.chosen(n); c != 0 {
		return r.cand(c)
	}
	return nil
}

// offer updates what is offered to s of n.
func (s *subscriber) offer(r *RIB, n number, best *candidate) {
	now := print(0)
	if rt, ok := s.redistributed(r, n, best); ok {
		now = printOf(&rt)
	}
	s.outbox.note(n, now)
}

// redistributed is the route of n as s gets it; ok is false if it gets none.
func (s *subscriber) redistributed(r *RIB, n number, best *candidate) (rt routing.Route, ok bool) {
	if best == nil || !r.at(n).inFamily(s.Family) {
		return rt, false
	}
	w := s.wants[best.source]
	p := r.prefix(n)
	if w == nil || !passable(p, best) {
		return rt, false
	}
	rt = r.offeredRoute(n, best)
	verdict := Decision{Accept: true}
	if w.Policy != nil {
		verdict = w.Policy(&rt)
		rt.Prefix, rt.Source = p, best.source
	}
	if !verdict.MetricSet && !w.KeepMetric {
		rt.Metric = w.Metric
	}
	if !verdict.TagSet && w.Tag != 0 {
		rt.Tag = w.Tag
	}
	return rt, verdict.Accept
}

// offeredRoute is the route of n as a policy sees it.
func (r *RIB) offeredRoute(n number, best *candidate) routing.Route {
	l := r.at(n).leads
	rt := routing.Route{
		Prefix: r.prefix(n), Source: best.source, Action: best.action, Distance: best.distance,
		Metric: best.metric, Tag: best.tag,
	}
	switch {
	case best.action == routing.Local:
		rt.Action = routing.Forward // protocols know only Forward for connected routes
		rt.NextHops = []routing.NextHop{{Interface: best.owner(), Weight: 1}}
	case l >= firstGroup:
		rt.NextHops = r.led[l].nextHops()
	case l != 0:
		rt.Action = l.action() // through a route that discards
	}
	return rt
}

// passable reports whether a route means anything to other routers: routes for
// addresses that have no meaning off their link or host do not. An own address
// does only if it is its whole subnet, as on a loopback; otherwise the route to
// the subnet covers it.
func passable(p netip.Prefix, c *candidate) bool {
	a := p.Addr()
	switch {
	case p.Bits() > 0 && (a.IsLoopback() || a.IsMulticast() || a.Is6() && a.IsLinkLocalUnicast()):
		return false
	case c.action == routing.Local:
		return c.is(isWhole)
	}
	return c.action != routing.Broadcast
}

// nextHops gives the group's hops as protocols get them. All get the same
// slice.
func (g *sharedGroup) nextHops() []routing.NextHop {
	if g.hops == nil {
		for _, h := range g.Hops() {
			g.hops = append(g.hops, routing.NextHop{Address: h.Address, Interface: h.Interface, Weight: h.Weight})
		}
	}
	return g.hops
}
