package bgp

import (
	"net/netip"
	"slices"

	"routerd/routing/bgp/wire"
	"routerd/routing/policy"
)

// Aggregate is a prefix that the router originates while it has a more specific route
// (RFC 4271 §9.2.2.2). What is in it and has no route of its own is discarded.
type Aggregate struct {
	Prefix netip.Prefix // masked
	// SummaryOnly: neighbours are sent the aggregate in place of what it is made of.
	SummaryOnly bool
	// Policy is asked for the aggregate, and may set its attributes; one that it rejects is
	// not originated. Empty = as it is.
	Policy policy.Chain
}

func (a *Aggregate) same(as *Aggregate) bool {
	return a.SummaryOnly == as.SummaryOnly && a.Policy.Same(as.Policy)
}

// aggregate is one of the configuration, and what it is made of: the best routes of more
// specific prefixes, other aggregates not among them.
type aggregate struct {
	cfg    Aggregate
	parts  map[uint32]component // by number of the prefix
	counts map[component]int
	active bool // it is originated
	due    bool // it is in the list of those that may be another now
}

// component is what an aggregate's attributes depend on of a route.
type component struct {
	origin wire.Origin
	atomic bool // it is an aggregate itself, of another router
	path   string
}

// aggregates are those of a family.
type aggregates struct {
	byPrefix map[netip.Prefix]*aggregate
	bits     []int        // the lengths that there are, ascending
	due      []*aggregate // that may be others now
}

// aggregatePath is the path identifier, among the router's own routes, of aggregates.
const aggregatePath = 1

// aggregateDistance is that of the routes that discard what is in an aggregate alone.
const aggregateDistance = 200

// within yields the aggregates that a prefix is more specific than.
func (g *aggregates) within(p netip.Prefix) func(yield func(*aggregate) bool) {
	return func(yield func(*aggregate) bool) {
		for _, bits := range g.bits {
			if bits >= p.Bits() {
				return
			}
			shorter, _ := p.Addr().Prefix(bits)
			if a := g.byPrefix[shorter]; a != nil && !yield(a) {
				return
			}
		}
	}
}

// contribute has aggregates made of what was chosen for a prefix, or no longer.
func (m *Machine) contribute(r *rib, n uint32, l *chosen) {
	g := &r.aggregates
	if len(g.bits) == 0 {
		return
	}
	is := l.attributes != 0 && !(l.source == 0 && l.path == aggregatePath)
	var c component
	for a := range g.within(r.table.Prefix(n)) {
		if is && c == (component{}) {
			m.attributes.At(l.attributes - 1).octets.Read(&m.given)
			c = component{m.given.Origin, m.given.Has(wire.AttrAtomicAggregate), string(m.given.ASPath)}
		}
		before, was := a.parts[n]
		if was == is && before == c {
			continue
		}
		if was {
			delete(a.parts, n)
			if a.counts[before]--; a.counts[before] == 0 {
				delete(a.counts, before)
				g.look(a)
			}
		}
		if is {
			a.parts[n] = c
			if a.counts[c]++; a.counts[c] == 1 {
				g.look(a)
			}
		}
		if was != is && a.active && a.cfg.SummaryOnly {
			m.tell(r, n)
		}
	}
}

// look has an aggregate looked at when everything is decided.
func (g *aggregates) look(a *aggregate) {
	if !a.due {
		a.due = true
		g.due = append(g.due, a)
	}
}

// aggregate originates aggregates as they are now, and reports whether there was anything
// to do.
func (m *Machine) aggregate(r *rib) bool {
	g := &r.aggregates
	if len(g.due) == 0 {
		return false
	}
	for _, a := range g.due {
		a.due = false
		active := len(a.parts) > 0 && g.byPrefix[a.cfg.Prefix] == a && m.compose(a)
		if active {
			m.set = m.given.AppendSet(m.set[:0])
			r.put(r.table.Put(a.cfg.Prefix, 0, aggregatePath, m.attributes.take(m.set, &m.given), 0))
		} else if n, ok := r.table.Number(a.cfg.Prefix); ok && a.active && r.table.Remove(n, 0, aggregatePath) {
			r.touch(n)
		}
		if a.active != active {
			a.active = active
			m.tellParts(r, a)
		}
	}
	g.due = g.due[:0]
	return true
}

// tellParts has neighbours sent what an aggregate is made of, or that it is no longer for
// them, if that depends on the aggregate.
func (m *Machine) tellParts(r *rib, a *aggregate) {
	if !a.cfg.SummaryOnly {
		return
	}
	for n := range a.parts {
		m.tell(r, n)
	}
}

// compose makes in given the attributes of an aggregate, and reports false if its policy
// rejects it. The path is what all it is made of begin with, since there are no sets (RFC
// 9774).
func (m *Machine) compose(a *aggregate) bool {
	var origin wire.Origin
	var common []uint32
	first, atomic := true, false
	for c := range a.counts {
		origin = max(origin, c.origin)
		numbers := sequence(wire.Path(c.path))
		if first {
			common, first = numbers, false
		}
		shared := 0
		for shared < min(len(common), len(numbers)) && common[shared] == numbers[shared] {
			shared++
		}
		common = common[:shared]
	}
	for c := range a.counts {
		atomic = atomic || c.atomic || wire.Path(c.path).Length() > len(common) // RFC 4271 §5.1.6
	}
	g := &m.given
	*g = wire.Attributes{Origin: origin, Aggregator: wire.Aggregator{AS: m.cfg.AS, ID: m.cfg.RouterID}}
	g.ASPath = wire.AppendSequence(nil, common)
	g.Set(wire.AttrOrigin)
	g.Set(wire.AttrASPath)
	g.Set(wire.AttrAggregator)
	if atomic {
		g.Set(wire.AttrAtomicAggregate)
	}
	if len(a.cfg.Policy) == 0 {
		return true
	}
	m.seen = PolicyAttributes{Attributes: *g}
	m.policies = policy.Route{Prefix: a.cfg.Prefix, Attributes: &m.seen}
	if !a.cfg.Policy.Accepts(&m.policies) {
		return false
	}
	*g = m.policies.Attributes.(*PolicyAttributes).Attributes
	return g.Fits()
}

// sequence are the AS numbers that a path begins with, up to the first set.
func sequence(p wire.Path) (list []uint32) {
	for s := range p.Segments {
		if s.Type != wire.SegmentSequence {
			break
		}
		for i := range s.Len() {
			list = append(list, s.AS(i))
		}
	}
	return list
}

// suppressed reports whether neighbours are sent an aggregate in place of a prefix.
func (m *Machine) suppressed(r *rib, n uint32) bool {
	g := &r.aggregates
	if len(g.bits) == 0 {
		return false
	}
	for a := range g.within(r.table.Prefix(n)) {
		if !a.cfg.SummaryOnly || !a.active {
			continue
		}
		if _, is := a.parts[n]; is {
			return true
		}
	}
	return false
}

// reconfigureAggregates takes the aggregates of the configuration. What new ones are made
// of is found a part in each step.
func (m *Machine) reconfigureAggregates(before *Config) {
	wanted := map[netip.Prefix]bool{}
	for _, c := range m.cfg.Aggregates {
		wanted[c.Prefix] = true
		f := wire.FamilyFor(c.Prefix)
		r := m.ribs[f]
		g := &r.aggregates
		a := g.byPrefix[c.Prefix]
		if a == nil {
			if g.byPrefix == nil {
				g.byPrefix = map[netip.Prefix]*aggregate{}
			}
			g.byPrefix[c.Prefix] = &aggregate{cfg: c, parts: map[uint32]component{}, counts: map[component]int{}}
			m.again(f)
			continue
		}
		if was := a.cfg; !was.same(&c) || before.AS != m.cfg.AS || before.RouterID != m.cfg.RouterID {
			m.tellParts(r, a)
			a.cfg = c
			m.tellParts(r, a)
			g.look(a)
		}
	}
	for _, r := range m.ribs {
		g := &r.aggregates
		g.bits = g.bits[:0]
		for p, a := range g.byPrefix {
			if !wanted[p] {
				delete(g.byPrefix, p)
				g.look(a)
			} else if !slices.Contains(g.bits, p.Bits()) {
				g.bits = append(g.bits, p.Bits())
			}
		}
		slices.Sort(g.bits)
	}
}
