package bgp

import (
	"net/netip"
	"slices"
	"time"

	"routerd/routing"
	"routerd/routing/bgp/wire"
)

// PrefixStatus is the routes of a prefix for show.
type PrefixStatus struct {
	Prefix netip.Prefix
	Routes []RouteStatus // the best one first, then those used beside it and the backup
	// Waiting: neighbours are not told of the best one yet, since the FIB may not have it.
	Waiting bool
}

// RouteStatus is a route of a prefix for show. Its attributes must not be changed.
type RouteStatus struct {
	From     netip.Addr          // invalid: it is the router's own
	Link     routing.InterfaceID // that the neighbour is on, NoInterface if it is on none
	RouterID wire.RouterID       // of the neighbour
	PathID   uint32
	External bool // from another AS

	Attributes wire.Attributes
	Weight     uint32
	Hop        HopStatus
	// Stale: it is from before a restart of the neighbour or the present refresh, and has
	// not come again yet.
	Stale bool
	// Best is the one that was chosen, Multipath that it is used beside it, and Backup that
	// it is used when none of these is alive.
	Best, Multipath, Backup bool
	// Step is what decided for the best one against the next, and against each other one;
	// Against is that other route's neighbour. Why says it in words.
	Step    Step
	Against netip.Addr
	Why     string
}

// HopStatus is what the RIB says of a next hop. A route of the router's own has none.
type HopStatus struct {
	routing.NextHopState
	// Usable: packets may go there. Why says in words why they may not.
	Usable bool
	Why    string
}

// Routes are all routes of a prefix, the best one among them, with the reason why each
// other one is not.
func (m *Machine) Routes(p netip.Prefix) []RouteStatus {
	r := m.ribs[wire.FamilyFor(p)]
	n, ok := r.table.Number(p)
	if !ok {
		return nil
	}
	return m.prefixStatus(r, n).Routes
}

// PrefixStatus is the routes of a prefix; ok is false if there are none.
func (m *Machine) PrefixStatus(p netip.Prefix) (s PrefixStatus, ok bool) {
	r := m.ribs[wire.FamilyFor(p)]
	n, ok := r.table.Number(p)
	if !ok {
		return s, false
	}
	s = m.prefixStatus(r, n)
	return s, len(s.Routes) > 0
}

// lookAtOnce is how many prefixes are looked at for a page, however few of them it has, and
// pageMost how many it has, however many are wanted: sessions wait meanwhile. Who shows
// pages makes a longer one of several.
const (
	lookAtOnce = 1250
	pageMost   = 250
)

// orderKept is how long after the last page prefixes are kept in order.
const orderKept = time.Minute

// RoutePage is a page of the prefixes of a family behind after, from the first one on if
// that is invalid: up to most with routes that are selected, and with these alone. Next
// is where the next page begins, invalid after the last one; a page may have fewer
// prefixes, or none, though it is not the last.
func (m *Machine) RoutePage(f wire.Family, of *RouteFilter, after netip.Prefix, most int) (list []PrefixStatus, next netip.Prefix) {
	r := m.ribs[f]
	verdicts := map[uint32]bool{} // by the number of attributes
	next = m.page(r.table, after, of.Within, func(n uint32) bool {
		if !m.selects(of, r, n, verdicts) {
			return false
		}
		list = append(list, of.Select(m.prefixStatus(r, n))...)
		return len(list) >= min(most, pageMost)
	})
	return list, next
}

// page goes through the prefixes of a table behind after until full says that the page is,
// or as many were looked at as a page may. It gives the last one that was, invalid if it
// has come to the end.
func (m *Machine) page(t *Table, after, within netip.Prefix, full func(n uint32) bool) (next netip.Prefix) {
	m.walked = m.now
	looked := 0
	for n := range t.Ordered(after, within) {
		if looked++; full(n) || looked == lookAtOnce {
			return t.Prefix(n)
		}
	}
	return netip.Prefix{}
}

// unorder forgets the order of prefixes that nobody has walked through for a while.
func (m *Machine) unorder() {
	for _, r := range m.ribs {
		for _, t := range [...]*Table{r.table, r.received} {
			if t != nil && t.order != nil && m.now.Sub(m.walked) > orderKept {
				t.Unorder()
			}
		}
	}
}

// prefixStatus is the routes of a number.
func (m *Machine) prefixStatus(r *rib, n uint32) PrefixStatus {
	m.loadNone()
	m.routes = r.table.Load(n, m.routes, r.look)
	routes := m.routes
	m.why = slices.Grow(m.why[:0], len(routes))[:len(routes)]
	why := m.why
	best := m.cfg.Rules.Best(routes, why)
	m.used, m.second = m.used[:0], notAsked
	backup := -1
	if best >= 0 {
		m.used = m.cfg.Rules.Multipath(routes, best, m.used)
		backup = m.backup()
	}
	list := make([]RouteStatus, len(routes))
	i := 0
	for c := range r.table.Routes(n) {
		m.routeStatus(&list[i], &routes[i], &c)
		list[i].Best, list[i].Backup = i == best, i == backup
		i++
	}
	for i := range list {
		m.reason(&list[i], routes, why, i, best)
	}
	for _, i := range m.used {
		list[i].Multipath = i != best
	}
	slices.SortStableFunc(list, func(a, b RouteStatus) int { return a.rank() - b.rank() })
	return PrefixStatus{Prefix: r.table.Prefix(n), Routes: list, Waiting: r.waits(n)}
}

// rank is the place of a route among the others.
func (s *RouteStatus) rank() int {
	switch {
	case s.Best:
		return 0
	case s.Multipath:
		return 1
	case s.Backup:
		return 2
	}
	return 3
}

func (m *Machine) routeStatus(s *RouteStatus, x *Route, c *Candidate) {
	from := m.sources[c.Source]
	s.From, s.Link, s.RouterID, s.PathID, s.External, s.Weight = x.From, routing.NoInterface, x.RouterID, x.PathID, x.External, x.Weight
	x.Attributes.octets.Read(&s.Attributes)
	if from.neighbor == nil {
		s.Hop.Usable = true
		return
	}
	s.Link = from.link
	s.Stale = c.Age > 0 || from.neighbor.stale == from
	s.Hop.Usable = !x.Unreachable
	if h := m.hop(x.Attributes); h != nil {
		s.Hop.NextHopState = h.state
	} else {
		s.Hop.Address, s.Hop.Interface, s.Hop.Out = s.Attributes.NextHop.LinkLocal, from.link, from.link
		s.Hop.Reachable = s.Hop.Usable
	}
	switch {
	case s.Hop.Usable:
	case from.lost:
		s.Hop.Why = "the session that it came by has ended"
	case !s.Hop.Reachable:
		s.Hop.Why = "its next hop cannot be reached"
	default:
		s.Hop.Why = "its next hop is not on a link, as that of a neighbour on a link has to be"
	}
}

// reason says why a route is the best, or why it is not.
func (m *Machine) reason(s *RouteStatus, routes []Route, why []Verdict, i, best int) {
	rules := &m.cfg.Rules
	lost, won := i, best
	switch {
	case best < 0 || routes[i].Unreachable:
		s.Step, s.Why = StepReachable, s.Hop.Why
		return
	case i == best:
		if lost = m.runnerUp(routes, best); lost < 0 {
			s.Why = "no other route can be used"
			if len(routes) == 1 {
				s.Why = "it is the only one"
			}
			return
		}
	}
	s.Step = why[lost].Step
	if by := why[lost].By; by >= 0 {
		won = by
	}
	s.Why = rules.Words(s.Step, &routes[won], &routes[lost])
	if s.Against = routes[won].From; i == best {
		s.Against = routes[lost].From
	}
}

// runnerUp is the best of the routes besides one, -1 if there is none.
func (m *Machine) runnerUp(routes []Route, best int) int {
	m.rest = append(m.rest[:0], routes...)
	m.rest[best].Unreachable = true
	return m.cfg.Rules.Best(m.rest, nil)
}

// AttributesStatus is a set of attributes for show.
type AttributesStatus struct {
	Number     uint32
	Attributes wire.Attributes // must not be changed
	Uses       int             // routes that have it, and what was chosen of them
	Octets     int
}

// AttributesPage is up to most of the sets of attributes from a number on. Next is where
// the next page begins, 0 after the last one.
func (m *Machine) AttributesPage(from uint32, most int) (list []AttributesStatus, next uint32) {
	for n := from; n < m.attributes.Numbers(); n++ {
		a := m.attributes.At(n)
		if a.octets == nil { // nothing uses it
			continue
		}
		if len(list) >= min(most, pageMost) {
			return list, n
		}
		s := AttributesStatus{Number: n, Uses: a.Uses(), Octets: len(a.octets)}
		a.octets.Read(&s.Attributes)
		list = append(list, s)
	}
	return list, 0
}
