package bgp

import (
	"time"

	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// connection is one TCP connection of a session, or the attempt at one, with a state
// machine of its own (RFC 4271 §8.2.1).
type connection struct {
	session  *Session
	state    State
	accepted bool              // by the neighbour's attempt
	stream   protocol.StreamID // 0 = there is none
	up       bool              // it is connected
	room     int               // octets that may be written
	in       []byte            // the beginning of a message

	retry, hold, keepalive, delay, sendHold Alarm
	awaits                                  Alarm // the time that there is for BFD
	confirmed                               bool  // a KEEPALIVE has come meanwhile
	holdTime                                time.Duration
	heard, sent                             time.Time // the last messages

	theirs   wire.Open
	agreed   wire.Session
	fault    wire.Refusal      // of the message that the event is about
	received wire.Notification // from the neighbour
	err      error             // of the TCP connection
}

func (s *Session) newConnection(accepted bool) *connection {
	c := &connection{session: s, accepted: accepted}
	for _, a := range []struct {
		alarm *Alarm
		event Event
	}{
		{&c.retry, ConnectRetryTimerExpires},
		{&c.hold, HoldTimerExpires},
		{&c.keepalive, KeepaliveTimerExpires},
		{&c.delay, DelayOpenTimerExpires},
		{&c.sendHold, SendHoldTimerExpires},
		{&c.awaits, AutomaticStop},
	} {
		*a.alarm = Alarm{session: s, connection: c, event: a.event}
		a.alarm.timer.Of = a.alarm
	}
	return c
}

// take makes a connection that was accepted this one's.
func (c *connection) take(in protocol.Connected) {
	c.stream, c.up, c.room, c.accepted = in.ID, true, in.Room, true
	c.fire(TCPConnectionConfirmed)
}

// fire gives the event to the state machine and does what it asks for.
func (c *connection) fire(e Event) {
	s := c.session
	conditions := s.conditions(c)
	to, do, notice, ok := c.state.Next(e, conditions)
	if !ok {
		return
	}
	o := s.other(c)
	switch {
	case c == s.second || e == OpenCollisionDump:
		// The conversation goes on by the other connection.
		do &^= CountUp | HoldIdle | ZeroCounter
	case o != nil && o.up:
		do &^= CountUp // it may
	}
	was := c.state
	c.state = to
	c.confirmed = c.confirmed || e == KeepaliveReceived && to == OpenConfirm
	if do&(LoseRoutes|Notify|Drop) != 0 {
		c.end(e, do, notice, was, conditions)
	}
	c.count(do)
	c.timers(do)
	c.talk(do)
	if c.state == Established && was == OpenConfirm {
		c.established()
	}
}

// end does what an entry asks for that ends something: the session, the connection, or what
// can be said on it.
func (c *connection) end(e Event, do Action, notice Notice, was State, conditions Conditions) {
	s := c.session
	why := Ending{Time: s.now, Event: e, Notification: c.received, Received: c.received.Code != 0, Fault: c.fault, Err: c.err}
	if do&Notify != 0 {
		why.Notification, why.Received = c.notification(notice, was), false
		// RFC 8538 §5: it is to drop what it has, if it would keep that.
		if notice == NoticeCease && conditions.GracefulNotification && s.config.Open.Capabilities.Restart.Families != 0 {
			why.Notification = why.Notification.Hard()
		}
	}
	if do&LoseRoutes != 0 {
		s.ending = why
		if s.now.Sub(s.since) >= s.config.IdleHoldMax {
			s.failures = 0 // it was up for long: that is no oscillation
		}
		s.owner.Ended(s, conditions.Keeps(e))
	}
	if do&Notify != 0 {
		c.write(why.Notification.Append(nil))
	}
	if do&Drop != 0 {
		c.drop(e == SendHoldTimerExpires)
		if c == s.main && e != OpenCollisionDump {
			s.last = why
		}
	}
}

// notification is the one that an entry of the state machine names.
func (c *connection) notification(n Notice, was State) wire.Notification {
	switch n {
	case NoticeCease:
		if c.session.cease.Code != 0 {
			return c.session.cease
		}
		return wire.Notification{Code: wire.CodeCease, Subcode: wire.CeaseAdminShutdown}
	case NoticeHold:
		return wire.Notification{Code: wire.CodeHold}
	case NoticeFSM:
		subcode := map[State]uint8{OpenSent: wire.FSMOpenSent, OpenConfirm: wire.FSMOpenConfirm, Established: wire.FSMEstablished}
		return wire.Notification{Code: wire.CodeFSM, Subcode: subcode[was]}
	case NoticeFault:
		return c.fault.Notification()
	case NoticeCollision:
		return wire.Notification{Code: wire.CodeCease, Subcode: wire.CeaseCollision}
	case NoticeSendHold:
		return wire.Notification{Code: wire.CodeSendHold}
	}
	return wire.Notification{}
}

// drop ends the TCP connection. What was written before is still sent, but not on one
// that sends nothing.
func (c *connection) drop(reset bool) {
	s := c.session
	if c.stream != 0 {
		s.emit(protocol.CloseStream{ID: c.stream, Reset: reset || !c.up})
	}
	for _, a := range []*Alarm{&c.hold, &c.keepalive, &c.delay, &c.sendHold, &c.awaits} {
		s.alarms.Stop(&a.timer)
	}
	c.stream, c.up, c.room, c.in, c.accepted, c.confirmed = 0, false, 0, nil, false, false
	c.fault, c.received, c.err, c.theirs = wire.Refusal{}, wire.Notification{}, nil, wire.Open{}
}

// abandon ends a connection in whose place another goes on, and that has said nothing
// yet that needs an answer.
func (c *connection) abandon() {
	c.drop(false)
	c.session.alarms.Stop(&c.retry.timer)
	c.state = Idle
}

func (c *connection) count(do Action) {
	s := c.session
	if do&ZeroCounter != 0 {
		s.failures = 0
	}
	if do&CountUp != 0 {
		s.failures++
	}
}

// timers sets and stops timers.
func (c *connection) timers(do Action) {
	s := c.session
	if do&StopRetry != 0 {
		s.alarms.Stop(&c.retry.timer)
	}
	if do&StartRetry != 0 {
		d := s.config.ConnectRetry
		if c.state == Active {
			d = s.config.ConnectDelay
		}
		s.alarms.Set(&c.retry.timer, s.now.Add(s.jitter(d)))
	}
	if do&StopDelay != 0 {
		s.alarms.Stop(&c.delay.timer)
	}
	if do&StartDelay != 0 {
		s.alarms.Set(&c.delay.timer, s.now.Add(s.config.DelayOpen))
	}
	if do&StopIdle != 0 {
		s.alarms.Stop(&s.idle.timer)
	}
	if do&AwaitBFD != 0 {
		s.alarms.Set(&c.awaits.timer, s.now.Add(s.config.BFDHold))
	}
	if do&HoldIdle != 0 {
		s.alarms.Set(&s.idle.timer, s.now.Add(s.holdIdle()))
	}
}

// talk does what concerns the neighbour.
func (c *connection) talk(do Action) {
	s := c.session
	if do&Dial != 0 {
		c.dial()
	}
	if do&Collide != 0 && !c.collide() {
		return
	}
	if do&SendOpen != 0 {
		c.write(s.config.Open.Append(nil))
	}
	if do&SendKeepalive != 0 {
		c.write(wire.AppendKeepalive(nil))
	}
	switch {
	case do&LargeHold != 0:
		c.holdTime = LargeHoldTime
		c.heard = s.now
		s.alarms.Set(&c.hold.timer, s.now.Add(c.holdTime))
	case do&NegotiatedHold != 0:
		c.holdTime = time.Duration(c.agreed.HoldTime) * time.Second
		if c.holdTime == 0 {
			s.alarms.Stop(&c.hold.timer)
			s.alarms.Stop(&c.keepalive.timer)
			break
		}
		s.alarms.Set(&c.hold.timer, s.now.Add(c.holdTime))
		s.alarms.Set(&c.keepalive.timer, s.now.Add(s.jitter(c.interval())))
	}
	if do&RestartKeepalive != 0 && c.holdTime != 0 {
		s.alarms.Set(&c.keepalive.timer, s.now.Add(s.jitter(c.interval())))
	}
	if do&Process != 0 {
		s.owner.Update(s, s.update)
	}
}

// interval is the time between KEEPALIVEs.
func (c *connection) interval() time.Duration {
	third := c.holdTime / 3
	if k := c.session.config.Keepalive; k > 0 {
		return min(k, third)
	}
	return third
}

// early reports whether an alarm came before its time and was set again: those that
// each message would set anew are moved only when they are due.
func (c *connection) early(a *Alarm) bool {
	var at time.Time
	switch a {
	case &c.hold:
		at = c.heard.Add(c.holdTime)
	case &c.keepalive:
		at = c.sent.Add(c.interval() * 3 / 4)
	}
	if !at.After(c.session.now) {
		return false
	}
	c.session.alarms.Set(&a.timer, at)
	return true
}

func (c *connection) dial() {
	s := c.session
	c.stream, c.up, c.accepted = s.owner.NextStream(), false, false
	s.emit(protocol.Dial{ID: c.stream, Local: s.config.Local, Remote: s.config.Remote, Link: s.config.Link, StreamOptions: s.config.Options})
}

// write sends octets, and sees to it that they are sent some time (RFC 9687).
func (c *connection) write(data []byte) {
	if c.stream == 0 || !c.up {
		return
	}
	s := c.session
	s.emit(protocol.Write{ID: c.stream, Data: data})
	c.room -= len(data)
	c.sent = s.now
	if s.config.SendHold > 0 && !c.sendHold.timer.IsSet() {
		s.alarms.Set(&c.sendHold.timer, s.now.Add(s.config.SendHold))
	}
}

// written is told that something was sent.
func (c *connection) written(room int) {
	s := c.session
	c.room = room
	switch {
	case room >= protocol.StreamRoom:
		s.alarms.Stop(&c.sendHold.timer)
	case c.sendHold.timer.IsSet():
		s.alarms.Set(&c.sendHold.timer, s.now.Add(s.config.SendHold))
	}
}

// collide looks for a connection that this one, whose OPEN has come, collides with,
// and reports whether this one stays (RFC 4271 §6.8). One whose TCP connection has gone
// is in no state to collide.
func (c *connection) collide() bool {
	s := c.session
	o := s.other(c)
	if o == nil {
		return true
	}
	switch o.state {
	case OpenConfirm:
		if c.wins(o) {
			o.fire(OpenCollisionDump)
			s.settle() // what has come behind the OPEN may end the only one that is left
			return true
		}
	case Established:
		// If the old one is dead and does not know it yet, this finds out, and the next
		// attempt is taken.
		o.write(wire.AppendKeepalive(nil))
	default:
		return true
	}
	c.fire(OpenCollisionDump)
	return false
}

// wins reports whether this connection, whose OPEN has come later, stays. Of two that
// one side has begun, it is the newer one; else the one that the speaker with the
// higher router ID has begun, and if they are the same, with the higher AS (RFC 6286
// §2.3).
func (c *connection) wins(o *connection) bool {
	if c.accepted == o.accepted {
		return true
	}
	ours, theirs := &c.session.config.Open, &c.theirs
	higher := theirs.ID > ours.ID || theirs.ID == ours.ID && theirs.AS > ours.AS
	return higher == c.accepted
}

// established begins the session, and ends what else there was.
func (c *connection) established() {
	s := c.session
	if o := s.other(c); o != nil {
		o.fire(OpenCollisionDump)
		o.abandon()
	}
	s.since = s.now
	s.settle()
	s.owner.Established(s)
}
