package ospf

import (
	"bytes"
	"time"

	"routerd/routing/ospf/wire"
)

// Originate has the router say what the LSA is to be from the time now on. Flood
// reports that there is something to be flooded: a new instance, or the last one
// of a sequence that has to be flushed before the next can begin (RFC 2328
// §12.1.6). There is nothing where it says that already, or has said something
// else less than MinLSInterval ago (§12.4); then Due gives it when its time has
// come. The advertising router of id is this one.
func (d *Database) Originate(now time.Time, id wire.Identity, o wire.Options, body wire.Body) (e *Entry, flood bool) {
	h := wire.Header{Identity: id, Options: o, Sequence: wire.InitialSequence}
	d.scratch = wire.AppendLSA(d.scratch[:0], &h, body)
	l := wire.LSA(d.scratch)
	e = d.Find(id)
	if e == nil {
		return d.originate(now, l, wire.InitialSequence), true
	}
	if !e.maxAge && sameContent(e.lsa, l) {
		if e.pending != nil {
			e.pending = nil
			d.arm(e, now)
		}
		return e, false
	}
	switch {
	case e.maxAge && e.lsa.Sequence() == wire.MaxSequence: // until Sweep
		e.pending = bytes.Clone(l)
		return e, false
	case now.Before(e.may()):
		e.pending = bytes.Clone(l)
		if e.maxAge {
			d.due.Set(&e.timer, e.may())
		} else {
			d.arm(e, now)
		}
		return e, false
	}
	e, _ = d.succeed(now, e, l)
	return e, true
}

// arrival is how old what was sent has to be for what comes next to be let in by all
// who got it (RFC 2328 §13 (5)(a)).
const arrival = minLSArrival + 250*time.Millisecond

// may is when the next instance may be originated.
func (e *Entry) may() time.Time { return e.installed.Add(e.stands) }

// originate installs l with the sequence number.
func (d *Database) originate(now time.Time, l wire.LSA, sequence int32) *Entry {
	was := d.Find(l.Identity())
	stands := minLSInterval
	if was == nil || now.Sub(was.installed) >= minLSInterval {
		stands = arrival // what is said after a time of quiet may soon be corrected
	}
	h := l.Header()
	h.Sequence, h.Age = sequence, 0
	e, _ := d.install(now, wire.AppendLSA(nil, &h, wire.Opaque(l.Body())), 0, false)
	e.stands = stands
	return e
}

// succeed has l, which is content of e, take its place with the next sequence
// number. After the last one e is flushed first.
func (d *Database) succeed(now time.Time, e *Entry, l wire.LSA) (*Entry, Happening) {
	if e.lsa.Sequence() == wire.MaxSequence {
		e.pending = bytes.Clone(l)
		d.end(e)
		return e, Expired
	}
	e.pending = nil
	return d.originate(now, l, e.lsa.Sequence()+1), Originated
}

// Withdraw has the router say nothing any more: its LSA is flushed (RFC 2328
// §14.1). Flood reports that there is an LSA of MaxAge to be flooded.
func (d *Database) Withdraw(id wire.Identity) (e *Entry, flood bool) {
	e = d.Find(id)
	if e == nil {
		return nil, false
	}
	e.pending = nil
	if e.maxAge {
		d.due.Stop(&e.timer)
		return e, false
	}
	d.end(e)
	return e, true
}

// Reclaim is in the place of Install for an LSA that says it is of this router:
// there was one before a restart (RFC 2328 §13.4). What the router says itself
// succeeds it, at once; where it says nothing, the LSA is flushed. The entry is to
// be flooded.
func (d *Database) Reclaim(now time.Time, l wire.LSA) *Entry {
	e := d.Find(l.Identity())
	var wanted wire.LSA
	switch {
	case e == nil || !e.self:
	case e.pending != nil:
		wanted = e.pending
	case !e.maxAge:
		wanted = bytes.Clone(e.lsa)
	}
	if wanted != nil && l.Sequence() != wire.MaxSequence {
		e.pending = nil
		e = d.originate(now, wanted, l.Sequence()+1)
		e.stands = 0 // it says nothing new
		return e
	}
	e, _ = d.install(now, l, wire.MaxAge, false)
	e.pending = wanted
	return e
}
