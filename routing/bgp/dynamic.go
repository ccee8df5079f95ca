package bgp

import (
	"fmt"
	"net/netip"
	"slices"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// ListenRange has those be neighbours who connect from a prefix, without an entry for
// each: dynamic neighbours, which are there as long as their sessions.
type ListenRange struct {
	Prefix netip.Prefix // masked, not link-local; of several the longest counts
	// Neighbor is what each of them is; it has no Address and no link.
	Neighbor NeighborConfig
	// Limit is how many there may be at once; 0 = DefaultListenLimit. One more takes the
	// place of the one that has been without a session for longest, if there is any.
	Limit int
}

// DefaultListenLimit is FRR's.
const DefaultListenLimit = 100

func (r *ListenRange) limit() int {
	if r.Limit > 0 {
		return r.Limit
	}
	return DefaultListenLimit
}

// neighbor is the configuration of the neighbour at an address.
func (r *ListenRange) neighbor(a netip.Addr) NeighborConfig {
	c := r.Neighbor
	c.Address, c.Link, c.Passive = a, routing.NoInterface, true
	return c
}

// check reports what is wrong with the range.
func (r *ListenRange) check(c *Config) (list []error) {
	wrong := func(format string, a ...any) { list = append(list, fmt.Errorf(format, a...)) }
	a := r.Prefix.Addr()
	if !r.Prefix.IsValid() || r.Prefix != r.Prefix.Masked() || a.Is4In6() || a.IsMulticast() || a.IsLinkLocalUnicast() && a.Is6() {
		wrong("want a prefix of hosts without host bits, and not of link-local addresses")
	}
	if n := &r.Neighbor; n.Address.IsValid() || n.Link != routing.NoInterface || n.Interface != "" {
		wrong("an address or a link for all of them, want neither")
	} else if n.Local.IsValid() && n.Local.Is4() != a.Is4() {
		wrong("local address %v is of the other family", n.Local)
	}
	if r.Limit < 0 {
		wrong("a limit of %d neighbours, want no negative one", r.Limit)
	}
	return append(list, r.Neighbor.checkTerms(c)...)
}

// peer is what a listener knows of those who connect from the range.
func (r *ListenRange) peer(c *Config) protocol.StreamPeer {
	return protocol.StreamPeer{Remote: r.Prefix, Link: routing.NoInterface, StreamOptions: r.Neighbor.options(c)}
}

// rangePeers are what the listener of a family knows of ranges.
func (m *Machine) rangePeers(c *Config, f wire.Family) (list []protocol.StreamPeer) {
	for i := range c.ListenRanges {
		if r := &c.ListenRanges[i]; wire.FamilyFor(r.Prefix) == f && !r.Neighbor.Shutdown {
			list = append(list, r.peer(c))
		}
	}
	return list
}

// listenRange is the range that an address is in, nil if it is in none.
func (c *Config) listenRange(a netip.Addr) (best *ListenRange) {
	for i := range c.ListenRanges {
		if r := &c.ListenRanges[i]; r.Prefix.Contains(a) && (best == nil || r.Prefix.Bits() > best.Prefix.Bits()) {
			best = r
		}
	}
	return best
}

// welcome makes a neighbour of somebody who connects, and gives nil if it may not be one.
func (m *Machine) welcome(in protocol.Connected) *neighbor {
	a := in.Remote.Addr()
	r := m.cfg.listenRange(a)
	if r == nil || in.Link != routing.NoInterface || r.Neighbor.Shutdown ||
		r.Neighbor.Local.IsValid() && r.Neighbor.Local != in.Local.Addr() || !m.makeRoom(r) {
		return nil
	}
	n := m.newNeighbor(r.neighbor(a))
	n.dynamic, n.arrived = r.Prefix, m.now
	m.neighbors[n.cfg.key()] = n
	m.order = append(m.order, n)
	m.watch(n, n.cfg.BFD)
	m.start(n)
	return n
}

// makeRoom reports whether there may be one more neighbour of a range. A neighbour without
// a session has to go for that, so that those who connect and say nothing keep out nobody
// for long.
func (m *Machine) makeRoom(r *ListenRange) bool {
	count := 0
	var idlest *neighbor
	for _, n := range m.order {
		if n.dynamic != r.Prefix {
			continue
		}
		count++
		if n.source == nil && n.stale == nil && (idlest == nil || n.arrived.Before(idlest.arrived)) {
			idlest = n
		}
	}
	if count < r.limit() {
		return true
	}
	if idlest == nil {
		return false
	}
	m.crowded++
	m.depart(idlest, wire.Notification{Code: wire.CodeCease, Subcode: wire.CeaseOutOfResources})
	return true
}

// depart forgets a dynamic neighbour.
func (m *Machine) depart(n *neighbor, why wire.Notification) {
	m.forget(n, why)
	m.order = slices.DeleteFunc(m.order, func(o *neighbor) bool { return o == n })
}

// partings forgets the dynamic neighbours whose connections have ended, unless their
// routes are kept for a restart.
func (m *Machine) partings() {
	for i := 0; i < len(m.order); i++ {
		n := m.order[i]
		if n.dynamic.IsValid() && !n.session.Connected() && n.stale == nil && !n.held {
			m.depart(n, wire.Notification{Code: wire.CodeCease, Subcode: wire.CeaseDeconfigured})
			i--
		}
	}
}

// dynamics are the neighbours of ranges that stay with another configuration: those of a
// range that is still there.
func (m *Machine) dynamics(configured map[neighborKey]bool) (list []NeighborConfig, of []netip.Prefix) {
	for _, n := range m.order {
		if !n.dynamic.IsValid() || configured[n.cfg.key()] {
			continue
		}
		if r := m.cfg.listenRange(n.cfg.Address); r != nil && !r.Neighbor.Shutdown {
			list, of = append(list, r.neighbor(n.cfg.Address)), append(of, r.Prefix)
		}
	}
	return list, of
}
