package ospf

import (
	"slices"

	"routerd/routing/ospf/wire"
)

// Graph is an area as the calculation of shortest paths sees it (RFC 2328 §16.1):
// its vertices are routers and transit networks, and it follows the area's
// database LSA by LSA. Reading the LSAs of another version into vertices is all
// that another version would do otherwise.
type Graph struct {
	db       *Database
	prefixes *Prefixes
	vertices pages[vertex]
	numbers  index // of the vertices
	free     []int32
	highest  uint16 // cost that any edge ever had
	virtuals int    // edges that are virtual links
	costless bool   // an edge from a router ever cost nothing
	holding  holding
	edges    []edge // of the LSA that is being read
	stubs    []stub
}

// vertex is a router or a transit network. One without an entry is only named by
// others.
type vertex struct {
	id      wire.ID
	network bool
	flags   wire.RouterFlags
	prefix  int32 // of a network: its number; -1 is none
	uses    int32 // edges that lead to it
	entry   *Entry
	edges   []edge
	stubs   []stub
}

// edge is a link to another vertex. It may be used if that one has a link back.
type edge struct {
	to   int32
	cost uint16
	kind wire.LinkType
	back bool
	data wire.ID
}

// stub is a link to a network with nobody else.
type stub struct {
	prefix int32
	cost   uint16
}

// NewGraph makes one of the LSAs that are in the database.
func NewGraph(db *Database, prefixes *Prefixes) *Graph {
	g := &Graph{db: db, prefixes: prefixes}
	for _, t := range []wire.LSType{wire.RouterLSA, wire.NetworkLSA} {
		for e := range db.All(t) {
			g.Update(e)
		}
	}
	return g
}

// Difference says what a change of a graph means for the shortest paths through it.
type Difference uint8

const (
	// SamePaths: nothing.
	SamePaths Difference = iota
	// OtherPrefixes: vertices are where they were, prefixes may not be.
	OtherPrefixes
	// SomePaths: links of some vertices are others.
	SomePaths
	// OtherPaths: any path may be another one.
	OtherPaths
)

// Update takes in that an LSA of the database was installed, has got MaxAge or was
// removed, which is after it had MaxAge. LSAs that are no part of the graph are
// passed over.
func (g *Graph) Update(e *Entry) Difference {
	l := e.LSA()
	network := l.Type() == wire.NetworkLSA
	if !network && (l.Type() != wire.RouterLSA || l.ID() != l.Router()) { // §12.1.4: they are the same
		return SamePaths
	}
	at := g.vertex(network, l.ID())
	v := g.vertices.at(at)
	switch {
	case e.Usable():
		// Several routers may say to be the DR with the same address, as one
		// whose router ID has changed. The last one that said so is.
		if v.entry != nil && v.entry != e && !later(e, v.entry) {
			return SamePaths
		}
		return g.set(at, e)
	case v.entry == e:
		return g.set(at, g.successor(e))
	}
	g.tidy(at)
	return SamePaths
}

func later(a, b *Entry) bool {
	if c := a.installed.Compare(b.installed); c != 0 {
		return c > 0
	}
	return a.lsa.Router() > b.lsa.Router()
}

// successor is the LSA that describes the vertex of e when e does not any more.
func (g *Graph) successor(e *Entry) (found *Entry) {
	l := e.LSA()
	if l.Type() != wire.NetworkLSA {
		return nil
	}
	for o := range g.db.All(wire.NetworkLSA) {
		if o != e && o.Usable() && o.LSA().ID() == l.ID() && (found == nil || later(o, found)) {
			found = o
		}
	}
	return found
}

// vertexKey tells routers and networks of the same ID apart.
func vertexKey(network bool, id wire.ID) uint64 {
	key := uint64(id)
	if network {
		key |= 1 << 32
	}
	return key
}

// router gives the index of a router's vertex, if there is one.
func (g *Graph) router(id wire.ID) (at int32, known bool) {
	return g.numbers.find(vertexKey(false, id))
}

// vertex gives the index of a vertex, made if need be.
func (g *Graph) vertex(network bool, id wire.ID) int32 {
	key := vertexKey(network, id)
	at, known := g.numbers.find(key)
	if known {
		return at
	}
	if n := len(g.free); n > 0 {
		at, g.free = g.free[n-1], g.free[:n-1]
	} else {
		at = g.vertices.add()
	}
	v := g.vertices.at(at)
	*v = vertex{id: id, network: network, prefix: -1, edges: v.edges[:0], stubs: v.stubs[:0]}
	g.numbers.add(key, at)
	return at
}

// virtual reports whether the area has virtual links.
func (g *Graph) virtual() bool { return g.virtuals > 0 }

// forget gives back its numbers of prefixes. It is not used any more.
func (g *Graph) forget() {
	for i := range int32(g.vertices.n) {
		v := g.vertices.at(i)
		if v.prefix >= 0 {
			g.prefixes.release(v.prefix)
			v.prefix = -1
		}
		for _, s := range v.stubs {
			g.prefixes.release(s.prefix)
		}
		v.stubs = nil
	}
}

// tidy frees a vertex that no LSA describes or names.
func (g *Graph) tidy(at int32) {
	v := g.vertices.at(at)
	if v.entry != nil || v.uses > 0 {
		return
	}
	key := vertexKey(v.network, v.id)
	if n, known := g.numbers.find(key); known && n == at {
		g.numbers.remove(key)
		g.free = append(g.free, at)
	}
}

// set has e describe the vertex, or nothing.
func (g *Graph) set(at int32, e *Entry) Difference {
	g.edges, g.stubs = g.edges[:0], g.stubs[:0]
	network, flags := int32(-1), wire.RouterFlags(0)
	if e != nil {
		switch l := e.LSA(); l.Type() {
		case wire.RouterLSA:
			flags = g.readRouter(wire.RouterBody(l.Body()))
		default:
			network = g.readNetwork(l)
		}
	}
	v := g.vertices.at(at)
	d := g.difference(v, e, network, flags)
	old, stubs := v.edges, v.stubs
	v.edges, v.stubs = nil, nil
	for i := range old {
		g.join(at, old[i].to, false)
		if old[i].kind == wire.LinkVirtual {
			g.virtuals--
		}
	}
	if v.prefix >= 0 {
		g.holding.remove(v.prefix, at)
		g.prefixes.release(v.prefix)
	}
	for i := range stubs {
		g.holding.remove(stubs[i].prefix, at)
		g.prefixes.release(stubs[i].prefix)
	}
	v.entry, v.flags, v.prefix = e, flags, network
	v.stubs = append(stubs[:0], g.stubs...)
	if v.prefix >= 0 {
		g.holding.add(v.prefix, at)
	}
	for i := range v.stubs {
		g.holding.add(v.stubs[i].prefix, at)
	}
	before := len(old)
	v.edges = append(old, g.edges...)[before:]
	for i := range v.edges {
		w := v.edges[i].to
		g.vertices.at(w).uses++
		v.edges[i].back = g.join(at, w, true)
	}
	for i := range old {
		g.vertices.at(old[i].to).uses--
	}
	for i := range old {
		g.tidy(old[i].to)
	}
	if cap(old) > 0 {
		v.edges = append(old[:0], v.edges...)
	}
	g.tidy(at)
	return d
}

// difference compares a vertex with what was read.
func (g *Graph) difference(v *vertex, e *Entry, network int32, flags wire.RouterFlags) Difference {
	same := func(a, b edge) bool { return a.to == b.to && a.cost == b.cost && a.kind == b.kind && a.data == b.data }
	switch {
	case (v.entry == nil) != (e == nil) || v.flags != flags || !slices.EqualFunc(v.edges, g.edges, same):
		return OtherPaths
	case v.entry != e || v.prefix != network || !slices.Equal(v.stubs, g.stubs):
		return OtherPrefixes // of another origin, at least
	}
	return SamePaths
}

// join marks the edges of w that lead to v: whether v has one back. It reports
// whether w has any.
func (g *Graph) join(v, w int32, back bool) (any bool) {
	edges := g.vertices.at(w).edges
	for i := range edges {
		if edges[i].to == v {
			edges[i].back, any = back, true
		}
	}
	return any
}

// readRouter reads a Router-LSA into edges and stubs. Links of a type that there is
// not are passed over.
func (g *Graph) readRouter(b wire.RouterBody) wire.RouterFlags {
	for l := range b.Links {
		g.costless = g.costless || l.Cost == 0 && l.Type != wire.LinkStub
		switch l.Type {
		case wire.LinkPointToPoint, wire.LinkVirtual:
			g.edge(g.vertex(false, l.ID), l)
		case wire.LinkTransit:
			g.edge(g.vertex(true, l.ID), l)
		case wire.LinkStub:
			if p := l.Prefix(); p.IsValid() {
				g.stubs = append(g.stubs, stub{g.prefixes.use(p), l.Cost})
			}
		}
	}
	return b.Flags()
}

// readNetwork reads a Network-LSA: a network leads to its routers at no cost. It
// gives the number of its prefix.
func (g *Graph) readNetwork(l wire.LSA) int32 {
	for r := range wire.NetworkBody(l.Body()).Routers {
		g.edge(g.vertex(false, r), wire.Link{Type: wire.LinkTransit})
	}
	p := l.Prefix()
	if !p.IsValid() || p.Bits() == 32 { // RFC 6860 §2.2.2.2: the network is hidden
		return -1
	}
	return g.prefixes.use(p)
}

func (g *Graph) edge(to int32, l wire.Link) {
	g.highest = max(g.highest, l.Cost)
	if l.Type == wire.LinkVirtual {
		g.virtuals++
	}
	g.edges = append(g.edges, edge{to: to, cost: l.Cost, kind: l.Type, data: l.Data})
}
