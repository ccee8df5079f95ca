package ospf

import (
	"net/netip"

	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// receive takes in a packet (RFC 2328 §8.2).
func (m *Machine) receive(x protocol.Received) {
	l := m.links[x.Link]
	if l == nil || !l.active() || l.state == InterfaceDown || l.state == InterfaceLoopback || l.cfg.Passive ||
		x.Protocol != wire.Protocol || !speaksFor(x.Src) {
		return
	}
	p := &m.packet
	if r := wire.Decode(x.Payload, p); !r.OK() {
		m.refuse(l, x.Src, r)
		return
	}
	l, r := m.linkOf(l, x)
	if r.OK() {
		r = m.authentic(l, x)
	}
	if !r.OK() {
		m.refuse(l, x.Src, r)
		return
	}
	if p.Type == wire.TypeHello {
		l.counters.Received[p.Type]++
		m.hearHello(l, x)
		return
	}
	n := l.index[l.nameOf(p.Router, x.Src)]
	switch {
	case n == nil || n.router != p.Router:
		m.refuse(l, x.Src, wire.Refusal{Reason: wire.UnknownNeighbor, Theirs: uint64(p.Router)})
		return
	case p.Type != wire.TypeDescription && n.state < NeighborExchange:
		m.refuse(l, x.Src, wire.Refusal{Reason: wire.NeighborState})
		return
	}
	l.counters.Received[p.Type]++
	if n.inactivity.IsSet() && n.state >= NeighborTwoWay && !l.network.Elects() {
		// RFC 4222 §2 (2): it lives, whatever became of its Hellos. Where there is a
		// DR, all have to miss it at the same time, or they elect apart.
		m.after(&n.inactivity, l.cfg.dead())
	}
	switch p.Type {
	case wire.TypeDescription:
		m.hearDescription(n, x)
	case wire.TypeRequest:
		m.hearRequest(n, x)
	case wire.TypeUpdate:
		m.hearUpdate(n, x)
	case wire.TypeAcknowledgement:
		m.hearAcks(n, x)
	}
}

// linkOf finds the link that the packet in m.packet is of: the interface that it
// came by, or a virtual link (RFC 2328 §8.2).
func (m *Machine) linkOf(l *link, x protocol.Received) (*link, wire.Refusal) {
	p := &m.packet
	switch {
	case x.Dst == allDRouters && l.state < InterfaceBackup:
		return l, wire.Refusal{Reason: wire.Destination, Theirs: uint64(wire.IDOf(x.Dst)), Ours: uint64(wire.IDOf(allSPFRouters))}
	case p.Area == l.area.ID:
		if !l.nearby(x.Src) {
			return l, wire.Refusal{Reason: wire.Source, Theirs: uint64(wire.IDOf(x.Src)), Ours: uint64(l.self())}
		}
	default:
		v := m.virtualFrom(l, p.Router)
		if p.Area != backbone || v == nil {
			return l, wire.Refusal{Reason: wire.Area, Theirs: uint64(p.Area), Ours: uint64(l.area.ID)}
		}
		l = v
	}
	if p.Router == m.router {
		return l, wire.Refusal{Reason: wire.OwnRouter, Theirs: uint64(p.Router), Ours: uint64(m.router)}
	}
	return l, wire.Refusal{}
}

// refuse counts a packet that is not used.
func (m *Machine) refuse(l *link, from netip.Addr, r wire.Refusal) {
	if m.own(from) {
		return // the router's own, that came back
	}
	m.countRefusal(l, from, r)
	kind := PacketRefused
	switch r.Reason {
	case wire.AuthDiffers, wire.KeyID, wire.Password, wire.Digest, wire.DigestLength:
		kind = AuthFailed
	case wire.OwnRouter:
		kind = RouterIDTwice
	}
	m.event(kind, l, from, refusalError(r))
}

// countRefusal counts what is not used, and keeps the last one in words, but for
// what also neighbours say that nothing is wrong with.
func (m *Machine) countRefusal(l *link, from netip.Addr, r wire.Refusal) {
	l.counters.Refused[r.Reason]++
	switch r.Reason {
	case wire.NeighborState, wire.LSATooSoon, wire.AckUnknown: // packets have crossed
	default:
		l.refused = LastRefusal{Refusal: r, From: from, At: m.now}
	}
}

// refusalError is a Refusal as an error.
type refusalError wire.Refusal

func (r refusalError) Error() string { return wire.Refusal(r).String() }

// own reports whether an address is one of the router's own.
func (m *Machine) own(a netip.Addr) bool {
	for _, l := range m.order {
		for _, p := range l.addresses {
			if p.Addr() == a {
				return true
			}
		}
	}
	return false
}
