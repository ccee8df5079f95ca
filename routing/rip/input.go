package rip

import (
	"errors"
	"fmt"
	"net/netip"

	"routerd/routing"
	"routerd/routing/protocol"
	"routerd/routing/rip/wire"
)

// Reasons why a well-formed packet is dropped.
var (
	errVersion  = errors.New("version not listened to")
	errHopLimit = errors.New("from beyond a router")

	errNotAllowed = errors.New("not among the allowed neighbors")
)

// receive processes a datagram (RFC 2453 §3.9, RFC 2080 §2.4).
func (m *Machine) receive(x protocol.Received) {
	i := m.interfaces[x.Link]
	if i == nil || !i.active {
		return
	}
	if m.ownAddress(i, x.Src) { // our own multicast: RFC 2453 §3.9.2
		i.counters.Own++
		return
	}
	if !i.cfg.allows(x.Src) {
		m.refuse(i, x.Src, &i.counters.NotAllowed, errNotAllowed)
		return
	}
	p := &m.packet
	if err := m.cfg.Protocol.Decode(x.Payload, p); err != nil {
		m.refuse(i, x.Src, &i.counters.Malformed, err)
		return
	}
	if m.cfg.Protocol == RIP && !i.cfg.Receive.has(p.Version) {
		m.refuse(i, x.Src, &i.counters.Version, fmt.Errorf("%w: %d, want %v", errVersion, p.Version, i.cfg.Receive))
		return
	}
	if p.Command == wire.Request {
		m.request(i, x)
		return
	}
	_, port := Group(m.cfg.Protocol)
	switch {
	case x.SrcPort != port: // RFC 2453 §3.9.2, RFC 2080 §2.4.2
		i.counters.SourcePort++
		return
	case !i.onLink(x.Src):
		i.counters.OffLink++
		return
	case m.cfg.Protocol == RIPng && x.Dst.IsMulticast() && x.HopLimit != 255: // RFC 2080 §2.4.2
		m.refuse(i, x.Src, &i.counters.HopLimit, fmt.Errorf("%w: hop limit %d", errHopLimit, x.HopLimit))
		return
	case !m.authentic(i, x):
		return
	}
	switch n := m.neighbor(i, x.Src); {
	case n == nil:
	case n.dead:
		n.heard = m.now
		m.refuse(i, x.Src, &i.counters.Dead, errWatched)
	default:
		m.respond(n)
	}
}

// refuse counts and reports a dropped packet.
func (m *Machine) refuse(i *iface, from netip.Addr, counter *uint64, err error) {
	*counter++
	if n := i.neighbors[from]; n != nil {
		n.badPackets++
	}
	kind := PacketRefused
	if counter == &i.counters.Unauthentic {
		kind = AuthFailed
	}
	m.event(kind, i, from, err)
}

// respond processes the response in m.packet.
func (m *Machine) respond(n *neighbor) {
	i, p := n.iface, &m.packet
	n.heard, n.version = m.now, p.Version
	n.packets++
	i.counters.Responses++
	m.number(n.addr)
	for at := range p.Refused {
		n.badEntries++
		i.counters.BadEntries++
		if at == 0 { // one event for each packet is enough
			m.event(EntryRefused, i, n.addr, p.Refused[at])
		}
	}
	for at := range p.Entries {
		m.receiveEntry(n, &p.Entries[at])
	}
}

// number remembers the sequence number of the packet in m.packet, which was
// accepted.
func (m *Machine) number(from netip.Addr) {
	if a := m.packet.Auth; a.Type == wire.AuthCryptographic {
		m.auth.note(sender{from, a.KeyID}, a.Sequence, m.now)
	}
}

// receiveEntry processes one entry of a response (RFC 2453 §3.9.2).
func (m *Machine) receiveEntry(n *neighbor, e *wire.Entry) {
	i, prefix := n.iface, e.Prefix
	if e.NoMask {
		prefix = i.mask(prefix.Addr())
	}
	nextHop, metric, tag := n.addr, CapMetric(e.Metric+i.cfg.Metric), e.Tag
	switch {
	case !e.NextHop.IsValid():
	case m.ownAddress(i, e.NextHop):
		metric = Infinity // its path leads back through us
	case i.onLink(e.NextHop):
		nextHop = e.NextHop
	default: // RFC 2453 §4.4: a next hop that is not on the link is ignored
	}
	if metric < Infinity && i.cfg.Import != nil {
		o := Offer{prefix, i.id, routing.SourceRIP, nextHop, metric, tag}
		// A route that the policy refuses is treated as unreachable.
		if !i.cfg.Import.Apply(&o) || o.Metric < 1 {
			o.Metric = Infinity
		}
		metric, tag = CapMetric(o.Metric), o.Tag
	}
	m.learn(n, prefix, nextHop, metric, tag)
}
