package ospf

import (
	"net/netip"
	"time"

	"routerd/routing"
	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

const (
	// burst is how many packets of Updates a link sends at once, and pause the time
	// after which it sends the next ones: RFC 4222 §2 (5) has them paced.
	burst = 32
	pause = 5 * time.Millisecond
	// virtualTTL is that of packets over virtual links, which are forwarded.
	virtualTTL = 64
	// smallestMTU is what is sent where an interface says nothing of use.
	smallestMTU = 576
)

// build begins a packet.
func (m *Machine) build(t wire.Type) *wire.Packet {
	p := &m.building
	p.Type, p.LLS = t, wire.LLS{}
	return p
}

// room is how many octets of a packet's body fit behind a part of fixed octets.
func (l *link) room(fixed int) int {
	mtu := l.mtu
	if l.virtual() || mtu < smallestMTU {
		mtu = smallestMTU
	}
	return min(mtu, 0xffff) - ipHeader - wire.HeaderSize - fixed - l.authSize()
}

// send sends a packet on a link.
func (m *Machine) send(l *link, dst netip.Addr, p *wire.Packet) {
	s, ok := m.seal(l)
	if !ok {
		return
	}
	p.Router, p.Area = m.router, l.area.ID
	source := l.address.Addr()
	e := protocol.Send{Link: l.id, Src: source, Dst: dst, Protocol: wire.Protocol, HopLimit: 1}
	if l.virtual() {
		e.Link, e.HopLimit = routing.NoInterface, virtualTTL
	}
	e.Payload = p.Append(nil, s, m.number(s), wire.IDOf(source))
	l.counters.Sent[p.Type]++
	m.emit(e)
}

// unicast is where what is for one neighbour goes: on point-to-point links to the
// group (RFC 2328 §8.1).
func (m *Machine) unicast(n *neighbor) netip.Addr {
	if n.link.network == PointToPoint {
		return allSPFRouters
	}
	return n.address
}

// floods is where Updates for all neighbours of a link go, and delayed
// acknowledgements (RFC 2328 §13.3, §13.5).
func (l *link) floods() netip.Addr {
	if l.network == Broadcast && l.state == InterfaceDROther {
		return allDRouters
	}
	return allSPFRouters
}

// transmitSoon has what waits on a link sent at the end of the step.
func (m *Machine) transmitSoon(l *link) {
	if !l.waiting && !l.pace.IsSet() {
		l.waiting = true
		m.waiting = append(m.waiting, l)
	}
}

// transmit sends what waits.
func (m *Machine) transmit() {
	for _, l := range m.waiting {
		l.waiting = false
		if l.active() && !l.pace.IsSet() {
			m.sendUpdates(l)
		}
	}
	m.waiting = m.waiting[:0]
}

// sendUpdates sends the Updates of a link: as many packets as it takes at once,
// first those that are for all.
func (m *Machine) sendUpdates(l *link) {
	if m.now.Sub(l.window) >= pause {
		l.window, l.left = m.now, burst
	}
	left := l.left
	if l.groups() {
		left = m.sendQueue(l, &l.updates, l.floods(), left)
	} else {
		for e := range l.updates.all {
			for _, n := range l.neighbors {
				if _, listed := n.unacked.get(e); listed {
					n.replies.put(e, struct{}{})
				}
			}
		}
		l.updates.clear()
	}
	for i := range l.neighbors {
		// Each time another one is the first.
		n := l.neighbors[(i+l.turn)%len(l.neighbors)]
		left = m.sendQueue(l, &n.replies, m.unicast(n), left)
	}
	l.turn++
	if l.left = left; left == 0 {
		m.due.Set(&l.pace, l.window.Add(pause))
	}
}

// sendQueue sends LSAs in up to so many packets, and gives how many are left.
func (m *Machine) sendQueue(l *link, q *ordered[*Entry, struct{}], dst netip.Addr, left int) int {
	room := l.room(wire.CountSize)
	delay := uint16(l.cfg.TransmitDelay / time.Second)
	for q.len() > 0 && left > 0 {
		p := m.build(wire.TypeUpdate)
		p.Updates = p.Updates[:0]
		size := 0
		for e, _, ok := q.front(); ok; e, _, ok = q.front() {
			// One that is larger than the MTU goes alone, in fragments.
			if size > 0 && size+len(e.lsa) > room {
				break
			}
			size += len(e.lsa)
			p.Updates = append(p.Updates, e.Update(m.now, delay))
			q.remove(e)
		}
		m.send(l, dst, p)
		left--
	}
	return left
}
