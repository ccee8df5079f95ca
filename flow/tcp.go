package flow

// The states of a TCP connection, as its packets show them to a third party.
// F is the side that began, R the other one; "ack" is any segment with ACK and
// without RST, a SYN or a FIN among them; what a state's row does not name
// leaves it as it is. An ack or FIN moves a state only if its numbers fit what
// both sides have said, an RST only if it is in the window (RFC 5961 §3.2).
//
//	              | SYN of F   | SYN of R  | ack of F    | ack of R    | FIN of F   | FIN of R  | RST
//	--------------+------------+-----------+-------------+-------------+------------+-----------+------
//	(new)         | SynForward |           | PickedUp    |             | PickedUp   |           | PickedUp
//	SynForward    | restart    | SynBoth   |             | AckReply *  |            |           | Reset
//	SynReply      | SynBoth    | restart   | AckForward *|             |            |           | Reset
//	SynBoth       |            |           | AckForward  | AckReply    |            |           | Reset
//	AckForward    |            |           |             | Established | FinForward | FinReply  | Reset
//	AckReply      |            |           | Established |             | FinForward | FinReply  | Reset
//	PickedUp      |            |           |             | Established | FinForward | FinReply  | Reset
//	Established   |            |           |             |             | FinForward | FinReply  | Reset
//	FinForward    |            |           |             |             |            | TimeWait  |
//	FinReply      |            |           |             |             | TimeWait   |           |
//	TimeWait      | SynForward | SynReply  |             |             |            |           |
//	Reset         | SynForward | SynReply  | Established^| Established^|            |           |
//
//	* of a SYN that acknowledges.
//	^ where both sides had acknowledged before: the RST was not believed, and
//	  RFC 6146 §3.5.2.2 (state TRANS) has the connection live on.
//
// A segment that is two of these is taken as the one and then as the other: a
// SYN before an ack before a FIN. A SYN in the midst of a
// connection changes nothing: its receiver challenges it (RFC 5961 §4.2). An
// RST after a FIN changes nothing either, since the short timeout runs already
// (as RFC 6146 §3.5.2.2 has it).
//
// Every segment that is not an RST, nor a SYN in the midst, keeps the session
// alive; an RST does so once, when it moves the state, so that the time after
// it is counted from it (RFC 7857 §2.2, §7.1).

// conversation is a TCP connection's state, taken out of its record for one
// segment.
type conversation struct {
	condition
	tracks [2]track
}

// begin is the state that the first segment leaves.
func begin(s *Segment) conversation {
	var c conversation
	if s == nil {
		return c
	}
	if s.Begins() {
		c.open(Forward, s)
		return c
	}
	c.condition = c.in(PickedUp).setScale(Forward, scaleUnknown).setScale(Reply, scaleUnknown)
	c.learn(Forward, s)
	// Nobody knows how far the other side has acknowledged: within the
	// largest window there is.
	c.tracks[Reply] = makeTrack(0, s.end()-1<<30)
	return c
}

// open notes a SYN that begins the connection, from the side d.
func (c *conversation) open(d Direction, s *Segment) {
	state := SynForward
	if d == Reply {
		state = SynReply
	}
	c.condition = c.condition.forget().in(state)
	c.syn(d, s)
}

// syn notes the numbers and the scale of a SYN from d.
func (c *conversation) syn(d Direction, s *Segment) {
	scale := uint8(scaleAbsent)
	if s.Scale > 0 {
		scale = min(s.Scale-1, scaleUnknown)
	}
	c.condition = c.setScale(d, scale).setSent(d).widen(d, uint32(s.Window)) // never scaled in a SYN (RFC 7323 §2.2)
	ack := c.tracks[d].ack()
	if s.Flags&FlagACK != 0 {
		c.condition = c.setAcked(d)
		ack = s.Ack
	}
	c.tracks[d] = makeTrack(s.end(), ack)
	if other := d.Other(); !c.acked(other) {
		// Until it has acknowledged anything, what the other side expects is
		// the first number after the SYN's.
		c.tracks[other] = makeTrack(c.tracks[other].end(), s.Seq+1)
	}
}

// fits reports whether s, from d, is neither before nor beyond what the other
// side takes and acknowledges nothing that it never sent.
func (c *conversation) fits(d Direction, s *Segment) bool {
	if other := d.Other(); s.Flags&FlagACK != 0 && c.sent(other) {
		end := c.tracks[other].end()
		if int32(end-s.Ack) < 0 {
			return false
		}
		// The first one has to acknowledge the SYN.
		if expected := c.tracks[d].ack(); !c.acked(d) && s.Ack-expected > end-expected {
			return false
		}
	}
	return !c.sent(d) || int32(s.Seq-c.limit(d)) <= 0 && int32(s.end()-c.tracks[d.Other()].ack()) >= 0
}

// limit is the highest sequence number that d may use now.
func (c *conversation) limit(d Direction) uint32 {
	other := d.Other()
	limit := c.tracks[other].ack()
	if c.acked(other) {
		limit += c.window(other)
	}
	if end := c.tracks[d].end(); int32(end-limit) > 0 {
		return end
	}
	return limit
}

// believed reports whether an RST from d is in the window of its receiver.
func (c *conversation) believed(d Direction, s *Segment) bool {
	if !c.sent(d) {
		// Who has sent nothing yet refuses by an acknowledgement of what it was
		// sent (RFC 9293 §3.10.7.3).
		peer := c.tracks[d.Other()]
		return s.Flags&FlagACK != 0 && s.Ack-c.tracks[d].ack() <= peer.end()-c.tracks[d].ack()
	}
	expected := c.tracks[d.Other()].ack()
	return s.Seq-expected <= c.limit(d)-expected
}

// learn takes the numbers of s, which fits.
func (c *conversation) learn(d Direction, s *Segment) {
	end, ack := c.tracks[d].end(), c.tracks[d].ack()
	if e := s.end(); !c.sent(d) || int32(e-end) > 0 {
		end = e
		c.condition = c.setSent(d)
	}
	if s.Flags&FlagACK != 0 {
		if !c.acked(d) || int32(s.Ack-ack) > 0 {
			ack = s.Ack
			c.condition = c.setAcked(d)
		}
		window := uint32(s.Window)
		if s.Flags&FlagSYN == 0 {
			window <<= c.shift(d)
		}
		c.condition = c.widen(d, window)
	}
	c.tracks[d] = makeTrack(end, ack)
}

// shift is the window scale of what d sends: both sides have to have offered
// to scale, or none does (RFC 7323 §2.2).
func (c *conversation) shift(d Direction) uint8 {
	if c.scale(d) == scaleAbsent || c.scale(d.Other()) == scaleAbsent {
		return 0
	}
	return c.scale(d)
}

// step moves the state by a segment from d, and reports whether the segment
// keeps the session alive.
func (c *conversation) step(d Direction, s *Segment) bool {
	switch {
	case s.Flags&FlagRST != 0:
		return c.reset(d, s)
	case s.Flags&FlagSYN != 0:
		return c.synchronise(d, s)
	}
	if !c.fits(d, s) {
		return true
	}
	c.learn(d, s)
	if s.Flags&FlagACK != 0 {
		c.condition = c.in(afterAck(c.state(), d, c.acked(d) && c.acked(d.Other())))
	}
	if s.Flags&FlagFIN != 0 {
		c.condition = c.in(afterFin(c.state(), d))
	}
	return true
}

func (c *conversation) reset(d Direction, s *Segment) bool {
	switch c.state() {
	case FinForward, FinReply, TimeWait, Reset:
		return false
	}
	if !c.believed(d, s) {
		return false
	}
	c.condition = c.in(Reset)
	return true
}

// synchronise is step for a SYN, with or without an acknowledgement.
func (c *conversation) synchronise(d Direction, s *Segment) bool {
	alone := s.Flags&(FlagACK|FlagFIN) == 0
	switch state := c.state(); {
	case (state == TimeWait || state == Reset) && alone:
		// RFC 9293 §3.6.1 lets a SYN reopen a connection in TIME-WAIT.
		c.open(d, s)
		return true
	case state == SynForward && d == Forward || state == SynReply && d == Reply:
		if alone {
			c.open(d, s)
		}
		return alone
	case state == SynForward || state == SynReply:
		if alone {
			c.syn(d, s)
			c.condition = c.in(SynBoth)
			return true
		}
		if !c.fits(d, s) || s.Flags&FlagACK == 0 {
			return false
		}
		c.syn(d, s)
		c.condition = c.in(answered(d))
		return true
	case state == SynBoth || state == AckForward || state == AckReply:
		// Retransmitted, or the SYN that acknowledges of a simultaneous open.
		if s.end() != c.tracks[d].end() && s.Seq+1 != c.tracks[d.Other()].ack() || !c.fits(d, s) {
			return false
		}
		c.learn(d, s)
		if s.Flags&FlagACK != 0 {
			c.condition = c.in(afterAck(state, d, false))
		}
		return true
	}
	return false
}

// answered is the state in which both sides have sent their SYN and d has
// acknowledged.
func answered(d Direction) State {
	if d == Forward {
		return AckForward
	}
	return AckReply
}

// afterAck is the state that an ack from d leads to. both says that either
// side has acknowledged before.
func afterAck(state State, d Direction, both bool) State {
	switch {
	case state == SynBoth:
		return answered(d)
	case state == AckReply && d == Forward, state == AckForward && d == Reply, state == PickedUp && d == Reply, state == Reset && both:
		return Established
	}
	return state
}

// afterFin is the state that a FIN from d leads to.
func afterFin(state State, d Direction) State {
	switch state {
	case AckForward, AckReply, PickedUp, Established:
		if d == Forward {
			return FinForward
		}
		return FinReply
	case FinForward:
		if d == Reply {
			return TimeWait
		}
	case FinReply:
		if d == Forward {
			return TimeWait
		}
	}
	return state
}
