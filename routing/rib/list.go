package rib

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"routerd/internal/origin"
	"routerd/routing"
)

// RouteList is static routes in great number, of which many lead the same way:
// a way is kept once, and a route is 24 bytes without a pointer. It has each
// prefix once. It is made by [ListBuilder] and never changes.
type RouteList struct {
	ways   []StaticRoute // without prefix and origin
	routes []listed      // in order
	whole  origin.ID     // of the file
}

// listed is a route of a RouteList.
type listed struct {
	hi, lo uint64 // the address: an IPv4 one is the upper half of hi
	line   uint32
	way    uint16
	bits   uint8
	six    bool
}

const (
	// MostListed is how many routes a list may have.
	MostListed = 1 << 22
	// MostWays is how many ways the routes of a list may lead.
	MostWays = 1 << 16
)

func (x *listed) prefix() netip.Prefix { return key{x.hi, x.lo, x.bits, x.six}.prefix() }

// order is that of prefixes: IPv4 first, then by address and length.
func (x *listed) order(y *listed) int {
	if x.six != y.six {
		if y.six {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(x.hi, y.hi), cmp.Compare(x.lo, y.lo), cmp.Compare(x.bits, y.bits))
}

// ListBuilder makes a RouteList. The zero value has no routes.
type ListBuilder struct{ list RouteList }

// Way adds a way that routes may lead, a route without prefix and origin, and
// gives its number. There may be MostWays of them.
func (b *ListBuilder) Way(w StaticRoute) int {
	b.list.ways = append(b.list.ways, w)
	return len(b.list.ways) - 1
}

// Add adds a route to a masked prefix by a way that there is. The line, from 1, is
// where it stands. There may be MostListed of them.
func (b *ListBuilder) Add(p netip.Prefix, way, line int) {
	k := keyOf(p)
	b.list.routes = append(b.list.routes, listed{k.hi, k.lo, uint32(line), uint16(way), k.bits, k.six})
}

// Len is how many routes have been added.
func (b *ListBuilder) Len() int { return len(b.list.routes) }

// Twice is a prefix that has two routes, by their lines.
type Twice struct {
	Prefix      netip.Prefix
	First, Line int
}

// List gives the list; whole is the origin of the file, and that
// of a line is whole plus its number. Prefixes that came twice
// are given too: then there is no list. The builder must not be used afterwards.
func (b *ListBuilder) List(whole origin.ID) (*RouteList, []Twice) {
	l := b.list
	l.whole = whole
	slices.SortFunc(l.routes, func(x, y listed) int { return cmp.Or(x.order(&y), cmp.Compare(x.line, y.line)) })
	var twice []Twice
	since := 0 // the first route of the same prefix
	for i := 1; i < len(l.routes); i++ {
		if l.routes[i].order(&l.routes[since]) != 0 {
			since = i
			continue
		}
		twice = append(twice, Twice{l.routes[i].prefix(), int(l.routes[since].line), int(l.routes[i].line)})
	}
	if len(twice) > 0 {
		slices.SortFunc(twice, func(a, b Twice) int { return cmp.Compare(a.Line, b.Line) })
		return nil, twice
	}
	if cap(l.routes) > len(l.routes)+len(l.routes)/16 {
		l.routes = slices.Clone(l.routes)
	}
	return &l, nil
}

// Len is how many routes there are; a nil list has none.
func (l *RouteList) Len() int {
	if l == nil {
		return 0
	}
	return len(l.routes)
}

// Get gives the route to a prefix.
func (l *RouteList) Get(p netip.Prefix) (StaticRoute, bool) {
	if l == nil {
		return StaticRoute{}, false
	}
	k := keyOf(p)
	x := listed{hi: k.hi, lo: k.lo, bits: k.bits, six: k.six}
	i, found := slices.BinarySearchFunc(l.routes, x, func(a, b listed) int { return a.order(&b) })
	if !found {
		return StaticRoute{}, false
	}
	return l.route(i), true
}

func (l *RouteList) route(i int) StaticRoute {
	x := &l.routes[i]
	s := l.ways[x.way]
	s.Prefix, s.Origin = x.prefix(), l.whole+origin.ID(x.line)
	return s
}

// Examples gives a route of each way, the first by its prefix: what is wrong with
// its next hops is wrong with those of all others.
func (l *RouteList) Examples() []StaticRoute {
	if l == nil {
		return nil
	}
	seen := make([]bool, len(l.ways))
	var list []StaticRoute
	for i := range l.routes {
		if w := l.routes[i].way; !seen[w] {
			seen[w] = true
			list = append(list, l.route(i))
		}
	}
	return list
}

// Difference is how many routes of one list differ from another's.
type Difference struct{ Added, Removed, Changed int }

// Compare says how next differs from l; either may be nil. Lines do not count,
// but moved says whether one has moved.
func (l *RouteList) Compare(next *RouteList) (d Difference, moved bool) {
	m := merge{was: l, is: next}
	alike := alikeWays(l, next)
	for {
		was, is, more := m.next()
		switch {
		case !more:
			return d, moved
		case was == nil:
			d.Added++
		case is == nil:
			d.Removed++
		case !alike(was.way, is.way):
			d.Changed++
		default:
			moved = moved || l.whole+origin.ID(was.line) != next.whole+origin.ID(is.line)
		}
	}
}

// alikeWays says which ways of two lists are the same.
func alikeWays(l, next *RouteList) func(was, is uint16) bool {
	known := map[[2]uint16]bool{}
	return func(was, is uint16) bool {
		pair := [2]uint16{was, is}
		same, found := known[pair]
		if !found {
			a, b := &l.ways[was], &next.ways[is]
			same = a.Action == b.Action && a.Distance == b.Distance && a.Metric == b.Metric && a.Tag == b.Tag &&
				slices.Equal(a.NextHops, b.NextHops)
			known[pair] = same
		}
		return same
	}
}

// merge goes through two lists, either of which may be nil, in the order of the
// prefixes.
type merge struct {
	was, is *RouteList
	i, j    int
}

// next gives the routes of the next prefix, nil where a list has none.
func (m *merge) next() (was, is *listed, more bool) {
	if m.i < m.was.Len() {
		was = &m.was.routes[m.i]
	}
	if m.j < m.is.Len() {
		is = &m.is.routes[m.j]
	}
	if was != nil && is != nil {
		switch order := was.order(is); {
		case order < 0:
			is = nil
		case order > 0:
			was = nil
		}
	}
	if was != nil {
		m.i++
	}
	if is != nil {
		m.j++
	}
	return was, is, was != nil || is != nil
}

// listPlace is the place of all routes of the list among static routes, behind
// those of the configuration itself.
const listPlace = 1 << 30

// boundWay is a way with the names of interfaces turned into numbers.
type boundWay struct {
	candidate
	hops uint32 // to which it holds a reference
}

// boundList is a list as it is offered, or will be once the relisting is done.
type boundList struct {
	list *RouteList
	ways []boundWay
}

// relisting changes what is offered of a list to what is offered of the next
// one, in slices; the table is settled when it is done.
type relisting struct {
	merge
	from, to []boundWay
}

// bindList has the routes of the configuration's list offered with the present
// numbers of interfaces. It costs nothing for each route unless the list is
// another one, or a way leads elsewhere.
func (r *RIB) bindList(now time.Time) {
	list := r.config.List
	if list == nil && r.bound.list == nil {
		return
	}
	next := boundList{list: list}
	if list != nil {
		next.ways = make([]boundWay, len(list.ways))
		for i := range list.ways {
			c, hops := r.newStatic(now, &list.ways[i], listPlace)
			next.ways[i] = boundWay{c, hops}
		}
	}
	if list == r.bound.list && slices.EqualFunc(next.ways, r.bound.ways, func(a, b boundWay) bool { return a.same(&b) }) {
		r.releaseWays(next.ways)
		return
	}
	r.relistings = append(r.relistings, &relisting{merge{was: r.bound.list, is: list}, r.bound.ways, next.ways})
	r.bound = next
	r.touched = true
}

func (b *boundWay) same(o *boundWay) bool {
	return b.candidate.same(&o.candidate) && b.hops == o.hops
}

func (r *RIB) releaseWays(ways []boundWay) {
	for _, w := range ways {
		r.releaseHops(w.hops)
	}
}

// work works for one slice and returns what is left of it, 0 if there is more to
// do.
func (l *relisting) work(r *RIB, units int) int {
	for {
		if units <= 0 {
			return 0
		}
		units--
		was, is, more := l.next()
		if !more {
			r.releaseWays(l.from)
			return max(units, 1)
		}
		if l.change(r, was, is) {
			units -= changedUnits
		}
	}
}

// change changes what is offered for one prefix, and reports whether it had
// anything to change.
func (l *relisting) change(r *RIB, was, is *listed) bool {
	if was == nil {
		r.offerWay(r.number(is.prefix()), &l.to[is.way], l.origin(is))
		return true
	}
	if l.was == l.is && l.from[was.way].same(&l.to[is.way]) {
		return false
	}
	n := r.find(was.prefix())
	at := r.by(n, routing.SourceStatic, listPlace)
	if is != nil && l.from[was.way].same(&l.to[is.way]) {
		if c := r.cand(at); c.origin != l.origin(is) {
			c.origin = l.origin(is) // of which the FIB does not know: it has the file alone
		}
		return false
	}
	r.remove(n, at)
	if is != nil {
		r.offerWay(n, &l.to[is.way], l.origin(is))
	}
	return true
}

func (l *relisting) origin(is *listed) origin.ID { return l.is.whole + origin.ID(is.line) }

func (r *RIB) offerWay(n number, w *boundWay, at origin.ID) {
	c := w.candidate
	c.origin = at
	r.setDistance(&c, c.offered()) // the configured one may have changed since
	if w.hops != 0 {
		r.sets[w.hops].refs++
	}
	r.offer(n, c, w.hops)
}
