package ospf

import (
	"errors"

	"routerd/routing"
	"routerd/routing/protocol"
)

var (
	errBFD      = errors.New("its BFD session is down")
	errCarrier  = errors.New("its link has no carrier")
	errNoAnswer = errors.New("it does not answer ARP")
)

// watch has a neighbour watched by BFD as the configuration of its interface says,
// while it hears the router (RFC 5882 §10.2).
func (m *Machine) watch(n *neighbor) {
	wanted := n.link.cfg.BFD
	if n.link.virtual() || n.state < NeighborInit {
		return
	}
	switch {
	case wanted == nil && n.watched != nil:
		m.unwatch(n)
	case wanted != nil && (n.watched == nil || *n.watched != *wanted) && (wanted.Strict || n.state >= NeighborTwoWay):
		if n.watched == nil && wanted.Strict && n.state < NeighborExStart {
			n.dead = true // until BFD says otherwise
		}
		copied := *wanted
		n.watched = &copied
		m.emit(protocol.Watch{Path: n.path(), Profile: wanted.Profile, Strict: wanted.Strict})
	}
}

// unwatch has a neighbour watched no longer.
func (m *Machine) unwatch(n *neighbor) {
	if n.watched != nil {
		m.emit(protocol.Unwatch{Path: n.path()})
	}
	n.watched, n.dead = nil, false
}

func (n *neighbor) path() protocol.Path { return protocol.Path{Link: n.link.id, Address: n.address} }

// found takes in what another part of the router has found out about a neighbour.
func (m *Machine) found(x protocol.NeighborState) {
	l := m.links[x.Link]
	if l == nil || !l.active() {
		return
	}
	for _, n := range l.neighbors {
		if n.address == x.Address {
			m.foundOut(n, x)
			return
		}
	}
}

func (m *Machine) foundOut(n *neighbor, x protocol.NeighborState) {
	if x.Cause != routing.CauseBFD {
		if !x.Alive && x.Cause != routing.CauseNeighbor {
			m.lose(n, KillNbr, errCarrier)
		}
		return
	}
	if n.watched == nil || n.dead != x.Alive {
		return
	}
	n.dead = !x.Alive
	if x.Alive {
		m.happen(n, AdjOK)
		return
	}
	m.event(NeighborDead, n.link, n.address, errBFD)
	m.lose(n, KillNbr, errBFD)
}
