package bgp

import (
	"bytes"
	"slices"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/policy"
	"routerd/routing/protocol"
)

// outgoing is what a neighbour is sent of a family, and what it was: a bit for each
// prefix, since what it was sent follows from what was chosen.
type outgoing struct {
	open      bool // the family is spoken
	ending    bool // the end of the RIB is still to be sent (RFC 4724 §2)
	sent      routing.SlotSet
	waiting   []uint32 // numbers that are to be sent
	isWaiting routing.SlotSet
	dump      uint32 // all numbers below are to be sent besides
	count     int    // bits of sent
}

func (o *outgoing) add(n uint32) {
	if id := routing.SlotID(n); o.open && !o.isWaiting.Has(id) {
		o.isWaiting.Add(id)
		o.waiting = append(o.waiting, n)
	}
}

// idle reports whether nothing is to be sent.
func (o *outgoing) idle() bool { return !o.ending && len(o.waiting) == 0 && o.dump == 0 }

// batchSize is how many prefixes are put in order by their attributes at once.
const batchSize = 4096

// send sends a neighbour what it is to be sent, as far as its connection has room and the
// advertisement interval lets it (RFC 4271 §9.2.1.1).
func (m *Machine) send(n *neighbor) {
	if n.source == nil || n.speak.timer.IsSet() {
		return
	}
	for f := range n.out {
		o := &n.out[f]
		// Half of the room, so that there is a Written when there is room again.
		for !o.idle() && n.session.Room() >= protocol.StreamRoom/2 {
			m.sendBatch(n, wire.Family(f), o)
		}
	}
}

// sendBatch sends up to batchSize prefixes.
func (m *Machine) sendBatch(n *neighbor, f wire.Family, o *outgoing) {
	r, s := m.ribs[f], n.session.Agreed()
	m.packer.Begin(nil, s)
	m.batch = m.batch[:0]
	m.packer.Withdraw(f)
	for len(m.batch) < batchSize {
		number, ok := o.next()
		if !ok {
			break
		}
		m.gather(n, r, o, number)
	}
	slices.Sort(m.batch)
	most := n.session.Room() - s.Longest()
	for at := 0; at < len(m.batch); {
		if m.packer.Len() > most {
			for _, k := range m.batch[at:] {
				o.add(uint32(k))
			}
			break
		}
		end := at + 1
		for end < len(m.batch) && m.batch[end]>>32 == m.batch[at]>>32 {
			end++
		}
		at += m.sendRun(n, r, o, m.batch[at:end], most)
	}
	data := m.packer.Bytes()
	if o.ending && o.dump == 0 && len(o.waiting) == 0 {
		o.ending = false
		data = wire.AppendEndOfRIB(data, f)
	}
	if len(data) == 0 {
		return
	}
	m.session(n.session, func() []protocol.Effect { return n.session.Send(m.now, data, m.out) })
	if n.cfg.MRAI > 0 {
		m.tasks.Set(&n.speak.timer, m.now.Add(n.cfg.MRAI))
	}
}

// next takes a number that is to be sent.
func (o *outgoing) next() (uint32, bool) {
	if k := len(o.waiting); k > 0 {
		n := o.waiting[k-1]
		o.waiting = o.waiting[:k-1]
		o.isWaiting.Remove(routing.SlotID(n))
		return n, true
	}
	if o.dump > 0 {
		o.dump--
		return o.dump, true
	}
	return 0, false
}

// gather withdraws a prefix of which there is nothing to be sent, and puts others into the
// batch, by attributes and number.
func (m *Machine) gather(n *neighbor, r *rib, o *outgoing, number uint32) {
	if !r.table.Used(number) {
		return
	}
	l := r.at(number)
	if l.attributes == 0 || m.suppressed(r, number) {
		m.unsend(n, r, o, number)
		r.free = append(r.free, number)
		return
	}
	if l.source != 0 && r.waits(number) {
		return // it comes when the FIB has it
	}
	m.batch = append(m.batch, uint64(l.attributes)<<32|uint64(number))
}

// unsend withdraws a prefix that the neighbour was sent.
func (m *Machine) unsend(n *neighbor, r *rib, o *outgoing, number uint32) {
	if id := routing.SlotID(number); o.sent.Has(id) {
		m.packer.Add(0, r.table.Prefix(number))
		o.sent.Remove(id)
		o.count--
		n.messages.Withdrawn++
	}
}

// sendRun announces prefixes whose routes have the same attributes. Those of different
// neighbours may differ in what becomes of them. It stops when there are most octets, and
// gives how many prefixes it has come to.
func (m *Machine) sendRun(n *neighbor, r *rib, o *outgoing, run []uint64, most int) int {
	c := &n.cfg.Families[r.family].Export
	each := c.Chain.Depends()&policy.OnPrefix != 0 || n.ownDefault(r.family)
	last := m.last[:0]
	defer func() { m.last = last }()
	var lastSource uint16
	permitted, asked, announcing := false, false, false
	for i, k := range run {
		if m.packer.Len() > most {
			return i
		}
		number := uint32(k)
		l := r.at(number)
		if !asked || each || l.source != lastSource {
			asked, lastSource = true, l.source
			permitted = m.prepare(n, r, number, l)
			if permitted {
				m.set = m.given.AppendSet(m.set[:0])
				if !announcing || !bytes.Equal(m.set, last) {
					last = append(last[:0], m.set...)
					permitted = m.packer.Announce(r.family, &m.given)
					announcing = permitted
				}
			}
		}
		if !permitted {
			if o.sent.Has(routing.SlotID(number)) {
				m.packer.Withdraw(r.family)
				m.unsend(n, r, o, number)
				asked, announcing = false, false
			}
			continue
		}
		m.packer.Add(0, r.table.Prefix(number))
		n.messages.Sent++
		if id := routing.SlotID(number); !o.sent.Has(id) {
			o.sent.Add(id)
			o.count++
		}
	}
	return len(run)
}

// prepare makes in given the attributes that the neighbour is sent for a prefix, and
// reports false if it is sent none.
func (m *Machine) prepare(n *neighbor, r *rib, number uint32, l *chosen) bool {
	c := &n.cfg.Families[r.family].Export
	from := m.sources[l.source]
	if n.ownDefault(r.family) && r.table.Prefix(number) == defaultPrefixes[r.family] {
		return false
	}
	if from.neighbor == n || c.refuses(n.terms.External) {
		return false
	}
	m.attributes.At(l.attributes - 1).octets.Read(&m.given)
	sent := Sent{RouterID: from.id}
	if from.neighbor != nil {
		sent.From = &from.terms
	}
	if n.terms.Permit(&m.given, sent.From) != Permitted {
		return false
	}
	was, self := m.given.NextHop, false
	if len(c.Chain) > 0 {
		m.seen = PolicyAttributes{Attributes: m.given, Neighbor: n.cfg.Address}
		m.policies = policy.Route{
			Prefix: r.table.Prefix(number), NextHop: hopAddress(was), Metric: m.given.MED, Attributes: &m.seen,
		}
		switch {
		case from.neighbor != nil:
			m.policies.Source = sourceOf(from.terms.External)
		default:
			m.policies.Source = m.heard[m.policies.Prefix].Source
		}
		if !c.Chain.Accepts(&m.policies) {
			return false
		}
		after := m.policies.Attributes.(*PolicyAttributes)
		m.given = after.Attributes
		sent.MEDSet, self = after.MEDSet, after.NextHopSelf
	}
	hop, ok := n.terms.NextHop(r.family, was, &n.hops, self)
	if m.policies.NextHopSet && len(c.Chain) > 0 {
		hop, ok = wire.NextHop{Address: m.policies.NextHop}, true
	}
	if !ok {
		return false
	}
	m.room = n.terms.Give(&m.given, sent, m.room[:0])
	m.given.NextHop = hop
	m.given.Set(wire.AttrNextHop)
	return true
}
