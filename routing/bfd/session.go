package bfd

import (
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"routerd/routing"
	"routerd/routing/bfd/wire"
	"routerd/routing/protocol"
)

// key is what a session is told apart by when its neighbour does not know its
// discriminator yet: over one hop, the link and the neighbour; over several, both
// addresses (RFC 5881 §3, RFC 5883 §4.1).
type key struct {
	link     routing.InterfaceID // NoInterface over several hops
	address  netip.Addr
	source   netip.Addr // over several hops
	multihop bool
}

// session is one path that is watched. Its fields are those of RFC 5880 §6.8.1.
type session struct {
	key
	profile     Profile
	profileName string
	shutdown    bool
	watches     []*watch // who asked for it; nobody while it says goodbye
	expected    *protocol.Expect
	port        uint16 // that it sends from (RFC 5881 §4)

	state           wire.State
	diag            wire.Diagnostic
	discriminator   uint32
	sequence        uint32 // XmitAuthSeq
	received        uint32 // RcvAuthSeq
	receivedKnown   bool   // AuthSeqKnown
	remote          wire.Packet
	remoteMinRx     time.Duration
	remoteDiscr     uint32 // 0 = not known, or silent for the detection time
	heard           bool   // ever
	polling         bool
	tx, rx          time.Duration // as said to the neighbour
	activeTx        time.Duration // what is gone by until it answered: RFC 5880 §6.8.3
	activeRx        time.Duration
	pollAgain       bool // something else changed during a Poll Sequence
	news            bool // a change of state that was not said yet
	gone            bool // it was removed
	failed          bool // it was up, and is down for no administrative reason
	hopDead         bool // what the hop's state was told
	goodbyes        int  // packets that it still says goodbye by
	goodbyeInterval time.Duration
	keyExpired      bool // it was said

	lastSent, lastHeard, lastChange time.Time
	interval                        time.Duration // that transmitAt was drawn from
	transmitAt, detectAt, due       time.Time
	excused                         bool // see machine.expire
	at                              int  // in the queue
	last                            wire.Packet

	counters Counters
	refused  string // the last refusal in words
}

// demanded reports whether both sides of the session are up, so that a neighbour that
// wants Demand mode has it (RFC 5880 §6.6).
func (s *session) demanded() bool {
	return s.remote.Demand && s.state == wire.Up && s.remote.State == wire.Up
}

// opinion is what a session says of its path.
type opinion uint8

const (
	unknown opinion = iota
	alive
	dead
)

// opinion is unknown of a path whose session was never up: its neighbour may not
// speak BFD (RFC 5882 §3.3). What is administratively down says nothing against
// a path (RFC 5882 §3.2).
func (s *session) opinion() opinion {
	switch {
	case s.state == wire.Up, s.state == wire.AdminDown, s.heard && s.remote.State == wire.AdminDown:
		return alive
	case s.failed:
		return dead
	}
	return unknown
}

// change moves a session to a state.
func (m *Machine) change(s *session, to wire.State, diag wire.Diagnostic, failed bool) {
	if to == s.state {
		return
	}
	was := s.state
	s.state, s.diag, s.lastChange, s.news, s.pollAgain = to, diag, m.now, true, false
	switch {
	case to == wire.Up:
		s.failed, s.diag = false, wire.NoDiagnostic
		s.counters.Ups++
		m.totals.Ups++
	case was == wire.Up:
		s.failed = failed
		s.counters.Downs++
		m.totals.Downs++
	case !failed && to != wire.Init: // administratively
		s.failed = false
	}
	m.tellAll(s) // first of all: packets are to go another way
	m.announce(s, was)
	m.retime(s, true)
}

// say sends at once what changed, and has the session go on (RFC 5880 §6.8.7).
func (m *Machine) say(s *session) {
	if s.news && (s.remoteDiscr != 0 || !s.profile.Passive) {
		m.send(s, news)
	}
	s.news = false
	m.changed(s)
}

// announce says to people what became of a session.
func (m *Machine) announce(s *session, was wire.State) {
	switch {
	case s.state == wire.Up:
		m.event(slog.LevelInfo, "session up", s, nil)
	case was == wire.Up && s.failed:
		m.event(slog.LevelWarn, "session down", s, fmt.Errorf("%v", s.diag))
	case was == wire.Up:
		m.event(slog.LevelInfo, "session administratively down", s, fmt.Errorf("%v", s.diag))
	}
}

func (m *Machine) event(level slog.Level, what string, s *session, err error) {
	m.emit(protocol.Event{Level: level, What: what, Link: s.link, Neighbor: s.address, Err: err})
}

// shut brings a session to AdminDown and back (RFC 5880 §6.8.16).
func (m *Machine) shut(s *session, shut bool) {
	switch {
	case shut && s.state != wire.AdminDown:
		m.change(s, wire.AdminDown, wire.AdministrativelyDown, false)
	case !shut && s.state == wire.AdminDown:
		m.change(s, wire.Down, s.diag, false)
	}
}

// create makes a session, in Down.
func (m *Machine) create(k key) *session {
	s := &session{key: k, state: wire.Down, remoteMinRx: time.Microsecond, at: -1, lastChange: m.now}
	s.remote.State = wire.Down
	s.sequence = m.rand.Uint32()
	for s.discriminator == 0 || m.discriminators[s.discriminator] != nil {
		s.discriminator = m.rand.Uint32()
	}
	m.discriminators[s.discriminator] = s
	s.port = m.takePort()
	m.sessions[k] = s
	m.claim(k, 1)
	return s
}

// The ports that sessions send from (RFC 5881 §4).
const firstPort, numPorts = 49152, 65536 - 49152

// takePort gives a port that no other session has, as long as there are any.
func (m *Machine) takePort() uint16 {
	at := m.rand.IntN(numPorts)
	for range numPorts {
		if p := uint16(firstPort + at); m.ports[p] == 0 {
			m.ports[p]++
			return p
		}
		at = (at + 1) % numPorts
	}
	m.ports[uint16(firstPort+at)]++
	return uint16(firstPort + at)
}

// remove ends a session that has said goodbye.
func (m *Machine) remove(s *session) {
	if s.gone {
		return
	}
	s.gone = true
	delete(m.sessions, s.key)
	delete(m.discriminators, s.discriminator)
	if m.ports[s.port]--; m.ports[s.port] == 0 {
		delete(m.ports, s.port)
	}
	m.queue.remove(s)
	m.unexpect(s)
	m.claim(s.key, -1)
}

// goodbye is how many packets say that a session ends, so that the neighbour
// hears of it though some are lost.
const goodbye = 3

// leave ends a session that nobody asks for any more: its neighbour hears that
// this is no failure (RFC 5882 §8).
func (m *Machine) leave(s *session) {
	if s.goodbyes > 0 {
		return
	}
	if s.remoteDiscr == 0 || m.source(s) == (netip.Addr{}) {
		m.remove(s)
		return
	}
	s.goodbyes = goodbye
	s.goodbyeInterval = min(max(m.transmitInterval(s), 10*time.Millisecond), time.Second)
	m.shut(s, true)
	s.news = true // though it was AdminDown before
	m.say(s)
}
