package ospf

import (
	"math"
	"net/netip"

	"routerd/routing"
	"routerd/routing/ospf/wire"
)

// Attachment is an interface of the calculating router, which its Router-LSA
// describes by links with this Data: the interface's address, or its index where it
// has none (RFC 2328 §A.4.2).
type Attachment struct {
	Data      wire.ID
	Interface routing.InterfaceID
	// Network is the interface's network; invalid where it has none.
	Network netip.Prefix
	// Neighbors are those that a link of the type LinkPointToPoint may lead to.
	Neighbors []Adjacency
}

// Adjacency is a neighbour by the address that it sends from.
type Adjacency struct {
	Router  wire.ID
	Address netip.Addr
}

// Unreachable is the distance of what cannot be reached.
const Unreachable = math.MaxUint32

// Tree is the shortest paths through an area, from one router. Its slices are used
// again by the next calculation.
type Tree struct {
	graph    *Graph
	hops     *Hops
	root     int32
	at       []Attachment
	virtual  func(wire.ID) int32
	distance []uint32 // of vertices
	ways     []int32  // of vertices: sets of hops
	settled  []bool
	order    []int32 // of vertices, as they were reached
	queue    buckets
	paths    []intra // of prefixes
	repairs  repairs
	// Transit reports that the area has a router at the end of a virtual link
	// through it (RFC 2328 §16.1 (2)).
	Transit bool
}

// intra is the best path to a prefix within the area.
type intra struct {
	cost   uint32 // Unreachable: there is none
	ways   int32
	origin int32 // vertex
}

// Calculate makes t the shortest paths of g from the router root, which is attached
// as at says, with sets in hops (RFC 2328 §16.1). Virtual gives the ways to the
// other end of a virtual link, 0 while there is none; nil is that there are no
// virtual links. The result depends on nothing else.
func (t *Tree) Calculate(g *Graph, root wire.ID, at []Attachment, hops *Hops, virtual func(wire.ID) int32) {
	t.graph, t.hops, t.at, t.virtual, t.Transit = g, hops, at, virtual, false
	n := g.vertices.n
	t.distance, t.ways, t.settled = refill(t.distance, n, Unreachable), refill(t.ways, n, 0), refill(t.settled, n, false)
	t.paths, t.order = t.paths[:0], t.order[:0]
	r, known := g.router(root)
	if t.root = r; !known || g.vertices.at(r).entry == nil {
		return
	}
	t.queue.reset(n, 2*uint64(g.highest)+1)
	t.distance[r] = 0
	t.queue.push(r, t.rank(r))
	for t.queue.n > 0 {
		v := t.queue.pop()
		t.settled[v] = true
		t.order = append(t.order, v)
		if g.vertices.at(v).flags&wire.RouterV != 0 {
			t.Transit = true
		}
		edges := g.vertices.at(v).edges
		for i := range edges {
			if e := &edges[i]; e.back && !t.settled[e.to] {
				t.relax(v, e)
			}
		}
	}
	t.prefixes()
}

// refill gives n elements of value in the place of s.
func refill[T any](s []T, n int, value T) []T {
	if cap(s) < n {
		s = make([]T, n, n+n/8)
	}
	s = s[:n]
	for i := range s {
		s[i] = value
	}
	return s
}

// rank is the place of a vertex among candidates: of equal distance, networks come
// first, so that all equal paths are found (RFC 2328 §16.1 (3)).
func (t *Tree) rank(v int32) uint64 {
	rank := 2 * uint64(t.distance[v])
	if !t.graph.vertices.at(v).network {
		rank++
	}
	return rank
}

// by gives the distance of a vertex by the edge e of v, and the ways there. Without
// any, it is farther than by others.
func (t *Tree) by(v int32, e *edge) (d uint32, ways int32) {
	d = t.distance[v] + uint32(e.cost)
	if d > t.distance[e.to] || d < t.distance[v] {
		return d, 0
	}
	ways = t.ways[v]
	switch {
	case v == t.root:
		ways = t.first(e)
	case t.graph.vertices.at(v).network && t.direct(v):
		ways = t.hops.onward(ways, t.addresses(e.to, v))
	}
	return d, ways
}

// relax considers the way to a vertex by the edge e of v (RFC 2328 §16.1 (2)(d)).
func (t *Tree) relax(v int32, e *edge) {
	d, ways := t.by(v, e)
	if ways == 0 {
		return // or the link is there, but no neighbour yet or any more
	}
	if d == t.distance[e.to] {
		t.ways[e.to] = t.hops.join(t.ways[e.to], ways)
		return
	}
	if t.distance[e.to] != Unreachable {
		t.queue.remove(e.to, t.rank(e.to))
	}
	t.distance[e.to], t.ways[e.to] = d, ways
	t.queue.push(e.to, t.rank(e.to))
}

// first gives the ways of a link of the root (RFC 2328 §16.1.1).
func (t *Tree) first(e *edge) (ways int32) {
	if e.kind == wire.LinkVirtual {
		if t.virtual != nil {
			ways = t.virtual(t.graph.vertices.at(e.to).id)
		}
		return ways
	}
	for i := range t.at {
		a := &t.at[i]
		if a.Data != e.data {
			continue
		}
		if e.kind == wire.LinkTransit {
			ways = t.hops.join(ways, t.hops.one(Hop{Interface: a.Interface}))
			continue
		}
		for _, n := range a.Neighbors {
			if n.Router == t.graph.vertices.at(e.to).id {
				ways = t.hops.join(ways, t.hops.one(Hop{a.Interface, n.Address}))
			}
		}
	}
	return ways
}

// direct reports whether one of the shortest ways to a network is that the root is
// attached to it.
func (t *Tree) direct(v int32) bool {
	for _, m := range t.hops.sets[t.ways[v]] {
		if !t.hops.hops[m].Address.IsValid() {
			return true
		}
	}
	return false
}

// addresses are those that the router has on the network.
func (t *Tree) addresses(router, network int32) (list []netip.Addr) {
	edges := t.graph.vertices.at(router).edges
	for i := range edges {
		if edges[i].to == network {
			list = append(list, edges[i].data.Addr())
		}
	}
	return list
}

// prefixes finds the paths to prefixes, of networks and then of stubs (RFC 2328
// §16.1 (4) and second stage).
func (t *Tree) prefixes() {
	t.paths = refill(t.paths, t.graph.prefixes.len(), intra{cost: Unreachable})
	for _, v := range t.order {
		w := t.graph.vertices.at(v)
		if w.prefix < 0 {
			continue
		}
		if p := &t.paths[w.prefix]; p.cost == Unreachable || p.cost == t.distance[v] && t.graph.vertices.at(p.origin).id < w.id {
			*p = intra{t.distance[v], t.ways[v], v}
		}
	}
	for _, v := range t.order {
		w := t.graph.vertices.at(v)
		for _, s := range w.stubs {
			t.stub(&t.paths[s.prefix], v, t.distance[v]+uint32(s.cost))
		}
	}
}

// Path is the best path to a prefix within an area.
type Path struct {
	Prefix netip.Prefix
	Cost   uint32
	Ways   int32   // a set of Hops; the empty one if the root itself has the prefix
	Origin wire.ID // whose LSA it is: a router, or the address of a DR
}

// Paths gives all paths of the area, in no particular order.
func (t *Tree) Paths(yield func(Path) bool) {
	for n := range t.paths {
		if p := &t.paths[n]; p.cost != Unreachable && !yield(Path{t.graph.prefixes.prefix(int32(n)), p.cost, p.ways, t.graph.vertices.at(p.origin).id}) {
			return
		}
	}
}

// Router gives the distance of a router in the area, and the ways to it. It is
// Unreachable if there are none.
func (t *Tree) Router(id wire.ID) (distance uint32, ways int32) {
	if v, known := t.graph.router(id); known && int(v) < len(t.distance) {
		return t.distance[v], t.ways[v]
	}
	return Unreachable, 0
}
