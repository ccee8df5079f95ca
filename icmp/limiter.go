package icmp

import (
	"math"
	"time"
)

// Limiter is a token bucket (RFC 4443 §2.4 f): so many errors a second, and
// after a silence a burst of them. It is a value with no clock of its own and
// serves one worker; it is not safe for concurrent use.
type Limiter struct {
	cost   time.Duration // credit that one error uses up; 0 = none is ever allowed
	full   time.Duration // credit that is kept at most
	credit time.Duration
	last   time.Time
}

// NewLimiter gives a full bucket. A rate of zero or less allows nothing, a
// burst below one counts as one.
func NewLimiter(cfg Config) Limiter {
	if cfg.ErrorRate <= 0 {
		return Limiter{}
	}
	cost := max(time.Second/time.Duration(cfg.ErrorRate), 1)
	burst := time.Duration(max(cfg.ErrorBurst, 1))
	full := time.Duration(math.MaxInt64 / 4) // far beyond any silence
	if burst < full/cost {
		full = burst * cost
	}
	return Limiter{cost: cost, full: full, credit: full}
}

// Allow reports whether one more error may be sent at now, and counts it if
// so. A now earlier than a previous one earns nothing.
func (l *Limiter) Allow(now time.Time) bool {
	if l.cost == 0 {
		return false
	}
	if earned := now.Sub(l.last); earned > 0 {
		l.last = now
		l.credit = min(l.credit+min(earned, l.full), l.full)
	}
	if l.credit < l.cost {
		return false
	}
	l.credit -= l.cost
	return true
}
