package rip

import (
	"errors"

	"routerd/routing/protocol"
)

// BFD is how the neighbours on an interface are watched by BFD.
type BFD struct {
	Profile string // "" = the one for all
	// Strict uses nothing of a neighbour until its session is up.
	Strict bool
}

var errWatched = errors.New("its BFD session is down")

// watch has a neighbour watched as the configuration of its interface says, or
// not any more.
func (m *Machine) watch(n *neighbor) {
	wanted := n.iface.cfg.BFD
	path := protocol.Path{Link: n.iface.id, Address: n.addr}
	switch {
	case wanted == nil && n.watched != nil:
		m.unwatch(n)
	case wanted != nil && (n.watched == nil || *n.watched != *wanted):
		if n.watched == nil && wanted.Strict && n.paths == 0 {
			n.dead = true // until BFD says otherwise
		}
		n.watched = wanted
		m.emit(protocol.Watch{Path: path, Profile: wanted.Profile, Strict: wanted.Strict})
	}
}

// unwatch has a neighbour watched no longer.
func (m *Machine) unwatch(n *neighbor) {
	if n.watched != nil {
		m.emit(protocol.Unwatch{Path: protocol.Path{Link: n.iface.id, Address: n.addr}})
	}
	n.watched, n.dead = nil, false
}

// found takes in what BFD has found out about a neighbour. All of its routes go
// with it, whatever their next hop (RFC 5882 §10.3). It is remembered, and what it
// says is not used, until its session is up again: it may still be heard where
// it does not hear.
func (m *Machine) found(x protocol.NeighborState) {
	i := m.interfaces[x.Link]
	if i == nil {
		return
	}
	n := i.neighbors[x.Address]
	if n == nil || n.watched == nil || n.dead != x.Alive {
		return
	}
	n.dead = !x.Alive
	if x.Alive {
		m.event(NeighborBack, i, n.addr, nil)
		m.ask(i) // for what was not used meanwhile
		return
	}
	m.event(NeighborDead, i, n.addr, errWatched)
	m.losePaths(func(p *path) bool { return p.neighbor == n }, n.paths)
	if m.asking.wanted {
		m.trigger.urgent = true
	}
}
