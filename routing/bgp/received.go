package bgp

import (
	"net/netip"

	"routerd/internal/siphash"
	"routerd/routing/bgp/wire"
	"routerd/routing/policy"
	"routerd/routing/protocol"
)

// keep notes what has come from a neighbour, before policies: RFC 4271 §3.2's Adj-RIB-In.
// The attributes are those of given.
func (m *Machine) keep(n *neighbor, r *wire.Reach) {
	rib, s := m.ribs[r.Family], n.source
	if rib.received == nil {
		rib.received = NewTable(r.Family, &m.attributes, siphash.Key{m.random.Uint64(), m.random.Uint64()})
	}
	c := &n.cfg.Families[r.Family]
	m.set = m.given.AppendSet(m.set[:0])
	a := m.attributes.take(m.set, &m.given)
	for path, p := range r.All {
		if !wire.Destination(p) || c.LimitReceived && n.full(r.Family) && !rib.received.Has(p, s.number, path) {
			continue
		}
		m.attributes.Keep(a)
		before := rib.received.Len()
		rib.received.Put(p, s.number, path, a, 0)
		s.kept[r.Family] += rib.received.Len() - before
	}
	m.attributes.Release(a)
}

// discard removes a route that a neighbour has withdrawn from what is kept of it.
func (m *Machine) discard(n *neighbor, f wire.Family, p netip.Prefix, path uint32) {
	t := m.ribs[f].received
	if t == nil || n.source.kept[f] == 0 {
		return
	}
	if number, ok := t.Number(p); ok && t.Remove(number, n.source.number, path) {
		n.source.kept[f]--
		t.freeEmpty(number)
	}
}

// freeEmpty frees the number of a prefix if it has no route left.
func (t *Table) freeEmpty(n uint32) {
	if t.heads.at(n).first == 0 {
		t.Free(n)
	}
}

// keeps says whether what comes is kept from now on, and gives the families that the
// neighbour has to send again for that: with a session that begins, before is nil and all
// is kept.
func (n *neighbor) keeps(before *[wire.NumFamilies]FamilyConfig) (missing wire.Families) {
	s := n.source
	if s == nil {
		return 0
	}
	for f := range wire.Family(wire.NumFamilies) {
		is := n.cfg.Families[f].KeepReceived
		switch {
		case before == nil:
			s.whole[f] = is
		case !is && before[f].KeepReceived:
			s.whole[f] = false
			s.filling &^= wire.Of(f)
			n.machine.dropReceived(s, f)
		case is && !before[f].KeepReceived && n.session.Agreed().RouteRefresh:
			missing |= wire.Of(f)
		}
	}
	return missing
}

// importAgain has the routes of a neighbour go through its import policies again: from
// memory, if all that has come is there, and else by asking for them. A neighbour that
// cannot be asked has its session begun again.
func (m *Machine) importAgain(n *neighbor, families wire.Families) {
	if n.source == nil {
		return
	}
	agreed := n.session.Agreed()
	var missing wire.Families
	for f := range wire.Family(wire.NumFamilies) {
		switch {
		case !families.Has(f) || !agreed.Families.Has(f):
		case n.source.whole[f]:
			m.startSweep(sweep{kind: sweepImport, source: n.source, family: f})
		default:
			missing |= wire.Of(f)
		}
	}
	switch {
	case missing == 0:
	case agreed.RouteRefresh:
		m.refresh(n, missing)
	default:
		m.halt(n, wire.Notification{Code: wire.CodeCease, Subcode: wire.CeaseOtherChange})
		m.start(n)
	}
}

// refresh asks a neighbour for its routes (RFC 2918).
func (m *Machine) refresh(n *neighbor, families wire.Families) {
	var data []byte
	for f := range wire.Family(wire.NumFamilies) {
		if families.Has(f) && n.session.Agreed().Families.Has(f) {
			data = wire.Refresh{Family: f}.Append(data)
		}
	}
	m.session(n.session, func() []protocol.Effect { return n.session.Send(m.now, data, m.out) })
}

// dropReceived drops what is kept of a source, a part of it in each step.
func (m *Machine) dropReceived(s *source, f wire.Family) {
	if s.kept[f] > 0 {
		m.startSweep(sweep{kind: sweepReceived, source: s, family: f})
	}
}

// sweepReceived goes on with dropping what is kept.
func (m *Machine) sweepReceived(w *sweep, most int) uint32 {
	t := m.ribs[w.family].received
	m.swept = m.swept[:0]
	since := t.round(w.source.number) - w.round
	next := t.Sweep(w.at, most, w.source.number, func(n uint32, c Candidate) Fate {
		if w.kind == sweepReceivedOld {
			if c.Age <= since {
				return KeepRoute
			}
			m.removeOld(w, t.Prefix(n), c.Path)
		}
		w.source.kept[w.family]--
		m.swept = append(m.swept, n)
		return DropRoute
	})
	for _, n := range m.swept {
		t.freeEmpty(n)
	}
	return next
}

// removeOld removes a route of the table that a refresh has not brought again, and that an
// import policy may have put there anew since.
func (m *Machine) removeOld(w *sweep, p netip.Prefix, path uint32) {
	r, s := m.ribs[w.family], w.source
	delete(s.rejected[w.family], pathPrefix{p, path})
	if n, ok := r.table.Number(p); ok && r.table.Remove(n, s.number, path) {
		s.routes[w.family]--
		r.touch(n)
	}
}

// importCost is how many prefixes are looked at in the time that one takes to go through
// policies.
const importCost = 8

// sweepImport goes on with routes that go through the import policies again.
func (m *Machine) sweepImport(w *sweep, most int) uint32 {
	r, s, f := m.ribs[w.family], w.source, w.family
	n := s.neighbor
	if n.source != s || r.received == nil { // it has ended
		return r.numbers(w.kind)
	}
	each := n.cfg.Families[f].Import.Chain.Depends()&policy.OnPrefix != 0
	var before, set *AttributeSet
	var weight uint32
	next := r.received.Sweep(w.at, max(most/importCost, 1), s.number, func(number uint32, c Candidate) Fate {
		p := r.received.Prefix(number)
		if each || c.Attributes != before {
			if set != nil {
				m.attributes.Release(set)
			}
			before, set = c.Attributes, nil
			c.Attributes.octets.Read(&m.given)
			if m.admit(n, f) == Permitted {
				set, weight = m.judge(n, f, p, &n.cfg.Families[f].Import)
			}
		}
		if set == nil {
			m.reject(n, f, p, c.Path)
		} else {
			m.attributes.Keep(set)
			m.put(n, f, p, c.Path, set, weight)
		}
		return KeepRoute
	})
	if set != nil {
		m.attributes.Release(set)
	}
	return next
}

// admit judges the attributes of a route that has come, which are in given, before
// policies do.
func (m *Machine) admit(n *neighbor, f wire.Family) (why Denial) {
	switch {
	case n.cfg.Families[f].Import.refuses(n.terms.External):
		return NoPolicy
	case m.isOwn(m.given.NextHop.Address): // RFC 4271 §6.3
		return OwnNextHop
	}
	why, m.room = n.terms.Take(&m.given, m.room[:0])
	return why
}

// share is how many octets of memory some of a table's routes cost, their attributes not
// counted.
func (t *Table) share(routes int) int {
	if t == nil || routes == 0 {
		return 0
	}
	return t.Octets() * routes / t.Len()
}
