package ospf

import (
	"cmp"
	"net/netip"
	"slices"

	"routerd/routing/ospf/wire"
)

// RouteInfo is a route for the show commands.
type RouteInfo struct {
	Prefix netip.Prefix
	Type   PathType
	Area   wire.ID // of IntraArea and InterArea
	Cost   uint32
	Metric uint32 // of External2
	Tag    uint32
	Hops   []Hop // empty: the router has it itself
	Origin wire.Identity
	// Alternate is the backup, or why there is none.
	Alternate Alternate
	Refused   bool // by the policy for routes on their way to the RIB
}

func (m *Machine) routeInfo(r *Route) RouteInfo {
	x := RouteInfo{
		Prefix: r.Prefix(), Type: r.Type, Area: r.Area, Cost: r.Cost, Metric: r.Metric, Tag: r.Tag,
		Hops: m.table.Hops.Append(nil, r.Ways, m.cfg.MaximumPaths), Origin: r.Origin, Alternate: Alternate{Why: NotCalculated},
	}
	n, known := m.prefixes.numbers.find(uint64(r.prefix))
	if !known {
		return x
	}
	x.Alternate = m.calc.alternates.Of(n)
	if o := m.calc.offers.routes; int(n) < len(o) {
		x.Refused = o[n].prefix == r.prefix && o[n].hops != nil && !o[n].accepted
	}
	return x
}

// Routes returns copies of up to limit routes, in order, beginning with the first
// prefix greater than after; the zero Prefix is before all.
func (m *Machine) Routes(after netip.Prefix, limit int) []RouteInfo {
	var list []*Route
	compare := func(a, b *Route) int { return a.Prefix().Compare(b.Prefix()) }
	limit = max(limit, 0)
	for r := range m.table.All {
		if after.IsValid() && after.Compare(r.Prefix()) >= 0 {
			continue
		}
		if list = append(list, r); len(list) > 2*limit {
			slices.SortFunc(list, compare)
			list = list[:limit]
		}
	}
	slices.SortFunc(list, compare)
	list = list[:min(len(list), limit)]
	infos := make([]RouteInfo, len(list))
	for i, r := range list {
		infos[i] = m.routeInfo(r)
	}
	return infos
}

// Route returns a copy of the route to a prefix.
func (m *Machine) Route(p netip.Prefix) (RouteInfo, bool) {
	r := m.table.Find(p)
	if r == nil {
		return RouteInfo{}, false
	}
	return m.routeInfo(r), true
}

// Discards gives the area whose active range the prefix is, if its addresses are
// discarded that have no other route (RFC 2328 §11.1).
func (m *Machine) Discards(p netip.Prefix) (area wire.ID, ok bool) {
	n, known := m.prefixes.find(p)
	o := m.calc.offers.routes
	if !known || int(n) >= len(o) || o[n].prefix != keyOf(p) || o[n].hops != discarding {
		return 0, false
	}
	for _, a := range m.areas {
		if slices.ContainsFunc(a.cfg.Ranges, func(r Range) bool { return r.Prefix == p }) {
			return a.ID, true
		}
	}
	return 0, false
}

// Trace returns for each next hop of the route to a prefix the LSAs that it follows
// from; see [Table.Trace].
func (m *Machine) Trace(p netip.Prefix) []TracedWay { return m.table.Trace(p) }

// BorderInfo is how a border router of an area or of the AS is reached.
type BorderInfo struct {
	Router           wire.ID
	Area             wire.ID  // that the way leads through
	Type             PathType // IntraArea or InterArea
	Border, Boundary bool     // of areas, of the AS; InterArea is of the AS alone
	Cost             uint32
	Hops             []Hop
}

// BorderRouters returns how the border routers of areas and of the AS are reached,
// by router and area.
func (m *Machine) BorderRouters() []BorderInfo {
	var list []BorderInfo
	t := &m.table
	for _, a := range m.areas {
		for _, v := range a.tree.order {
			w := a.Graph.vertices.at(v)
			if w.network || w.flags&(wire.RouterB|wire.RouterE) == 0 || w.id == m.router {
				continue
			}
			list = append(list, BorderInfo{
				Router: w.id, Area: a.ID, Type: IntraArea, Border: w.flags&wire.RouterB != 0, Boundary: w.flags&wire.RouterE != 0,
				Cost: a.tree.distance[v], Hops: t.Hops.Append(nil, a.tree.ways[v], m.cfg.MaximumPaths),
			})
		}
	}
	for k, r := range t.asbrs {
		if r.kind == InterArea {
			list = append(list, BorderInfo{
				Router: k.router, Area: k.area, Type: InterArea, Boundary: true, Cost: r.cost, Hops: t.Hops.Append(nil, r.ways, m.cfg.MaximumPaths),
			})
		}
	}
	slices.SortFunc(list, func(a, b BorderInfo) int {
		return cmp.Or(cmp.Compare(a.Router, b.Router), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Area, b.Area))
	})
	return list
}

// TreeNode is a router or a network of an area, as the shortest paths reach it.
type TreeNode struct {
	Area             wire.ID
	Network          bool
	ID               wire.ID      // the router, or the address of the network's DR
	Prefix           netip.Prefix // of a network; invalid where its mask has a gap
	Border, Boundary bool         // of a router
	Distance         uint32
	Hops             []Hop
	// Parents are those that the shortest paths come by, none of the router itself.
	Parents []TreeParent
	Links   []TreeLink // all of its own that lead both ways
}

// TreeParent is the one before on a shortest path.
type TreeParent struct {
	Network bool
	ID      wire.ID
	Cost    uint32
}

// TreeLink is a link to another node, whether a shortest path or not.
type TreeLink struct {
	Network bool
	ID      wire.ID
	Cost    uint32
}

// Tree returns the shortest paths through an area, the nearest first; nil if the
// router is not attached to it, or does not know of itself yet.
func (m *Machine) Tree(id wire.ID) []TreeNode {
	a := m.area(id)
	if a == nil {
		return nil
	}
	t := &a.tree
	place := make([]int32, a.Graph.vertices.n) // in the order, from 1; 0 is unreachable
	for i, v := range t.order {
		place[v] = int32(i) + 1
	}
	list := make([]TreeNode, 0, len(t.order))
	for _, v := range t.order {
		w := a.Graph.vertices.at(v)
		n := TreeNode{
			Area: a.ID, Network: w.network, ID: w.id, Distance: t.distance[v],
			Border: w.flags&wire.RouterB != 0, Boundary: w.flags&wire.RouterE != 0,
			Hops: m.table.Hops.Append(nil, t.ways[v], m.cfg.MaximumPaths),
		}
		if w.network && w.prefix >= 0 {
			n.Prefix = m.prefixes.prefix(w.prefix)
		}
		for i := range w.edges {
			e := &w.edges[i]
			o := a.Graph.vertices.at(e.to)
			if e.back {
				n.Links = append(n.Links, TreeLink{o.network, o.id, uint32(e.cost)})
			}
			if place[e.to] == 0 || place[e.to] >= place[v] {
				continue
			}
			for _, back := range o.edges {
				if back.to == v && back.back && t.distance[e.to]+uint32(back.cost) == t.distance[v] {
					n.Parents = append(n.Parents, TreeParent{o.network, o.id, uint32(back.cost)})
					break
				}
			}
		}
		n.Parents = dedupe(n.Parents)
		list = append(list, n)
	}
	return list
}

// dedupe leaves one of several links to the same parent.
func dedupe(list []TreeParent) []TreeParent {
	slices.SortFunc(list, func(a, b TreeParent) int {
		return cmp.Or(compareBool(a.Network, b.Network), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Cost, b.Cost))
	})
	return slices.CompactFunc(list, func(a, b TreeParent) bool { return a.Network == b.Network && a.ID == b.ID })
}
