package bfd

import (
	"net/netip"
	"time"

	"routerd/routing/bfd/wire"
	"routerd/routing/protocol"
)

// source is the address that a session sends from: on the link, one of the
// neighbour's subnet (RFC 5881 §6), or any of a point-to-point link. It is
// invalid where there is none, and while the link is down.
func (m *Machine) source(s *session) netip.Addr {
	if s.multihop {
		return s.key.source
	}
	l := m.links[s.link]
	if l == nil || !l.up {
		return netip.Addr{}
	}
	var any netip.Addr
	for _, a := range l.Addresses {
		switch {
		case a.Addr().Is4() != s.address.Is4() || a.Addr() == s.address:
		case a.Contains(s.address):
			return a.Addr()
		case l.Kind == protocol.PointToPoint && !any.IsValid():
			any = a.Addr()
		}
	}
	return any
}

// contents is what a session says, without Poll and Final.
func (s *session) contents() wire.Packet {
	return wire.Packet{
		Diagnostic: s.diag, State: s.state, DetectMult: s.profile.Multiplier,
		My: s.discriminator, Your: s.remoteDiscr,
		DesiredMinTx: uint32(s.tx / time.Microsecond), RequiredMinRx: uint32(s.rx / time.Microsecond),
	}
}

// kind is why a packet is sent.
type kind uint8

const (
	periodic kind = iota
	news          // what it says has changed; a Poll Sequence takes no part (RFC 5880 §6.5)
	final         // it answers a Poll
)

// send sends a packet now, and has the next one follow in time.
func (m *Machine) send(s *session, why kind) {
	src := m.source(s)
	if !src.IsValid() {
		s.transmitAt = time.Time{}
		if s.goodbyes > 0 {
			m.remove(s)
		}
		return
	}
	p := s.contents()
	if seal, ok := m.seal(s, p != s.last); ok {
		s.last = p
		p.Poll, p.Final = s.polling && why == periodic, why == final
		out := protocol.Send{
			Link: s.link, Src: src, Dst: s.address, Protocol: udp, SrcPort: s.port, DstPort: SinglePort,
			HopLimit: 255, Payload: p.Append(make([]byte, 0, wire.MaxSize), seal),
		}
		if s.multihop {
			out.DstPort = MultiPort
		}
		m.emit(out)
		s.counters.Sent++
		m.totals.Sent++
	}
	s.lastSent, s.transmitAt, s.interval = m.now, time.Time{}, 0
	if s.goodbyes > 0 {
		if s.goodbyes--; s.goodbyes == 0 {
			m.remove(s)
			return
		}
	}
	m.schedule(s)
	m.queue.place(s)
}
