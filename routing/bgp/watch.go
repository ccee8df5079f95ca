package bgp

import (
	"time"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// BFD is how BFD watches a neighbour.
type BFD struct {
	Profile string // "" = the one for all
	// Multihop: it is watched over several hops, from the local address.
	Multihop bool
	// Strict: there is no session before BFD has found the neighbour, which it has Hold for
	// once the OPENs are exchanged; 0 = DefaultBFDHold.
	Strict bool
	Hold   time.Duration
}

// watch has BFD watch a neighbour, or no longer.
func (m *Machine) watch(n *neighbor, wanted *BFD) {
	if n.cfg.Shutdown || n.unlinked() {
		wanted = nil
	}
	var path protocol.Path
	if wanted != nil {
		path = protocol.Path{Link: n.cfg.streamLink(), Address: n.cfg.Address, Multihop: wanted.Multihop}
		if wanted.Multihop {
			path.Source = n.cfg.Local
		}
	}
	if n.watched != nil && (wanted == nil || path != n.path) {
		m.emit(protocol.Unwatch{Path: n.path})
		n.watched = nil
		m.reachable(n, false)
	}
	if wanted != nil && (n.watched == nil || *n.watched != *wanted) {
		m.emit(protocol.Watch{Path: path, Profile: wanted.Profile})
	}
	n.watched, n.path = wanted, path
}

// reachable notes whether BFD has found a neighbour.
func (m *Machine) reachable(n *neighbor, reachable bool) {
	n.reachable = reachable
	m.session(n.session, func() []protocol.Effect { return n.session.Reachable(m.now, reachable, m.out) })
}

// found ends the session with a neighbour that BFD has found dead (RFC 5882 §10.2, RFC
// 9384). It is tried again, and lives if it can be heard then.
func (m *Machine) found(in protocol.NeighborState) {
	n := m.neighbor(in.Address, in.Link)
	if n == nil || n.watched == nil || in.Cause != routing.CauseBFD {
		return
	}
	m.reachable(n, in.Alive)
	if in.Alive || n.source == nil {
		return
	}
	why := wire.Notification{Code: wire.CodeCease, Subcode: wire.CeaseBFDDown}
	m.session(n.session, func() []protocol.Effect { return n.session.Restart(m.now, why, m.out) })
}
