package sim

import (
	"time"

	"routerd/internal/timers"
)

// Epoch is when every simulation begins.
var Epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// clock is virtual time: it stands still while anything happens and jumps to
// whatever comes next, of two things at the same time to the one that was
// arranged first.
type clock struct {
	now   time.Time
	queue timers.Heap[func()]
}

// at arranges for do to happen at t, or now if that has passed.
func (c *clock) at(t time.Time, do func()) {
	if t.Before(c.now) {
		t = c.now
	}
	c.queue.Set(&timers.Timer[func()]{Of: do}, t)
}

// step goes on to the next event up to the time until, or to until where there
// is none, and reports which.
func (c *clock) step(until time.Time) bool {
	next := c.queue.Next()
	e := c.queue.Due(until)
	if e == nil {
		c.now = until
		return false
	}
	c.now = next
	e.Of()
	return true
}
