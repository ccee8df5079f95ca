package ospf

import (
	"errors"

	"routerd/routing"
	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

var (
	errBFD     = errors.New("its BFD session is down")
	errCarrier = errors.New("its link is dead")
)

// watch has a neighbour watched by BFD as the configuration of its interface says:
// while both hear each other (RFC 5882 §10.2), and in strict mode before that.
func (m *Machine) watch(n *neighbor) {
	wanted := n.link.cfg.BFD
	if n.link.virtual() || n.state < NeighborInit {
		return
	}
	if wanted == nil {
		m.unwatch(n)
		return
	}
	w := protocol.Watch{Path: protocol.Path{Link: n.link.id, Address: n.address}, Profile: wanted.Profile, Strict: n.strictly()}
	if !w.Strict && n.state < NeighborTwoWay || n.watched != nil && *n.watched == w {
		return
	}
	if n.watched == nil && w.Strict && n.state < NeighborTwoWay {
		n.dead = true // until BFD says otherwise
	}
	n.watched = &w
	m.emit(w)
}

// watching is how it is watched, nil if it is not.
func (n *neighbor) watching() *BFD {
	if n.watched == nil {
		return nil
	}
	return &BFD{Profile: n.watched.Profile, Strict: n.watched.Strict}
}

// strictly reports whether the neighbour is to come no further than Init while its
// BFD session is not up: where both want that (RFC 9355 §4.1).
func (n *neighbor) strictly() bool {
	b := n.link.cfg.BFD
	return b != nil && b.Strict && n.strict
}

// held reports whether BFD keeps a neighbour in Init. It is not among those that
// Hellos name then (RFC 9355 §4.1).
func (n *neighbor) held() bool { return n.dead && n.strictly() && !n.helped() }

// unwatch has a neighbour watched no longer.
func (m *Machine) unwatch(n *neighbor) {
	if n.watched != nil {
		m.emit(protocol.Unwatch{Path: n.watched.Path})
	}
	n.watched, n.dead = nil, false
}

// found takes in what another part of the router has found out about a neighbour.
func (m *Machine) found(x protocol.NeighborState) {
	l := m.links[x.Link]
	if l == nil || !l.active() {
		return
	}
	for _, n := range l.neighbors {
		if n.address == x.Address && n.state > NeighborDown {
			m.foundOut(n, x)
			return
		}
	}
}

func (m *Machine) foundOut(n *neighbor, x protocol.NeighborState) {
	switch {
	case x.Cause == routing.CauseCarrier || x.Cause == routing.CauseInterface:
		if !x.Alive {
			m.lose(n, KillNbr, errCarrier)
		}
	// An ARP entry that is not answered says less than Hellos do.
	case x.Cause != routing.CauseBFD || n.watched == nil || n.dead != x.Alive:
	case x.Alive:
		n.dead = false
		if n.strictly() {
			m.hailSoon(n.link)
		}
	case n.helped():
		// RFC 5882 §4.3.2.1: a session that shares fate with the control plane ends by
		// the restart.
		n.dead = true
	default:
		n.dead = true
		m.event(NeighborDead, n.link, n.address, errBFD)
		m.lose(n, KillNbr, errBFD)
	}
}

// expect has packets of a neighbour that hears the router, or is configured, find
// room beside those of strangers.
func (m *Machine) expect(n *neighbor) {
	e := protocol.Expect{Link: n.link.id, Source: n.address, HopLimit: 1}
	if n.state < NeighborTwoWay && n.cfg == nil {
		e = protocol.Expect{}
	}
	if e == n.expected {
		return
	}
	if n.expected != (protocol.Expect{}) {
		m.emit(protocol.Unexpect(n.expected))
	}
	if n.expected = e; e != (protocol.Expect{}) {
		m.emit(e)
	}
}

// extend puts into a Hello that the router is in strict mode (RFC 9355 §2).
func (m *Machine) extend(l *link, p *wire.Packet) {
	if b := l.cfg.BFD; b == nil || !b.Strict || l.virtual() {
		return
	}
	m.tlvs = wire.AppendExtendedOptions(m.tlvs[:0], wire.ExtendedStrict)
	p.LLS = wire.LLS{Present: true, TLVs: m.tlvs}
}
