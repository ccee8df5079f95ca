package flow

// The states of a TCP connection as a middlebox sees them. F is the initiator,
// R the responder; "ack" is any segment with ACK and without RST, also with SYN
// or FIN. An empty field leaves the state as it is. An ack or FIN changes the
// state only if its sequence numbers are in the window, an RST only if RFC 5961
// §3.2 allows it.
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
//	^ if both sides had acknowledged before: the receiver did not accept the
//	  RST, and the connection goes on (RFC 6146 §3.5.2.2, state TRANS).
//
// Packets of a connection may be carried by somebody else (Table.Carry). What
// their sequence numbers have come to is unknown then; a segment that only such
// numbers speak against counts as one in the window.
//
// A segment that is several of these is processed as a SYN, then as an ack,
// then as a FIN. A SYN within an established connection changes nothing: its
// receiver challenges it (RFC 5961 §4.2). An RST after a FIN changes nothing
// either, since the short timeout already runs (RFC 6146 §3.5.2.2).
//
// Every segment refreshes the session, except an RST and a SYN within an
// established connection. An RST refreshes it once, when it changes the state,
// so that the timeout after it runs from then (RFC 7857 §2.2, §7.1).

// conversation is a TCP connection's state, copied from its record to process
// one segment.
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
	// What the other side has acknowledged is unknown: assume the largest
	// possible window.
	c.tracks[Reply] = makeTrack(0, s.end()-1<<30)
	return c
}

// open records a SYN from d that opens the connection.
func (c *conversation) open(d Direction, s *Segment) {
	state := SynForward
	if d == Reply {
		state = SynReply
	}
	c.condition = c.condition.forget().in(state)
	c.syn(d, s)
}

// syn records the sequence numbers and the window scale of a SYN from d.
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
		// Until the other side has acknowledged anything, it expects the number
		// after the SYN's.
		c.tracks[other] = makeTrack(c.tracks[other].end(), s.Seq+1)
	}
}

// fits reports whether s, from d, is in the other side's window and
// acknowledges only what that has sent, as far as their numbers are known.
func (c *conversation) fits(d Direction, s *Segment) bool {
	other := d.Other()
	if s.Flags&FlagACK != 0 && c.sent(other) {
		end := c.tracks[other].end()
		if int32(end-s.Ack) < 0 {
			return false
		}
		// The first one has to acknowledge the SYN.
		if expected := c.tracks[d].ack(); !c.acked(d) && !c.lost(d) && s.Ack-expected > end-expected {
			return false
		}
	}
	if c.lost(other) || !c.sent(d) && !c.lost(d) {
		return true
	}
	return int32(s.Seq-c.limit(d)) <= 0 && int32(s.end()-c.tracks[other].ack()) >= 0
}

// limit is the highest sequence number that the other side's window allows d.
func (c *conversation) limit(d Direction) uint32 {
	other := d.Other()
	limit := c.tracks[other].ack()
	if c.acked(other) {
		limit += c.window(other)
	}
	if end := c.tracks[d].end(); c.sent(d) && int32(end-limit) > 0 {
		return end
	}
	return limit
}

// accepted reports whether an RST from d is in the window of its receiver, as
// far as that is known.
func (c *conversation) accepted(d Direction, s *Segment) bool {
	if c.lost(d.Other()) {
		return true
	}
	if !c.sent(d) && !c.lost(d) {
		// A side that has sent nothing yet refuses a SYN with an RST that
		// acknowledges it (RFC 9293 §3.10.7.3).
		peer := c.tracks[d.Other()]
		return s.Flags&FlagACK != 0 && s.Ack-c.tracks[d].ack() <= peer.end()-c.tracks[d].ack()
	}
	expected := c.tracks[d.Other()].ack()
	return s.Seq-expected <= c.limit(d)-expected
}

// learn records the sequence numbers of s, for which fits is true.
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

// shift is the window scale of d's segments, 0 unless both sides have offered
// one (RFC 7323 §2.2).
func (c *conversation) shift(d Direction) uint8 {
	if c.scale(d) == scaleAbsent || c.scale(d.Other()) == scaleAbsent {
		return 0
	}
	return c.scale(d)
}

// step changes the state by a segment from d, and reports whether the segment
// refreshes the session.
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
	if !c.accepted(d, s) {
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
		// A retransmission, or the SYN-ACK of a simultaneous open.
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

// afterAck is the state after an ack from d. both says that both sides have
// acknowledged before.
func afterAck(state State, d Direction, both bool) State {
	switch {
	case state == SynBoth:
		return answered(d)
	case state == AckReply && d == Forward, state == AckForward && d == Reply, state == PickedUp && d == Reply, state == Reset && both:
		return Established
	}
	return state
}

// afterFin is the state after a FIN from d.
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
