package ospf

import (
	"cmp"
	"net/netip"
	"slices"

	"routerd/routing/ospf/wire"
)

// AreaType is what an area takes of externals (RFC 2328 §3.6, RFC 3101).
type AreaType uint8

const (
	Normal AreaType = iota
	Stub
	NSSA
)

var areaTypes = [...]string{"normal", "stub", "nssa"}

// String gives the name used in configuration, tables and JSON.
func (t AreaType) String() string {
	if int(t) >= len(areaTypes) {
		return "unknown"
	}
	return areaTypes[t]
}

// backbone is the area to which all others connect.
const backbone wire.ID = 0

// AreaState is one attached area, as routes are calculated from it.
type AreaState struct {
	ID          wire.ID
	Type        AreaType
	NoSummaries bool // of a border router: nothing but a default goes into the area
	Graph       *Graph
	Attachments []Attachment
	Ranges      []netip.Prefix // what a border router makes one summary of
	tree        Tree
	stale       Difference // what the tree has not followed yet
	since       since      // unless stale is OtherPaths: in detail
}

// VirtualLink is a link of the backbone through another area.
type VirtualLink struct {
	Peer, Transit wire.ID
}

// State is what all routes of a router are calculated from.
type State struct {
	Router   wire.ID
	Areas    []*AreaState // ascending
	AS       *Database    // ExternalLSA
	Prefixes *Prefixes    // of all graphs
	Virtual  []VirtualLink
	// Border is whether the router is an area border router, and Connected that it is
	// one whose backbone is connected (RFC 3509 §2.1): then the backbone's summaries
	// alone are examined.
	Border, Connected bool
	// RFC1583 has costs alone decide between several ways to an AS boundary router
	// (RFC 2328 §C.1).
	RFC1583 bool
}

// PathType is how a route is known; the lower is preferred (RFC 2328 §11).
type PathType uint8

const (
	noPath PathType = iota
	IntraArea
	InterArea
	External1
	External2
)

var pathTypes = [...]string{"none", "intra-area", "inter-area", "external-1", "external-2"}

// String gives the name used in tables and JSON.
func (p PathType) String() string {
	if int(p) >= len(pathTypes) {
		return "unknown"
	}
	return pathTypes[p]
}

// Route is the best route to a prefix, with all ways that are equal.
type Route struct {
	prefix prefixKey
	Area   wire.ID // of IntraArea and InterArea
	Cost   uint32  // of External2 that to where the packets leave the AS
	Metric uint32  // of External2: what comes first when compared
	Tag    uint32  // of externals
	// Ways is a set of the table's Hops. It is empty of what the router has itself.
	Ways int32
	// Origin is the LSA; of several equal ones the one of the highest router.
	Origin wire.Identity
	Type   PathType
	// otherwise: of externals, that the path within the AS is not one within an
	// area other than the backbone (RFC 2328 §16.4.1).
	otherwise bool
}

// Prefix is where it leads to.
func (r *Route) Prefix() netip.Prefix { return r.prefix.prefix() }

// Table is the routes of a router, by one calculation (RFC 2328 §16). Its memory is
// used again by the next one.
type Table struct {
	Hops    Hops
	routes  []Route // by number of the prefix
	asbrs   map[asbr]reach
	exits   map[wire.ID]exit  // of externals of the AS
	reached map[wire.ID]reach // of forwarding addresses
	lengths [33]bool          // of prefixes of internal routes
	fresh   int               // sets of hops that all trees anew had
	state   *State
	// numbers are those of the prefixes of routes.
	numbers *Prefixes
}

// asbr is an AS boundary router as seen in one area.
type asbr struct {
	router, area wire.ID
}

// reach is how a router or an address is reached.
type reach struct {
	kind   PathType // IntraArea or InterArea
	area   wire.ID
	cost   uint32
	ways   int32
	prefix int32 // of an address: the number of its route's; -1 of a router
}

// exit is the preferred way to an AS boundary router.
type exit struct {
	reach
	found bool
}

func (r reach) otherwise() bool { return r.kind != IntraArea || r.area == backbone }

// Calculate makes t the routes that follow from the state, which nothing else has a
// part in.
func (t *Table) Calculate(s *State) {
	t.Hops.reset()
	for _, a := range s.Areas {
		a.stale = OtherPaths
	}
	t.follow(s)
	t.fresh = len(t.Hops.sets)
}

// follow calculates all routes from those trees that are not stale and anew from
// the others.
func (t *Table) follow(s *State) {
	t.state, t.numbers = s, s.Prefixes
	if t.asbrs == nil {
		t.asbrs, t.exits, t.reached = map[asbr]reach{}, map[wire.ID]exit{}, map[wire.ID]reach{}
	}
	clear(t.asbrs)
	clear(t.exits)
	clear(t.reached)
	t.lengths = [33]bool{}
	t.routes = refill(t.routes, s.Prefixes.len(), Route{})
	t.trees()
	for _, a := range s.Areas {
		for n := range a.tree.paths {
			t.intra(a, int32(n))
		}
	}
	for _, a := range s.Areas {
		if t.examined(a) {
			t.summaries(a)
		}
	}
	for _, a := range s.Areas {
		if t.improves(a) {
			t.transit(a)
		}
	}
	for i := range t.routes {
		if r := &t.routes[i]; r.Type != noPath {
			t.lengths[r.prefix.bits()] = true
		}
	}
	t.externals()
}

// examined reports whether the summaries of the area are (RFC 2328 §16.2; RFC 3509
// §2.2).
func (t *Table) examined(a *AreaState) bool { return !t.state.Connected || a.ID == backbone }

// improves reports whether the summaries of the area may give better ways (RFC 2328
// §16.3).
func (t *Table) improves(a *AreaState) bool {
	return t.state.Connected && a.ID != backbone && a.tree.Transit
}

// All gives all routes, in an order that depends on the state alone.
func (t *Table) All(yield func(*Route) bool) {
	for i := range t.routes {
		if r := &t.routes[i]; r.Type != noPath && !yield(r) {
			return
		}
	}
}

// Find gives the route to exactly the prefix, nil if there is none, or if none was
// calculated since the prefix is known.
func (t *Table) Find(p netip.Prefix) *Route {
	if t.state == nil {
		return nil
	}
	n, known := t.state.Prefixes.find(p)
	if !known || int(n) >= len(t.routes) || t.routes[n].Type == noPath || t.routes[n].prefix != keyOf(p) {
		return nil
	}
	return &t.routes[n]
}

// offer compares a path with those that are there (RFC 2328 §16.1 to §16.4 (6)):
// the better one stays, and equal ones are put together. Of equal ones in several
// areas it is that of the highest area, as between ways to an AS boundary router.
func (t *Table) offer(r *Route, n Route) {
	c := -1
	if r.Type != noPath {
		c = cmp.Or(
			cmp.Compare(n.Type, r.Type),
			cmp.Compare(n.Metric, r.Metric),
			compareBool(n.otherwise, r.otherwise),
			cmp.Compare(n.Cost, r.Cost),
			cmp.Compare(r.Area, n.Area),
		)
	}
	switch {
	case c < 0:
		*r = n
	case c == 0:
		n.Ways = t.Hops.join(r.Ways, n.Ways)
		if preferred(&r.Origin, &n.Origin) {
			n.Origin, n.Tag = r.Origin, r.Tag
		}
		*r = n
	}
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// preferred reports whether of two equal paths a is the one whose tag counts and
// whose origin is shown: that of the highest router (RFC 3101 §2.5 (6)(e)).
func preferred(a, b *wire.Identity) bool {
	return cmp.Or(cmp.Compare(a.Router, b.Router), cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID)) >= 0
}

// trees calculates the trees that are stale. The backbone is the last, since its
// virtual links lead through others.
func (t *Table) trees() {
	s := t.state
	moved := false
	for _, last := range []bool{false, true} {
		for _, a := range s.Areas {
			if (a.ID == backbone) != last {
				continue
			}
			if last && moved && len(s.Virtual) > 0 {
				a.stale = OtherPaths
			}
			if a.stale != SamePaths {
				moved = true
				a.tree.Calculate(a.Graph, s.Router, a.Attachments, &t.Hops, t.virtual(a))
				a.stale = SamePaths
				a.since.reset()
			}
		}
	}
}

// intra takes the path to a prefix within an area (RFC 2328 §16.1 (4)).
func (t *Table) intra(a *AreaState, n int32) {
	if int(n) >= len(a.tree.paths) || a.tree.paths[n].cost == Unreachable {
		return
	}
	p, r := &a.tree.paths[n], &t.routes[n]
	if r.Type == IntraArea && r.Cost < p.cost {
		return
	}
	v := a.Graph.vertices.at(p.origin)
	origin := wire.Identity{Type: wire.RouterLSA, ID: v.id, Router: v.id}
	if v.network {
		origin = v.entry.LSA().Identity()
	}
	if r.Type == noPath { // most have no other
		r.prefix, r.Type, r.Area, r.Cost, r.Ways, r.Origin = t.state.Prefixes.key(n), IntraArea, a.ID, p.cost, p.ways, origin
		return
	}
	t.offer(r, Route{prefix: r.prefix, Type: IntraArea, Area: a.ID, Cost: p.cost, Ways: p.ways, Origin: origin})
}

// virtual gives the ways of the backbone's virtual links: those to the other end
// through the transit area, which is no stub (RFC 2328 §15).
func (t *Table) virtual(a *AreaState) func(wire.ID) int32 {
	if a.ID != backbone || len(t.state.Virtual) == 0 {
		return nil
	}
	return func(peer wire.ID) (ways int32) {
		for _, l := range t.state.Virtual {
			if l.Peer != peer {
				continue
			}
			if transit := t.area(l.Transit); transit != nil && transit.Type == Normal {
				_, w := transit.tree.Router(peer)
				ways = t.Hops.join(ways, w)
			}
		}
		return ways
	}
}

func (t *Table) area(id wire.ID) *AreaState {
	i, found := slices.BinarySearchFunc(t.state.Areas, id, func(a *AreaState, id wire.ID) int { return cmp.Compare(a.ID, id) })
	if !found {
		return nil
	}
	return t.state.Areas[i]
}

// border is how a router is reached within an area, if it has one of the bits: only
// border routers of areas and of the AS have routes (RFC 2328 §16.1 (4)).
func (a *AreaState) border(id wire.ID, bits wire.RouterFlags) (reach, bool) {
	v, known := a.Graph.router(id)
	if !known || int(v) >= len(a.tree.distance) || a.Graph.vertices.at(v).flags&bits == 0 || a.tree.distance[v] == Unreachable {
		return reach{}, false
	}
	return reach{IntraArea, a.ID, a.tree.distance[v], a.tree.ways[v], -1}, true
}
