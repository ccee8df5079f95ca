package bgp

import (
	"net/netip"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/policy"
)

// Update takes the routes of an UPDATE (RFC 4271 §9).
func (n *neighbor) Update(_ *Session, u *wire.Update) {
	m := n.machine
	if n.over || n.source == nil {
		return
	}
	n.messages.Updates++
	for i := range u.Withdrawn {
		if w := &u.Withdrawn[i]; len(w.Octets) > 0 {
			m.withdraw(n, w)
		}
	}
	if f, ok := u.EndOfRIB(); ok {
		n.source.ended |= wire.Of(f)
		if n.stale != nil {
			m.dropFamily(n.stale, f) // RFC 4724 §4.2
		}
	}
	for i := range u.Reach {
		if r := &u.Reach[i]; len(r.Octets) > 0 {
			m.reach(n, u, r)
		}
	}
	if u.Approach == wire.TreatAsWithdraw {
		m.event(UpdateRefused, n.link, n.cfg.Address, refusalError{u.Strongest()})
	}
}

// refusalError is what is wrong with a message, as an error.
type refusalError struct{ r wire.Refusal }

func (e refusalError) Error() string { return e.r.String() }

// reach takes prefixes with their attributes.
func (m *Machine) reach(n *neighbor, u *wire.Update, r *wire.Reach) {
	f := r.Family
	if !n.session.Agreed().Families.Has(f) {
		return
	}
	c := &n.cfg.Families[f].Import
	refused := u.Approach == wire.TreatAsWithdraw
	counter := &n.messages.Refused
	if !refused {
		m.given = u.Attributes
		m.given.NextHop = r.NextHop
		m.given.Set(wire.AttrNextHop)
		if n.cfg.Families[f].KeepReceived {
			m.keep(n, r)
		}
		why := m.admit(n, f)
		if refused = why != Permitted; why == NoPolicy {
			counter = &n.messages.NoPolicy
		}
	}
	if refused {
		for path, p := range r.All {
			n.messages.Announcements++
			n.source.announced[f]++
			*counter++
			if u.Approach == wire.TreatAsWithdraw {
				m.discard(n, f, p, path)
				m.remove(n, f, p, path)
			} else {
				m.reject(n, f, p, path)
			}
			if n.over {
				break
			}
		}
		return
	}
	each := c.Chain.Depends()&policy.OnPrefix != 0
	if !each && n.plain(f) {
		m.putAll(n, r, c)
		return
	}
	var set *AttributeSet // of the prefix before, if it is the same for all
	var weight uint32
	accepted := false
	for path, p := range r.All {
		n.messages.Announcements++
		n.source.announced[f]++
		if !wire.Destination(p) {
			*counter++
			continue
		}
		if set == nil && !accepted || each {
			if set != nil {
				m.attributes.Release(set)
			}
			set, weight = m.judge(n, f, p, c)
			accepted = true // it was asked
		}
		if set == nil {
			n.messages.Filtered++
			if m.reject(n, f, p, path); n.over {
				return
			}
			continue
		}
		m.attributes.Keep(set)
		m.put(n, f, p, path, set, weight)
		if n.over {
			break
		}
	}
	if set != nil {
		m.attributes.Release(set)
	}
}

// withdraw takes prefixes that a neighbour has withdrawn.
func (m *Machine) withdraw(n *neighbor, w *wire.NLRI) {
	f, s := w.Family, n.source
	if !n.plain(f) || s.kept[f] > 0 {
		for path, p := range w.All {
			n.messages.Withdrawals++
			m.discard(n, f, p, path)
			m.remove(n, f, p, path)
		}
		return
	}
	r, rest := m.ribs[f], *w
	for some := rest.Read(m.plain[:]); some > 0; some = rest.Read(m.plain[:]) {
		n.messages.Withdrawals += uint64(some)
		m.numbers = r.table.RemoveAll(m.plain[:some], s.number, m.numbers[:0])
		s.routes[f] -= len(m.numbers)
		r.touchList(m.numbers)
	}
}

// plain reports whether routes of a neighbour concern nothing but the table: there is no limit,
// and nothing stale that they take the place of.
func (n *neighbor) plain(f wire.Family) bool {
	return n.stale == nil && n.cfg.Families[f].MaximumPrefixes == 0 && len(n.source.rejected[f]) == 0
}

// putAll takes prefixes of a neighbour that is plain, with the attributes of given, whose
// policy has the same answer for each of them.
func (m *Machine) putAll(n *neighbor, reach *wire.Reach, c *Policy) {
	f, s := reach.Family, n.source
	r, rest := m.ribs[f], reach.NLRI
	var set *AttributeSet
	var weight uint32
	asked := false
	for some := rest.Read(m.plain[:]); some > 0; some = rest.Read(m.plain[:]) {
		n.messages.Announcements += uint64(some)
		s.announced[f] += uint64(some)
		list := m.plain[:0]
		for i := range m.plain[:some] {
			if p := &m.plain[i]; p.Destination(f) {
				list = append(list, *p)
			}
		}
		n.messages.Refused += uint64(some - len(list))
		if len(list) == 0 {
			continue
		}
		if !asked {
			set, weight = m.judge(n, f, list[0].Prefix(f), c)
			asked = true
		}
		if set == nil {
			n.messages.Filtered += uint64(len(list))
			m.numbers = r.table.RemoveAll(list, s.number, m.numbers[:0])
			s.routes[f] -= len(m.numbers)
		} else {
			before := r.table.Len()
			m.numbers, m.more = r.table.PutAll(list, s.number, set, weight, m.numbers[:0], m.more[:0])
			s.routes[f] += r.table.Len() - before
			r.newcomers(m.more)
		}
		r.touchList(m.numbers)
	}
	if set != nil {
		m.attributes.Release(set)
	}
}

// judge asks the import policy about a route with the attributes of given, and gives those
// that it has then, taken; nil if it is rejected, or what the policy has added has no room.
func (m *Machine) judge(n *neighbor, f wire.Family, p netip.Prefix, c *Policy) (*AttributeSet, uint32) {
	a, weight := &m.given, uint32(0)
	if len(c.Chain) > 0 {
		m.seen = PolicyAttributes{Attributes: m.given, Neighbor: n.cfg.Address}
		m.policies = policy.Route{
			Prefix: p, Source: sourceOf(n.terms.External), NextHop: hopAddress(m.given.NextHop), Attributes: &m.seen,
		}
		if !c.Chain.Accepts(&m.policies) {
			return nil, 0
		}
		after := m.policies.Attributes.(*PolicyAttributes)
		a, weight = &after.Attributes, after.Weight
		switch {
		case after.NextHopSelf:
			a.NextHop = wire.NextHop{Address: n.cfg.Address}
		case m.policies.NextHopSet:
			a.NextHop = wire.NextHop{Address: m.policies.NextHop}
		}
	}
	if !a.Fits() {
		return nil, 0
	}
	m.set = a.AppendSet(m.set[:0])
	return m.attributes.take(m.set, a), weight
}

func sourceOf(external bool) routing.Source {
	if external {
		return routing.SourceEBGP
	}
	return routing.SourceIBGP
}

// hopAddress is the address of a next hop that policies see.
func hopAddress(h wire.NextHop) netip.Addr {
	if h.Address.IsValid() {
		return h.Address
	}
	return h.LinkLocal
}

// put stores a route of a neighbour.
func (m *Machine) put(n *neighbor, f wire.Family, p netip.Prefix, path uint32, a *AttributeSet, weight uint32) {
	r, s := m.ribs[f], n.source
	delete(s.rejected[f], pathPrefix{p, path})
	if n.full(f) && !r.table.Has(p, s.number, path) {
		n.limits[f].blocked = true
		n.messages.OverLimit++
		m.attributes.Release(a)
		m.remove(n, f, p, path)
		return
	}
	before := r.table.Len()
	number, is := r.table.Put(p, s.number, path, a, weight)
	s.routes[f] += r.table.Len() - before
	if n.stale != nil && r.table.Remove(number, n.stale.number, path) {
		n.stale.routes[f]--
		is = PutOther
	}
	r.put(number, is)
	n.over = n.over || n.tooMany(f)
}

// remove removes a route of a neighbour, if it is there.
func (m *Machine) remove(n *neighbor, f wire.Family, p netip.Prefix, path uint32) {
	r := m.ribs[f]
	if n.source != nil {
		delete(n.source.rejected[f], pathPrefix{p, path})
	}
	number, ok := r.table.Number(p)
	if !ok {
		return
	}
	for _, s := range [...]*source{n.source, n.stale} {
		if s != nil && r.table.Remove(number, s.number, path) {
			s.routes[f]--
			r.touch(number)
		}
	}
}
