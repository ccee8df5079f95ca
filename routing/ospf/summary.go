package ospf

import (
	"net/netip"

	"routerd/routing/ospf/wire"
)

// through is the path that a summary of the area describes, by the border router
// that says it; ok is false where there is none (RFC 2328 §16.2 (1), (2), (4)).
func (t *Table) through(a *AreaState, e *Entry) (r reach, ok bool) {
	l := e.LSA()
	metric := wire.SummaryBody(l.Body()).Metric()
	if !e.Usable() || metric == wire.Infinity || l.Router() == t.state.Router {
		return r, false
	}
	if r, ok = a.border(l.Router(), wire.RouterB|wire.RouterE); ok {
		r.kind = InterArea
		r.cost = add(r.cost, metric)
	}
	return r, ok
}

// add adds costs, of which a path through very many routers may have more than 32
// bits hold.
func add(a, b uint32) uint32 {
	if a+b < a {
		return Unreachable - 1
	}
	return a + b
}

// summary takes the inter-area path of one LSA to a network; others are passed over.
func (t *Table) summary(a *AreaState, e *Entry) {
	if e.lsa.Type() != wire.SummaryLSA || e.prefix < 0 {
		return
	}
	r, ok := t.through(a, e)
	if p := t.state.Prefixes.prefix(e.prefix); ok && !t.ranged(p) && !t.given(a, p) {
		t.offer(&t.routes[e.prefix], Route{prefix: keyOf(p), Type: InterArea, Area: a.ID, Cost: r.cost, Ways: r.ways, Origin: e.LSA().Identity()})
	}
}

// summaries takes the inter-area paths of an area (RFC 2328 §16.2).
func (t *Table) summaries(a *AreaState) {
	for e := range a.Graph.db.All(wire.SummaryLSA) {
		t.summary(a, e)
	}
	for e := range a.Graph.db.All(wire.ASBRSummary) {
		r, ok := t.through(a, e)
		id := e.LSA().ID()
		if _, within := a.border(id, wire.RouterE); !ok || within { // §16.2 (6)
			continue
		}
		switch old, known := t.asbrs[asbr{id, a.ID}]; {
		case !known || r.cost < old.cost:
			t.asbrs[asbr{id, a.ID}] = r
		case r.cost == old.cost:
			old.ways = t.Hops.join(old.ways, r.ways)
			t.asbrs[asbr{id, a.ID}] = old
		}
	}
}

// given reports whether the prefix is the default route into a stub area or an NSSA.
// A border router gives it to the area itself, so that packets could go in a circle
// if it took another one's, as it would while its backbone is not connected (RFC 3509
// §2.2).
func (t *Table) given(a *AreaState, p netip.Prefix) bool {
	return p.Bits() == 0 && t.state.Border && a.Type != Normal
}

// ranged reports whether the prefix is a range of this router with anything in it:
// its own summary, which would lead in a circle (RFC 2328 §16.2 (3)).
func (t *Table) ranged(p netip.Prefix) bool {
	for _, a := range t.state.Areas {
		for _, r := range a.Ranges {
			if r != p {
				continue
			}
			for n := range a.tree.paths {
				in := t.state.Prefixes.prefix(int32(n))
				if a.tree.paths[n].cost != Unreachable && in.Bits() >= p.Bits() && p.Contains(in.Addr()) {
					return true
				}
			}
		}
	}
	return false
}

// transit looks for better ways through an area that carries transit traffic to
// what is reached through the backbone (RFC 2328 §16.3).
func (t *Table) transit(a *AreaState) {
	for e := range a.Graph.db.All(wire.SummaryLSA) {
		t.improve(a, e)
	}
	for e := range a.Graph.db.All(wire.ASBRSummary) {
		r, ok := t.through(a, e)
		id := e.LSA().ID()
		old, known := t.viaBackbone(id)
		if !ok || !known {
			continue
		}
		old.cost, old.ways = t.better(old.cost, old.ways, r)
		t.asbrs[asbr{id, backbone}] = old
	}
}

// improve looks for a better way to a network.
func (t *Table) improve(a *AreaState, e *Entry) {
	if e.lsa.Type() != wire.SummaryLSA || e.prefix < 0 || t.given(a, t.state.Prefixes.prefix(e.prefix)) {
		return
	}
	r, ok := t.through(a, e)
	if n := &t.routes[e.prefix]; ok && n.Type != noPath && n.Area == backbone { // intra or inter
		n.Cost, n.Ways = t.better(n.Cost, n.Ways, r)
	}
}

func (t *Table) better(cost uint32, ways int32, r reach) (uint32, int32) {
	switch {
	case r.cost < cost:
		return r.cost, r.ways
	case r.cost == cost:
		return cost, t.Hops.join(ways, r.ways)
	}
	return cost, ways
}

func (t *Table) viaBackbone(id wire.ID) (reach, bool) {
	a := t.area(backbone)
	if a == nil {
		return reach{}, false
	}
	return t.boundary(a, id)
}

// boundary is how an AS boundary router is reached as seen in an area.
func (t *Table) boundary(a *AreaState, id wire.ID) (reach, bool) {
	if r, known := t.asbrs[asbr{id, a.ID}]; known {
		return r, true
	}
	return a.border(id, wire.RouterE)
}
