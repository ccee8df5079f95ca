package flow

import "math/bits"

// condition is the word of a record that packets change most: when the last
// packet came and, of TCP, the state of the connection.
//
//	63..32 last packet | 31..28 state | 27..20 two window scales of 4 bits |
//	19..10 two windows of 5 bits | 9..8 sent | 7..6 acked | 5..0 generation
//
// Of each pair the lower one is the reply direction's. The generation keeps a
// packet whose session ended meanwhile from changing the next session in the
// record.
type condition uint64

// track is the sequence numbers of one direction of a TCP connection: in the
// upper half the highest one sent, in the lower half the highest one
// acknowledged.
type track uint64

func makeTrack(end, ack uint32) track { return track(end)<<32 | track(ack) }
func (t track) end() uint32           { return uint32(t >> 32) }
func (t track) ack() uint32           { return uint32(t) }

const (
	scaleUnknown = 14 // the largest there is (RFC 7323 §2.3)
	scaleAbsent  = 15
)

func (c condition) seen() Time   { return Time(c >> 32) }
func (c condition) state() State { return State(c >> 28 & 15) }

// generation bits, as condition has them.
func (c condition) bears(generation uint32) bool { return uint32(c)&63 == generation>>1&63 }

func (c condition) with(generation uint32) condition {
	return c&^63 | condition(generation>>1&63)
}

func (c condition) at(now Time) condition     { return c&0xffffffff | condition(now)<<32 }
func (c condition) in(state State) condition  { return c&^(15<<28) | condition(state)<<28 }
func (c condition) scale(d Direction) uint8   { return uint8(c >> (24 - 4*d) & 15) }
func (c condition) window(d Direction) uint32 { return 1 << (c >> (15 - 5*d) & 31) }
func (c condition) sent(d Direction) bool     { return c>>(9-d)&1 != 0 }
func (c condition) acked(d Direction) bool    { return c>>(7-d)&1 != 0 }

func (c condition) setScale(d Direction, scale uint8) condition {
	shift := 24 - 4*d
	return c&^(15<<shift) | condition(scale)<<shift
}

func (c condition) setSent(d Direction) condition  { return c | 1<<(9-d) }
func (c condition) setAcked(d Direction) condition { return c | 1<<(7-d) }

// widen records that the side d has offered a window of size bytes. The
// smallest power of two that no window has exceeded is kept.
func (c condition) widen(d Direction, size uint32) condition {
	shift := 15 - 5*d
	if exponent := condition(bits.Len32(max(size, 1) - 1)); exponent > c>>shift&31 {
		return c&^(31<<shift) | exponent<<shift
	}
	return c
}

// answered reports whether the responder has accepted the session: for TCP that
// the handshake is complete and no RST was in the window, for other protocols
// that a packet has come back.
func (c condition) answered() bool {
	if s := c.state(); s != Idle {
		return s >= Established && s != Reset
	}
	return c.sent(Reply)
}

// forget clears windows and scales, and which sides have sent and acknowledged.
func (c condition) forget() condition { return c &^ (1<<28 - 1<<6) }

// unlearn clears that the side d has sent and acknowledged, in a state in which
// it has done both, so that its numbers count as lost.
func (c condition) unlearn(d Direction) condition { return c &^ (1<<(9-d) | 1<<(7-d)) }

// lost reports whether the handshake is over and the numbers of the side d are
// not known.
func (c condition) lost(d Direction) bool {
	return c.state() >= Established && !c.sent(d) && !c.acked(d)
}

// missing is the condition before a segment of a session whose head says which
// directions somebody else carries. That one hands over what ends the connection,
// and nothing is carried behind its end.
func (c condition) missing(head uint64) condition {
	if !c.state().open() {
		return c
	}
	for d := range Direction(2) {
		if head&(flagCarried<<d) != 0 {
			c = c.unlearn(d)
		}
	}
	return c
}
