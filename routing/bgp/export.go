package bgp

import (
	"math/bits"
	"net/netip"
	"slices"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/policy"
	"routerd/routing/protocol"
)

// partsOfBlock is how many parts a block has at most, since each is a message at least:
// what comes after them is withdrawn from all.
const partsOfBlock = 32

// batchSize is how many prefixes are put in order by their attributes at once.
const batchSize = 4096

// blockRoom is how many octets of UPDATEs a block has at most before the last one.
func (g *group) blockRoom() int {
	const others = 3 * 32 // what says where a dump begins and ends
	return protocol.StreamRoom/2 - g.key.session.Longest() - others
}

// produce makes the next block of a lane.
func (m *Machine) produce(l *lane) {
	e, g := &m.encoder, l.group
	r := m.ribs[g.family]
	l.moved = true
	e.hop, e.hopOf = netip.Addr{}, nil
	e.items, e.runs, e.segments, e.variants = e.items[:0], e.runs[:0], e.segments[:0], e.variants[:0]
	e.parts = append(e.parts[:0], part{})
	for i, p := range [...]*wire.Packer{&e.announced, &e.withdrawn} {
		p.Begin(e.buffers[i][:0], &g.key.session)
	}
	e.withdrawn.Withdraw(g.family)
	e.block = &block{}
	for len(e.items) < batchSize {
		number, whole, ok := l.take()
		if !ok {
			break
		}
		m.gather(l, r, number, whole)
	}
	e.arrange(m.attributes.Numbers())
	for at, k := 0, 0; k < len(e.runs); k++ {
		end := at + int(e.runs[k].items)
		at += m.announce(l, r, e.batch[at:end])
		if at < end { // there is no more room
			for _, i := range e.batch[at:] {
				if it := &e.items[i]; it.whole {
					l.again = append(l.again, it.number)
				} else {
					l.waiting.add(it.number)
				}
			}
			break
		}
	}
	m.complete(l, r)
}

// gather withdraws a prefix of which there is nothing to be sent, and puts others into the
// batch.
func (m *Machine) gather(l *lane, r *rib, number uint32, whole bool) {
	whole = l.pay(number) || whole
	if !r.table.Used(number) {
		return
	}
	c := r.at(number)
	gone := c.attributes == 0 || m.suppressed(r, number)
	switch {
	case !gone && c.source != 0 && r.waits(number): // it comes when the FIB has it
		if whole {
			l.owe(number)
		}
	case l.paths != nil:
		m.gatherPaths(l, r, number, whole)
	case gone:
		m.unsend(l, r, item{number: number})
		r.vacate(number)
	case l.isOf(m.sources[c.source].neighbor):
		m.unsend(l, r, item{number: number})
	default:
		m.encoder.items = append(m.encoder.items, item{number: number, attributes: c.attributes - 1, source: c.source, whole: whole})
	}
}

// announce announces routes with the same attributes. It stops when there is no more room,
// and gives how many it has come to.
func (m *Machine) announce(l *lane, r *rib, same []uint32) int {
	e, g := &m.encoder, l.group
	depends, room := g.export.Chain.Depends(), g.blockRoom()
	var last *item // that was asked about
	permitted := false
	var s *segment
	for i, k := range same {
		if e.announced.Len()+e.withdrawn.Len() > room {
			return i
		}
		it := &e.items[k]
		// What a route of the router's own was before depends on the prefix too.
		each := depends&policy.OnPrefix != 0 || g.key.ownDefault || it.source == 0 && depends&(policy.OnSource|policy.OnTag) != 0
		if last == nil || it.source != last.source || each {
			last = it
			var hop netip.Addr
			if hop, permitted = m.prepare(g, r, it, &g.hops); permitted {
				s, permitted = m.segment(l, m.sources[it.source].neighbor, hop, s)
			}
		}
		if !permitted {
			m.unsend(l, r, *it)
			continue
		}
		m.sendRoute(l, r, s, it)
	}
	return len(same)
}

// segment gives the segment for routes with the attributes of given, which is the open one
// if it is the same.
func (m *Machine) segment(l *lane, from *neighbor, hop netip.Addr, open *segment) (*segment, bool) {
	e, f := &m.encoder, l.group.family
	if open != nil && open.from == from && open.hop == hop && e.announced.Continues(f, &m.given) {
		return open, true
	}
	if !e.announced.Announce(f, &m.given) {
		return nil, false
	}
	m.encoded++
	e.segments = append(e.segments, segment{from: from, hop: hop, at: e.announced.Len()})
	s := &e.segments[len(e.segments)-1]
	if from != nil && from.out[f].lane == l {
		s.own = e.variant(&from.out[f])
	}
	if hop.IsValid() {
		if hop != e.hop { // most routes of a neighbour have the same
			e.hop, e.hopOf = hop, m.neighbor(hop, routing.NoInterface)
		}
		if n := e.hopOf; n != nil && n != from && n.out[f].lane == l {
			s.via = e.variant(&n.out[f])
		}
	}
	return s, true
}

// sendRoute announces a route, which is in the open segment.
func (m *Machine) sendRoute(l *lane, r *rib, s *segment, it *item) {
	e, id := &m.encoder, routing.SlotID(it.number)
	e.announced.Add(it.path, r.table.Prefix(it.number))
	e.block.announced++
	if l.paths != nil {
		m.sendPath(l, s, it)
		return
	}
	had := l.sent.Has(id)
	if s.via > 0 {
		c := &e.variants[s.via-1]
		c.special, c.had = append(c.special, *it), append(c.had, had && !c.rider.except.Has(id))
	}
	if !had {
		l.sent.Add(id)
		l.count++
	} else {
		l.include(id, s.own)
	}
	if s.own > 0 {
		e.variants[s.own-1].exclude(l, *it, had)
	}
}

// include notes that all who ride on the lane have now been sent a prefix, except the one
// whose variant but is; 0 = there is no such one.
func (l *lane) include(id routing.SlotID, but int) {
	for _, o := range l.riders {
		if o.exceptions > 0 && o.except.Has(id) && (but == 0 || o.variant != but) {
			o.except.Remove(id)
			o.exceptions--
		}
	}
}

// unsend withdraws a prefix, if it was sent.
func (m *Machine) unsend(l *lane, r *rib, it item) {
	id := routing.SlotID(it.number)
	if l.paths != nil && !l.paths.remove(m, it.number, it.path) || l.paths == nil && !l.sent.Has(id) {
		return
	}
	m.encoder.withdraw(l, it.path, r.table.Prefix(it.number), id)
	if l.paths != nil {
		return
	}
	l.sent.Remove(id)
	l.count--
	l.include(id, 0)
}

// withdraw withdraws a prefix from all who have it. The one whose own it was, which has not
// been sent it, is spared where that is one alone.
func (e *encoder) withdraw(l *lane, path uint32, p netip.Prefix, id routing.SlotID) {
	var but *outgoing
	has := len(l.riders)
	if l.paths == nil {
		for _, o := range l.riders {
			if o.exceptions > 0 && o.except.Has(id) {
				but = o
				has--
			}
		}
	}
	switch {
	case has == 0:
		return
	case has != len(l.riders)-1:
		but = nil
	}
	if open := &e.parts[len(e.parts)-1]; open.but != but {
		switch {
		case open.number == 0:
			open.but = but
		case len(e.parts) < partsOfBlock:
			e.withdrawn.Withdraw(l.group.family)
			e.parts = append(e.parts, part{but: but, at: e.withdrawn.Len()})
		case open.but != nil:
			e.withdrawn.Withdraw(l.group.family)
			e.parts = append(e.parts, part{at: e.withdrawn.Len()})
		}
	}
	e.withdrawn.Add(path, p)
	e.parts[len(e.parts)-1].number++
	e.block.withdrawn++
}

// complete puts the block together: withdrawals first, and around it what says where a
// dump begins and ends.
func (m *Machine) complete(l *lane, r *rib) {
	e, f, b := &m.encoder, l.group.family, m.encoder.block
	withdrawn, announced := e.withdrawn.Bytes(), e.announced.Bytes()
	e.buffers[0], e.buffers[1] = announced, withdrawn
	// What fills most of its room, and is alone, need not be copied.
	whole := len(withdrawn) == 0 && !l.begin && 2*len(announced) >= cap(announced)
	var data []byte
	if !whole {
		data = make([]byte, 0, len(withdrawn)+len(announced)+3*32)
	}
	if l.begin {
		l.begin = false
		data = wire.Refresh{Family: f, Subtype: wire.RefreshBegin}.Append(data)
	}
	head := len(data)
	data = append(data, withdrawn...)
	for i := range e.parts {
		if o := e.parts[i].but; o != nil && e.parts[i].number > 0 {
			e.variantOf(o)
		}
	}
	for i := range e.variants {
		if p, some := m.patch(l, r, &e.variants[i], head, len(data)); some {
			p.at = head // it is part of a refresh that begins
			b.patches = append(b.patches, p)
		}
		e.variants[i].rider.variant = 0
		e.variants[i].rider = nil
	}
	if whole {
		data, e.buffers[0] = announced, make([]byte, 0, cap(announced))
	} else {
		data = append(data, announced...)
	}
	if l.owing == 0 && len(l.again) == 0 && len(l.waiting.list) == 0 && l.dump == 0 {
		switch {
		case l.ending:
			l.ending = false
			data = wire.AppendEndOfRIB(data, f)
		case l.finish:
			l.finish = false
			data = m.appendDefaults(data, l)
			data = wire.Refresh{Family: f, Subtype: wire.RefreshEnd}.Append(data)
		}
	}
	if len(data) > 0 {
		b.data = slices.Clip(data)
		l.blocks = append(l.blocks, b)
		l.size += len(data)
	}
}

// prepare makes in given the attributes that the neighbours of a group are sent for a
// route, and reports false if they are sent none. Hop is the route's next hop, if it is
// passed on.
func (m *Machine) prepare(g *group, r *rib, it *item, hops *HopTerms) (hop netip.Addr, ok bool) {
	m.evaluated++
	terms := &g.key.terms
	from := m.sources[it.source]
	if g.key.ownDefault && r.table.Prefix(it.number) == defaultPrefixes[r.family] || g.sendsNothing() {
		return hop, false
	}
	m.attributes.At(it.attributes).octets.Read(&m.given)
	m.room = m.room[:0]
	if from.longLived.Has(r.family) { // RFC 9494 §4.2
		m.room = mark(&m.given, m.room, wire.LLGRStale)
	}
	sent := Sent{RouterID: from.id}
	if from.neighbor != nil {
		sent.From = &from.terms
	}
	if terms.Permit(&m.given, sent.From) != Permitted {
		return hop, false
	}
	was, self, set := m.given.NextHop, false, false
	if len(g.export.Chain) > 0 {
		m.seen = PolicyAttributes{Attributes: m.given, Neighbor: g.key.neighbor.address}
		m.policies = policy.Route{
			Prefix: r.table.Prefix(it.number), NextHop: hopAddress(was), Metric: m.given.MED, Attributes: &m.seen,
		}
		switch {
		case from.neighbor != nil:
			m.policies.Source = sourceOf(from.terms.External)
		default:
			own := m.heard[m.policies.Prefix]
			m.policies.Source, m.policies.Tag = own.Source, own.Tag
		}
		if !g.export.Chain.Accepts(&m.policies) {
			return hop, false
		}
		after := m.policies.Attributes.(*PolicyAttributes)
		m.given = after.Attributes
		sent.MEDSet, self, set = after.MEDSet, after.NextHopSelf, m.policies.NextHopSet
	}
	next, ok := terms.NextHop(r.family, was, hops, from.neighbor != nil && !from.terms.External, self)
	switch {
	case set:
		next, ok = wire.NextHop{Address: m.policies.NextHop}, true
	case next.Address.IsValid() && next.Address == was.Address:
		hop = next.Address
	}
	if !ok {
		return hop, false
	}
	m.room = terms.Give(&m.given, sent, m.room)
	m.given.NextHop = next
	m.given.Set(wire.AttrNextHop)
	return hop, m.given.Fits()
}

// setNumbers yields the numbers of a set.
func setNumbers(set routing.SlotSet) func(yield func(uint32) bool) {
	return func(yield func(uint32) bool) {
		for i, word := range set {
			for ; word != 0; word &= word - 1 {
				if !yield(uint32(i*64 + bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}
