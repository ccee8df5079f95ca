package ospf

import "routerd/routing/ospf/wire"

// touched is a vertex whose LSA has changed since its area's tree was calculated,
// with its links as they were then.
type touched struct {
	at       int32
	from, to int // in links of since
}

// since is what has changed in an area since its tree was calculated.
type since struct {
	touched  []touched
	links    []edge
	prefixes []int32 // that vertices whose LSAs have changed had, or have
}

// mostTouched is how many vertices may have changed for the tree to be repaired and
// not be calculated anew.
const mostTouched = 64

func (s *since) reset() {
	s.touched, s.links, s.prefixes = s.touched[:0], s.links[:0], s.prefixes[:0]
}

// has gives the links that a vertex had.
func (s *since) has(t *touched) []edge { return s.links[t.from:t.to] }

// knows reports whether the links that a vertex had are noted.
func (s *since) knows(at int32) bool {
	for i := range s.touched {
		if s.touched[i].at == at {
			return true
		}
	}
	return false
}

// prefixesOf notes the prefixes of a vertex.
func (s *since) prefixesOf(v *vertex) {
	if v.prefix >= 0 {
		s.prefixes = append(s.prefixes, v.prefix)
	}
	for i := range v.stubs {
		s.prefixes = append(s.prefixes, v.stubs[i].prefix)
	}
}

// described gives the index of the vertex that an LSA describes.
func (g *Graph) described(e *Entry) (at int32, known bool) {
	l := e.LSA()
	return g.numbers.find(vertexKey(l.Type() == wire.NetworkLSA, l.ID()))
}

// follow takes a changed LSA into the graph, and notes what the tree has to follow:
// nothing, other prefixes, other links of some vertices, or all.
func (a *AreaState) follow(e *Entry) Difference {
	g, s := a.Graph, &a.since
	if a.stale == OtherPaths {
		return g.Update(e)
	}
	touches, links, prefixes := len(s.touched), len(s.links), len(s.prefixes)
	at, known := g.described(e)
	flags := wire.RouterFlags(0)
	if known = known && g.vertices.at(at).entry != nil; known {
		v := g.vertices.at(at)
		flags = v.flags
		if !s.knows(at) {
			s.links = append(s.links, v.edges...)
			s.touched = append(s.touched, touched{at, links, len(s.links)})
		}
		s.prefixesOf(v)
	}
	d := g.Update(e)
	switch d {
	case SamePaths:
		s.touched, s.links, s.prefixes = s.touched[:touches], s.links[:links], s.prefixes[:prefixes]
		return d
	case OtherPrefixes: // the links are what they were
		s.touched, s.links = s.touched[:touches], s.links[:links]
	case OtherPaths:
		if known && a.repairable(at, flags) {
			d = SomePaths
		}
	}
	if known {
		s.prefixesOf(g.vertices.at(at))
	}
	if a.stale = max(a.stale, d); a.stale == OtherPaths {
		s.reset()
	}
	return d
}

// repairable reports whether the tree can be repaired when the links of the vertex have
// changed. It has to be calculated anew when these are the root's own, when a router or
// network comes or goes, when a router becomes or is no longer a border router, and in an
// area with virtual links or links that cost nothing.
func (a *AreaState) repairable(at int32, flags wire.RouterFlags) bool {
	g, t := a.Graph, &a.tree
	v := g.vertices.at(at)
	return t.graph == g && at != t.root && int(at) < len(t.distance) && v.entry != nil && v.flags == flags &&
		!g.costless && g.virtuals == 0 && len(a.since.touched) <= mostTouched
}
