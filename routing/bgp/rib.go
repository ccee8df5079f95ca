package bgp

import (
	"net/netip"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// rib is the routes of a family, and what was chosen of them: RFC 4271 §3.2's Loc-RIB.
type rib struct {
	family wire.Family
	table  *Table
	// look and lookPath are view and viewPath of the machine, for the family.
	look, lookPath func(Candidate, *Route)
	paths          bool // neighbours are sent several paths of a prefix
	// received are routes as they came, of neighbours of which they are kept; nil if there
	// were none.
	received *Table
	chosen   pages[chosen] // by number
	aggregates

	touched   []uint32 // numbers that are to be decided
	isTouched routing.SlotSet
	hasMore   routing.SlotSet // of these, such as have one route more, and no other change

	// What was chosen goes to neighbours when the FIB has it: fresh are prefixes that
	// have changed since the last Mark, marked those that had before it.
	fresh, marked     []uint32
	isFresh, isMarked routing.SlotSet
	vacancies
}

// chosen is the best route of a prefix. Numbers that may be missing have one added.
type chosen struct {
	attributes uint32 // number and one, taken
	path       uint32
	slot       uint32 // and one
	second     uint32 // the second best, by its ID; 0 if none can be reached, or with ordered unset
	source     uint16
	longLived  bool
	ordered    bool // no MED differs, so that the best two are so whatever others there are
}

// touch has a prefix decided when the inputs have been taken.
func (r *rib) touch(n uint32) { r.touchAs(n, routing.SlotID(n)) }

// touchList is touch of several.
func (r *rib) touchList(list []uint32) {
	for _, n := range list {
		r.touch(n)
	}
}

// at is what was chosen for a number.
func (r *rib) at(n uint32) *chosen {
	for r.chosen.n <= n {
		r.chosen.add()
	}
	return r.chosen.at(n)
}

// waits reports whether the FIB may not have what was chosen yet.
func (r *rib) waits(n uint32) bool {
	id := routing.SlotID(n)
	return r.isFresh.Has(id) || r.isMarked.Has(id)
}

// settle decides about all prefixes that were touched.
func (m *Machine) settle(r *rib) {
	for again := true; again; again = m.aggregate(r) {
		m.contest = contest{} // numbers of attributes may be others' now
		m.loadNone()
		for _, n := range r.touched {
			id := routing.SlotID(n)
			r.isTouched.Remove(id)
			more := r.hasMore.Has(id)
			if more {
				r.hasMore.Remove(id)
			}
			if !more || !m.challenge(r, n) {
				m.decide(r, n)
			}
			m.tellPaths(r, n)
			if len(m.offers) == offersAtOnce {
				m.offerAll(r)
			}
		}
		m.offerAll(r)
		r.touched = r.touched[:0]
	}
}

// lone is what was decided of a route that is the only one of its prefix: the same holds for
// others of the source with the same next hop and MED.
type lone struct {
	set       *AttributeSet // that was seen last; nil: nothing is known
	hop       *hop          // nil: it is link-local, and the same holds for those with the set alone
	source    uint16
	longLived bool
	way       int32
}

// isLone reports whether x is such a route as was decided last.
func (m *Machine) isLone(x *record) bool {
	o := &m.lone
	if x == nil || o.set == nil || o.source != x.source {
		return false
	}
	if o.set.number == x.attributes {
		return true
	}
	set := m.attributes.At(x.attributes)
	if h := m.hop(set); h == nil || h != o.hop || set.MED != o.set.MED {
		return false
	}
	o.set = set
	return true
}

// only gives the route of a prefix that has one, nil if it has another number of them.
func (t *Table) only(n uint32) *record {
	first := t.heads.at(n).first
	if first == 0 {
		return nil
	}
	if x := t.routes.at(first - 1); x.next == 0 {
		return x
	}
	return nil
}

// decide chooses the best route of a prefix (RFC 4271 §9.1.2), and offers it.
func (m *Machine) decide(r *rib, n uint32) {
	l := r.at(n)
	only := r.table.only(n)
	if m.isLone(only) {
		o, before := &m.lone, *l
		l.attributes, l.path, l.source, l.longLived, l.second, l.ordered = only.attributes+1, only.path, o.source, o.longLived, 0, true
		m.exchange(l, &before, o.set)
		m.offerLater(r, n, l, o.way)
		m.chose(r, n, l, &before)
		return
	}
	if r.table.heads.at(n).first == 0 {
		m.decideNone(r, n, l)
		return
	}
	if !m.isAlike(r, n) {
		m.loadAll(r, n)
	}
	a := &m.alike
	m.second = a.second
	m.conclude(r, n, l, a.best, a.ordered, only != nil)
	if l.ordered {
		m.secondBest(r, n, l)
	}
}

// conclude takes a route for the best of a prefix; only says that there is no other one.
func (m *Machine) conclude(r *rib, n uint32, l *chosen, best int, ordered, only bool) {
	before := *l
	var set *AttributeSet
	if best < 0 {
		*l = chosen{slot: l.slot}
	} else {
		b := &m.routes[best]
		set = b.Attributes
		*l = chosen{attributes: set.number + 1, path: b.PathID, slot: l.slot, source: m.from[best], longLived: b.LongLived, ordered: ordered}
	}
	m.exchange(l, &before, set)
	switch {
	case best >= 0 && l.source == 0 && l.path == aggregatePath:
		m.offerLater(r, n, l, m.way(routing.Slot{Action: routing.Blackhole, Internal: true, Distance: aggregateDistance}))
	case best >= 0 && l.source != 0:
		way := m.alike.way
		if way == noWay {
			way = m.offer(best)
			m.alike.way = way
		}
		m.offerLater(r, n, l, way)
		if only {
			m.lone = lone{set, m.hop(set), l.source, l.longLived, way}
		}
	case l.slot != 0:
		m.offerLater(r, n, l, routing.Withdrawn)
	}
	m.chose(r, n, l, &before)
}

// decideNone is decide for a prefix without a route.
func (m *Machine) decideNone(r *rib, n uint32, l *chosen) {
	r.vacate(n)
	if l.attributes == 0 {
		return
	}
	before := *l
	*l = chosen{slot: l.slot}
	m.attributes.Release(m.attributes.At(before.attributes - 1))
	if l.slot != 0 {
		m.offerLater(r, n, l, routing.Withdrawn)
	}
	m.tell(r, n)
	m.contribute(r, n, l)
}

// exchange takes the attributes of what was chosen, and lets those go of what was before.
func (m *Machine) exchange(l, before *chosen, set *AttributeSet) {
	if l.attributes == before.attributes {
		return
	}
	if set != nil {
		m.attributes.Keep(set)
	}
	if before.attributes != 0 {
		m.attributes.Release(m.attributes.At(before.attributes - 1))
	}
}

// chose does what follows from another choice.
func (m *Machine) chose(r *rib, n uint32, l, before *chosen) {
	if l.attributes != before.attributes || l.source != before.source || l.path != before.path || l.longLived != before.longLived {
		m.changed(r, n, l)
	}
	m.contribute(r, n, l)
}

// offer gives the way of the best route, and of those beside it.
func (m *Machine) offer(best int) int32 {
	m.used = m.cfg.Rules.Multipath(m.routes, best, m.used[:0])
	b := &m.routes[best]
	before := len(m.written)
	for _, i := range m.used {
		m.write(before, m.forwarding(i))
	}
	if i := m.backup(); i >= 0 {
		h := m.forwarding(i)
		h.Backup = true
		m.write(before, h)
	}
	o := routing.Slot{NextHops: m.written[before:], Action: routing.Forward, Metric: b.Attributes.MED, Internal: !b.External, Distance: m.cfg.Distance}
	if o.Internal {
		o.Distance = m.cfg.InternalDistance
	}
	return m.way(o)
}

// way gives the index of a route among those of offers.
func (m *Machine) way(s routing.Slot) int32 {
	m.ways = append(m.ways, s)
	return int32(len(m.ways) - 1)
}

// write adds a next hop to those from one on, which are a route's, if it is another one
// and there is room.
func (m *Machine) write(from int, h routing.NextHop) {
	if hops := m.written[from:]; len(hops) < routing.MaxNextHops && !hasHop(hops, h) {
		m.written = append(m.written, h)
	}
}

// offersAtOnce is how many changes of slots are gathered.
const offersAtOnce = 256

// offerLater has offerAll change the slot of a prefix.
func (m *Machine) offerLater(r *rib, n uint32, l *chosen, way int32) {
	m.offers, m.offered = append(m.offers, routing.Offering{ID: routing.SlotID(l.slot - 1), Route: way}), append(m.offered, n) // NoSlot, if it has none
	if l.slot == 0 {
		r.table.name(n, &m.offers[len(m.offers)-1])
	}
}

// offerAll writes what was gathered into the slots of prefixes of a family.
func (m *Machine) offerAll(r *rib) {
	m.slots.OfferAll(m.offers, m.ways)
	for i := range m.offers {
		r.at(m.offered[i]).slot = uint32(m.offers[i].ID) + 1
	}
	m.offers, m.offered, m.ways, m.written = m.offers[:0], m.offered[:0], m.ways[:0], m.written[:0]
	m.lone, m.alike.way = lone{}, noWay
}

// notAsked: which route is the second best is not known.
const notAsked = -2

func hasHop(list []routing.NextHop, h routing.NextHop) bool {
	for i := range list {
		if list[i].Address == h.Address && list[i].Interface == h.Interface {
			return true
		}
	}
	return false
}

// backup is the best route besides those that are used, so that packets need not wait for
// a decision when these are lost; -1 if there is none.
func (m *Machine) backup() int {
	if len(m.routes) <= len(m.used) {
		return -1
	}
	b := m.second
	if b == notAsked || len(m.used) > 1 {
		m.rest = append(m.rest[:0], m.routes...)
		for _, i := range m.used {
			m.rest[i].Unreachable = true
		}
		b = m.cfg.Rules.Best(m.rest, nil)
	}
	if b < 0 || m.from[b] == 0 {
		return -1
	}
	return b
}

// forwarding is the next hop that packets by a route go to.
func (m *Machine) forwarding(i int) routing.NextHop {
	a := m.routes[i].Attributes
	if h := m.hop(a); h != nil {
		return routing.NextHop{Address: h.key.address, Interface: routing.NoInterface}
	}
	return routing.NextHop{Address: a.octets.NextHop().LinkLocal, Interface: m.sources[m.from[i]].link}
}

// changed notes that another route of a prefix, or none, is the best.
func (m *Machine) changed(r *rib, n uint32, l *chosen) {
	id := routing.SlotID(n)
	if l.attributes == 0 || l.source == 0 { // nothing to wait for
		m.tell(r, n)
		return
	}
	if !r.isFresh.Has(id) {
		r.isFresh.Add(id)
		r.fresh = append(r.fresh, n)
	}
}

// publish asks to be told when the FIB has what has changed.
func (m *Machine) publish() {
	if m.mark > m.installed {
		return
	}
	news := false
	for _, r := range m.ribs {
		news = news || len(r.fresh) > 0
		r.marked, r.fresh = r.fresh, r.marked[:0]
		r.isMarked, r.isFresh = r.isFresh, r.isMarked
	}
	if news {
		m.mark++
		m.emit(protocol.Mark{Number: m.mark})
	}
}

// forwarded says that packets are forwarded by what was marked.
func (m *Machine) forwarded(number uint64) {
	if number < m.mark || m.installed == m.mark {
		return
	}
	m.installed = m.mark
	for _, r := range m.ribs {
		for _, n := range r.marked {
			r.isMarked.Remove(routing.SlotID(n))
			if r.at(n).attributes == 0 {
				r.vacate(n)
			}
			if !r.isFresh.Has(routing.SlotID(n)) {
				m.tell(r, n)
			}
		}
		r.marked = r.marked[:0]
	}
}

// ownWeight is the weight of the router's own routes, by which they are better than what
// others say of the same prefix, whatever its local preference, as in FRR.
const ownWeight = 32768

// originate puts a route of the router's own into the table, or takes it out.
func (m *Machine) originate(p netip.Prefix) {
	r := m.ribs[wire.FamilyFor(p)]
	network, isNetwork := m.own[p]
	from, has := m.heard[p]
	if !has && !(isNetwork && network.Always) {
		if n, ok := r.table.Number(p); ok && r.table.Remove(n, 0, 0) {
			r.touch(n)
		}
		return
	}
	var a wire.Attributes
	a.Origin = wire.OriginIGP
	a.Set(wire.AttrOrigin)
	a.Set(wire.AttrASPath)
	if !isNetwork {
		a.Origin = wire.OriginIncomplete
	}
	if has {
		a.MED = from.Metric
		a.Set(wire.AttrMED)
	}
	m.set = a.AppendSet(m.set[:0])
	r.put(r.table.Put(p, 0, 0, m.attributes.take(m.set, &a), ownWeight))
}
