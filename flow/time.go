package flow

import (
	"fmt"
	"time"
)

// Time is a moment in milliseconds of a Clock. It wraps after 49 days, which is
// far longer than the times that are compared here.
type Time uint32

// Sub is the time from u to t, negative where u is the later one.
func (t Time) Sub(u Time) time.Duration { return time.Duration(int32(t-u)) * time.Millisecond }

// Clock turns time.Times into Times. All users of a table use one Clock.
type Clock struct{ epoch time.Time }

// NewClock gives a clock that stands at 0 at the moment epoch.
func NewClock(epoch time.Time) Clock { return Clock{epoch} }

// At is t on the clock. Call it once for each batch.
func (c Clock) At(t time.Time) Time { return Time(t.Sub(c.epoch) / time.Millisecond) }

// Since is the time from the epoch to t.
func (c Clock) Since(t time.Time) time.Duration { return t.Sub(c.epoch) }

// Timeouts are how long a session stays without packets. A zero field means the
// default.
type Timeouts struct {
	UDP   time.Duration // 5 min (RFC 4787 REQ-5); below 2 min the RFC is not met
	ICMP  time.Duration // of queries, 60 s (RFC 5508 REQ-2)
	Other time.Duration // of all other protocols, 10 min

	TCPEstablished time.Duration // 2 h 4 min (RFC 5382 REQ-5)
	// Opening and closing are the transitory timeouts, 4 min each (RFC 5382
	// REQ-5), separate as RFC 7857 §2.1 wants.
	TCPOpening  time.Duration
	TCPClosing  time.Duration
	TCPTimeWait time.Duration // after FIN of both sides, 4 min
	TCPReset    time.Duration // after an RST in the window, 4 min (RFC 7857 §2.2)
}

// The shortest and the longest timeout there may be.
const (
	MinTimeout = time.Second
	MaxTimeout = 10 * 24 * time.Hour
)

// Defaults gives t with its zero values replaced.
func (t Timeouts) Defaults() Timeouts {
	for _, d := range t.fields() {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	return t
}

// Check returns an error for the first timeout that is out of range.
func (t Timeouts) Check() error {
	for _, d := range t.fields() {
		if *d.value != 0 && (*d.value < MinTimeout || *d.value > MaxTimeout) {
			return fmt.Errorf("%s timeout %v: want %v to %v", d.name, *d.value, MinTimeout, MaxTimeout)
		}
	}
	return nil
}

type timeout struct {
	name     string
	value    *time.Duration
	standard time.Duration
}

func (t *Timeouts) fields() []timeout {
	return []timeout{
		{"udp", &t.UDP, 5 * time.Minute},
		{"icmp", &t.ICMP, time.Minute},
		{"other", &t.Other, 10 * time.Minute},
		{"tcp established", &t.TCPEstablished, 2*time.Hour + 4*time.Minute},
		{"tcp opening", &t.TCPOpening, 4 * time.Minute},
		{"tcp closing", &t.TCPClosing, 4 * time.Minute},
		{"tcp time-wait", &t.TCPTimeWait, 4 * time.Minute},
		{"tcp reset", &t.TCPReset, 4 * time.Minute},
	}
}

// lifetimes are Timeouts in the form that the wheel uses, in milliseconds.
type lifetimes struct {
	udp, icmp, other uint32
	tcp              [states]uint32
	shortest         uint32 // of TCP's
}

// lifetimes expects t to have been checked; values out of range are clamped.
func (t Timeouts) lifetimes() lifetimes {
	t = t.Defaults()
	for _, d := range t.fields() {
		*d.value = min(max(*d.value, MinTimeout), MaxTimeout)
	}
	ms := func(d time.Duration) uint32 { return uint32(d / time.Millisecond) }
	l := lifetimes{udp: ms(t.UDP), icmp: ms(t.ICMP), other: ms(t.Other)}
	opening, closing := ms(t.TCPOpening), ms(t.TCPClosing)
	for s := range l.tcp {
		l.tcp[s] = opening
	}
	l.tcp[Established] = ms(t.TCPEstablished)
	l.tcp[FinForward], l.tcp[FinReply] = closing, closing
	l.tcp[TimeWait], l.tcp[Reset] = ms(t.TCPTimeWait), ms(t.TCPReset)
	l.shortest = l.tcp[0]
	for _, v := range l.tcp {
		l.shortest = min(l.shortest, v)
	}
	return l
}

// of is the time that a session of the protocol may be idle for.
func (l *lifetimes) of(proto uint8, s State) uint32 {
	switch proto {
	case protoTCP:
		return l.tcp[s]
	case protoUDP:
		return l.udp
	case protoICMP:
		return l.icmp
	}
	return l.other
}

// soonest is the shortest timeout that the session may get, whatever its
// packets do to its state meanwhile. A session that is visited this often ends
// on time although packets never touch the wheel.
func (l *lifetimes) soonest(proto uint8) uint32 {
	if proto == protoTCP {
		return l.shortest
	}
	return l.of(proto, 0)
}

const (
	protoICMP = 1
	protoTCP  = 6
	protoUDP  = 17
)
