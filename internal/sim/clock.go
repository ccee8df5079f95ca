package sim

import (
	"container/heap"
	"time"
)

// Epoch is when every simulation begins.
var Epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// clock is virtual time: it stands still while anything happens and jumps to
// whatever comes next.
type clock struct {
	now   time.Time
	count uint64
	queue events
}

// event is something that happens at a time; of two at the same time the one
// that was arranged first.
type event struct {
	at    time.Time
	order uint64
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	if !e[i].at.Equal(e[j].at) {
		return e[i].at.Before(e[j].at)
	}
	return e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }

func (e *events) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	(*e)[last] = event{}
	*e = (*e)[:last]
	return x
}

// at arranges for do to happen at t, or now if that has passed.
func (c *clock) at(t time.Time, do func()) {
	if t.Before(c.now) {
		t = c.now
	}
	c.count++
	heap.Push(&c.queue, event{t, c.count, do})
}

// step goes on to the next event up to the time until, or to until where there
// is none, and reports which.
func (c *clock) step(until time.Time) bool {
	if len(c.queue) == 0 || c.queue[0].at.After(until) {
		c.now = until
		return false
	}
	e := heap.Pop(&c.queue).(event)
	c.now = e.at
	e.do()
	return true
}
