package ospf

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"routerd/routing"
	"routerd/routing/ospf/wire"
)

// candidate is a path that some LSA offers.
type candidate struct {
	prefix       netip.Prefix
	kind         PathType
	metric, cost uint32
	otherwise    bool
	area         wire.ID
	tag          uint32
	origin       wire.ID
	ways         []string
}

// better reports whether c is preferred to o, by the rules of RFC 2328 one after
// the other; two that are not better than each other are equal.
func (c candidate) better(o candidate) bool {
	switch {
	case c.kind != o.kind:
		return c.kind < o.kind
	case c.metric != o.metric:
		return c.metric < o.metric
	case c.otherwise != o.otherwise:
		return o.otherwise
	case c.cost != o.cost:
		return c.cost < o.cost
	}
	return c.area > o.area
}

// choose gives the best of the candidates, with all equal ones put together.
func choose(list []candidate) (best candidate) {
	best = list[0]
	for _, c := range list {
		if c.better(best) {
			best = c
		}
	}
	set := map[string]bool{}
	for _, c := range list {
		if best.better(c) {
			continue
		}
		for _, w := range c.ways {
			set[w] = true
		}
		if c.origin >= best.origin {
			best.origin = c.origin
		}
	}
	best.ways = slices.Sorted(maps.Keys(set))
	return best
}

// naiveTable gathers whatever is offered, and chooses after that.
type naiveTable struct {
	*State
	hops   *Hops
	routes map[netip.Prefix]candidate
	asbrs  map[wire.ID]map[wire.ID]candidate // by area
}

func newNaiveTable(s *State, hops *Hops) *naiveTable {
	n := &naiveTable{s, hops, map[netip.Prefix]candidate{}, map[wire.ID]map[wire.ID]candidate{}}
	offered := map[netip.Prefix][]candidate{}
	offer := func(c candidate) { offered[c.prefix] = append(offered[c.prefix], c) }
	settle := func() {
		for p, list := range offered {
			n.routes[p] = choose(list)
		}
	}
	for _, a := range s.Areas {
		n.asbrs[a.ID] = map[wire.ID]candidate{}
		for p := range a.tree.Paths {
			offer(candidate{prefix: p.Prefix, kind: IntraArea, area: a.ID, cost: p.Cost, ways: ways(hops, p.Ways)})
		}
		for id := wire.ID(0); id < 9; id++ {
			if c, ok := n.within(a, id, bitE); ok {
				n.asbrs[a.ID][id] = c
			}
		}
	}
	for _, a := range s.Areas {
		if s.Connected && a.ID != 0 {
			continue
		}
		exits := map[wire.ID][]candidate{}
		for e := range a.Graph.db.All(wire.SummaryLSA) {
			if c, ok := n.summary(a, e); ok {
				offer(c)
			}
		}
		for e := range a.Graph.db.All(wire.ASBRSummary) {
			if c, ok := n.summary(a, e); ok && n.asbrs[a.ID][e.LSA().ID()].kind != IntraArea {
				exits[e.LSA().ID()] = append(exits[e.LSA().ID()], c)
			}
		}
		for id, list := range exits {
			n.asbrs[a.ID][id] = choose(list)
		}
	}
	settle()
	n.transit()
	internal := maps.Clone(n.routes)
	offered = map[netip.Prefix][]candidate{}
	for p, c := range n.routes {
		offered[p] = []candidate{c}
	}
	for e := range s.AS.All(wire.ExternalLSA) {
		n.external(e, nil, internal, offer)
	}
	for _, a := range s.Areas {
		for e := range a.Graph.db.All(wire.NSSALSA) {
			if a.Type == NSSA {
				n.external(e, a, internal, offer)
			}
		}
	}
	settle()
	return n
}

// drawRole has the router be a border router or none, connected or not.
func (s *State) drawRole(t *rapid.T) {
	s.Border = rapid.Bool().Draw(t, "border")
	s.Connected = s.Border && rapid.Bool().Draw(t, "connected")
}

func (n *naiveTable) within(a *AreaState, id wire.ID, bits wire.RouterFlags) (candidate, bool) {
	e := a.Graph.db.Find(wire.Identity{Type: wire.RouterLSA, ID: id, Router: id})
	d, w := a.tree.Router(id)
	if e == nil || !e.Usable() || d == Unreachable || wire.RouterBody(e.LSA().Body()).Flags()&bits == 0 {
		return candidate{}, false
	}
	return candidate{kind: IntraArea, area: a.ID, cost: d, ways: ways(n.hops, w)}, true
}

func (n *naiveTable) summary(a *AreaState, e *Entry) (candidate, bool) {
	l := e.LSA()
	c, ok := n.within(a, l.Router(), bitBE)
	metric := wire.SummaryBody(l.Body()).Metric()
	network := l.Type() == wire.SummaryLSA
	if !ok || !e.Usable() || metric == wire.Infinity || l.Router() == self || network && !l.Prefix().IsValid() {
		return c, false
	}
	c.kind, c.cost, c.origin = InterArea, c.cost+metric, l.Router()
	if network {
		c.prefix = l.Prefix()
	}
	return c, !n.Border || a.Type == Normal || c.prefix != anywhere
}

func (n *naiveTable) transit() {
	for _, a := range n.Areas {
		if !n.Connected || a.ID == 0 || !a.tree.Transit {
			continue
		}
		for _, t := range []wire.LSType{wire.SummaryLSA, wire.ASBRSummary} {
			for e := range a.Graph.db.All(t) {
				c, ok := n.summary(a, e)
				old, known := n.routes[c.prefix]
				if t == wire.ASBRSummary {
					old, known = n.asbrs[0][e.LSA().ID()]
				}
				if !ok || !known || old.area != 0 || c.cost > old.cost {
					continue
				}
				if c.cost == old.cost {
					c.ways = slices.Compact(slices.Sorted(slices.Values(slices.Concat(c.ways, old.ways))))
				}
				old.cost, old.ways = c.cost, c.ways
				if t == wire.ASBRSummary {
					n.asbrs[0][e.LSA().ID()] = old
				} else {
					n.routes[c.prefix] = old
				}
			}
		}
	}
}

func (n *naiveTable) external(e *Entry, nssa *AreaState, internal map[netip.Prefix]candidate, offer func(candidate)) {
	l := e.LSA()
	b := wire.ExternalBody(l.Body())
	if !e.Usable() || b.Metric() == wire.Infinity || l.Router() == self || !l.Prefix().IsValid() ||
		nssa != nil && n.Border && l.Prefix().Bits() == 0 && l.Options()&wire.OptionNP == 0 {
		return
	}
	var exits []candidate
	for _, a := range n.Areas {
		c, ok := n.asbrs[a.ID][l.Router()]
		if ok && (nssa == nil && a.Type == Normal || a == nssa && c.kind == IntraArea) {
			c.otherwise = !n.RFC1583 && (c.kind != IntraArea || a.ID == 0)
			c.kind, c.area = External1, a.ID
			exits = append(exits, c)
		}
	}
	if len(exits) == 0 {
		return
	}
	c := choose(exits)
	if f := b.Forwarding(); f != 0 {
		var ok bool
		if c, ok = n.forward(f, nssa, internal); !ok {
			return
		}
		c.otherwise = !n.RFC1583 && (c.kind != IntraArea || c.area == 0)
	}
	c.prefix, c.kind, c.area, c.tag, c.origin = l.Prefix(), External1, 0, b.Tag(), l.Router()
	if b.Type2() {
		c.kind, c.metric = External2, b.Metric()
	} else {
		c.cost += b.Metric()
	}
	offer(c)
}

func (n *naiveTable) forward(f wire.ID, nssa *AreaState, internal map[netip.Prefix]candidate) (best candidate, found bool) {
	for p, c := range internal {
		if p.Contains(f.Addr()) && (!found || p.Bits() > best.prefix.Bits()) {
			best, found = c, true
		}
	}
	if !found {
		return best, false
	}
	var to []string
	for _, w := range best.ways {
		if !slices.Contains([]byte(w), ':') { // a network of the router itself
			w = fmt.Sprintf("%s:%v", w, f)
		}
		to = append(to, w)
	}
	best.ways = to
	for _, a := range n.Areas {
		if a.ID == best.area && (nssa == nil && a.Type == Normal || a == nssa && best.kind == IntraArea) {
			return best, len(to) > 0
		}
	}
	return best, false
}

// Whatever the LSAs of three areas and of the AS, the routes are those of gathering
// all that is offered and choosing after that.
func TestTableIsTheNaiveOne(t *testing.T) {
	some := rapid.Uint32Range(1, 5)
	metrics := rapid.OneOf(rapid.Uint32Range(1, 4), rapid.Just(uint32(wire.Infinity)))
	prefixes := rapid.SampledFrom([]string{"0.0.0.1/32", "0.0.0.2/31", "0.0.0.0/0", "0.0.0.0/29", "9.0.0.0/8"})
	rapid.Check(t, func(t *rapid.T) {
		s := newSite(0, 1, 2)
		for i, a := range s.state.Areas {
			if i > 0 {
				a.Type = rapid.SampledFrom([]AreaType{Normal, Stub, NSSA}).Draw(t, "type of area")
			}
			for d := range 5 {
				s.attach(a.ID, wire.ID(100+d), routing.InterfaceID(10*i+d), 1, 2, 3, 4, 5)
			}
		}
		for change := range rapid.IntRange(1, 4).Draw(t, "changes") {
			s.state.drawRole(t)
			s.state.RFC1583 = rapid.Bool().Draw(t, "RFC 1583")
			s.state.Virtual = nil
			for range rapid.IntRange(0, 1).Draw(t, "virtual links") {
				s.state.Virtual = append(s.state.Virtual, VirtualLink{drawID(t), wire.ID(rapid.Uint32Range(1, 2).Draw(t, "transit area"))})
			}
			for id := wire.ID(0); id < 3; id++ {
				a := s.areas[id]
				if change == 0 || rapid.Bool().Draw(t, "other links") {
					a.drawNetwork(t, rapid.Uint16Range(1, 3))
				}
				for range rapid.IntRange(2, 9).Draw(t, "summaries") {
					a.summary(drawID(t), prefixes.Draw(t, "prefix"), metrics.Draw(t, "metric"))
					a.boundary(drawID(t), drawID(t), metrics.Draw(t, "metric"))
				}
				for range rapid.IntRange(0, 3).Draw(t, "externals of the area") {
					a.external(wire.NSSALSA, drawID(t), prefixes.Draw(t, "prefix"), drawExternal(t, metrics.Draw(t, "metric"), some))
				}
			}
			for range rapid.IntRange(2, 9).Draw(t, "externals") {
				s.as.external(wire.ExternalLSA, drawID(t), prefixes.Draw(t, "prefix"), drawExternal(t, metrics.Draw(t, "metric"), some))
			}
			s.table.Calculate(&s.state)
			n := newNaiveTable(&s.state, &s.table.Hops)
			var got, want []string
			for r := range s.table.All {
				origin := r.Origin.Router
				if r.Type == IntraArea {
					origin = 0 // TestTreeIsTheNaiveOne's
				}
				got = append(got, fmt.Sprintf("%v %v cost %d metric %d by %v of %d", r.Prefix(), r.Type, r.Cost, r.Metric, slices.Sorted(slices.Values(ways(&s.table.Hops, r.Ways))), origin))
			}
			for p, c := range n.routes {
				want = append(want, fmt.Sprintf("%v %v cost %d metric %d by %v of %d", p, c.kind, c.cost, c.metric, slices.Sorted(slices.Values(c.ways)), c.origin))
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("got\n%q, want\n%q", got, want)
			}
			for r := range s.table.All {
				checkTrace(t, &s.table, r)
			}
		}
	})
}

func drawExternal(t *rapid.T, metric uint32, some *rapid.Generator[uint32]) wire.External {
	e := wire.External{Metric: metric, Type2: rapid.Bool().Draw(t, "type 2")}
	if rapid.Bool().Draw(t, "forwarding") {
		e.Forwarding = wire.ID(some.Draw(t, "forwarding address"))
	}
	return e
}
