package ospf

import (
	"time"

	"routerd/routing/ospf/wire"
)

// Standing is what an LSA that was received is to the database (RFC 2328 §13).
type Standing uint8

const (
	// Newer: to be flooded and installed (§13 (5)).
	Newer Standing = iota
	// Gone: of MaxAge, and there is none to flush; to be acknowledged (§13 (4)).
	Gone
	// TooSoon: newer than one that came less than MinLSArrival ago; to be
	// discarded without an acknowledgement (§13 (5)(a)).
	TooSoon
	// Same: there already; an implied acknowledgement or to be acknowledged (§13
	// (7)).
	Same
	// Older: what the database has is to be sent back (§13 (8)).
	Older
	// OlderSent: what the database has was sent less than MinLSArrival ago; nothing is
	// done (§13 (8)).
	OlderSent
	// Wrapping: what the database has is the last one of its sequence on its way
	// out, and nothing else is let in; to be discarded (§13 (8)).
	Wrapping
	// NoRoom: the database is full; to be discarded.
	NoRoom
)

var standings = [...]string{"newer", "gone", "too-soon", "same", "older", "older-sent", "wrapping", "no-room"}

// String gives the word used in tables, JSON and metrics.
func (s Standing) String() string {
	if int(s) >= len(standings) {
		return "unknown"
	}
	return standings[s]
}

// Judge says what an LSA received at the time now is to the database, and gives
// its entry, nil if there is none. Exchanging is whether any neighbour is in
// Exchange or Loading. Nothing changes.
func (d *Database) Judge(now time.Time, l wire.LSA, exchanging bool) (Standing, *Entry) {
	e := d.Find(l.Identity())
	if e == nil {
		switch {
		case l.Age() >= wire.MaxAge && !exchanging:
			return Gone, nil
		case l.Router() != d.self && d.limit.full():
			return NoRoom, nil
		}
		return Newer, nil
	}
	theirs, ours := l.Header(), e.Header(now)
	c := Compare(&theirs, &ours)
	switch {
	case c > 0 && e.flooded && now.Sub(e.installed) < minLSArrival:
		return TooSoon, e
	case c > 0:
		return Newer, e
	case c == 0:
		return Same, e
	case e.maxAge && ours.Sequence == wire.MaxSequence:
		return Wrapping, e
	case e.sent >= 0 && now.Sub(e.installed)-e.sent < minLSArrival:
		return OlderSent, e
	}
	return Older, e
}
