package ospf

import (
	"net/netip"
	"slices"

	"routerd/routing/ospf/wire"
)

// TargetKind says what a [Step] leads to.
type TargetKind uint8

const (
	ToRouter TargetKind = iota
	ToNetwork
	ToPrefix
)

var targetKinds = [...]string{"router", "network", "prefix"}

// String gives the name used in tables and JSON.
func (k TargetKind) String() string {
	if int(k) >= len(targetKinds) {
		return "unknown"
	}
	return targetKinds[k]
}

// Step is one LSA on the way to a prefix: what it leads to, and at what cost.
type Step struct {
	LSA    wire.Identity
	Area   wire.ID // where the LSA is
	AS     bool    // it is in no area, but everywhere
	Kind   TargetKind
	ID     wire.ID      // the router, or the address of a network's DR
	Prefix netip.Prefix // of a network, invalid where its mask has a gap, or the prefix
	Cost   uint32       // that the LSA adds; 0 of a metric of type 2, which adds nothing
	Total  uint32       // from the router to here
}

// TracedWay is one next hop of a route, and the LSAs that it follows from.
type TracedWay struct {
	Hop   Hop
	Own   bool // there is no hop: the router has the prefix itself
	Steps []Step
}

// Trace gives for each next hop of the route to a prefix the LSAs that it follows
// from, the router's own first; nil where there is no such route. A way has no Steps
// if LSAs have changed since routes were calculated.
func (t *Table) Trace(p netip.Prefix) []TracedWay {
	r := t.Find(p)
	if r == nil {
		return nil
	}
	// What follows may make sets of hops, which changes none that there are.
	hops := t.Hops.Append(nil, r.Ways, 0)
	if len(hops) == 0 {
		x := tracer{table: t, own: true}
		x.route(r)
		return []TracedWay{{Own: true, Steps: x.steps}}
	}
	var list []TracedWay
	for _, h := range hops {
		x := tracer{table: t, hop: h}
		x.route(r)
		list = append(list, TracedWay{Hop: h, Steps: x.steps})
	}
	return list
}

// tracer finds the LSAs of one way.
type tracer struct {
	table *Table
	hop   Hop
	own   bool // there is no hop
	steps []Step
}

// leads reports whether the hop is one of the set.
func (x *tracer) leads(ways int32) bool {
	if x.own {
		return ways == 0
	}
	return slices.ContainsFunc(x.table.Hops.sets[ways], func(m int32) bool { return x.table.Hops.hops[m] == x.hop })
}

// route appends the steps of a route. It reports whether there are any.
func (x *tracer) route(r *Route) bool {
	n, _ := x.table.state.Prefixes.numbers.find(uint64(r.prefix))
	switch r.Type {
	case IntraArea:
		// RFC 2328 §16.3 may have found a better way through another area.
		return x.intra(r, n) || x.summary(r.Cost, func(e *Entry) bool { return e.lsa.Type() == wire.SummaryLSA && e.prefix == n }, Step{Kind: ToPrefix, Prefix: r.Prefix()})
	case InterArea:
		return x.summary(r.Cost, func(e *Entry) bool { return e.lsa.Type() == wire.SummaryLSA && e.prefix == n }, Step{Kind: ToPrefix, Prefix: r.Prefix()})
	}
	return x.external(r, n)
}

// intra appends the steps to a network, or to a router with a stub.
func (x *tracer) intra(r *Route, n int32) bool {
	a := x.table.area(r.Area)
	if a == nil {
		return false
	}
	for _, v := range a.tree.order {
		w, d := a.Graph.vertices.at(v), a.tree.distance[v]
		if w.prefix == n && d == r.Cost && x.leads(a.tree.ways[v]) {
			return x.within(a, v)
		}
		for _, s := range w.stubs {
			if s.prefix == n && d+uint32(s.cost) == r.Cost && x.leads(a.tree.ways[v]) {
				if !x.within(a, v) {
					return false
				}
				x.add(Step{LSA: w.entry.lsa.Identity(), Area: a.ID, Kind: ToPrefix, Prefix: r.Prefix(), Cost: uint32(s.cost), Total: r.Cost})
				return true
			}
		}
	}
	return false
}

// summary appends the steps to a border router, and its summary that is chosen and
// has the cost.
func (x *tracer) summary(cost uint32, chosen func(*Entry) bool, to Step) bool {
	for _, a := range x.table.state.Areas {
		for _, kind := range []wire.LSType{wire.SummaryLSA, wire.ASBRSummary} {
			for e := range a.Graph.db.All(kind) {
				if !chosen(e) {
					continue
				}
				r, ok := x.table.through(a, e)
				if !ok || r.cost != cost || !x.leads(r.ways) || !x.toRouter(a, e.lsa.Router()) {
					continue
				}
				to.LSA, to.Area, to.Cost, to.Total = e.lsa.Identity(), a.ID, wire.SummaryBody(e.lsa.Body()).Metric(), cost
				x.add(to)
				return true
			}
		}
	}
	return false
}

func (x *tracer) add(s Step) { x.steps = append(x.steps, s) }

// external appends the steps to the way out of the AS, and the external LSA.
func (x *tracer) external(r *Route, n int32) bool {
	for e := range x.table.state.AS.All(wire.ExternalLSA) {
		if e.prefix == n && x.outside(r, e, nil) {
			return true
		}
	}
	for _, a := range x.table.state.Areas {
		if a.Type != NSSA {
			continue
		}
		for e := range a.Graph.db.All(wire.NSSALSA) {
			if e.prefix == n && x.outside(r, e, a) {
				return true
			}
		}
	}
	return false
}

// outside does so for one LSA, of an NSSA or, where that is nil, of the AS.
func (x *tracer) outside(r *Route, e *Entry, nssa *AreaState) bool {
	t, b := x.table, wire.ExternalBody(e.lsa.Body())
	at, ok := t.exit(e.lsa.Router(), nssa)
	if f := b.Forwarding(); ok && f != 0 {
		at, ok = t.forward(f, nssa)
	}
	if !ok || !e.Usable() || e.lsa.Router() == t.state.Router || !x.leads(at.ways) {
		return false
	}
	s := Step{LSA: e.lsa.Identity(), AS: nssa == nil, Kind: ToPrefix, Prefix: r.Prefix(), Total: r.Cost}
	if nssa != nil {
		s.Area = nssa.ID
	}
	switch {
	case b.Type2() != (r.Type == External2):
		return false
	case b.Type2() && (b.Metric() != r.Metric || at.cost != r.Cost):
		return false
	case !b.Type2() && add(at.cost, b.Metric()) != r.Cost:
		return false
	case !b.Type2():
		s.Cost = b.Metric()
	}
	if !x.exit(at, e.lsa.Router(), b.Forwarding()) {
		x.steps = nil
		return false
	}
	x.add(s)
	return true
}

// exit appends the steps to an AS boundary router, or to the forwarding address.
func (x *tracer) exit(at reach, router, forwarding wire.ID) bool {
	if forwarding != 0 {
		return x.forward(forwarding)
	}
	if a := x.table.area(at.area); at.kind == IntraArea && a != nil && x.toRouter(a, router) {
		return true
	}
	// RFC 2328 §16.3 may have found a better way than the one within the backbone.
	return x.summary(at.cost, func(e *Entry) bool { return e.lsa.Type() == wire.ASBRSummary && e.lsa.ID() == router }, Step{Kind: ToRouter, ID: router})
}

// forward appends the steps to where a forwarding address is. Where the router is
// on its network, the hop is the address itself.
func (x *tracer) forward(address wire.ID) bool {
	for bits := 32; bits >= 0; bits-- {
		r := x.table.Find(netip.PrefixFrom((address & wire.MaskOf(bits)).Addr(), bits))
		if r == nil || r.Type > InterArea {
			continue
		}
		hop := x.hop
		if !x.leads(r.Ways) {
			x.hop.Address, x.own = netip.Addr{}, r.Ways == 0
		}
		ok := x.route(r)
		x.hop, x.own = hop, false
		return ok
	}
	return false
}

// toRouter appends the steps through an area to a router.
func (x *tracer) toRouter(a *AreaState, router wire.ID) bool {
	at, known := a.Graph.router(router)
	return known && x.within(a, at)
}

// within appends the steps through an area, from the router to the vertex at.
func (x *tracer) within(a *AreaState, at int32) bool {
	t := &a.tree
	place := make([]int32, a.Graph.vertices.n) // in the order, from 1; 0 is unreachable
	for i, v := range t.order {
		place[v] = int32(i) + 1
	}
	if int(at) >= len(place) || place[at] == 0 {
		return false
	}
	var back []Step
	hop := x.hop
	defer func() { x.hop = hop }()
	for at != t.root {
		v, e := x.before(a, at, place)
		if e == nil || a.Graph.vertices.at(v).entry == nil {
			return false // LSAs have changed since the calculation
		}
		from, to := a.Graph.vertices.at(v), a.Graph.vertices.at(at)
		s := Step{LSA: from.entry.lsa.Identity(), Area: a.ID, ID: to.id, Cost: uint32(e.cost), Total: t.distance[at]}
		if to.network {
			s.Kind = ToNetwork
			if to.prefix >= 0 {
				s.Prefix = x.table.state.Prefixes.prefix(to.prefix)
			}
		}
		back = append(back, s)
		if at = v; !x.leads(t.ways[v]) && v != t.root {
			x.hop.Address = netip.Addr{} // the way here is onto the network
		}
	}
	slices.Reverse(back)
	x.steps = append(x.steps, back...)
	return true
}

// before finds the vertex from which a shortest path with the hop leads to the
// vertex at, and its edge. Only vertices that were reached before have a part in
// that, so that links without a cost lead in no circle.
func (x *tracer) before(a *AreaState, at int32, place []int32) (int32, *edge) {
	t := &a.tree
	for i := range a.Graph.vertices.at(at).edges {
		v := a.Graph.vertices.at(at).edges[i].to
		if place[v] == 0 || place[v] >= place[at] {
			continue
		}
		edges := a.Graph.vertices.at(v).edges
		for j := range edges {
			e := &edges[j]
			if e.to != at || !e.back || t.distance[v]+uint32(e.cost) != t.distance[at] {
				continue
			}
			ways := t.ways[v]
			switch {
			case v == t.root:
				ways = t.first(e)
			case a.Graph.vertices.at(v).network && t.direct(v):
				ways = t.hops.onward(ways, t.addresses(at, v))
			}
			if x.leads(ways) {
				return v, e
			}
		}
	}
	return 0, nil
}
