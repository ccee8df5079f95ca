package flow

import "time"

// How a table, or whatever else is scarce, is shared out among inside hosts
// when it runs short.
const (
	// Share bounds what one host may have by what is left for all: eight times as
	// much. One host alone gets eight ninths of everything, and a thousand that
	// each take what they can leave room for the thousand and first.
	Share = 8
	// A session without an answer may be ended for another one when it has waited
	// for Patience, if its host has as many sessions as the other one's, and for
	// LongPatience whoever's it is.
	Patience     = time.Second
	LongPatience = 4 * time.Second

	evictLooks = 16 // sessions that Evict looks at
)

// Evictable reports whether a session of a host that has so many sessions may be
// ended for one of a host that has mine.
func (s *Session) Evictable(now Time, has, mine uint32) bool {
	return waited(s.Answered, s.Seen, now, has, mine)
}

func waited(answered bool, seen, now Time, has, mine uint32) bool {
	if answered {
		return false
	}
	idle := now.Sub(seen)
	return idle >= Patience && has >= mine || idle >= LongPatience
}

// Evict ends a session that nobody has answered, to make room for one of the
// host, where Insert has refused that with TableFull. It goes round the table,
// so that what is oldest comes first, and looks at sixteen sessions at most: of
// those that may be ended it takes one of the host that has most. It is given to
// ended, which may be nil. Evict reports whether there was one; where dry is set
// it ends none, and the next call finds the same.
func (t *Table) Evict(host uint32, now Time, dry bool, ended func(*Session)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.fair || t.hosts[host] >= t.perHost {
		return false
	}
	mine, hand := t.hosts[host], t.hand
	victim, most := NoSession, uint32(0)
	for range min(evictLooks, t.used-1) {
		if hand++; hand >= t.used {
			hand = 1
		}
		r := t.record(hand)
		if r[wordHead]>>32&1 == 0 {
			continue
		}
		has, c := t.hosts[r.host()], r.condition()
		if has > most && waited(c.answered(), c.seen(), now, has, mine) {
			victim, most = hand, has
		}
	}
	if victim == NoSession || dry {
		if !dry {
			t.hand = hand
		}
		return victim != NoSession
	}
	t.hand = hand
	t.counters.evicted.Add(1)
	t.end(victim, ended)
	return true
}
