package arp

import "container/list"

// The defence of RFC 6583: neighbours that never answered are bounded apart
// from the rest and go first; a neighbour in use is never given up; what the
// router itself and its routes need does not compete with what anybody's
// packets ask for.

// rank is how much a neighbour that has not answered matters (RFC 6583 §7.1).
type rank uint8

const (
	rankPassing rank = iota // a packet that the router forwards wants it
	rankOwn                 // a packet of the router's own does
	rankNextHop             // routes lead by it
	numRanks
)

func (x *Resolve) rank() rank {
	switch {
	case x.Index > 0:
		return rankNextHop
	case x.Own:
		return rankOwn
	}
	return rankPassing
}

func (m *Machine) incomplete() (n int) {
	for _, q := range m.waiting {
		n += q.Len()
	}
	return n
}

// admit makes room for one neighbour that is to be asked for, or says why it
// cannot be.
func (m *Machine) admit(r rank) (Reason, bool) {
	if r == rankPassing && !m.takeToken() {
		m.counters.Throttled++
		return Throttled, false
	}
	if m.incomplete() >= m.cfg.MaxIncomplete && !m.evictUpTo(r) {
		m.counters.Full++
		return TableFull, false
	}
	if !m.makeRoom() {
		return TableFull, false
	}
	return 0, true
}

// makeRoom keeps the table within its bound before a neighbour is added:
// first one that never answered goes, then the one that nobody has used for
// longest.
func (m *Machine) makeRoom() bool {
	if len(m.neighbors) < m.cfg.MaxNeighbors || m.evict(m.waiting[rankPassing]) || m.evict(m.stale) {
		return true
	}
	m.counters.Full++
	return false
}

// evictUpTo gives up a neighbour of the lowest rank there is, up to r: an
// answer to a forged sender never costs a route its next hop.
func (m *Machine) evictUpTo(r rank) bool {
	for _, q := range m.waiting[:r+1] {
		if m.evict(q) {
			return true
		}
	}
	return false
}

func (m *Machine) evict(q *list.List) bool {
	first := q.Front()
	if first == nil {
		return false
	}
	m.counters.Evicted++
	m.forget(first.Value.(*neighbor), Evicted)
	return true
}

// evictOther gives up the oldest neighbour of least priority that is not n.
func (m *Machine) evictOther(n *neighbor) bool {
	for e := m.waiting[rankPassing].Front(); e != nil; e = e.Next() {
		if other := e.Value.(*neighbor); other != n {
			m.counters.Evicted++
			m.forget(other, Evicted)
			return true
		}
	}
	return false
}

// takeToken reports whether one more unknown neighbour may be asked for
// (RFC 6583 §7.2).
func (m *Machine) takeToken() bool {
	if !m.tokensAt.IsZero() {
		m.tokens += m.now.Sub(m.tokensAt).Seconds() * float64(m.cfg.RequestRate)
		m.tokens = min(m.tokens, float64(m.cfg.MaxIncomplete))
	}
	m.tokensAt = m.now
	if m.tokens < 1 {
		return false
	}
	m.tokens--
	return true
}
