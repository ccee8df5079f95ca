package flow

import (
	"sync/atomic"
	"time"
)

// Session is a copy of one session of the table.
type Session struct {
	Number         uint32
	Generation     uint32
	Forward, Reply Key
	Rule, Owner    uint32
	Host           uint32
	State          State
	InsideReply    bool // the inside host is the responder
	Answered       bool // the responder has accepted it, see Evict
	Carried        bool // somebody else carries packets of it, see Carry
	Created, Seen  Time // Seen is exact to a quarter of a second
	Timeout        time.Duration
	Traffic        Traffic // what it has carried, see Table.Count
	Note           Note
	Wide           Wide // of an IPv6 session, the addresses of its forward key; Forward and Reply have none
}

// Expires is how long from now s lives if no packet comes, not below 0.
func (s *Session) Expires(now Time) time.Duration {
	return max(s.Timeout-now.Sub(s.Seen), 0)
}

// session copies a session. The caller holds the mutex.
func (t *Table) session(number uint32) (Session, bool) {
	if number == NoSession || number >= t.used {
		return Session{}, false
	}
	r, a := t.record(number), t.aside(number)
	head := r[wordHead]
	if head>>32&1 == 0 {
		return Session{}, false
	}
	c := r.condition()
	return Session{
		Note: a.note, Wide: t.wideOf(number),
		Number: number, Generation: uint32(head >> 32),
		Forward: unpacked(r[wordForward], uint32(r[wordPorts]>>32), head),
		Reply:   unpacked(r[wordReply], uint32(r[wordPorts]), head),
		Rule:    uint32(r[wordUser] >> 32), Owner: uint32(r[wordUser]),
		Host: r.host(), Created: a.created, Answered: c.answered(),
		State: c.state(), Seen: c.seen(), InsideReply: head&flagInsideReply != 0, Carried: head&flagsCarried != 0,
		Timeout: time.Duration(t.lifetime(number)) * time.Millisecond,
		Traffic: t.traffic(number),
	}, true
}

// Session gives the session with the number, and whether there is one.
func (t *Table) Session(number uint32) (Session, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.session(number)
}

// stride is how many records one call looks at while it holds the mutex.
const stride = 1024

// Walk copies sessions into a slice, from the number after cursor on, and gives
// how many and the cursor to go on with; that is 0 at the end. A call looks at
// a bounded part of the table, so it may give none and yet not be the last. A
// session that exists throughout the walk is given once.
func (t *Table) Walk(cursor uint32, into []Session) (n int, next uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for range stride {
		if cursor++; cursor >= t.used {
			return n, 0
		}
		if n == len(into) {
			return n, cursor - 1
		}
		if s, ok := t.session(cursor); ok {
			into[n] = s
			n++
		}
	}
	return n, cursor
}

// Each calls f with a copy of every session. It may call the table. Sessions
// made meanwhile may be missed.
func (t *Table) Each(f func(*Session)) {
	var list [256]Session
	for cursor, got := uint32(0), 0; ; {
		got, cursor = t.Walk(cursor, list[:])
		for i := range list[:got] {
			f(&list[i])
		}
		if cursor == 0 {
			return
		}
	}
}

// Clear ends the sessions for which match is true, calls ended, which may be
// nil, with each, and reports how many there were. It releases the mutex
// between portions; sessions made meanwhile may be missed.
func (t *Table) Clear(match func(*Session) bool, ended func(*Session)) (n int) {
	for cursor, some := uint32(0), 0; ; {
		some, cursor = t.ClearSome(cursor, match, ended)
		if n += some; cursor == 0 {
			return n
		}
	}
}

// cleared is how many sessions ClearSome looks at.
const cleared = 256

// ClearSome is Clear for a part of the table, at most 256 sessions from the number
// after cursor on. It gives the cursor to go on with too, 0 at the end.
func (t *Table) ClearSome(cursor uint32, match func(*Session) bool, ended func(*Session)) (n int, next uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	looked := 0
	for range stride {
		if cursor++; cursor >= t.used {
			return n, 0
		}
		if looked == cleared {
			return n, cursor - 1
		}
		s, ok := t.session(cursor)
		if !ok {
			continue
		}
		if looked++; match(&s) {
			t.counters.deleted.Add(1)
			t.end(cursor, ended)
			n++
		}
	}
	return n, cursor
}

// counters count since the table was made.
type counters struct {
	made, expired, deleted, evicted atomic.Uint64
	refused                         [refusals]atomic.Uint64
}

// Stats is the counters of the table.
type Stats struct {
	Sessions int // now
	Limit    int // Config.MaxSessions
	PerHost  int // Config.MaxPerHost
	Hosts    int // with sessions

	Made, Expired, Deleted, Evicted        uint64 // since the table was made
	KeyTaken, TableFull, HostFull, Crowded uint64 // refused by Insert
}

// Stats gives the counts of this moment.
func (t *Table) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &t.counters
	return Stats{
		Sessions: t.Len(), Limit: int(t.limit), PerHost: int(t.perHost), Hosts: len(t.hosts),
		Made: c.made.Load(), Expired: c.expired.Load(), Deleted: c.deleted.Load(), Evicted: c.evicted.Load(),
		KeyTaken: c.refused[KeyTaken].Load(), TableFull: c.refused[TableFull].Load(), HostFull: c.refused[HostFull].Load(), Crowded: c.refused[Crowded].Load(),
	}
}

// Len is the number of sessions. It takes no lock.
func (t *Table) Len() int { return int(t.sessions.Load()) }

// Host is the number of sessions that count for an inside host.
func (t *Table) Host(host uint32) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return int(t.hosts[host])
}
