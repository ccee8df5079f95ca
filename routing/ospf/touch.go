package ospf

import "routerd/routing/ospf/wire"

// touch is the links of a router or a network as they were before its LSA changed.
type touch struct {
	at    int32 // its vertex; -1: there was none
	flags wire.RouterFlags
	links []edge
}

// touched notes the links of the vertex that an LSA describes.
func (a *AreaState) touched(t *touch, e *Entry) {
	l := e.LSA()
	index := a.Graph.routers
	if l.Type() == wire.NetworkLSA {
		index = a.Graph.networks
	}
	at, known := index[l.ID()]
	if t.at, t.links = -1, t.links[:0]; known {
		v := &a.Graph.vertices[at]
		t.at, t.flags = at, v.flags
		t.links = append(t.links, v.edges...)
	}
}

// follow takes a changed LSA into the graph. Where all the links that have changed
// lie beside the shortest paths, those are what they were, and the area's tree with
// them: only the paths to prefixes may be others.
func (a *AreaState) follow(t *touch, e *Entry) Difference {
	if a.stale != OtherPaths {
		a.touched(t, e)
	}
	d := a.Graph.Update(e)
	if d != OtherPaths || a.stale == OtherPaths || a.beside(t) {
		if d == OtherPaths {
			d = OtherPrefixes
		}
		a.stale = max(a.stale, d)
		return d
	}
	a.stale = OtherPaths
	return d
}

// beside reports whether no link that was there or is there now is, or would be, part
// of a shortest path.
func (a *AreaState) beside(t *touch) bool {
	g, tree := a.Graph, &a.tree
	if t.at < 0 || t.at == tree.root || tree.graph != g || int(t.at) >= len(tree.distance) || tree.distance[t.at] == Unreachable {
		return false
	}
	v := &g.vertices[t.at]
	if v.entry == nil || v.flags != t.flags {
		return false
	}
	for i := range t.links {
		if old := &t.links[i]; old.back && !held(v.edges, old) && !a.longer(t.at, old) {
			return false
		}
	}
	for i := range v.edges {
		if now := &v.edges[i]; now.back && !held(t.links, now) && !a.longer(t.at, now) {
			return false
		}
	}
	return true
}

// held reports whether the link is among some.
func held(links []edge, e *edge) bool {
	for i := range links {
		if o := &links[i]; o.to == e.to && o.cost == e.cost && o.kind == e.kind && o.data == e.data && o.back == e.back {
			return true
		}
	}
	return false
}

// longer reports whether a link of a vertex is longer than the shortest path, and so
// is each link back.
func (a *AreaState) longer(from int32, e *edge) bool {
	d := a.tree.distance
	if int(e.to) >= len(d) || e.to == a.tree.root || d[e.to] == Unreachable || d[from]+uint32(e.cost) <= d[e.to] {
		return false
	}
	for _, back := range a.Graph.vertices[e.to].edges {
		if back.to == from && d[e.to]+uint32(back.cost) <= d[from] {
			return false
		}
	}
	return true
}
