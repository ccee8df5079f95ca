package ospf

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
)

var errUnconfigured = errors.New("it is no longer configured")

// configureNeighbors makes the neighbours of a link those of its configuration, on
// networks where they may be configured (RFC 2328 §C.5, §C.6).
func (m *Machine) configureNeighbors(l *link) {
	if l.network != NBMA && l.network != PointToMultipoint {
		return
	}
	for _, n := range slices.Clone(l.neighbors) {
		if n.cfg == nil {
			continue
		}
		if _, still := l.cfg.Neighbors[n.address]; !still {
			n.cfg = nil
			m.expect(n)
			if n.state == NeighborDown {
				m.gone(n)
			} else if !l.network.findsNeighbors(l) {
				m.lose(n, KillNbr, errUnconfigured)
			}
		}
	}
	for _, address := range slices.SortedFunc(maps.Keys(l.cfg.Neighbors), netip.Addr.Compare) {
		cfg := l.cfg.Neighbors[address]
		n := l.index[called(address)]
		switch {
		case n == nil:
			n = m.newNeighbor(l, called(address), address)
			n.priority = cfg.Priority
		case n.state == NeighborDown:
			n.priority = cfg.Priority
		}
		n.cfg = &cfg
		m.expect(n)
		if l.network == PointToMultipoint && n.state == NeighborDown {
			m.happen(n, Start)
		}
	}
}

// greetEligible begins with the neighbours that may become DR (RFC 2328 §9.3).
func (m *Machine) greetEligible(l *link) {
	for _, n := range l.neighbors {
		if n.state == NeighborDown && n.priority > 0 {
			m.happen(n, Start)
		}
	}
}

// greets reports whether a neighbour that is greeted alone is to be greeted now
// (RFC 2328 §9.5.1). One that is down is, once in its poll interval.
func (m *Machine) greets(n *neighbor) bool {
	l := n.link
	if l.network == NBMA && !l.greetsOn(n) {
		return false
	}
	if n.state == NeighborDown && n.cfg != nil && !l.virtual() {
		// It is looked at with each Hello: the nearest one counts.
		if m.now.Before(n.polled.Add(n.cfg.Poll - l.cfg.interval()/2)) {
			return false
		}
		n.polled = m.now
	}
	return true
}

// greetsOn reports whether a router on an NBMA network sends Hellos to a neighbour:
// the elected ones to all, those that may become it to each other, and others to
// the elected.
func (l *link) greetsOn(n *neighbor) bool {
	switch {
	case l.state >= InterfaceBackup:
		return true
	case l.cfg.Priority > 0:
		return n.priority > 0
	}
	return n.name == l.dr || n.name == l.bdr
}

// attempt goes on with a configured neighbour that is down: it is polled.
func (m *Machine) attempt(n *neighbor) {
	n.priority, n.polled = n.cfg.Priority, m.now
	if n.link.virtual() {
		n.router = n.link.peer
	}
}
