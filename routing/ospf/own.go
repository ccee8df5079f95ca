package ospf

import (
	"net/netip"
	"slices"

	"routerd/routing/ospf/wire"
)

// originate has the router's LSAs say what is so now, where that may have changed
// in the step, and has routes calculated if it is time. Virtual links follow routes,
// and LSAs follow those.
func (m *Machine) originate() {
	for range 3 {
		m.originateLinks()
		if !m.calculate() {
			return
		}
		m.following = true
		m.followVirtual()
	}
	m.originateLinks()
}

// originateLinks has Router-LSAs, Network-LSAs and externals say what is so now. What
// the router is among others depends on its externals, and they on that.
func (m *Machine) originateLinks() {
	dirty := func() bool {
		return m.ours.dirty || slices.ContainsFunc(m.areas, func(a *area) bool { return a.dirty })
	}
	if dirty() {
		m.situate()
	}
	m.originateExternals()
	for i := 0; i < 3 && dirty(); i++ {
		m.ours.dirty = false
		m.enact(m.roleNow())
		for _, a := range m.areas {
			if a.dirty {
				a.dirty = false
				m.routerLSA(a)
			}
		}
		m.originateExternals()
	}
	for _, l := range m.order {
		if l.dirty {
			l.dirty = false
			m.networkLSA(l)
		}
	}
}

// routerLSA describes the router's links into an area (RFC 2328 §12.4.1).
func (m *Machine) routerLSA(a *area) {
	body := wire.Router{Flags: m.flags(a)}
	var at []Attachment
	for _, l := range a.links {
		if l.state == InterfaceDown {
			continue
		}
		body.Links = append(body.Links, m.linksOf(l)...)
		if !l.virtual() {
			at = append(at, l.attachment())
		}
	}
	if m.ours.role.stub {
		discourage(body.Links)
	}
	if !slices.EqualFunc(a.Attachments, at, sameAttachment) {
		a.Attachments, a.stale = at, OtherPaths
		m.recalculate("interfaces or neighbours of the router")
	}
	m.say(a, wire.Identity{Type: wire.RouterLSA, ID: m.router}, a.options()&wire.OptionE, &body)
}

// attachment is the link as routes are calculated by it.
func (l *link) attachment() Attachment {
	at := Attachment{Data: l.data(), Interface: l.id}
	if !l.unnumbered {
		at.Network = l.address.Masked()
	}
	if l.network.Elects() {
		return at
	}
	for _, n := range l.neighbors {
		if n.full() {
			at.Neighbors = append(at.Neighbors, Adjacency{n.router, n.address})
		}
	}
	return at
}

func sameAttachment(a, b Attachment) bool {
	return a.Data == b.Data && a.Interface == b.Interface && a.Network == b.Network && slices.Equal(a.Neighbors, b.Neighbors)
}

// flags are the router's bits in an area.
func (m *Machine) flags(a *area) (f wire.RouterFlags) {
	if m.ours.role.border {
		f |= wire.RouterB
	}
	if m.ours.role.boundary && a.Type != Stub { // RFC 2328 §12.4.1
		f |= wire.RouterE
	}
	if m.ours.role.border && a.Type == NSSA && a.cfg.Translator == TranslatorAlways { // RFC 3101 §2.1
		f |= wire.RouterNt
	}
	for _, l := range m.order {
		if l.virtual() && l.transit == a && l.full() > 0 {
			f |= wire.RouterV
		}
	}
	return f
}

// discourage has a router's links be so expensive that no packet to others takes
// them while there is another way (RFC 6987 §2).
func discourage(links []wire.Link) {
	for i := range links {
		if links[i].Type != wire.LinkStub {
			links[i].Cost = wire.MaxLinkCost
		}
	}
}

// linksOf gives the links that one interface adds to the Router-LSA.
func (m *Machine) linksOf(l *link) (links []wire.Link) {
	cost := m.cost(l)
	switch {
	case l.state == InterfaceLoopback: // §12.4.1.4
		for _, p := range l.addresses {
			links = append(links, stubLink(netip.PrefixFrom(p.Addr(), 32), 0))
		}
		return links
	case l.network.Elects():
		if l.transits() {
			links = append(links, wire.Link{ID: l.dr, Data: l.data(), Type: wire.LinkTransit, Cost: cost})
		} else if !m.suppresses(l) {
			links = append(links, stubLink(l.address, cost))
		}
	case l.virtual(): // §12.4.1.3
		for _, n := range l.neighbors {
			if n.full() {
				links = append(links, wire.Link{ID: n.router, Data: l.data(), Type: wire.LinkVirtual, Cost: cost})
			}
		}
		return links
	default:
		for _, n := range l.neighbors {
			if n.full() {
				links = append(links, wire.Link{ID: n.router, Data: l.data(), Type: wire.LinkPointToPoint, Cost: n.cost(cost)})
			}
		}
		switch {
		case l.unnumbered:
			return links
		case m.suppresses(l):
		case l.network == PointToMultipoint: // §12.4.1.4: its address, at no cost
			links = append(links, stubLink(netip.PrefixFrom(l.address.Addr(), 32), 0))
		default: // §12.4.1.1, option 2
			links = append(links, stubLink(l.address, cost))
		}
	}
	return append(links, l.further(cost)...)
}

func stubLink(p netip.Prefix, cost uint16) wire.Link {
	return wire.Link{ID: wire.IDOf(p.Masked().Addr()), Data: wire.MaskOf(p.Bits()), Type: wire.LinkStub, Cost: cost}
}

// further are the networks of an interface's further addresses.
func (l *link) further(cost uint16) (links []wire.Link) {
	seen := map[netip.Prefix]bool{l.address.Masked(): true}
	for _, p := range l.addresses {
		if n := p.Masked(); !seen[n] {
			seen[n] = true
			links = append(links, stubLink(n, cost))
		}
	}
	return links
}

// cost is that of the link to a neighbour, which may have one of its own on
// point-to-multipoint networks.
func (n *neighbor) cost(of uint16) uint16 {
	if n.cfg != nil && n.cfg.Cost != 0 && n.link.network == PointToMultipoint {
		return n.cfg.Cost
	}
	return of
}

// suppresses reports whether the network of a link is left out, since nobody but
// routers is there (RFC 6860). A passive interface has others.
func (m *Machine) suppresses(l *link) bool {
	switch {
	case l.cfg.Passive || l.state == InterfaceLoopback:
		return false
	case l.cfg.PrefixSuppression != nil:
		return *l.cfg.PrefixSuppression
	}
	return m.cfg.PrefixSuppression
}

// transits reports whether a network is a transit network: the router is adjacent
// to its DR, or is it and is adjacent to anybody (RFC 2328 §12.4.1.2).
func (l *link) transits() bool {
	if l.state == InterfaceDR {
		return l.full() > 0
	}
	n := l.index[l.dr]
	return n != nil && n.full()
}

// networkLSA describes a network that the router is the DR of (RFC 2328 §12.4.2).
func (m *Machine) networkLSA(l *link) {
	if !l.active() || l.virtual() {
		return
	}
	id := wire.Identity{Type: wire.NetworkLSA, ID: l.self()}
	if l.state != InterfaceDR || l.full() == 0 {
		m.unsay(l.area, id)
		return
	}
	body := wire.Network{Mask: wire.MaskOf(l.address.Bits()), Routers: []wire.ID{m.router}}
	if m.suppresses(l) {
		body.Mask = wire.MaskOf(32) // RFC 6860 §2.2.2.1
	}
	for _, n := range l.neighbors {
		if n.full() {
			body.Routers = append(body.Routers, n.router)
		}
	}
	m.say(l.area, id, l.area.options()&wire.OptionE, &body)
}
