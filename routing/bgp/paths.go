package bgp

import (
	"maps"
	"slices"

	"routerd/routing/bgp/wire"
)

// AllPaths has neighbours sent all paths of a prefix, see [FamilyConfig].
const AllPaths = -1

// sentPaths is what a lane has sent of a family of which it sends several paths of a prefix
// (RFC 7911). The identifier of a path is the number of its route in the table, which is
// the same for all neighbours, as long as there is the route.
type sentPaths struct {
	heads pages[uint32]   // by number of the prefix: the first of its paths, and one
	paths pages[sentPath] // by number
	free  uint32          // the first that is free, and one
	count int
	from  map[*neighbor]int // how many are of routes of a neighbour
}

// sentPath is a path that was sent.
type sentPath struct {
	next       uint32 // path of the prefix, or free one, and one
	id         uint32
	attributes uint32 // of the route, by number
	longLived  bool
	from       *neighbor
}

// first gives the index of the first path of a prefix, plus one; 0 if there is none.
func (s *sentPaths) first(n uint32) uint32 {
	if n >= s.heads.n {
		return 0
	}
	return *s.heads.at(n)
}

// all yields the paths of a prefix.
func (s *sentPaths) all(n uint32) func(yield func(*sentPath) bool) {
	return func(yield func(*sentPath) bool) {
		for i := s.first(n); i != 0; {
			p := s.paths.at(i - 1)
			i = p.next
			if !yield(p) {
				return
			}
		}
	}
}

// find gives a path, nil if it was not sent.
func (s *sentPaths) find(n, id uint32) *sentPath {
	for p := range s.all(n) {
		if p.id == id {
			return p
		}
	}
	return nil
}

// put notes that a path was sent.
func (s *sentPaths) put(m *Machine, n, id, attributes uint32, longLived bool, from *neighbor) {
	m.attributes.Keep(m.attributes.At(attributes))
	p := s.find(n, id)
	if p != nil {
		m.attributes.Release(m.attributes.At(p.attributes))
		s.forget(p.from)
	} else {
		for s.heads.n <= n {
			s.heads.add()
		}
		i := s.free
		if i != 0 {
			s.free = s.paths.at(i - 1).next
		} else {
			i = s.paths.add() + 1
		}
		p = s.paths.at(i - 1)
		p.next, p.id = *s.heads.at(n), id
		*s.heads.at(n) = i
		s.count++
	}
	p.attributes, p.longLived, p.from = attributes, longLived, from
	if from != nil {
		s.from[from]++
	}
}

func (s *sentPaths) forget(from *neighbor) {
	if from == nil {
		return
	}
	if s.from[from]--; s.from[from] == 0 {
		delete(s.from, from)
	}
}

// remove notes that a path was withdrawn, and reports whether it had been sent.
func (s *sentPaths) remove(m *Machine, n, id uint32) bool {
	if s.first(n) == 0 {
		return false
	}
	for at := s.heads.at(n); *at != 0; {
		i := *at
		p := s.paths.at(i - 1)
		if p.id != id {
			at = &p.next
			continue
		}
		m.attributes.Release(m.attributes.At(p.attributes))
		s.forget(p.from)
		*at = p.next
		*p = sentPath{next: s.free}
		s.free = i
		s.count--
		return true
	}
	return false
}

// clone copies what was sent.
func (s *sentPaths) clone(m *Machine) *sentPaths {
	x := *s
	x.heads, x.paths, x.from = s.heads.clone(), s.paths.clone(), maps.Clone(s.from)
	for n := range x.heads.n {
		for p := range x.all(n) {
			m.attributes.Keep(m.attributes.At(p.attributes))
		}
	}
	return &x
}

// drop lets all attributes go.
func (s *sentPaths) drop(m *Machine) {
	for n := range s.heads.n {
		for p := range s.all(n) {
			m.attributes.Release(m.attributes.At(p.attributes))
		}
	}
	*s = sentPaths{}
}

// same reports whether the same paths were sent.
func (s *sentPaths) same(as *sentPaths) bool {
	if s.count != as.count {
		return false
	}
	for n := range s.heads.n {
		for p := range s.all(n) {
			if o := as.find(n, p.id); o == nil || o.attributes != p.attributes || o.longLived != p.longLived || o.from != p.from {
				return false
			}
		}
	}
	return true
}

// clone copies the list and what it has.
func (p *pages[T]) clone() pages[T] {
	x := pages[T]{list: make([]*[pageSize]T, len(p.list)), n: p.n}
	for i, page := range p.list {
		copied := *page
		x.list[i] = &copied
	}
	return x
}

// selectPaths finds the routes of a prefix of which paths are sent: the best ones, up to
// most, or all that can be used. Their indices in routes are in selected.
func (m *Machine) selectPaths(r *rib, number uint32, most int) {
	m.loadNone()
	m.ids, m.selected = m.ids[:0], m.selected[:0]
	m.routes = r.table.Load(number, m.routes, r.lookPath)
	if most == AllPaths {
		for i := range m.routes {
			if !m.routes[i].Unreachable {
				m.selected = append(m.selected, i)
			}
		}
		return
	}
	m.rest = append(m.rest[:0], m.routes...)
	for len(m.selected) < most {
		best := m.cfg.Rules.Best(m.rest, nil)
		if best < 0 {
			return
		}
		m.selected = append(m.selected, best)
		m.rest[best].Unreachable = true
	}
}

// viewPath is view, and notes the identifier of the path.
func (m *Machine) viewPath(f wire.Family, c Candidate, r *Route) {
	m.ids = append(m.ids, c.ID)
	m.view(f, c, r)
}

// gatherPaths withdraws paths of a prefix that are no longer to be sent, and puts into the
// batch those that have changed; all of them, if it is part of a dump.
func (m *Machine) gatherPaths(l *lane, r *rib, number uint32, whole bool) {
	m.selected = m.selected[:0]
	if r.at(number).attributes != 0 && !m.suppressed(r, number) {
		m.selectPaths(r, number, l.group.key.paths)
	}
	for p := range l.paths.all(number) {
		if !slices.ContainsFunc(m.selected, func(i int) bool { return m.ids[i] == p.id }) {
			m.unsend(l, r, item{number: number, path: p.id})
		}
	}
	if len(m.selected) == 0 {
		r.vacate(number)
	}
	for _, i := range m.selected {
		it := item{number: number, path: m.ids[i], attributes: m.routes[i].Attributes.number, source: m.from[i], whole: whole}
		p := l.paths.find(number, it.path)
		if whole || p == nil || p.attributes != it.attributes || p.longLived != m.routes[i].LongLived || p.from != m.sources[it.source].neighbor {
			m.encoder.items = append(m.encoder.items, it)
		}
	}
}

// sendPath notes that a path was announced.
func (m *Machine) sendPath(l *lane, s *segment, it *item) {
	e := &m.encoder
	var before *neighbor
	p := l.paths.find(it.number, it.path)
	if p != nil {
		before = p.from
	}
	had := p != nil
	l.paths.put(m, it.number, it.path, it.attributes, m.sources[it.source].longLived.Has(l.group.family), s.from)
	if s.own > 0 {
		c := &e.variants[s.own-1]
		c.exclude(l, *it, had && before != c.rider.neighbor)
	}
	if s.via > 0 {
		c := &e.variants[s.via-1]
		c.special, c.had = append(c.special, *it), append(c.had, had && before != c.rider.neighbor)
	}
}

// tellPaths has neighbours that are sent several paths told of a prefix, of which something
// has changed, if they are not told when the FIB has it.
func (m *Machine) tellPaths(r *rib, n uint32) {
	if !r.paths || r.waits(n) {
		return
	}
	for _, g := range m.groups[r.family] {
		if g.key.paths == 0 {
			continue
		}
		for _, l := range g.lanes {
			l.add(n)
		}
	}
}

// paths are the capabilities of RFC 7911 that the neighbour is told of.
func (n *NeighborConfig) paths() (list [wire.NumFamilies]wire.AddPath) {
	for f := range list {
		c := &n.Families[f]
		if !c.Enabled {
			continue
		}
		if c.ReceivePaths {
			list[f] |= wire.AddPathReceive
		}
		if c.SendPaths != 0 {
			list[f] |= wire.AddPathSend
		}
	}
	return list
}
