// Package bucket is the token bucket that limits packets, ICMP errors and
// requests: so many a second, and after a silence a burst of them.
//
// A Bucket is a value. It has no clock of its own, takes no lock and allocates
// nothing, so that workers can ask it for each packet.
package bucket

import (
	"math"
	"time"
)

// Bucket gives tokens at a rate, and keeps a burst of them at most. The zero
// Bucket gives none. It is not safe for concurrent use.
type Bucket struct {
	cost   time.Duration // credit that one token uses up; 0: none is ever given
	full   time.Duration // credit that is kept at most
	credit time.Duration
	last   time.Time
}

// New makes a full bucket that gives rate tokens a second and burst at once. A
// rate of zero or less gives none; a burst below one counts as one.
func New(rate, burst int) Bucket {
	if rate <= 0 {
		return Bucket{}
	}
	cost := max(time.Second/time.Duration(rate), 1)
	full := time.Duration(math.MaxInt64 / 4) // far beyond any silence
	if n := time.Duration(max(burst, 1)); n < full/cost {
		full = n * cost
	}
	return Bucket{cost: cost, full: full, credit: full}
}

// Take takes a token if there is one at now, and reports whether there was. A
// now before the last one earns nothing.
func (b *Bucket) Take(now time.Time) bool { return b.take(now, b.cost) }

// TakeAbove is Take for those who have to leave the rest to others: it takes a
// token only if the bucket is filled to at least the given share, 0 to 1.
func (b *Bucket) TakeAbove(now time.Time, share float64) bool {
	return b.take(now, max(b.cost, time.Duration(share*float64(b.full))))
}

func (b *Bucket) take(now time.Time, least time.Duration) bool {
	if b.cost == 0 {
		return false
	}
	if earned := now.Sub(b.last); earned > 0 {
		b.last = now
		b.credit = min(b.credit+min(earned, b.full), b.full)
	}
	if b.credit < least {
		return false
	}
	b.credit -= b.cost
	return true
}
