package ospf

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// hearUpdate takes in the LSAs in m.packet (RFC 2328 §13).
func (m *Machine) hearUpdate(n *neighbor, r protocol.Received) {
	for i := range m.packet.Refused {
		m.countRefusal(n.link, r.Src, m.packet.Refused[i].Refusal)
	}
	for i := range m.packet.Updates {
		if !m.hearLSA(n, m.packet.Updates[i].LSA, r.Src) {
			break // the exchange begins again
		}
	}
	m.acknowledge(n)
	m.transmitSoon(n.link)
}

// hearLSA takes in one LSA. False is that the neighbour is no longer in an exchange.
func (m *Machine) hearLSA(n *neighbor, a wire.LSA, from netip.Addr) bool {
	l := n.link
	s, ok := m.admits(l, a.Type())
	if !ok { // (3), and by RFC 5250 §3 what comes to a link that has no such scope
		m.countRefusal(l, from, wire.Refusal{Reason: wire.LSAScope, Theirs: uint64(a.Type())})
		return true
	}
	standing, e := s.db.Judge(m.now, a, m.exchanging > 0)
	l.counters.Standings[standing]++
	if n.requests.get(a.Identity()) != nil && (standing == Same || standing == Older || standing == OlderSent) {
		m.lose(n, BadLSReq, errRequest) // (6)
		return false
	}
	switch standing {
	case Gone: // (4)
		m.acknowledgeNow(a)
	case Newer: // (5)
		m.install(s, n, a)
	case Same: // (7)
		if _, listed := n.unacked.get(e); !listed {
			m.acknowledgeNow(a)
			break
		}
		m.acked(n, e)
		if l.state == InterfaceBackup {
			m.acknowledgeLater(n, a)
		}
	case Older: // (8)
		n.replies.put(e, struct{}{})
	case TooSoon:
		m.countRefusal(l, from, wire.Refusal{Reason: wire.LSATooSoon})
	case Wrapping:
		m.countRefusal(l, from, wire.Refusal{Reason: wire.LSAWrapping})
	case NoRoom:
		m.countRefusal(l, from, wire.Refusal{Reason: wire.DatabaseFull, Theirs: uint64(m.limit.used) + 1, Ours: uint64(m.limit.Max)})
		m.full(n, a)
	}
	return true
}

// install takes in an LSA that is newer.
func (m *Machine) install(s scope, n *neighbor, a wire.LSA) {
	if m.claims(a) { // §13.4
		m.spread(s, s.db.Reclaim(m.now, a), nil)
		return
	}
	put, follow := s.db.Install, m.changed
	if n.requests.get(a.Identity()) != nil {
		put, follow = s.db.Answer, m.learned
	}
	e, changed := put(m.now, a)
	if s.link != nil {
		m.hearGrace(s.link, e)
	}
	back := m.flood(s, e, n)
	if e.maxAge {
		m.sweepSoon()
	}
	if changed {
		follow(e, s.area)
	}
	if !back {
		m.acknowledgeLater(n, a)
	}
}

// claims reports an LSA that says it is of this router: it was before a restart, or
// under another router ID (RFC 2328 §13.4).
func (m *Machine) claims(a wire.LSA) bool {
	if a.Router() == m.router {
		return true
	}
	if a.Type() != wire.NetworkLSA {
		return false
	}
	for _, l := range m.order {
		if l.active() && !l.unnumbered && l.self() == a.ID() {
			return true
		}
	}
	return false
}

var errRoom = errors.New("the database has room again for what it did not take")

// makeUp has the neighbours describe their databases anew where there is room now
// for what was discarded.
func (m *Machine) makeUp() {
	if !m.overflowed || m.limit.full() {
		return
	}
	m.overflowed = false
	for _, l := range m.order {
		for _, n := range slices.Clone(l.neighbors) {
			m.lose(n, SeqNumberMismatch, errRoom)
		}
	}
}

// full is what happens to an LSA that the database has no room for: the adjacency
// goes on without it, and the neighbour repeats it until there is room.
func (m *Machine) full(n *neighbor, a wire.LSA) {
	m.unrequest(n, a.Identity())
	m.overflow(n)
}

// overflow says once that there is no room.
func (m *Machine) overflow(n *neighbor) {
	if !m.overflowed {
		m.overflowed = true
		m.event(DatabaseFull, n.link, n.address, fmt.Errorf("max-lsa %d is reached: further LSAs of other routers are discarded", m.limit.Max))
	}
}
