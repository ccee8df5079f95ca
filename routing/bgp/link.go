package bgp

import (
	"errors"
	"net/netip"
	"slices"

	"routerd/routing"
	"routerd/routing/protocol"
)

// neighbor is the one at an address, nil if there is none.
func (m *Machine) neighbor(a netip.Addr, link routing.InterfaceID) *neighbor {
	if n := m.neighbors[neighborKey{hopKey: hopKey{a, link}}]; n != nil {
		return n
	}
	if link != routing.NoInterface {
		if n := m.neighbors[neighborKey{hopKey{a, routing.NoInterface}, m.links[link].Name}]; n != nil {
			return n
		}
	}
	for _, n := range m.order {
		if n.cfg.Unnumbered && n.cfg.Address == a && (link == n.cfg.Link || link == n.cfg.streamLink()) {
			return n
		}
	}
	return nil
}

// locate finds the link of a neighbour that has the name of one.
func (m *Machine) locate(n *NeighborConfig) {
	if n.Interface == "" {
		return
	}
	n.Link = routing.NoInterface
	for id, l := range m.links {
		if l.Name == n.Interface {
			n.Link = id
		}
	}
}

// errLinkLost is why sessions end with the link that they are on.
var errLinkLost = errors.New("the interface that the neighbour is on has lost its carrier, or is gone")

// unlink gives up the sessions with those neighbours that are on a link which is lost, and
// does not wait until the Hold Timer finds them dead: neighbours of other ASes without
// multihop, and those with a link-local address.
func (m *Machine) unlink(id routing.InterfaceID) {
	l := m.links[id]
	delete(m.links, id)
	m.readdress()
	for _, n := range m.order {
		on := n.cfg.Link == id
		if n.cfg.external(&m.cfg) && n.cfg.Multihop <= 1 {
			on = on || slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Contains(n.cfg.Address) })
		}
		if on {
			m.session(n.session, func() []protocol.Effect { return n.session.Cut(m.now, errLinkLost, m.out) })
		}
	}
}

// relink has the sessions of neighbours begin whose link has come, or is another one of
// the same name.
func (m *Machine) relink(in protocol.LinkUp) {
	before, moved := m.cfg, false
	for _, n := range m.order {
		if n.cfg.Interface != in.Name || n.cfg.Interface == "" || n.cfg.Link == in.Link {
			continue
		}
		if !moved {
			moved = true
			m.cfg.Neighbors = slices.Clone(m.cfg.Neighbors)
		}
		c := n.cfg
		c.Link = in.Link
		for i := range m.cfg.Neighbors {
			if m.cfg.Neighbors[i].key() == c.key() {
				m.cfg.Neighbors[i] = c
			}
		}
		m.watch(n, nil)
		m.reconfigure(n, c, &before)
		m.watch(n, c.BFD)
		m.start(n)
	}
	if moved {
		m.listeningChanged(&before)
	}
}
