package ospf

import (
	"encoding/binary"
	"time"

	"routerd/routing/ospf/wire"
)

// Happening is what has become of an LSA by time alone.
type Happening uint8

const (
	// Expired: it has reached MaxAge; to be flooded (RFC 2328 §14).
	Expired Happening = iota
	// Originated: one of the router's own has a new instance, because its age was
	// LSRefreshTime or because MinLSInterval is over; to be flooded.
	Originated
	// Corrupt: its checksum does not hold any more: memory is damaged (§14).
	Corrupt
)

// Deadline is when Due has to be called at the latest, the zero Time while nothing
// waits.
func (d *Database) Deadline() time.Time { return d.due.Next() }

// Due gives the next LSA to which something happened by the time now, nil if
// there is none.
func (d *Database) Due(now time.Time) (*Entry, Happening) {
	for t := d.due.Due(now); t != nil; t = d.due.Due(now) {
		e := t.Of
		age := e.Age(now)
		switch {
		case e.pending != nil && !now.Before(e.may()):
			return d.succeed(now, e, e.pending)
		case age == wire.MaxAge:
			d.end(e)
			return e, Expired
		case e.self && age >= lsRefreshTime:
			return d.succeed(now, e, e.lsa)
		}
		d.arm(e, now)
		if !e.lsa.Check().OK() {
			return e, Corrupt
		}
	}
	return nil, 0
}

// arm has e come due when its age is next a multiple of CheckAge, as LSRefreshTime
// and MaxAge are, or when what waits in it may be originated.
func (d *Database) arm(e *Entry, now time.Time) {
	born := e.born()
	age := max(now.Sub(born), 0)
	const step = checkAge * time.Second
	at := born.Add(age - age%step + step)
	if e.pending != nil {
		if may := e.may(); may.Before(at) {
			at = may
		}
	}
	d.due.Set(&e.timer, at)
}

// end gives e MaxAge.
func (d *Database) end(e *Entry) {
	e.maxAge = true
	binary.BigEndian.PutUint16(e.lsa, wire.MaxAge)
	d.due.Stop(&e.timer)
	if !e.awaiting {
		e.awaiting = true
		d.flushing = append(d.flushing, e)
	}
}

// Sweep removes what has MaxAge and is on no retransmission list, unless any
// neighbour is in Exchange or Loading (RFC 2328 §14). An LSA whose sequence has
// wrapped begins again then, and is passed to flood; so the database is not to be
// changed by flood. It gives how many were removed.
func (d *Database) Sweep(now time.Time, exchanging bool, flood func(*Entry)) (removed int) {
	if exchanging {
		return 0
	}
	kept := d.flushing[:0]
	for _, e := range d.flushing {
		switch {
		case !e.maxAge:
			e.awaiting = false // a newer one came
		case e.lists > 0 || e.timer.IsSet():
			kept = append(kept, e)
		case e.pending != nil:
			e.awaiting = false
			l := e.pending
			e.pending = nil
			d.originate(now, l, wire.InitialSequence)
			flood(e)
		default:
			e.awaiting = false
			d.remove(e)
			removed++
		}
	}
	clear(d.flushing[len(kept):])
	d.flushing = kept
	return removed
}
