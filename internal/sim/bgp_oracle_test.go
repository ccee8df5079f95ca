package sim

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"routerd/routing"
	"routerd/routing/bgp"
	"routerd/routing/bgp/wire"
)

// bgpOracle works out what every router is to choose from nothing but the links that
// carry frames and what ASes are to each other: routers that know each other's best
// routes at once, until nothing changes any more.
type bgpOracle struct {
	*bgpSite
	family wire.Family
	// metrics are the IGP's between the routers of an AS.
	metrics map[[2]int]int
}

// bgpDue is a route that a router is to have.
type bgpDue struct {
	path       []uint32
	rel        int        // what the AS is that it came into this one from; 0: it is the AS's own
	from       int        // router; -1: its own
	by         netip.Addr // the address of that router in the session
	client     bool       // that router is a client
	med        int
	external   bool
	exit       int // router of the AS where it leaves it
	originator int // -1: not reflected
	clusters   []int
}

// oracle is one for the routes of a family in the network as it is now.
func (s *bgpSite) oracle(f wire.Family) *bgpOracle {
	o := &bgpOracle{bgpSite: s, family: f, metrics: map[[2]int]int{}}
	for _, a := range s.ases {
		for _, x := range a.members {
			o.metrics[[2]int{x.number, x.number}] = 0
		}
	}
	for changed := true; changed; {
		changed = false
		for l, cost := range s.inside {
			if f == wire.IPv6Unicast {
				cost = 1 // RIPng counts links
			}
			if l.Carries() {
				a, b := s.of[l.ends[0].Node].number, s.of[l.ends[1].Node].number
				changed = o.relax(a, b, cost) || changed
				changed = o.relax(b, a, cost) || changed
			}
		}
	}
	return o
}

// relax takes the link from a to b into all ways that begin at a.
func (o *bgpOracle) relax(a, b, cost int) (changed bool) {
	for i := range o.routers {
		rest, ok := o.metrics[[2]int{b, i}]
		if was, known := o.metrics[[2]int{a, i}]; ok && (!known || cost+rest < was) {
			o.metrics[[2]int{a, i}] = cost + rest
			changed = true
		}
	}
	return changed
}

// up reports whether routes of the family cross a session.
func (o *bgpOracle) up(c *bgpSession) bool {
	if c.link != nil {
		return c.link.Carries()
	}
	_, ok := o.metrics[[2]int{c.ends[0].number, c.ends[1].number}]
	return ok
}

// sent is what an end of a session, of which it is the other's k-th, sends of its best
// route, nil if nothing.
func (o *bgpOracle) sent(c *bgpSession, k int, b *bgpDue) *bgpDue {
	u, v := c.ends[k], c.ends[1-k]
	at := o.address(c, k)
	if b == nil || b.from == v.number && b.by == o.address(c, 1-k) {
		return nil
	}
	if c.link != nil {
		if c.rel[k] != customer && b.rel != 0 && b.rel != customer {
			return nil
		}
		path := slices.Clone(b.path)
		for range 1 + c.prepends[k] {
			path = slices.Insert(path, 0, u.as.number)
		}
		if slices.Contains(path, v.as.number) {
			return nil
		}
		return &bgpDue{path: path, rel: c.rel[1-k], from: u.number, by: at, med: c.med[k], external: true, exit: v.number, originator: -1}
	}
	r := &bgpDue{path: b.path, rel: b.rel, from: u.number, by: at, client: c.clients[k], med: b.med, exit: b.exit, originator: -1}
	if b.from >= 0 && !b.external { // RFC 4456 §6
		if !b.client && !c.clients[1-k] {
			return nil
		}
		r.originator, r.clusters = b.originator, append(slices.Clone(b.clusters), u.number)
		if r.originator < 0 {
			r.originator = b.from
		}
		if r.originator == v.number || slices.Contains(r.clusters, v.number) {
			return nil
		}
	}
	return r
}

// address is that of an end of a session.
func (o *bgpOracle) address(c *bgpSession, k int) netip.Addr {
	if c.extended {
		return c.at[k][wire.IPv6Unicast]
	}
	return c.at[k][o.family]
}

// rank is what a router compares its routes by, one after the other (RFC 4271 §9.1.2.2,
// RFC 4456 §9), the lowest first; nil if it cannot reach the next hop.
func (o *bgpOracle) rank(v int, b *bgpDue) []int {
	if b.from < 0 {
		return []int{math.MinInt, 0}
	}
	metric := 0
	if !b.external {
		m, ok := o.metrics[[2]int{v, b.exit}]
		if !ok {
			return nil
		}
		metric = m
	}
	preferred, id := uint32(100), b.from
	if b.rel != 0 {
		preferred = preference(b.rel)
	}
	if b.originator >= 0 {
		id = b.originator
	}
	inside := 1
	if b.external {
		inside = 0
	}
	return []int{-int(preferred), len(b.path), inside, metric, id, len(b.clusters)}
}

// choose gives the best of the routes that a router has, nil if there is none that it can
// use.
func (o *bgpOracle) choose(v int, list []*bgpDue) (best *bgpDue) {
	list = slices.DeleteFunc(list, func(b *bgpDue) bool { return o.rank(v, b) == nil })
	// MEDs are compared between routes of one AS only, and after what rank begins with.
	list = slices.DeleteFunc(slices.Clone(list), func(b *bgpDue) bool {
		return slices.ContainsFunc(list, func(a *bgpDue) bool {
			comparable := o.always || len(a.path) > 0 && len(b.path) > 0 && a.path[0] == b.path[0]
			return comparable && a.med < b.med && slices.Equal(o.rank(v, a)[:2], o.rank(v, b)[:2])
		})
	})
	for _, b := range list {
		if best == nil || cmp.Or(slices.Compare(o.rank(v, b), o.rank(v, best)), b.by.Compare(best.by)) < 0 {
			best = b
		}
	}
	return best
}

// choices are the best routes of all routers to a prefix. Stable is false if there is no
// end to it.
func (o *bgpOracle) choices(p netip.Prefix) (best []*bgpDue, stable bool) {
	best = make([]*bgpDue, len(o.routers))
	for range 200 {
		changed := false
		for _, v := range o.routers {
			var list []*bgpDue
			if slices.Contains(v.prefixes(), p) {
				list = append(list, &bgpDue{from: -1, exit: v.number, originator: -1})
			}
			for _, c := range o.sessions {
				if k := slices.Index(c.ends[:], v); k >= 0 && o.up(c) {
					if r := o.sent(c, 1-k, best[c.ends[1-k].number]); r != nil {
						list = append(list, r)
					}
				}
			}
			next := o.choose(v.number, list)
			changed = changed || !same(best[v.number], next)
			best[v.number] = next
		}
		if !changed {
			return best, true
		}
	}
	return best, false
}

func same(a, b *bgpDue) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.from == b.from && a.by == b.by && a.med == b.med && a.exit == b.exit && a.originator == b.originator && slices.Equal(a.path, b.path) && slices.Equal(a.clusters, b.clusters)
}

// check holds the quiet network to its promises: every session that can be up is, every
// router chose what the oracle does and forwards by it, and no packet loops or is lost on
// a way that was chosen.
func (s *bgpSite) check() (wrong []string) {
	var all []netip.Prefix
	for _, x := range s.routers {
		all = append(all, stubOf(x.number), stub6Of(x.number))
	}
	all = append(all, common)
	oracles := [wire.NumFamilies]*bgpOracle{s.oracle(wire.IPv4Unicast), s.oracle(wire.IPv6Unicast)}
	for _, o := range oracles {
		wrong = append(wrong, o.states()...)
	}
	for _, p := range all {
		o := oracles[wire.FamilyFor(p)]
		best, stable := o.choices(p)
		if !stable {
			wrong = append(wrong, fmt.Sprintf("%v: the oracle itself does not converge", p))
			continue
		}
		for _, x := range s.routers {
			wrong = append(wrong, o.compare(x, p, best[x.number])...)
		}
		wrong = append(wrong, o.astray(p, best)...)
	}
	return wrong
}

// states are sessions that are not as the links are.
func (o *bgpOracle) states() (wrong []string) {
	for _, c := range o.sessions {
		if c.extended && o.family == wire.IPv4Unicast {
			continue
		}
		for k, x := range c.ends {
			for _, n := range bgpOf(x.node).Neighbors() {
				if n.Address == c.at[1-k][o.family] && (n.State == bgp.Established) != o.up(c) {
					wrong = append(wrong, fmt.Sprintf("%s with %s at %v: %v, last %v; a session can be: %v",
						x.node.Name, c.ends[1-k].node.Name, n.Address, n.State, n.Last, o.up(c)))
				}
			}
		}
	}
	return wrong
}

// compare holds what a router chose for a prefix, and forwards by, to what is due.
func (o *bgpOracle) compare(x *bgpRouter, p netip.Prefix, due *bgpDue) (wrong []string) {
	var best *bgp.RouteStatus
	routes := bgpOf(x.node).Routes(p)
	for i := range routes {
		if routes[i].Best {
			best = &routes[i]
		}
	}
	fault := func(format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("%s, %v: ", x.node.Name, p)+fmt.Sprintf(format, args...))
	}
	e := x.node.Router.FIB().Get(p)
	forwards := e != nil && (e.Source == routing.SourceEBGP || e.Source == routing.SourceIBGP)
	switch {
	case due == nil || due.from < 0:
		if forwards || (best == nil) != (due == nil) {
			fault("chose %+v and forwards by BGP %v, want %+v", best, forwards, due)
		}
		return wrong
	case best == nil:
		fault("chose nothing of %+v, want %+v", routes, due)
		return wrong
	}
	path := strings.Trim(fmt.Sprint(due.path), "[]")
	if best.From != due.by || best.Attributes.ASPath.String() != path {
		fault("chose path %v from %v, want %s from %v; it has %+v", best.Attributes.ASPath, best.From, path, due.by, routes)
	}
	if !forwards || (e.Source == routing.SourceEBGP) != due.external {
		fault("forwards by %+v, want a route of BGP, from another AS %v", e, due.external)
	}
	return wrong
}

// astray is where packets to the stub of a router loop, or end though a way was chosen.
func (o *bgpOracle) astray(p netip.Prefix, best []*bgpDue) (wrong []string) {
	owner := slices.IndexFunc(o.routers, func(x *bgpRouter) bool { return slices.Contains(x.prefixes(), p) })
	if owner < 0 || p == common {
		return nil
	}
	to := Target{p.Addr().Next().Next(), o.routers[owner].node}
	for _, from := range o.routers {
		w := walk{net: o.Network, from: from.node, to: to, must: best[from.number] != nil, on: map[*Node]bool{}}
		w.follow(from.node)
		for _, f := range w.faults {
			wrong = append(wrong, f.String())
		}
	}
	return wrong
}

func bgpOf(n *Node) *bgp.Machine { return n.Router.Protocol("bgp").Core().(*bgp.Machine) }
