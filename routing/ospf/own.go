package ospf

import (
	"routerd/routing/ospf/wire"
)

// originate has the router's LSAs say what is so now, where that may have changed
// in the step.
func (m *Machine) originate() {
	for _, a := range m.areas {
		if a.dirty {
			a.dirty = false
			m.routerLSA(a)
		}
	}
	for _, l := range m.order {
		if l.dirty && l.active() {
			l.dirty = false
			m.networkLSA(l)
		}
	}
}

// routerLSA describes the router's links into an area (RFC 2328 §12.4.1).
func (m *Machine) routerLSA(a *area) {
	var body wire.Router
	a.Attachments = a.Attachments[:0]
	for _, l := range a.links {
		if l.state == InterfaceDown {
			continue
		}
		body.Links = append(body.Links, m.interfaceLinks(l)...)
		at := Attachment{Data: l.data(), Interface: l.id, Network: l.address.Masked()}
		for _, n := range l.neighbors {
			if n.state == NeighborFull && !l.network.Elects() {
				at.Neighbors = append(at.Neighbors, Adjacency{n.router, n.address})
			}
		}
		a.Attachments = append(a.Attachments, at)
	}
	m.say(a, wire.Identity{Type: wire.RouterLSA, ID: m.router}, a.options()&wire.OptionE, &body)
}

// interfaceLinks gives the links that one interface adds to the Router-LSA.
func (m *Machine) interfaceLinks(l *link) (links []wire.Link) {
	network, mask := wire.IDOf(l.address.Masked().Addr()), wire.MaskOf(l.address.Bits())
	cost := m.cost(l)
	switch {
	case l.state == InterfaceLoopback:
		return []wire.Link{{ID: l.self(), Data: wire.MaskOf(32), Type: wire.LinkStub}}
	case l.network.Elects():
		if l.transits() {
			return []wire.Link{{ID: l.dr, Data: l.data(), Type: wire.LinkTransit, Cost: cost}}
		}
	default:
		for _, n := range l.neighbors {
			if n.state == NeighborFull {
				links = append(links, wire.Link{ID: n.router, Data: l.data(), Type: wire.LinkPointToPoint, Cost: cost})
			}
		}
		if l.unnumbered {
			return links
		}
	}
	return append(links, wire.Link{ID: network, Data: mask, Type: wire.LinkStub, Cost: cost})
}

// transits reports whether a network is a transit network: the router is adjacent
// to its DR, or is it and is adjacent to anybody (RFC 2328 §12.4.1.2).
func (l *link) transits() bool {
	if l.state == InterfaceDR {
		return l.full() > 0
	}
	n := l.index[l.dr]
	return n != nil && n.state == NeighborFull
}

// networkLSA describes a network that the router is the DR of (RFC 2328 §12.4.2).
func (m *Machine) networkLSA(l *link) {
	id := wire.Identity{Type: wire.NetworkLSA, ID: l.self()}
	if l.state != InterfaceDR || l.full() == 0 {
		m.unsay(l.area, id)
		return
	}
	body := wire.Network{Mask: wire.MaskOf(l.address.Bits()), Routers: []wire.ID{m.router}}
	for _, n := range l.neighbors {
		if n.state == NeighborFull {
			body.Routers = append(body.Routers, n.router)
		}
	}
	m.say(l.area, id, l.area.options()&wire.OptionE, &body)
}

// changed takes in that an LSA was installed, has got MaxAge or was removed. The
// area is nil of what has the scope of the AS or a link.
func (m *Machine) changed(e *Entry, a *area) {
	if a != nil {
		a.Graph.Update(e)
	}
	m.calculate()
}

// calculate has the routes follow the databases.
func (m *Machine) calculate() {
	m.table.Calculate(&m.state)
	m.following = true
}
