package bfd

import (
	"net/netip"
	"time"

	"routerd/routing/bfd/wire"
)

// slow is the shortest interval of a session that is not up (RFC 5880 §6.8.3).
const slow = time.Second

// retime has a session go by the intervals of its profile, which the neighbour
// learns by a Poll Sequence (RFC 5880 §6.8.3). Anew begins one though another is
// under way, as is right when the state has changed.
func (m *Machine) retime(s *session, anew bool) {
	tx, rx := s.profile.Transmit, s.profile.Receive
	up := s.state == wire.Up
	if !up {
		tx = max(tx, slow)
	}
	switch {
	case s.tx == 0: // it is new
		s.tx, s.rx, s.activeTx, s.activeRx = tx, rx, tx, rx
		return
	case tx == s.tx && rx == s.rx:
		return
	case up && s.polling && !anew:
		// The Final under way could answer for what is said now, too.
		s.pollAgain = true
		return
	}
	s.tx, s.rx, s.polling = tx, rx, true
	if !up || tx < s.activeTx {
		s.activeTx = tx
	}
	if !up || rx > s.activeRx {
		s.activeRx = rx
	}
}

// answered ends a Poll Sequence: the neighbour goes by the intervals now.
func (m *Machine) answered(s *session) {
	s.polling = false
	s.activeTx, s.activeRx = s.tx, s.rx
}

// transmitInterval is the time between two packets before it is jittered.
func (m *Machine) transmitInterval(s *session) time.Duration { return max(s.activeTx, s.remoteMinRx) }

// detection is for how long the neighbour may be silent (RFC 5880 §6.8.4).
func (s *session) detection() time.Duration {
	return time.Duration(s.remote.DetectMult) * max(s.activeRx, micros(s.remote.DesiredMinTx))
}

// changed has a session be due when it has to be, after anything that matters
// has changed.
func (m *Machine) changed(s *session) {
	if s.gone {
		return
	}
	if s.demanded() && !s.polling && s.contents() != s.last {
		s.polling = true // RFC 5880 §6.6
	}
	m.schedule(s)
	m.queue.place(s)
}

// schedule says when the next packet is sent. A shorter interval holds at once
// (RFC 5880 §6.8.3), and so does a longer one that the neighbour knows of.
func (m *Machine) schedule(s *session) {
	switch {
	case s.goodbyes > 0:
		s.transmitAt = s.lastSent.Add(s.goodbyeInterval)
		return
	case !m.transmits(s):
		s.transmitAt, s.interval = time.Time{}, 0
		return
	}
	if i := m.transmitInterval(s); i != s.interval || s.transmitAt.IsZero() {
		s.interval = i
		s.transmitAt = m.now
		if !s.lastSent.IsZero() {
			s.transmitAt = s.lastSent.Add(m.jitter(i, s.profile.Multiplier))
		}
	}
}

// transmits reports whether a session sends periodically (RFC 5880 §6.8.7).
func (m *Machine) transmits(s *session) bool {
	switch {
	case s.remoteDiscr == 0 && s.profile.Passive, s.remoteMinRx == 0, s.demanded() && !s.polling:
		return false
	}
	return m.source(s) != (netip.Addr{})
}

// jitter shortens an interval by 0 to 25 %, and by at least 10 % where a single
// lost packet counts (RFC 5880 §6.8.7).
func (m *Machine) jitter(i time.Duration, multiplier uint8) time.Duration {
	low, high := i*3/4, i
	if multiplier == 1 {
		high = i * 9 / 10
	}
	return low + time.Duration(m.rand.Int64N(int64(high-low)+1))
}

// What the clock may be late by before a silent neighbour is given a second
// look, and how long that takes. If this process did not run in time, what the
// neighbour sent waits in front of it, unread.
const (
	late       = 2 * time.Millisecond
	secondLook = 10 * time.Millisecond
)

// expire does what is due.
func (m *Machine) expire() {
	for len(m.queue) > 0 && !m.queue[0].due.After(m.now) {
		s := m.queue[0]
		if d := s.detectAt; !d.IsZero() && !d.After(m.now) {
			if m.now.Sub(d) > late && !s.excused {
				s.excused, s.detectAt = true, m.now.Add(min(secondLook, s.detection()/2))
			} else {
				m.silent(s)
			}
		}
		if t := s.transmitAt; !t.IsZero() && !t.After(m.now) {
			m.send(s, periodic)
		}
		if s.at >= 0 { // it is not removed
			m.queue.place(s)
		}
	}
}

// silent takes in that the neighbour was, for the detection time (RFC 5880
// §6.8.1, §6.8.4, §6.8.18).
func (m *Machine) silent(s *session) {
	s.detectAt = time.Time{}
	s.remoteDiscr, s.remoteMinRx, s.remote.Demand = 0, time.Microsecond, false
	if n := transitions[s.state][silent]; s.state != wire.AdminDown {
		m.change(s, n.to, n.diag, true)
	}
	m.say(s)
}

func micros(n uint32) time.Duration { return time.Duration(n) * time.Microsecond }
