package flow

import "time"

// How sessions, or ports, are shared out among inside hosts when they run
// short.
const (
	// Share limits one host to eight times what is left for all. One host alone
	// can get eight ninths of everything; a thousand hosts that each take what
	// they can still leave room for another.
	Share = 8
	// An unanswered session may be ended to make room for a new one when it has
	// waited for Patience, if its host has at least as many sessions as the new
	// one's, and for LongPatience in any case.
	Patience     = time.Second
	LongPatience = 4 * time.Second

	evictLooks = 16 // sessions that Evict looks at
)

// Evictable reports whether a session of a host that has so many sessions may be
// ended for one of a host that has mine. One that somebody else carries packets
// of may not: how long it has been idle is not known.
func (s *Session) Evictable(now Time, has, mine uint32) bool {
	return !s.Carried && waited(s.Answered, s.Seen, now, has, mine)
}

func waited(answered bool, seen, now Time, has, mine uint32) bool {
	if answered {
		return false
	}
	idle := now.Sub(seen)
	return idle >= Patience && has >= mine || idle >= LongPatience
}

// Evict ends an unanswered session to make room for one of the host, after
// Insert has returned TableFull. It goes round the table, so that the oldest
// come first, and looks at sixteen sessions at most: of those that may be ended
// it ends one of the host that has most. It calls ended, which may be nil, with
// that session, and reports whether there was one. With dry set it ends none,
// and the next call finds the same.
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
		if r[wordHead]>>32&1 == 0 || r[wordHead]&flagsCarried != 0 {
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
