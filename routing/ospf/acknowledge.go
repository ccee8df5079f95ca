package ospf

import (
	"net/netip"
	"time"

	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// ackDelay is how long acknowledgements wait for others, and mostAckDelay how long
// they wait for the calculation of routes, so that the router wakes up once for both.
// RFC 2328 §13.5 wants it shorter than RxmtInterval, which is a second at least.
const (
	ackDelay     = 250 * time.Millisecond
	mostAckDelay = 500 * time.Millisecond
)

// acknowledge says at the end of an Update what of it was received.
func (m *Machine) acknowledge(n *neighbor) {
	if len(m.direct) > 0 {
		m.sendAcks(n.link, m.unicast(n), m.direct)
		m.direct = m.direct[:0]
	}
}

// acknowledgeLater puts an LSA among the delayed acknowledgements of its link,
// unless the router is the BDR, and it did not come from the DR (RFC 2328 §13.5,
// table 19).
func (m *Machine) acknowledgeLater(n *neighbor, l wire.LSA) {
	if n.link.state == InterfaceBackup && n.name != n.link.dr {
		return
	}
	if !n.link.groups() {
		m.direct = append(m.direct, l.Header()) // each adjacency has its own
		return
	}
	n.link.acks = append(n.link.acks, l.Header())
	switch {
	case len(n.link.acks) >= n.link.ackRoom(): // there is nothing to wait for
		m.due.Stop(&n.link.ack)
		m.sendDelayed(n.link)
	case !n.link.ack.IsSet():
		at := m.now.Add(ackDelay)
		if calc := &m.calc.timer; calc.IsSet() && !m.calc.schedule.Held() && !calc.At().After(m.now.Add(mostAckDelay)) {
			at = calc.At()
		}
		m.due.Set(&n.link.ack, at)
	}
}

// acknowledgeNow has an LSA acknowledged directly.
func (m *Machine) acknowledgeNow(l wire.LSA) { m.direct = append(m.direct, l.Header()) }

// sendDelayed sends the delayed acknowledgements of a link.
func (m *Machine) sendDelayed(l *link) {
	m.sendAcks(l, l.floods(), l.acks)
	l.acks = l.acks[:0]
}

// ackRoom is how many of them a packet has room for.
func (l *link) ackRoom() int { return max(l.room(0)/wire.LSAHeaderSize, 1) }

// sendAcks sends acknowledgements in as few packets as they fit in.
func (m *Machine) sendAcks(l *link, dst netip.Addr, list []wire.Header) {
	room := l.ackRoom()
	for len(list) > 0 {
		p := m.build(wire.TypeAcknowledgement)
		k := min(room, len(list))
		p.Headers = append(p.Headers[:0], list[:k]...)
		m.send(l, dst, p)
		list = list[k:]
	}
}

// hearAcks takes in the acknowledgements in m.packet (RFC 2328 §13.7).
func (m *Machine) hearAcks(n *neighbor, r protocol.Received) {
	for i := range m.packet.Headers {
		h := &m.packet.Headers[i]
		s, ok := m.admits(n.link, h.Type)
		if !ok {
			continue
		}
		e := s.db.Find(h.Identity)
		if e == nil {
			continue
		}
		if _, listed := n.unacked.get(e); !listed {
			continue
		}
		if ours := e.Header(m.now); Compare(h, &ours) != 0 {
			m.countRefusal(n.link, r.Src, wire.Refusal{Reason: wire.AckUnknown})
			continue
		}
		m.acked(n, e)
	}
}

// acked takes an LSA off a neighbour's retransmission list.
func (m *Machine) acked(n *neighbor, e *Entry) {
	if m.unlist(n, e) {
		n.backoff = 0
		if e.maxAge {
			m.sweepSoon()
		}
	}
}
