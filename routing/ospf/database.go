package ospf

import (
	"bytes"
	"encoding/binary"
	"iter"
	"time"

	"routerd/internal/timers"
	"routerd/routing/ospf/wire"
)

// Limit bounds the LSAs of others in all databases that share it (max-lsa). Those
// of the router itself do not count, and always have room.
type Limit struct {
	Max  int // 0: no bound
	used int
}

// Used is how many there are.
func (l *Limit) Used() int { return l.used }

func (l *Limit) full() bool { return l.Max > 0 && l.used >= l.Max }

// Database is the LSAs of one flooding scope: an area, the AS or a link. It is a
// value of one owner: not safe for concurrent use.
type Database struct {
	self     wire.ID
	limit    *Limit
	prefixes *Prefixes
	lists    [wire.ASOpaque + 1][]*Entry
	places   [wire.ASOpaque + 1]index // in these lists
	first    []*Entry                 // by number of the prefix
	dropped  []int32                  // numbers of prefixes that LSAs no longer have
	due      timers.Heap[*Entry]
	flushing []*Entry // of MaxAge, until Sweep
	scratch  []byte
}

// NewDatabase makes an empty one of the router self, whose prefixes are numbered in
// prefixes.
func NewDatabase(self wire.ID, limit *Limit, prefixes *Prefixes) *Database {
	return &Database{self: self, limit: limit, prefixes: prefixes}
}

// Entry is an LSA in a database.
type Entry struct {
	lsa       wire.LSA
	pending   wire.LSA // of self: what has to wait before it takes the place of lsa
	installed time.Time
	sent      time.Duration // behind that, when it was last sent in an Update; never: below 0
	before    time.Duration // before that, when the instance before was last sent; likewise
	stands    time.Duration // of self: until it may be succeeded
	timer     timers.Timer[*Entry]
	next      *Entry // one more of the same prefix
	lists     int    // retransmission lists that it is on
	pos       int32  // in its list
	prefix    int32  // of a summary or an external: its number; -1 is none
	came      uint16 // with this age, in seconds
	self      bool
	flooded   bool // came by flooding
	maxAge    bool
	differs   bool // from the instance before
	awaiting  bool // among flushing
}

// LSA is the LSA with the age that it came with. It is valid until the entry
// changes.
func (e *Entry) LSA() wire.LSA { return e.lsa }

// Self reports an LSA that this router originates.
func (e *Entry) Self() bool { return e.self }

// Usable reports whether routes may be calculated from it: it is not of MaxAge.
func (e *Entry) Usable() bool { return !e.maxAge }

// Hold says that the entry was put on a neighbour's retransmission list, and
// Release that it was taken off one. An LSA of MaxAge stays while it is on any.
func (e *Entry) Hold() { e.lists++ }

// Release: see Hold.
func (e *Entry) Release() { e.lists-- }

// born is when its age was 0.
func (e *Entry) born() time.Time {
	return e.installed.Add(-time.Duration(e.came) * time.Second)
}

// Age is its age at the time now, in seconds.
func (e *Entry) Age(now time.Time) uint16 {
	if e.maxAge {
		return wire.MaxAge
	}
	return uint16(min(max(now.Sub(e.born())/time.Second, 0), wire.MaxAge))
}

// Header is its header with its age at the time now.
func (e *Entry) Header(now time.Time) wire.Header {
	h := e.lsa.Header()
	h.Age = e.Age(now)
	return h
}

// Update is the LSA to be sent at the time now by an interface whose InfTransDelay
// is so many seconds (RFC 2328 §13.3), and takes it as sent.
func (e *Entry) Update(now time.Time, delay uint16) wire.Update {
	e.sent = now.Sub(e.installed)
	return wire.Update{LSA: e.lsa, Age: min(e.Age(now)+delay, wire.MaxAge)}
}

func key(id wire.Identity) uint64 { return uint64(id.ID)<<32 | uint64(id.Router) }

// Find gives the entry of an LSA, nil if there is none.
func (d *Database) Find(id wire.Identity) *Entry {
	if int(id.Type) >= len(d.places) {
		return nil
	}
	at, known := d.places[id.Type].find(key(id))
	if !known {
		return nil
	}
	return d.lists[id.Type][at]
}

// Len is how many LSAs of the type there are.
func (d *Database) Len(t wire.LSType) int { return len(d.lists[t]) }

// All gives all LSAs of the type, of MaxAge too, in an order that depends on
// nothing but what was done to the database. It must not change meanwhile.
func (d *Database) All(t wire.LSType) iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		for _, e := range d.lists[t] {
			if !yield(e) {
				return
			}
		}
	}
}

// Install puts a copy of the LSA, which came by flooding, in the place of what was
// there (RFC 2328 §13.2). The entry of an LSA stays the same one; retransmission
// lists that it is on belong to the instance before (§13 (5)(c)). Changed reports
// whether routes may be others.
func (d *Database) Install(now time.Time, l wire.LSA) (e *Entry, changed bool) {
	return d.install(now, l, min(l.Age(), wire.MaxAge), true)
}

// Answer is Install for an LSA that was asked for. Unlike one that came by flooding it
// may be followed at once: a router that has just become adjacent says so (§13 (5)(a)).
func (d *Database) Answer(now time.Time, l wire.LSA) (e *Entry, changed bool) {
	return d.install(now, l, min(l.Age(), wire.MaxAge), false)
}

func (d *Database) install(now time.Time, l wire.LSA, age uint16, flooded bool) (e *Entry, changed bool) {
	id := l.Identity()
	e = d.Find(id)
	changed = e == nil || e.maxAge != (age == wire.MaxAge) || !sameContent(e.lsa, l)
	if e == nil {
		e = d.add(id)
	}
	e.lsa = append(e.lsa[:0], l...)
	d.number(e)
	binary.BigEndian.PutUint16(e.lsa, age)
	if e.before = e.sent; e.sent >= 0 {
		e.before = now.Sub(e.installed) - e.sent
	}
	e.came, e.installed, e.sent = age, now, -1
	e.flooded, e.stands, e.maxAge, e.differs = flooded, minLSInterval, false, changed
	if age == wire.MaxAge {
		d.end(e)
		return e, changed
	}
	d.arm(e, now)
	return e, changed
}

// sameContent compares what RFC 2328 §13.2 has compared, without MaxAge.
func sameContent(a, b wire.LSA) bool {
	return a.Options() == b.Options() && bytes.Equal(a.Body(), b.Body())
}

func (d *Database) add(id wire.Identity) *Entry {
	e := &Entry{pos: int32(len(d.lists[id.Type])), prefix: -1, sent: -1, self: id.Router == d.self}
	e.timer.Of = e
	d.places[id.Type].add(key(id), e.pos)
	d.lists[id.Type] = append(double(d.lists[id.Type]), e)
	if !e.self {
		d.limit.used++
	}
	return e
}

// remove takes e out, which is on no retransmission list.
func (d *Database) remove(e *Entry) {
	id := e.lsa.Identity()
	list := d.lists[id.Type]
	d.places[id.Type].remove(key(id))
	if last := list[len(list)-1]; last != e {
		d.places[id.Type].move(last.pos, e.pos)
		list[e.pos], last.pos = last, e.pos
	}
	list[len(list)-1] = nil
	d.lists[id.Type] = list[:len(list)-1]
	d.due.Stop(&e.timer)
	if e.prefix >= 0 {
		d.unlink(e)
		d.prefixes.release(e.prefix)
	}
	if !e.self {
		d.limit.used--
	}
}

// forget gives back what the database has of what others share: room, and numbers of
// prefixes. It is not used any more.
func (d *Database) forget() {
	for _, list := range d.lists {
		for _, e := range list {
			if e.prefix >= 0 {
				d.prefixes.release(e.prefix)
			}
			if !e.self {
				d.limit.used--
			}
		}
	}
}

// of gives all LSAs of a prefix by its number.
func (d *Database) of(prefix int32) iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		if int(prefix) >= len(d.first) {
			return
		}
		for e := d.first[prefix]; e != nil; e = e.next {
			if !yield(e) {
				return
			}
		}
	}
}

func (d *Database) link(e *Entry) {
	for int(e.prefix) >= len(d.first) {
		d.first = append(double(d.first), nil)
	}
	e.next = d.first[e.prefix]
	d.first[e.prefix] = e
}

func (d *Database) unlink(e *Entry) {
	at := &d.first[e.prefix]
	for *at != e {
		at = &(*at).next
	}
	*at, e.next = e.next, nil
}

// takeDropped gives the numbers of prefixes that LSAs had, and have others
// instead since it was last asked.
func (d *Database) takeDropped() []int32 {
	list := d.dropped
	d.dropped = d.dropped[:0]
	return list
}

// number gives e the number of its prefix. Those of networks and stubs are the
// graph's.
func (d *Database) number(e *Entry) {
	old := e.prefix
	number := int32(-1)
	switch e.lsa.Type() {
	case wire.SummaryLSA, wire.ExternalLSA, wire.NSSALSA:
		if p := e.lsa.Prefix(); p.IsValid() {
			number = d.prefixes.use(p)
		}
	}
	if old != number {
		if old >= 0 {
			d.unlink(e)
			d.dropped = append(d.dropped, old)
		}
		if e.prefix = number; number >= 0 {
			d.link(e)
		}
	}
	if old >= 0 {
		d.prefixes.release(old)
	}
}
