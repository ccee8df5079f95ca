package bgp

// Neighbours that have the same prefixes mostly have the same of them with the same attributes,
// so that the routes of a prefix are those of the one before in all that counts. Then what was
// decided of that one holds, and no route is looked at besides its record.

// alike is what was decided of the routes that were loaded last, and what they were.
type alike struct {
	standings    []standing // of m.routes, in their order; none: nothing is known
	best, second int        // as firstTwo gives them, and notAsked
	ordered      bool
	way          int32 // that the best is offered with, or noWay
}

// noWay: the route was not offered yet, or its way is forgotten.
const noWay = -2

// loadNone empties the list of routes that are looked at, for others.
func (m *Machine) loadNone() {
	m.routes, m.from = m.routes[:0], m.from[:0]
	m.alike.standings, m.alike.way = m.alike.standings[:0], noWay
}

// loadAll looks at all routes of a prefix, and decides between them.
func (m *Machine) loadAll(r *rib, n uint32) {
	m.loadNone()
	m.routes = r.table.Load(n, m.routes, r.look)
	a := &m.alike
	best, second, ok := m.cfg.Rules.firstTwo(m.routes)
	if a.best, a.second, a.ordered = best, second, ok; !ok {
		a.best, a.second = m.cfg.Rules.Best(m.routes, nil), notAsked
	}
	if !m.cfg.Rules.timeless() {
		return
	}
	for i := r.table.heads.at(n).first; i != 0; {
		x := r.table.routes.at(i - 1)
		a.standings = append(a.standings, x.standing())
		i = x.next
	}
}

// isAlike reports whether the routes of a prefix are those that were loaded last, but for
// their prefix and when they came.
func (m *Machine) isAlike(r *rib, n uint32) bool {
	list := m.alike.standings
	if len(list) == 0 {
		return false
	}
	i := r.table.heads.at(n).first
	for k := range list {
		if i == 0 {
			return false
		}
		x := r.table.routes.at(i - 1)
		if x.standing() != list[k] {
			return false
		}
		i = x.next
	}
	return i == 0
}
