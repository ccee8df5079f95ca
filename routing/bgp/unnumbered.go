package bgp

import (
	"maps"
	"net/netip"
	"slices"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// An unnumbered neighbour is the router at the other end of a link, whatever its address
// is: the other one of a subnet of IPv4 that has room for two (/30, /31), or else the
// link-local one that its router advertisements come from, as in FRR.

// linkLocals is where the addresses of unnumbered neighbours are.
var linkLocals = netip.MustParsePrefix("fe80::/10")

// rediscover finds out the addresses of unnumbered neighbours by those of their links, and
// looks for routers where these do not say them.
func (m *Machine) rediscover() {
	wanted := map[routing.InterfaceID]bool{}
	for _, n := range m.order {
		if !n.cfg.Unnumbered || n.cfg.Link == routing.NoInterface || n.cfg.Shutdown {
			continue
		}
		l, up := m.links[n.cfg.Link]
		switch a := otherEnd(l.Addresses); {
		case !up:
			wanted[n.cfg.Link] = m.discovering[n.cfg.Link] // it is what it was when it comes again
		case a.IsValid():
			m.meet(n, a)
		default:
			wanted[n.cfg.Link] = true
		}
	}
	maps.DeleteFunc(wanted, func(_ routing.InterfaceID, is bool) bool { return !is })
	for _, id := range slices.Sorted(maps.Keys(wanted)) {
		if !m.discovering[id] {
			m.emit(protocol.Discover{Link: id})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(m.discovering)) {
		if !wanted[id] {
			m.emit(protocol.Undiscover{Link: id})
		}
	}
	m.discovering = wanted
}

// otherEnd is the only other host of a subnet of IPv4 that has room for two, the smallest
// of several; invalid if there is none.
func otherEnd(own []netip.Prefix) (best netip.Addr) {
	for _, p := range own {
		var other netip.Addr
		switch a := p.Addr(); {
		case !a.Is4():
			continue
		case p.Bits() == 31: // RFC 3021
			other = flip(a, 1)
		case p.Bits() == 30 && a != p.Masked().Addr() && flip(a, 3) != p.Masked().Addr():
			other = flip(a, 3)
		default:
			continue
		}
		if !best.IsValid() || other.Less(best) {
			best = other
		}
	}
	return best
}

// flip inverts the lowest bits of an address of IPv4.
func flip(a netip.Addr, bits byte) netip.Addr {
	b := a.As4()
	b[3] ^= bits
	return netip.AddrFrom4(b)
}

// routerSeen takes the advertisement of a router on a link.
func (m *Machine) routerSeen(in protocol.RouterSeen) {
	if n := m.unnumbered(in.Link); n != nil && m.discovering[in.Link] {
		m.meet(n, in.Address)
	}
}

// unnumbered is the neighbour of a link, nil if there is none.
func (m *Machine) unnumbered(link routing.InterfaceID) *neighbor {
	for _, n := range m.order {
		if n.cfg.Unnumbered && n.cfg.Link == link && link != routing.NoInterface {
			return n
		}
	}
	return nil
}

// meet notes the address of an unnumbered neighbour. While they speak with each other it
// stays what it is: there may be other routers on the link.
func (m *Machine) meet(n *neighbor, a netip.Addr) {
	if n.cfg.Address == a || n.session.State() >= OpenSent {
		return
	}
	before := m.cfg
	m.cfg.Neighbors = slices.Clone(m.cfg.Neighbors)
	c := n.cfg
	c.Address = a
	for i := range m.cfg.Neighbors {
		if m.cfg.Neighbors[i].key() == c.key() {
			m.cfg.Neighbors[i].Address = a
		}
	}
	m.watch(n, nil)
	m.reconfigure(n, c, &before)
	m.watch(n, c.BFD)
	m.listeningChanged(&before)
	m.start(n)
}

// caller is the unnumbered neighbour that a connection comes from though its address is
// not known, nil if it is of none.
func (m *Machine) caller(in protocol.Connected) *neighbor {
	a := in.Remote.Addr()
	n := m.unnumbered(in.Link)
	if n == nil || !linkLocals.Contains(a) || !m.discovering[in.Link] {
		return nil
	}
	if m.meet(n, a); n.cfg.Address != a {
		return nil
	}
	return n
}

// met gives an unnumbered neighbour of another configuration the address that is known.
func (m *Machine) met(c *NeighborConfig) {
	if n := m.neighbors[c.key()]; c.Unnumbered && n != nil && n.cfg.Link == c.Link {
		c.Address = n.cfg.Address
	}
}

// streamLink is the link of connections with the neighbour.
func (n *NeighborConfig) streamLink() routing.InterfaceID {
	if n.Address.IsValid() && !n.Address.IsLinkLocalUnicast() {
		return routing.NoInterface
	}
	return n.Link
}

// peer is what a listener of a family knows of the neighbour; ok is false if it is of no
// concern to it.
func (n *NeighborConfig) peer(c *Config, f wire.Family) (p protocol.StreamPeer, ok bool) {
	p = protocol.StreamPeer{Remote: netip.PrefixFrom(n.Address, n.Address.BitLen()), Link: n.streamLink(), StreamOptions: n.options(c)}
	if n.Unnumbered && !n.Address.Is4() { // whoever it is
		p.Remote = linkLocals
	}
	return p, wire.FamilyFor(p.Remote) == f && !n.unlinked()
}

// unlinked reports whether the link that the neighbour is to be on is not there.
func (n *NeighborConfig) unlinked() bool { return n.Interface != "" && n.Link == routing.NoInterface }
