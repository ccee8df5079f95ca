package ospf

import "routerd/routing/ospf/wire"

// vantage is an area as a neighbour of the calculating router sees it: how far
// everything is from there. It has no ways.
type vantage struct {
	vertex   int32    // the neighbour
	distance []uint32 // of vertices
	// crosses: of vertices, that some shortest path leads through an area border
	// router, which may leave the area there; the neighbour itself counts.
	crosses []bool
	routes  []far           // by number of the prefix
	exits   map[wire.ID]far // AS boundary routers outside of the area
}

// far is how far something is that has a route of the calculating router. Where
// the route is of another kind, it is Unreachable.
type far struct {
	cost    uint32
	crosses bool
}

// nearer puts two ways to the same thing together.
func (f *far) nearer(o far) {
	switch {
	case o.cost < f.cost:
		*f = o
	case o.cost == f.cost:
		f.crosses = f.crosses || o.crosses
	}
}

func (f far) and(cost uint32) far {
	if f.cost == Unreachable {
		return f
	}
	return far{add(f.cost, cost), f.crosses}
}

// calculate finds the distances of all vertices from the vertex at.
func (v *vantage) calculate(g *Graph, at int32, queue *buckets) {
	n := g.vertices.n
	v.vertex = at
	v.distance, v.crosses = refill(v.distance, n, Unreachable), refill(v.crosses, n, false)
	queue.reset(n, 2*uint64(g.highest)+1)
	v.distance[at] = 0
	queue.push(at, v.rank(g, at))
	for queue.n > 0 {
		at := queue.pop()
		w := g.vertices.at(at)
		crosses := v.crosses[at] || !w.network && w.flags&wire.RouterB != 0
		for i := range w.edges {
			e := &w.edges[i]
			d := v.distance[at] + uint32(e.cost)
			switch old := v.distance[e.to]; {
			case !e.back || d > old || d < v.distance[at]:
			case d == old:
				v.crosses[e.to] = v.crosses[e.to] || crosses
			default:
				if old != Unreachable {
					queue.remove(e.to, v.rank(g, e.to))
				}
				v.distance[e.to], v.crosses[e.to] = d, crosses
				queue.push(e.to, v.rank(g, e.to))
			}
		}
	}
}

// rank is that of [Tree]: networks come first.
func (v *vantage) rank(g *Graph, at int32) uint64 {
	rank := 2 * uint64(v.distance[at])
	if !g.vertices.at(at).network {
		rank++
	}
	return rank
}

// to is how far a vertex is.
func (v *vantage) to(at int32) far { return far{v.distance[at], v.crosses[at]} }

// router is how far a router is.
func (v *vantage) router(g *Graph, id wire.ID) far {
	at, known := g.router(id)
	if !known {
		return far{cost: Unreachable}
	}
	return v.to(at)
}

// internal finds how far the prefixes are to which t has routes of the area.
func (v *vantage) internal(t *Table, a *AreaState) {
	v.routes = refill(v.routes, len(t.routes), far{cost: Unreachable})
	g := a.Graph
	is := func(prefix int32, kind PathType) bool {
		r := &t.routes[prefix]
		return r.Type == kind && r.Area == a.ID
	}
	for _, at := range a.tree.order {
		w, to := g.vertices.at(at), v.to(at)
		if w.prefix >= 0 && is(w.prefix, IntraArea) {
			v.routes[w.prefix].nearer(to)
		}
		for _, s := range w.stubs {
			if is(s.prefix, IntraArea) {
				v.routes[s.prefix].nearer(to.and(uint32(s.cost)))
			}
		}
	}
	clear(v.exits)
	if !t.examined(a) {
		return
	}
	for e := range g.db.All(wire.SummaryLSA) {
		if _, ok := t.through(a, e); ok && e.prefix >= 0 && is(e.prefix, InterArea) {
			v.routes[e.prefix].nearer(v.summary(g, e))
		}
	}
	for e := range g.db.All(wire.ASBRSummary) {
		if _, ok := t.through(a, e); !ok {
			continue
		}
		if v.exits == nil {
			v.exits = map[wire.ID]far{}
		}
		id := e.LSA().ID()
		f, known := v.exits[id]
		if !known {
			f.cost = Unreachable
		}
		f.nearer(v.summary(g, e))
		v.exits[id] = f
	}
}

// summary is how far what a summary describes is, by the router that says it.
func (v *vantage) summary(g *Graph, e *Entry) far {
	l := e.LSA()
	return v.router(g, l.Router()).and(wire.SummaryBody(l.Body()).Metric())
}

// external is how far the way out is that an external path of t takes in the area.
func (v *vantage) external(a *AreaState, p *outside) far {
	switch {
	case p.reach.prefix >= 0:
		return v.routes[p.reach.prefix]
	case p.reach.kind == IntraArea:
		return v.router(a.Graph, p.route.Origin.Router)
	}
	f, known := v.exits[p.route.Origin.Router]
	if !known {
		f.cost = Unreachable
	}
	return f
}
