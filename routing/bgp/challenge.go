package bgp

import (
	"routerd/routing"
	"routerd/routing/bgp/wire"
)

// Most routes that come where there are some already are worse than the two best of them, and
// change nothing. So the second best is noted beside the best, and a prefix that has one route
// more, and no other change, has that one held against these two alone.

// newcomer has a prefix decided at the end of the step to which one route has been added, the
// newest of its list.
func (r *rib) newcomer(n uint32) {
	id := routing.SlotID(n)
	if !r.isTouched.Has(id) {
		r.hasMore.Add(id)
	}
	r.touchAs(n, id)
}

// newcomers is newcomer of several.
func (r *rib) newcomers(list []uint32) {
	for _, n := range list {
		r.newcomer(n)
	}
}

// put has a prefix decided at the end of the step of which a route was put into the table.
func (r *rib) put(n uint32, is Putting) {
	switch is {
	case PutOther:
		r.touch(n)
	case PutMore:
		r.newcomer(n)
	}
}

// touchAs is touch, which leaves what is known of how the prefix has changed.
func (r *rib) touchAs(n uint32, id routing.SlotID) {
	if r.isTouched.Has(id) {
		r.hasMore.Remove(id)
		return
	}
	r.isTouched.Add(id)
	r.touched = append(r.touched, n)
}

// standing is all of a route that the decision depends on, besides when it came: two routes
// with the same standing compare alike, whatever their prefixes, as long as nothing else changes.
type standing struct {
	attributes, path, weight uint32
	source                   uint16
}

func (x *record) standing() standing { return standing{x.attributes, x.path, x.weight, x.source} }

// contest is the newest route and the second best of a prefix, and what came of it last.
type contest struct {
	newest, second standing
	family         wire.Family
	result         contestResult
}

type contestResult uint8

const (
	notContested contestResult = iota
	newestIsWorse
	newestMayBeBetter
)

// timeless reports whether it does not count when routes came.
func (r *Rules) timeless() bool { return !r.SequentialMED && !r.PreferOldest }

// ordered reports whether routes with the same MED have an order that does not depend on which
// others there are, nor on when they came, and one is used at a time.
func (r *Rules) ordered() bool {
	return r.timeless() && r.MultipathExternal <= 1 && r.MultipathInternal <= 1
}

// challenge is decide for a prefix that has one route more than when it was last decided. It
// reports false where all routes have to be looked at.
func (m *Machine) challenge(r *rib, n uint32) bool {
	l, first := r.at(n), r.table.heads.at(n).first
	if !l.ordered || first == 0 || !m.cfg.Rules.ordered() {
		return false
	}
	if l.second != 0 {
		x, y := r.table.routes.at(first-1), r.table.routes.at(l.second-1)
		c := &m.contest
		if c.result == notContested || c.family != r.family || c.newest != x.standing() || c.second != y.standing() {
			*c = contest{x.standing(), y.standing(), r.family, m.contested(r, first, l.second)}
		}
		if c.result == newestIsWorse {
			return true
		}
	}
	var ids [3]uint32
	k := 0
	m.loadNone()
	for i := first; i != 0; {
		x := r.table.routes.at(i - 1)
		if i == first || i == l.second || x.source == l.source && x.path == l.path {
			if k == len(ids) {
				return false
			}
			ids[k] = i
			k++
			m.routes = r.table.load(i, x, m.routes, r.look)
		}
		i = x.next
	}
	best, second, ok := m.cfg.Rules.firstTwo(m.routes)
	if !ok || best < 0 {
		return false
	}
	m.second = second
	m.conclude(r, n, l, best, true, false)
	l.second = 0
	if second >= 0 {
		l.second = ids[second]
	}
	return true
}

// contested holds the newest route of a prefix against its second best.
func (m *Machine) contested(r *rib, newest, second uint32) contestResult {
	m.loadNone()
	for _, id := range [...]uint32{newest, second} {
		m.routes = r.table.load(id, r.table.routes.at(id-1), m.routes, r.look)
	}
	x, y, rules := &m.routes[0], &m.routes[1], &m.cfg.Rules
	if rules.med(x) == rules.med(y) && rules.before(y, rules.rank(y), x, rules.rank(x)) {
		return newestIsWorse
	}
	return newestMayBeBetter
}

// secondBest notes which route of a prefix is the second best of those that were looked at, all
// of its own.
func (m *Machine) secondBest(r *rib, n uint32, l *chosen) {
	l.second = 0
	if m.second < 0 {
		return
	}
	i := r.table.heads.at(n).first
	for range m.second {
		i = r.table.routes.at(i - 1).next
	}
	l.second = i
}
