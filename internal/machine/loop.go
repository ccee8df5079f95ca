// Package machine drives protocol cores. A core has no goroutine of its own: it
// is stepped with an input and the time, and has a deadline by which it must be
// stepped again. A Loop does that on one goroutine and the real clock; the
// simulator steps the same cores on its own clock.
package machine

import (
	"context"
	"sync/atomic"
	"time"
)

// Core is what a Loop drives. Only the Loop's goroutine calls it.
type Core[Input any] interface {
	// Step processes an input at the time now.
	Step(now time.Time, in Input)
	// Tick does what is due at the time now.
	Tick(now time.Time)
	// Deadline is when Tick must be called at the latest, the zero Time if
	// nothing is due.
	Deadline() time.Time
}

// Loop feeds one core from a bounded inbox.
type Loop[Input any] struct {
	// Taken, if not nil, is called when the core has processed an input given
	// to Notify, on the goroutine that drives the core.
	Taken func()

	inbox  chan Input
	notice chan Input
	alarm  atomic.Pointer[Alarm] // that Run waits for; nil before it does
}

// New returns a loop whose inbox holds up to size inputs.
func New[Input any](size int) *Loop[Input] {
	return &Loop[Input]{inbox: make(chan Input, size), notice: make(chan Input, 1)}
}

// Ready reports whether Notify has room for an input.
func (l *Loop[Input]) Ready() bool { return len(l.notice) == 0 }

// Notify hands the core an input past the inbox. There is room for one, and
// only one goroutine may use it: it asks Ready first and learns by Taken when
// there is room again. So it never waits for the core, and others cannot take
// its place.
func (l *Loop[Input]) Notify(in Input) bool {
	select {
	case l.notice <- in:
		l.wake()
		return true
	default:
		return false
	}
}

func (l *Loop[Input]) taken() {
	if l.Taken != nil {
		l.Taken()
	}
}

// Offer puts an input in the inbox if there is room. It does not wait.
func (l *Loop[Input]) Offer(in Input) bool {
	select {
	case l.inbox <- in:
		l.wake()
		return true
	default:
		return false
	}
}

// Send puts an input in the inbox and waits for room until ctx is done.
func (l *Loop[Input]) Send(ctx context.Context, in Input) error {
	select {
	case l.inbox <- in:
		l.wake()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Poll drives core on the caller's goroutine and clock: it steps the inputs in
// the inbox, then a notice if there is one, and when both are empty does what
// is due at the time now. It reports whether there was anything.
func (l *Loop[Input]) Poll(core Core[Input], now time.Time) bool {
	worked := false
	for {
		// One after the other: a select of both would choose at random, and a
		// run could not be repeated from its seed.
		select {
		case in := <-l.inbox:
			core.Step(now, in)
			worked = true
			continue
		default:
		}
		select {
		case in := <-l.notice:
			core.Step(now, in)
			l.taken()
			worked = true
			continue
		default:
		}
		if d := core.Deadline(); !d.IsZero() && !d.After(now) {
			core.Tick(now)
			worked = true
		}
		return worked
	}
}

// Run drives core until ctx is done, or returns why it cannot. The clock is read once
// per input. What is in the inbox when something is due is stepped before that, so
// that a core that was kept from running does not take for lost what has arrived, and
// no more than that, so that a full inbox keeps nothing from being due.
func (l *Loop[Input]) Run(ctx context.Context, core Core[Input], clock func() time.Time) error {
	alarm, err := NewAlarm()
	if err != nil {
		return err
	}
	defer alarm.Close()
	l.alarm.Store(alarm)
	defer context.AfterFunc(ctx, alarm.Ring)()
	for ctx.Err() == nil {
		now, due := clock(), core.Deadline()
		if !due.IsZero() && !due.After(now) {
			for range len(l.inbox) {
				core.Step(clock(), <-l.inbox)
			}
			core.Tick(clock())
			continue
		}
		if l.take(core, now) {
			continue
		}
		alarm.Expect()
		if l.take(core, now) || ctx.Err() != nil {
			alarm.Forget()
		} else if err := alarm.Wait(due, now); err != nil {
			return err
		}
	}
	return nil
}

// take steps an input or a notice, and reports whether there was one.
func (l *Loop[Input]) take(core Core[Input], now time.Time) bool {
	select {
	case in := <-l.inbox:
		core.Step(now, in)
	case in := <-l.notice:
		core.Step(now, in)
		l.taken()
	default:
		return false
	}
	return true
}

// wake has Run look at what there is to do.
func (l *Loop[Input]) wake() {
	if a := l.alarm.Load(); a != nil {
		a.Ring()
	}
}
