package ospf

import (
	"errors"
	"time"

	"routerd/routing/ospf/wire"
)

// maxBackoff bounds how often the time between two retransmissions is doubled
// while a neighbour acknowledges nothing (RFC 4222 §2 (3)).
const maxBackoff = 3

// resend sends a neighbour what it has not acknowledged for RxmtInterval (RFC 2328
// §13.6): as much as the link takes at once.
func (m *Machine) resend(n *neighbor) {
	l := n.link
	interval := m.patience(n)
	late := m.now.Add(-interval)
	count, packets, size := 0, 0, 0
	room := l.room(wire.CountSize)
	for packets < burst {
		e, sent, ok := n.unacked.front()
		if !ok || sent.After(late) {
			break
		}
		n.unacked.put(e, m.now)
		n.replies.put(e, struct{}{})
		count++
		if size += len(e.lsa); size > room {
			size, packets = len(e.lsa), packets+1
		}
	}
	if count > 0 {
		n.backoff++
		n.counters.Retransmitted += uint64(count)
		l.counters.Retransmitted += uint64(count)
		m.transmitSoon(l)
	}
	m.armRetransmit(n)
}

// patience is how long an acknowledgement is awaited.
func (m *Machine) patience(n *neighbor) time.Duration {
	if m.leaving {
		return flushTime / 4 // there is no time for more
	}
	return n.link.cfg.RetransmitInterval << min(n.backoff, maxBackoff)
}

// armRetransmit has resend be called when the next LSA is due.
func (m *Machine) armRetransmit(n *neighbor) {
	_, sent, ok := n.unacked.front()
	if !ok {
		m.due.Stop(&n.retransmit)
		return
	}
	at := sent.Add(m.patience(n))
	if soon := m.now.Add(pause); at.Before(soon) {
		at = soon
	}
	m.due.Set(&n.retransmit, at)
}

// sweepDelay is how long what has MaxAge and was acknowledged may stay.
const sweepDelay = 100 * time.Millisecond

// sweepSoon has the databases swept soon.
func (m *Machine) sweepSoon() {
	if !m.sweeping.IsSet() {
		m.after(&m.sweeping, sweepDelay)
	}
}

// sweep removes what has MaxAge and is done with, and begins sequences that have
// wrapped again.
func (m *Machine) sweep() {
	removed := 0
	for _, s := range m.scopes() {
		var again []*Entry
		removed += s.db.Sweep(m.now, m.exchanging > 0, func(e *Entry) { again = append(again, e) })
		for _, e := range again {
			m.spread(s, e, nil)
		}
	}
	if removed > 0 && !m.limit.full() {
		m.overflowed = false
	}
}

var errDamaged = errors.New("its checksum does not hold any more")

// scopes lists the databases with the scopes of what is in them.
func (m *Machine) scopes() (list []scope) {
	if m.as == nil {
		return nil
	}
	list = append(m.scratch[:0], scope{db: m.as})
	for _, a := range m.areas {
		list = append(list, scope{db: a.db, area: a})
	}
	for _, l := range m.order {
		if l.db != nil {
			list = append(list, scope{db: l.db, link: l})
		}
	}
	m.scratch = list
	return list
}

// age does what is due in the databases (RFC 2328 §14).
func (m *Machine) age() {
	for _, s := range m.scopes() {
		if at := s.db.Deadline(); at.IsZero() || at.After(m.now) {
			continue
		}
		for e, what := s.db.Due(m.now); e != nil; e, what = s.db.Due(m.now) {
			if what == Corrupt {
				m.event(Damaged, nil, e.lsa.Router().Addr(), errDamaged)
				continue
			}
			m.spread(s, e, nil)
		}
	}
}
