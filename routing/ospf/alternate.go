package ospf

import (
	"slices"

	"routerd/routing"
)

// Protection is what an alternate withstands: a set.
type Protection uint8

const (
	// ProtectsLink: packets do not come by the link that failed.
	ProtectsLink Protection = 1 << iota
	// ProtectsNode: packets do not come by the router that failed.
	ProtectsNode
	// Downstream: the alternate is nearer to the destination than the router, so
	// that packets never circle, whatever has failed.
	Downstream
)

// Unprotected is why a route has no alternate, in the order of how near it was to
// having one.
type Unprotected uint8

const (
	Protected Unprotected = iota
	NotCalculated
	Attached
	SeveralWays
	SeveralAreas
	VirtualLinks
	NoOther
	NotToBeUsed
	WouldCircle
	BorderRouters
	SameFailure
)

var unprotected = [...]string{
	"",
	"alternates are not calculated",
	"the router itself is attached to the network",
	"its ways share neither an interface nor a router, so that one takes the place of the other",
	"its ways lead through several areas",
	"virtual links lead paths out of the area and back into it",
	"there is no other neighbour in the area",
	"the other neighbours are stub routers, or on interfaces that are left out",
	"every other neighbour may send its packets back to this router",
	"area border routers may lead its packets out of the area and back into it",
	"every other neighbour sends its packets over the same link or by the same router",
}

// String says it in words, for tables and JSON; it is empty of Protected.
func (u Unprotected) String() string {
	if int(u) >= len(unprotected) {
		return "unknown"
	}
	return unprotected[u]
}

// Alternate is the loop-free alternate of a route, or why there is none.
type Alternate struct {
	Hop        Hop
	Protection Protection
	Why        Unprotected // Protected: the rest is valid
}

// mostVantages bounds how many neighbours of an area are considered.
const mostVantages = 64

// Alternates are the loop-free alternates of the routes of a [Table] (RFC 5286): for
// each route a neighbour that takes its packets while all its next hops are dead,
// until routes are calculated without them. Its memory is used again.
type Alternates struct {
	table  *Table
	sides  []side
	found  []Alternate // by number of the prefix
	next   []Alternate // the same of the calculation under way
	at     progress
	shared map[sharedKey]primaries
	exits  []exits // by number of the prefix, of externals
	queue  buckets
}

// progress is how far a calculation has come.
type progress struct {
	side, vantage int
	outside       bool // externals are done
	route         int
}

type sharedKey struct {
	side int
	ways int32
}

// primaries are the next hops of a set, and what all of them share.
type primaries struct {
	hops       []int32 // of the side
	link, node bool
	why        Unprotected
}

// exits says which areas the paths of an external route leave by.
type exits struct {
	side         int
	intra, inter bool // ways out that are in the area, and others
	several      bool // areas
}

// Begin begins to find the alternates of the routes of t, which stays as it is until
// [Alternates.Continue] is done. Interfaces that leaveOut reports are no alternates.
func (x *Alternates) Begin(t *Table, leaveOut func(routing.InterfaceID) bool) {
	x.table, x.at = t, progress{}
	x.next = refill(x.next, len(t.routes), Alternate{})
	x.exits = refill(x.exits, len(t.routes), exits{})
	if x.shared == nil {
		x.shared = map[sharedKey]primaries{}
	}
	clear(x.shared)
	x.look(leaveOut)
}

// Continue goes on for about as long as looking at so many routers and routes takes.
// It reports whether that was all; until then the alternates are those of before.
func (x *Alternates) Continue(work int) (done bool) {
	t, at := x.table, &x.at
	for ; at.side < len(x.sides); at.side, at.vantage = at.side+1, 0 {
		s := &x.sides[at.side]
		for ; at.vantage < len(s.vantages); at.vantage++ {
			if work < 0 {
				return false
			}
			v := &s.vantages[at.vantage]
			v.calculate(s.area.Graph, v.vertex, &x.queue)
			v.internal(t, s.area)
			work -= len(v.distance) + len(v.routes)
		}
	}
	if !at.outside {
		at.outside = true
		x.externals()
	}
	for ; at.route < len(t.routes); at.route++ {
		if work < 0 {
			return false
		}
		if r := &t.routes[at.route]; r.Type != noPath {
			x.next[at.route] = x.find(int32(at.route), r)
		}
		work--
	}
	x.found, x.next = x.next, x.found
	return true
}

// Forget forgets all alternates.
func (x *Alternates) Forget() { x.found, x.table = x.found[:0], nil }

// Of is the alternate of the route to the prefix of the number.
func (x *Alternates) Of(prefix int32) Alternate {
	if int(prefix) >= len(x.found) {
		return Alternate{Why: NotCalculated}
	}
	return x.found[prefix]
}

// externals finds how far the ways out of external routes are.
func (x *Alternates) externals() {
	t := x.table
	for p := range t.outsides {
		n := p.prefix
		r := &t.routes[n]
		if r.Type != p.route.Type || r.Metric != p.route.Metric || r.otherwise != p.route.otherwise {
			continue
		}
		i := slices.IndexFunc(x.sides, func(s side) bool { return s.area.ID == p.reach.area })
		if i < 0 {
			continue
		}
		out := &x.exits[n]
		out.several = out.several || (out.intra || out.inter) && out.side != i
		out.side = i
		out.intra = out.intra || p.reach.kind == IntraArea
		out.inter = out.inter || p.reach.kind == InterArea
		s := &x.sides[i]
		for j := range s.vantages {
			v := &s.vantages[j]
			f := v.external(s.area, &p)
			if r.Type == External1 {
				f = f.and(p.metric)
			}
			v.routes[n].nearer(f)
		}
	}
}

// find is the alternate of a route.
func (x *Alternates) find(n int32, r *Route) Alternate {
	s, bordered, why := x.where(n, r)
	if why != Protected {
		return Alternate{Why: why}
	}
	p := x.primaries(s, r.Ways)
	if p.why != Protected {
		return Alternate{Why: p.why}
	}
	return x.sides[s].choose(&p, n, r.Cost, bordered)
}

// where finds the area that the packets of a route go through, and whether
// alternates whose paths cross a border router are none. RFC 5286 §6.3 says where
// paths may leave an area and come back into it.
func (x *Alternates) where(n int32, r *Route) (s int, bordered bool, why Unprotected) {
	t := x.table
	if r.Ways == 0 || t.Hops.onto(r.Ways) {
		return 0, false, Attached
	}
	out := exits{inter: r.Type == InterArea}
	if r.Type >= External1 {
		if out = x.exits[n]; out.several {
			return 0, false, SeveralAreas
		}
		s = out.side
	} else {
		s = slices.IndexFunc(x.sides, func(s side) bool { return s.area.ID == r.Area })
	}
	a := x.sides[s].area
	switch {
	case a.ID == backbone && a.Graph.virtual():
		return s, false, VirtualLinks
	case out.inter && a.tree.Transit:
		return s, false, VirtualLinks
	case out.inter && len(t.state.Areas) > 1 && !t.state.Connected:
		return s, false, BorderRouters // such a router may be another one's neighbour
	case !out.intra || x.sides[s].borders < 2:
		return s, false, Protected
	case out.inter:
		return s, false, BorderRouters
	}
	return s, true, Protected
}

// primaries finds the next hops of a set in an area.
func (x *Alternates) primaries(s int, ways int32) primaries {
	key := sharedKey{s, ways}
	if p, known := x.shared[key]; known {
		return p
	}
	p := primaries{link: true, node: true}
	hops := x.sides[s].hops
	for _, m := range x.table.Hops.sets[ways] {
		i := slices.IndexFunc(hops, func(c candidateHop) bool { return c.Hop == x.table.Hops.hops[m] })
		if i < 0 {
			p.why = SeveralAreas
			break
		}
		p.hops = append(p.hops, int32(i))
		first := &hops[p.hops[0]]
		p.link = p.link && first.Interface == hops[i].Interface
		p.node = p.node && first.vertex == hops[i].vertex
	}
	if p.why == Protected && !p.link && !p.node {
		p.why = SeveralWays
	}
	x.shared[key] = p
	return p
}

// choose is the selection of RFC 5286 §3.6: a neighbour that protects the node is
// preferred to one that protects the link, then one that is downstream, then the
// nearest one.
func (s *side) choose(p *primaries, prefix int32, cost uint32, bordered bool) Alternate {
	best := Alternate{Why: NoOther}
	var least uint32
	for i := range s.hops {
		h := &s.hops[i]
		if slices.Contains(p.hops, int32(i)) {
			continue
		}
		protection, away, why := s.consider(h, p, prefix, cost, bordered)
		switch {
		case why == Protected && (best.Why != Protected || rank(protection) > rank(best.Protection) || rank(protection) == rank(best.Protection) && away < least):
			best, least = Alternate{h.Hop, protection, Protected}, away
		case best.Why != Protected:
			best.Why = max(best.Why, why)
		}
	}
	return best
}

// rank orders what alternates protect (RFC 5286 §3.6).
func rank(p Protection) int {
	r := 0
	for i, bit := range []Protection{Downstream, ProtectsLink, ProtectsNode} {
		if p&bit != 0 {
			r |= 1 << i
		}
	}
	return r
}

// consider says what h protects as an alternate of the primaries, how far the
// prefix is by it, and why it is none.
func (s *side) consider(h *candidateHop, p *primaries, prefix int32, cost uint32, bordered bool) (Protection, uint32, Unprotected) {
	if h.vantage < 0 || int(h.vantage) >= len(s.vantages) {
		return 0, 0, NotToBeUsed
	}
	v := &s.vantages[h.vantage]
	to := v.routes[prefix]
	back := v.distance[s.area.tree.root]
	if to.cost == Unreachable || to.cost >= add(back, cost) { // inequality 1
		return 0, 0, WouldCircle
	}
	if bordered && to.crosses {
		return 0, 0, BorderRouters
	}
	protection := ProtectsLink | ProtectsNode
	if to.cost < cost {
		protection |= Downstream
	}
	for _, i := range p.hops {
		e := &s.hops[i]
		rest := cost - e.cost                           // from the primary neighbour on
		if to.cost >= add(v.distance[e.vertex], rest) { // inequality 3
			protection &^= ProtectsNode
		}
		if h.Interface == e.Interface || e.network >= 0 && (h.network == e.network || to.cost >= add(v.distance[e.network], rest)) { // inequality 4
			protection &^= ProtectsLink
		}
	}
	if p.node && protection&ProtectsNode != 0 || p.link && protection&ProtectsLink != 0 {
		return protection, add(h.cost, to.cost), Protected
	}
	return 0, 0, SameFailure
}
