package ospf

import (
	"cmp"
	"slices"

	"routerd/routing/ospf/wire"
)

// repairs is the memory of repairing a tree, which is used again.
type repairs struct {
	kept  []kept
	round uint32
	of    []uint32 // of vertices: the last round that has kept them
	pairs [][2]int32
	queue ranked
	moved []int32 // vertices that are farther, nearer or reached otherwise
	far   []int32 // those of them that are farther or nearer
}

// kept is a vertex as the tree had it.
type kept struct {
	vertex   int32
	distance uint32
	ways     int32
}

// repair makes t what [Tree.Calculate] would, where the links of some vertices have
// changed since. The vertices that are reached otherwise now are in moved.
//
// A vertex that has lost a link of a shortest path counts as not reached, and so does what
// lay behind it. Then ways are sought from all vertices that are still reached: to those,
// and to the ends of links that have come or have become shorter.
func (t *Tree) repair(s *since) {
	r := &t.repairs
	r.kept, r.pairs, r.moved, r.far = r.kept[:0], r.pairs[:0], r.moved[:0], r.far[:0]
	r.round++
	for n := t.graph.vertices.n; len(t.distance) < n; {
		t.distance, t.ways, t.settled = append(t.distance, Unreachable), append(t.ways, 0), append(t.settled, false)
	}
	for len(r.of) < len(t.distance) {
		r.of = append(r.of, 0)
	}
	for i := range s.touched {
		t.compare(s.touched[i].at, s.has(&s.touched[i]))
	}
	for i := 0; i < len(r.kept); i++ {
		v := r.kept[i].vertex
		edges := t.graph.vertices.at(v).edges
		for j := range edges {
			t.suspect(v, &edges[j])
		}
	}
	lost := len(r.kept)
	for _, k := range r.kept {
		t.distance[k.vertex], t.ways[k.vertex] = Unreachable, 0
	}
	for _, k := range r.kept[:lost] {
		edges := t.graph.vertices.at(k.vertex).edges
		for j := range edges {
			t.between(edges[j].to, k.vertex)
		}
	}
	for _, p := range r.pairs {
		t.between(p[0], p[1])
	}
	for {
		v, ok := t.nearest()
		if !ok {
			break
		}
		edges := t.graph.vertices.at(v).edges
		for i := range edges {
			t.improve(v, &edges[i])
		}
	}
	for _, k := range r.kept {
		d := t.distance[k.vertex]
		if d != k.distance {
			r.far = append(r.far, k.vertex)
		}
		if d != k.distance || t.ways[k.vertex] != k.ways {
			r.moved = append(r.moved, k.vertex)
		}
	}
	if len(r.far) > 0 {
		t.reorder()
	}
}

// compare finds the links of a vertex that have come, gone or changed, and what is
// no longer reached without them.
func (t *Tree) compare(v int32, had []edge) {
	r, has := &t.repairs, t.graph.vertices.at(v).edges
	for i := range had {
		e := &had[i]
		same, otherCost := find(has, e)
		if same {
			continue
		}
		t.suspect(v, e)
		if otherCost {
			continue
		}
		// Whether the links back may be used, and the addresses that they lead to,
		// depends on it too.
		r.pairs = append(r.pairs, [2]int32{e.to, v})
		back := t.graph.vertices.at(e.to).edges
		for j := range back {
			if back[j].to == v {
				t.suspect(e.to, &back[j])
			}
		}
	}
	for i := range has {
		e := &has[i]
		if same, otherCost := find(had, e); !same {
			r.pairs = append(r.pairs, [2]int32{v, e.to})
			if !otherCost {
				r.pairs = append(r.pairs, [2]int32{e.to, v})
			}
		}
	}
}

// find reports whether a link is among some, or one that differs in cost alone.
func find(links []edge, e *edge) (same, otherCost bool) {
	for i := range links {
		if o := &links[i]; o.to == e.to && o.kind == e.kind && o.data == e.data {
			if o.cost == e.cost {
				return true, false
			}
			otherCost = true
		}
	}
	return false, otherCost
}

// keep keeps how a vertex was reached.
func (t *Tree) keep(v int32) (first bool) {
	r := &t.repairs
	if r.of[v] == r.round {
		return false
	}
	r.of[v] = r.round
	r.kept = append(r.kept, kept{v, t.distance[v], t.ways[v]})
	return true
}

// suspect has the vertex at the end of a link of v be asked for other ways if the
// link is, or was, part of a shortest path.
func (t *Tree) suspect(v int32, e *edge) {
	d := t.distance[v]
	if e.to != t.root && d != Unreachable && t.distance[e.to] == d+uint32(e.cost) && t.keep(e.to) {
		t.settled[e.to] = false
	}
}

// between considers the links from one vertex, if it is reached for good, to another.
func (t *Tree) between(from, to int32) {
	if !t.settled[from] {
		return
	}
	edges := t.graph.vertices.at(from).edges
	for i := range edges {
		if edges[i].to == to {
			t.improve(from, &edges[i])
		}
	}
}

// improve is relax for a tree that is repaired: what is reached for good may be
// reached better still.
func (t *Tree) improve(v int32, e *edge) {
	if !e.back || e.to == t.root {
		return
	}
	d, ways := t.by(v, e)
	if ways == 0 {
		return
	}
	if d == t.distance[e.to] {
		if ways = t.hops.join(t.ways[e.to], ways); ways == t.ways[e.to] {
			return
		}
	}
	t.keep(e.to)
	t.distance[e.to], t.ways[e.to], t.settled[e.to] = d, ways, false
	t.repairs.queue.push(ranking{t.rank(e.to), e.to})
}

// nearest takes the nearest candidate.
func (t *Tree) nearest() (v int32, ok bool) {
	for q := &t.repairs.queue; len(*q) > 0; {
		c := q.pop()
		if !t.settled[c.vertex] && t.rank(c.vertex) == c.rank {
			t.settled[c.vertex] = true
			return c.vertex, true
		}
	}
	return 0, false
}

// reorder puts the vertices whose distances have changed in their places in the
// order.
func (t *Tree) reorder() {
	r := &t.repairs
	for _, v := range r.far {
		r.of[v] = r.round + 1
	}
	left := slices.DeleteFunc(t.order, func(v int32) bool { return r.of[v] == r.round+1 })
	r.round++
	n := 0
	for _, v := range r.far {
		if t.distance[v] != Unreachable {
			r.far[n] = v
			n++
		}
	}
	r.far = r.far[:n]
	slices.SortFunc(r.far, func(a, b int32) int { return cmp.Compare(t.rank(a), t.rank(b)) })
	// From the end, so that nothing is written over before it is read.
	t.order = append(left, r.far...)
	i, j := len(left)-1, n-1
	for at := len(t.order) - 1; j >= 0; at-- {
		if i >= 0 && t.rank(t.order[i]) > t.rank(r.far[j]) {
			t.order[at] = t.order[i]
			i--
		} else {
			t.order[at] = r.far[j]
			j--
		}
	}
}

// path finds the path to one prefix, as prefixes does to all.
func (t *Tree) path(n int32) intra {
	p := intra{cost: Unreachable}
	for v := range t.graph.holding.of(n) {
		w, d := t.graph.vertices.at(v), t.distance[v]
		if w.prefix == n && d != Unreachable && (d < p.cost || d == p.cost && t.graph.vertices.at(p.origin).id < w.id) {
			p = intra{d, t.ways[v], v}
		}
	}
	for v := range t.graph.holding.of(n) {
		w, d := t.graph.vertices.at(v), t.distance[v]
		if d == Unreachable {
			continue
		}
		for i := range w.stubs {
			if s := &w.stubs[i]; s.prefix == n {
				t.stub(&p, v, d+uint32(s.cost))
			}
		}
	}
	return p
}

// stub takes the path to a stub of a vertex at a cost.
func (t *Tree) stub(p *intra, v int32, cost uint32) {
	switch {
	case cost > p.cost || cost < t.distance[v]:
	case cost < p.cost:
		*p = intra{cost, t.ways[v], v}
	default:
		p.ways = t.hops.join(p.ways, t.ways[v])
		if o := t.graph.vertices.at(p.origin); !o.network && o.id < t.graph.vertices.at(v).id {
			p.origin = v
		}
	}
}

// repair brings the tree of an area up to date where only links and prefixes of some
// vertices have changed. It appends the numbers of the prefixes whose paths may have
// changed. With borders, the way to a border router has changed, and routes to further
// prefixes may change with it. If it is not ok, the tree has to be calculated anew.
func (a *AreaState) repair(prefixes []int32) (list []int32, borders, ok bool) {
	t, s := &a.tree, &a.since
	t.repairs.moved = t.repairs.moved[:0]
	if a.stale == SomePaths {
		t.repair(s)
	}
	for len(t.paths) < a.Graph.prefixes.len() {
		t.paths = append(t.paths, intra{cost: Unreachable})
	}
	for _, v := range t.repairs.moved {
		w := a.Graph.vertices.at(v)
		if w.flags&wire.RouterV != 0 {
			return prefixes, false, false // whether the area carries transit traffic may have changed
		}
		borders = borders || w.flags&(wire.RouterB|wire.RouterE) != 0
	}
	for _, n := range s.prefixes {
		t.paths[n] = t.path(n)
	}
	prefixes = append(prefixes, s.prefixes...)
	other := func(n int32) {
		if p := t.path(n); p != t.paths[n] {
			t.paths[n] = p
			prefixes = append(prefixes, n)
		}
	}
	for _, v := range t.repairs.moved {
		w := a.Graph.vertices.at(v)
		if w.prefix >= 0 {
			other(w.prefix)
		}
		for i := range w.stubs {
			other(w.stubs[i].prefix)
		}
	}
	return prefixes, borders, true
}

// ranked is a heap of candidates, the nearest first. One that is reached better than
// when it was pushed is in it once more.
type ranked []ranking

type ranking struct {
	rank   uint64
	vertex int32
}

func (q *ranked) push(x ranking) {
	*q = append(*q, x)
	h := *q
	i := len(h) - 1
	for i > 0 && x.rank < h[(i-1)/2].rank {
		h[i] = h[(i-1)/2]
		i = (i - 1) / 2
	}
	h[i] = x
}

func (q *ranked) pop() (first ranking) {
	h := *q
	first = h[0]
	last := h[len(h)-1]
	h = h[:len(h)-1]
	*q = h
	if len(h) == 0 {
		return first
	}
	i := 0
	for {
		c := 2*i + 1
		if c >= len(h) {
			break
		}
		if c+1 < len(h) && h[c+1].rank < h[c].rank {
			c++
		}
		if last.rank <= h[c].rank {
			break
		}
		h[i] = h[c]
		i = c
	}
	h[i] = last
	return first
}
