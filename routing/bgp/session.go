package bgp

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"routerd/internal/timers"
	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// Times of a session that nobody has configured.
const (
	DefaultConnectRetry = 120 * time.Second // RFC 4271 §10
	DefaultConnectDelay = 5 * time.Second
	DefaultHoldTime     = 90              // seconds
	LargeHoldTime       = 4 * time.Minute // RFC 4271 §8.2.2
	DefaultIdleHoldMin  = time.Second
	DefaultIdleHoldMax  = 2 * time.Minute
	DefaultBFDHold      = 30 * time.Second
	DefaultSendHold     = 8 * time.Minute // or twice the hold time, if that is more (RFC 9687)
)

// SessionConfig is what the session with one neighbour is made of.
type SessionConfig struct {
	// Open is what the neighbour is sent; the hold time in it is proposed.
	Open     wire.Open
	Expected wire.Expected
	// Local may be without an address, see [protocol.Dial].
	Local, Remote netip.AddrPort
	Link          routing.InterfaceID // of a link-local Remote, else NoInterface
	Options       protocol.StreamOptions
	Passive       bool          // the neighbour is not dialled
	DelayOpen     time.Duration // 0 = OPENs are sent at once
	ConnectRetry  time.Duration // how long an attempt may take, less up to a quarter
	// ConnectDelay is how long after an attempt that failed the next one comes, less up
	// to a quarter.
	ConnectDelay time.Duration
	// IdleHoldMin is how long the neighbour is left alone after a failure, less up to
	// a quarter. It doubles with each failure, up to IdleHoldMax.
	IdleHoldMin, IdleHoldMax time.Duration
	Keepalive                time.Duration // 0 = a third of the hold time
	SendHold                 time.Duration // 0 = the default, negative = off
	// NotifyWithoutOpen sends NOTIFICATIONs also before an OPEN was sent.
	NotifyWithoutOpen bool
	// CheckFirstAS wants the neighbour's AS at the beginning of each path from
	// another AS.
	CheckFirstAS bool
	KeepASSets   bool // see [wire.Session]
	// AwaitBFD holds the session in OpenConfirm until BFD has found the neighbour, see
	// [Session.Reachable], for BFDHold at most.
	AwaitBFD bool
	BFDHold  time.Duration // 0 = DefaultBFDHold
}

func (c *SessionConfig) fill() {
	for _, d := range []struct {
		of        *time.Duration
		otherwise time.Duration
	}{
		{&c.ConnectRetry, DefaultConnectRetry},
		{&c.ConnectDelay, DefaultConnectDelay},
		{&c.IdleHoldMin, DefaultIdleHoldMin},
		{&c.IdleHoldMax, DefaultIdleHoldMax},
		{&c.BFDHold, DefaultBFDHold},
		{&c.SendHold, max(DefaultSendHold, 2*time.Duration(c.Open.HoldTime)*time.Second)},
	} {
		if *d.of == 0 {
			*d.of = d.otherwise
		}
	}
}

// Owner is told what happens in sessions. Of a session's methods its own may only call
// those that read.
type Owner interface {
	// NextStream numbers a connection that is dialled.
	NextStream() protocol.StreamID
	// Established: routes may be sent and will come.
	Established(s *Session)
	// Ended: it no longer is. Keep says that the routes are kept for a graceful restart,
	// of the families that Theirs still has.
	Ended(s *Session, keep bool)
	// Update is what came, with TreatAsWithdraw at most. It holds only during the
	// call.
	Update(s *Session, u *wire.Update)
	// Refresh is a message that is about a family of the session.
	Refresh(s *Session, r wire.Refresh)
}

// Session is the conversation with one neighbour: one TCP connection, and two while it
// is not clear which of them stays. It is a value without a clock or socket: inputs of
// its streams go in, effects come out.
type Session struct {
	config SessionConfig
	owner  Owner
	alarms *Alarms
	random *rand.Rand
	update *wire.Update // what is decoded into

	// main is the conversation; second is a connection that came or succeeded beside
	// it, nil if there is none.
	main, second *connection
	failures     int // ConnectRetryCounter
	idle         Alarm
	since        time.Time // Established since
	cease        wire.Notification
	last         Ending
	ending       Ending // of what was up
	reachable    bool   // BFD says so

	now time.Time         // of the call
	out []protocol.Effect // of the call
}

// Alarm is a timer of a session.
type Alarm struct {
	timer      timers.Timer[*Alarm]
	session    *Session
	connection *connection // nil: of the session as a whole
	event      Event
}

// Alarms are the timers of all sessions.
type Alarms = timers.Heap[*Alarm]

// NewSession makes a session that is idle. All sessions of a core share its alarms,
// its randomness and what updates are decoded into.
func NewSession(c SessionConfig, owner Owner, alarms *Alarms, random *rand.Rand, update *wire.Update) *Session {
	c.fill()
	s := &Session{config: c, owner: owner, alarms: alarms, random: random, update: update}
	s.idle = Alarm{session: s, event: IdleHoldTimerExpires}
	s.idle.timer.Of = &s.idle
	s.main = s.newConnection(false)
	return s
}

// Start starts it: the neighbour is dialled, unless the session is passive.
func (s *Session) Start(now time.Time, out []protocol.Effect) []protocol.Effect {
	event := ManualStart
	if s.config.Passive {
		event = ManualStartPassive
	}
	return s.call(now, out, func() { s.main.fire(event) })
}

// Stop ends it for the operator, with a Cease that says why: [wire.Shutdown]. It
// stays idle until Start.
func (s *Session) Stop(now time.Time, why wire.Notification, out []protocol.Effect) []protocol.Effect {
	return s.stop(now, why, ManualStop, out)
}

// Restart ends it for the router itself, with a Cease that says why; it is tried
// again later.
func (s *Session) Restart(now time.Time, why wire.Notification, out []protocol.Effect) []protocol.Effect {
	return s.stop(now, why, AutomaticStop, out)
}

func (s *Session) stop(now time.Time, why wire.Notification, e Event, out []protocol.Effect) []protocol.Effect {
	return s.call(now, out, func() {
		s.cease = why
		if s.second != nil {
			s.second.fire(e)
		}
		s.main.fire(e)
	})
}

// Accept gives it a connection that a listener has accepted from its neighbour.
func (s *Session) Accept(now time.Time, in protocol.Connected, out []protocol.Effect) []protocol.Effect {
	return s.call(now, out, func() { s.accept(in) })
}

// Owns reports whether a stream is one of its connections.
func (s *Session) Owns(id protocol.StreamID) bool { return s.find(id) != nil }

// Input gives it what its streams bring: [protocol.Connected] of what it has dialled,
// [protocol.Read], [protocol.Written], [protocol.Closed]. Those of streams that it no
// longer owns are ignored.
func (s *Session) Input(now time.Time, in protocol.Input, out []protocol.Effect) []protocol.Effect {
	return s.call(now, out, func() {
		switch in := in.(type) {
		case protocol.Connected:
			if c := s.find(in.ID); c != nil {
				c.up, c.room = true, in.Room
				c.fire(TCPRequestAcked)
			}
		case protocol.Read:
			if c := s.find(in.ID); c != nil {
				c.read(in.Data)
			}
		case protocol.Written:
			if c := s.find(in.ID); c != nil {
				c.written(in.Room)
			}
		case protocol.Closed:
			if c := s.find(in.ID); c != nil {
				// Nothing more can be said to it, and it collides with no other.
				c.stream, c.up, c.err = 0, false, in.Err
				c.fire(TCPConnectionFails)
			}
		}
	})
}

// Cut gives its connections up because of err, without a word to the neighbour.
func (s *Session) Cut(now time.Time, err error, out []protocol.Effect) []protocol.Effect {
	return s.call(now, out, func() {
		for _, c := range [...]*connection{s.second, s.main} {
			if c == nil || c.stream == 0 {
				continue
			}
			s.emit(protocol.CloseStream{ID: c.stream, Reset: true})
			c.stream, c.up, c.err = 0, false, err
			c.fire(TCPConnectionFails)
		}
	})
}

// Due does what an alarm is for, which was taken from the alarms.
func (a *Alarm) Due(now time.Time, out []protocol.Effect) []protocol.Effect {
	s := a.session
	return s.call(now, out, func() {
		c := a.connection
		if c == nil {
			c = s.main
		}
		if a == &c.awaits { // RFC 9384
			s.cease = wire.Notification{Code: wire.CodeCease, Subcode: wire.CeaseBFDDown}
		}
		if !c.early(a) {
			c.fire(a.event)
		}
	})
}

// Reachable tells it whether BFD has found the neighbour, which only counts if it has to
// wait for that. A session that is up is not ended by it.
func (s *Session) Reachable(now time.Time, reachable bool, out []protocol.Effect) []protocol.Effect {
	return s.call(now, out, func() {
		s.reachable = reachable
		for _, c := range [...]*connection{s.main, s.second} {
			if c == nil || !reachable || c.state != OpenConfirm || !c.awaits.timer.IsSet() {
				continue
			}
			s.alarms.Stop(&c.awaits.timer)
			c.write(wire.AppendKeepalive(nil))
			if c.confirmed {
				c.fire(KeepaliveReceived)
			}
		}
	})
}

// AwaitsBFD reports whether it goes no further because BFD has not found the neighbour.
func (s *Session) AwaitsBFD() bool {
	return s.main.awaits.timer.IsSet() || s.second != nil && s.second.awaits.timer.IsSet()
}

// Connected reports whether there is a connection, or an attempt at one.
func (s *Session) Connected() bool { return s.main.stream != 0 || s.second != nil }

// Send sends messages to an established neighbour. The caller must not use data
// afterwards, and sends no more than there is room for.
func (s *Session) Send(now time.Time, data []byte, out []protocol.Effect) []protocol.Effect {
	return s.call(now, out, func() {
		if s.main.state == Established {
			s.main.write(data)
		}
	})
}

// Room is how many octets may be sent now.
func (s *Session) Room() int { return s.main.room }

// State is how far it has come.
func (s *Session) State() State {
	if s.second != nil {
		return max(s.main.state, s.second.state)
	}
	return s.main.state
}

// Agreed is what an established session has agreed on, and Theirs what the neighbour
// said of itself.
func (s *Session) Agreed() *wire.Session { return &s.main.agreed }

// Theirs is the neighbour's OPEN.
func (s *Session) Theirs() *wire.Open { return &s.main.theirs }

// Last is why the last connection ended.
func (s *Session) Last() Ending { return s.last }

// call runs f, which appends effects.
func (s *Session) call(now time.Time, out []protocol.Effect, f func()) []protocol.Effect {
	s.now, s.out = now, out
	f()
	s.settle()
	out = s.out
	s.out = nil
	return out
}

func (s *Session) find(id protocol.StreamID) *connection {
	switch {
	case id == 0:
	case s.main.stream == id:
		return s.main
	case s.second != nil && s.second.stream == id:
		return s.second
	}
	return nil
}

func (s *Session) other(c *connection) *connection {
	if c == s.main {
		return s.second
	}
	return s.main
}

// accept finds a place for a connection from the neighbour.
func (s *Session) accept(in protocol.Connected) {
	switch m := s.main; {
	case m.state == Idle:
		m.fire(TCPConnectionConfirmed)
		s.emit(protocol.CloseStream{ID: in.ID, Reset: true})
		return
	case m.state == Active && m.stream == 0:
		m.take(in)
		return
	case m.state == Established && s.conditions(m).Graceful:
		// RFC 4724 §5: the neighbour has restarted.
		m.fire(TCPConnectionConfirmed)
		m.take(in)
		return
	}
	if old := s.second; old != nil {
		if old.state > OpenSent {
			s.emit(protocol.CloseStream{ID: in.ID, Reset: true})
			return
		}
		// A neighbour that begins anew does not know of what it began before.
		old.abandon()
	}
	s.second = s.newConnection(true)
	s.second.state = Active
	s.second.take(in)
}

// settle removes a second connection that has ended, and puts one in the place of the
// first that has.
func (s *Session) settle() {
	c := s.second
	if c == nil {
		return
	}
	switch {
	case c.state == Idle || c.stream == 0:
		c.abandon()
		s.second = nil
	case c.state >= OpenConfirm && s.main.state < OpenSent, c.state == Established:
		s.main.abandon()
		s.main, s.second = c, nil
		s.alarms.Stop(&s.idle.timer)
	}
}

// conditions are those that the entries of the state machine depend on.
func (s *Session) conditions(c *connection) Conditions {
	theirs, ours := &c.theirs.Capabilities.Restart, &s.config.Open.Capabilities.Restart
	n := c.received
	return Conditions{
		DelayOpen: s.config.DelayOpen > 0, DelayRunning: c.delay.timer.IsSet(),
		NotifyWithoutOpen: s.config.NotifyWithoutOpen, Passive: s.config.Passive,
		Graceful: theirs.Present && (theirs.Families != 0 || c.theirs.Capabilities.LongLived.Families != 0),
		GracefulNotification: theirs.Notification && ours.Notification &&
			(n.Code != wire.CodeCease || n.Subcode != wire.CeaseHardReset),
		Unwatched: s.config.AwaitBFD && !s.reachable,
	}
}

// jitter takes up to a quarter off a time (RFC 4271 §10).
func (s *Session) jitter(d time.Duration) time.Duration {
	return d - time.Duration(s.random.Int64N(int64(d/4)+1))
}

// holdIdle is how long the neighbour is left alone after so many failures.
func (s *Session) holdIdle() time.Duration {
	d := s.config.IdleHoldMin
	for range s.failures - 1 {
		if d *= 2; d >= s.config.IdleHoldMax {
			break
		}
	}
	return s.jitter(min(d, s.config.IdleHoldMax))
}

func (s *Session) emit(e protocol.Effect) { s.out = append(s.out, e) }

// Times are the hold time and the interval between KEEPALIVEs that were agreed.
func (s *Session) Times() (hold, keepalive time.Duration) {
	if s.main.holdTime == 0 {
		return 0, 0
	}
	return s.main.holdTime, s.main.interval()
}
