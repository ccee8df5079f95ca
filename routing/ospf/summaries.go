package ospf

import (
	"cmp"
	"net/netip"
	"slices"

	"routerd/routing/ospf/wire"
)

// summaries is what the router says into an area of the networks and AS boundary
// routers of others (RFC 2328 §12.4.3).
type summaries struct {
	wanted []uint32 // metrics by number of the prefix; Infinity is that there is none
	said   []saidSummary
	exits  map[wire.ID]uint32 // metrics of AS boundary routers, as said
	ids    lsids
}

type saidSummary struct {
	prefix netip.Prefix // invalid: nothing is said
	metric uint32
}

// areaRange is a range of the configuration.
type areaRange struct {
	Range
	number  int32 // of its prefix
	active  bool  // there is a network within
	highest uint32
}

// any reports whether anything is said.
func (s *summaries) any() bool { return len(s.ids.of) > 0 || len(s.exits) > 0 }

// setRanges has the ranges of an area be those of its configuration.
func (m *Machine) setRanges(a *area) {
	old := a.ranges
	a.ranges = nil
	for _, r := range a.cfg.Ranges {
		a.ranges = append(a.ranges, areaRange{Range: r, number: m.prefixes.use(r.Prefix)})
	}
	for _, r := range old {
		m.prefixes.release(r.number)
	}
	// The longest first, so that the first one that contains a network is its.
	slices.SortStableFunc(a.ranges, func(a, b areaRange) int { return cmp.Compare(b.Prefix.Bits(), a.Prefix.Bits()) })
	m.applyRanges(a)
}

// applyRanges has the ranges of an area count, of a border router, in the
// calculation of routes.
func (m *Machine) applyRanges(a *area) {
	a.Ranges = nil
	if m.ours.role.border {
		for _, r := range a.ranges {
			a.Ranges = append(a.Ranges, r.Prefix)
		}
	}
}

// rangeOf gives the range that a network of the area is within, nil if there is
// none.
func (a *area) rangeOf(p netip.Prefix) *areaRange {
	for i := range a.ranges {
		if r := &a.ranges[i]; r.Prefix.Bits() <= p.Bits() && r.Prefix.Contains(p.Addr()) {
			return r
		}
	}
	return nil
}

// measure finds out which ranges are active, and has their networks discarded that
// have no route (RFC 2328 §11.1).
func (m *Machine) measure() {
	discard := m.calc.offers.discard[:0]
	for _, a := range m.areas {
		for i := range a.ranges {
			a.ranges[i].active, a.ranges[i].highest = false, 0
		}
		if !m.ours.role.border || len(a.ranges) == 0 {
			continue
		}
		for i := range m.table.routes {
			t := &m.table.routes[i]
			if t.Type != IntraArea || t.Area != a.ID {
				continue
			}
			if r := a.rangeOf(t.Prefix()); r != nil {
				r.active, r.highest = true, max(r.highest, t.Cost)
			}
		}
		for _, r := range a.ranges {
			if r.active && !r.Hide {
				discard = append(discard, r.number)
			}
		}
	}
	slices.Sort(discard)
	m.calc.offers.discard = slices.Compact(discard)
}

// originateSummaries has the summaries of all areas follow the routes; where whole is not
// set, those of some prefixes alone.
func (m *Machine) originateSummaries(prefixes []int32, whole bool) {
	for _, a := range m.areas {
		s := &a.summaries
		if !m.ours.role.border && !s.any() {
			continue
		}
		for len(s.said) < len(m.table.routes) {
			s.said = append(s.said, saidSummary{})
		}
		s.wanted = refill(s.wanted, len(s.said), wire.Infinity)
		numbers := prefixes
		if whole {
			m.ours.all = upTo(m.ours.all, int32(len(s.said)))
			numbers = m.ours.all[:len(s.said)]
		}
		for _, n := range numbers {
			m.wantSummary(a, n)
		}
		m.wantRanges(a)
		for _, n := range numbers {
			m.saySummary(a, n)
		}
		if whole {
			m.originateExits(a)
		}
	}
}

// upTo makes the list the numbers from 0 at least up to n.
func upTo(list []int32, n int32) []int32 {
	for i := int32(len(list)); i < n; i++ {
		list = append(list, i)
	}
	return list
}

// wantSummary decides whether a route is said into an area, by itself.
func (m *Machine) wantSummary(into *area, n int32) {
	s := &into.summaries
	s.wanted[n] = wire.Infinity
	if n == m.ours.anywhere && m.saysDefault(into) {
		s.wanted[n] = into.cfg.DefaultCost
		return
	}
	r := &m.table.routes[n]
	if r.Type == noPath || r.Type > InterArea || into.NoSummaries || !m.crosses(into, r.Area, r.Type, r.Ways) {
		return
	}
	if r.Type == IntraArea {
		// Ranges of the backbone do not count in a transit area.
		if from := m.area(r.Area); from != nil && !(from.ID == backbone && into.tree.Transit) && from.rangeOf(r.Prefix()) != nil {
			return
		}
	}
	s.wanted[n] = min(r.Cost, wire.Infinity)
}

// saysDefault reports whether an area gets a default route by a summary: one without
// externals, or an NSSA without summaries (RFC 3101 §2.7).
func (m *Machine) saysDefault(into *area) bool {
	return m.ours.role.border && (into.Type == Stub || into.Type == NSSA && into.NoSummaries)
}

// crosses reports whether what is reached in an area is said into another one: not
// where packets would go through that one, and into the backbone only what is in an
// area of the router's own.
func (m *Machine) crosses(into *area, from wire.ID, t PathType, ways int32) bool {
	switch {
	case !m.ours.role.border || from == into.ID:
		return false
	case t == InterArea && (into.ID == backbone || !m.ours.role.connected): // RFC 3509 §2.2
		return false
	case !into.tree.Transit:
		return true
	}
	for _, h := range m.table.Hops.sets[ways] {
		if l := m.links[m.table.Hops.hops[h].Interface]; l != nil && l.area == into {
			return false
		}
	}
	return true
}

// wantRanges has the active ranges of other areas said into an area.
func (m *Machine) wantRanges(into *area) {
	if !m.ours.role.border || into.NoSummaries {
		return
	}
	for _, a := range m.areas {
		if a == into || a.ID == backbone && into.tree.Transit {
			continue
		}
		for _, r := range a.ranges {
			if !r.active || r.Hide {
				continue
			}
			cost := r.Cost
			if cost == 0 {
				cost = r.highest
			}
			into.summaries.wanted[r.number] = min(cost, wire.Infinity)
		}
	}
}

// saySummary says of a prefix what is wanted.
func (m *Machine) saySummary(into *area, n int32) {
	s := &into.summaries
	was, wanted := &s.said[n], s.wanted[n]
	if wanted == wire.Infinity {
		if was.prefix.IsValid() {
			if id, ok := s.ids.drop(was.prefix); ok {
				m.unsay(into, wire.Identity{Type: wire.SummaryLSA, ID: id})
			}
			*was = saidSummary{}
		}
		return
	}
	p := m.prefixes.prefix(n)
	if *was == (saidSummary{p, wanted}) {
		return
	}
	id, moved, ok := s.ids.give(p)
	if !ok {
		return // no link state ID is left for it
	}
	*was = saidSummary{p, wanted}
	m.summaryLSA(into, id, p, wanted)
	if moved.IsValid() {
		q, _ := m.prefixes.find(moved)
		m.summaryLSA(into, s.ids.of[moved], moved, s.said[q].metric)
	}
}

func (m *Machine) summaryLSA(into *area, id wire.ID, p netip.Prefix, metric uint32) {
	body := wire.Summary{Mask: wire.MaskOf(p.Bits()), Metric: metric}
	m.say(into, wire.Identity{Type: wire.SummaryLSA, ID: id}, into.options()&wire.OptionE, &body)
}

// originateExits says into an area which AS boundary routers are reached in others.
func (m *Machine) originateExits(into *area) {
	s := &into.summaries
	wanted := map[wire.ID]uint32{}
	if m.ours.role.border && into.Type == Normal {
		for _, id := range m.exits() {
			if r, ok := m.table.preferredExit(id); ok && m.crosses(into, r.area, r.kind, r.ways) && r.cost < wire.Infinity {
				wanted[id] = r.cost
			}
		}
	}
	for _, id := range sortedKeys(s.exits) {
		if _, still := wanted[id]; !still {
			delete(s.exits, id)
			m.unsay(into, wire.Identity{Type: wire.ASBRSummary, ID: id})
		}
	}
	for _, id := range sortedKeys(wanted) {
		if was, said := s.exits[id]; said && was == wanted[id] {
			continue
		}
		if s.exits == nil {
			s.exits = map[wire.ID]uint32{}
		}
		s.exits[id] = wanted[id]
		m.say(into, wire.Identity{Type: wire.ASBRSummary, ID: id}, into.options()&wire.OptionE, &wire.Summary{Metric: wanted[id]})
	}
}

// exits are the AS boundary routers that have a route.
func (m *Machine) exits() []wire.ID {
	set := map[wire.ID]bool{}
	for _, a := range m.areas {
		for _, v := range a.tree.order {
			if w := a.Graph.vertices.at(v); a.Type == Normal && !w.network && w.flags&wire.RouterE != 0 && w.id != m.router {
				set[w.id] = true
			}
		}
	}
	for k := range m.table.asbrs {
		set[k.router] = true
	}
	delete(set, m.router)
	return sortedKeys(set)
}

func sortedKeys[V any](of map[wire.ID]V) []wire.ID {
	list := make([]wire.ID, 0, len(of))
	for id := range of {
		list = append(list, id)
	}
	slices.Sort(list)
	return list
}
