package bfd

import (
	"fmt"
	"log/slog"
	"time"

	"routerd/routing"
	"routerd/routing/bfd/wire"
	"routerd/routing/protocol"
)

// receive takes in a datagram, in the order of RFC 5880 §6.8.6.
func (m *Machine) receive(x protocol.Received) {
	p := &m.packet
	if err := wire.Decode(x.Payload, p); err != nil {
		m.strays(x, Malformed, err)
		return
	}
	s := m.sessionOf(x, p)
	if s == nil {
		m.strays(x, NoSession, fmt.Errorf("no session for it: its state is %v, your discriminator %d", p.State, p.Your))
		return
	}
	if why, err := m.refusal(s, x, p); err != nil {
		m.refuse(s, why, err)
		return
	}
	m.accept(s, p)
}

// sessionOf gives the session that a packet is for: by the discriminator, and
// until the neighbour knows that, by where it comes from (RFC 5880 §6.3).
func (m *Machine) sessionOf(x protocol.Received, p *wire.Packet) *session {
	if p.Your != 0 {
		return m.discriminators[p.Your]
	}
	if p.State != wire.Down && p.State != wire.AdminDown {
		return nil
	}
	if x.DstPort == MultiPort {
		return m.sessions[key{link: routing.NoInterface, address: x.Src, source: x.Dst, multihop: true}]
	}
	if s := m.sessions[key{link: x.Link, address: x.Src}]; s != nil {
		return s
	}
	// RFC 5881 §6: on a point-to-point link any source address will do.
	if l := m.links[x.Link]; l != nil && l.Kind == protocol.PointToPoint {
		for _, s := range m.on(x.Link) {
			if s.address.Is4() == x.Src.Is4() {
				return s
			}
		}
	}
	return nil
}

// refusal says why a session does not use a packet.
func (m *Machine) refusal(s *session, x protocol.Received, p *wire.Packet) (Reason, error) {
	switch {
	case (x.DstPort == MultiPort) != s.multihop:
		return WrongPort, fmt.Errorf("to port %d", x.DstPort)
	case !s.multihop && x.Link != s.link:
		return WrongLink, fmt.Errorf("by another interface")
	case !s.multihop && x.HopLimit != 255: // RFC 5881 §5
		return HopLimit, fmt.Errorf("TTL %d, want 255", x.HopLimit)
	case s.multihop && x.HopLimit < s.profile.MinimumTTL:
		return HopLimit, fmt.Errorf("TTL %d, want at least %d", x.HopLimit, s.profile.MinimumTTL)
	}
	if why, err := m.authenticate(s, x, p); err != nil {
		return why, err
	}
	return 0, nil
}

// strays counts a packet that is of no session.
func (m *Machine) strays(x protocol.Received, why Reason, err error) {
	m.stray[why]++
	m.totals.Refused[why]++
	m.emit(protocol.Event{Level: slog.LevelDebug, What: "packet refused", Link: x.Link, Neighbor: x.Src, Err: err})
}

// refuse counts a packet that a session does not use.
func (m *Machine) refuse(s *session, why Reason, err error) {
	s.counters.Refused[why]++
	m.totals.Refused[why]++
	s.refused = err.Error()
	level, what := slog.LevelDebug, "packet refused"
	if why == Unauthentic {
		level, what = slog.LevelWarn, "authentication failed"
	}
	m.event(level, what, s, err)
}

// accept uses a packet.
func (m *Machine) accept(s *session, p *wire.Packet) {
	if s.state == wire.Up && s.remoteDiscr != 0 {
		s.counters.LongestSilence = max(s.counters.LongestSilence, m.now.Sub(s.lastHeard))
	}
	before := s.opinion()
	s.remote, s.remoteDiscr, s.remoteMinRx = *p, p.My, micros(p.RequiredMinRx)
	s.heard, s.excused = true, false
	if s.polling && p.Final {
		m.answered(s)
	} else if s.pollAgain && !s.polling && !p.Final { // RFC 5880 §6.8.3, the third choice
		s.pollAgain = false
		m.retime(s, false)
	}
	s.detectAt = time.Time{}
	if d := s.detection(); d > 0 {
		s.detectAt = m.now.Add(d)
	}
	if s.state == wire.AdminDown {
		m.refuse(s, SessionAdmin, fmt.Errorf("the session is administratively down here"))
		m.changed(s)
		return
	}
	s.lastHeard = m.now
	s.counters.Received++
	m.totals.Received++
	n := transitions[s.state][event(p.State)]
	diag := n.diag
	if n.to != wire.Down {
		diag = s.diag
	}
	m.change(s, n.to, diag, p.State != wire.AdminDown)
	if p.State == wire.AdminDown {
		s.failed = false
	}
	if s.opinion() != before {
		m.tellAll(s) // it says in Down that it is administratively so
	}
	if d := s.detection(); d > 0 { // by other intervals in another state
		s.detectAt = m.now.Add(d)
	}
	if p.Poll {
		m.send(s, final)
		s.news = false
	}
	m.say(s)
}
