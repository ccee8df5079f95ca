// Package machine drives protocol cores. A core is a value: it is stepped
// with an input and the time, and says when it wants to be stepped at the
// latest. A Loop is the one goroutine that does so on the real clock; the
// simulator steps the same cores on a clock of its own.
package machine

import (
	"context"
	"time"
)

// Core is what a Loop drives. Only the Loop's goroutine calls it.
type Core[Input any] interface {
	// Step takes an input at the time now and does what follows from it.
	Step(now time.Time, in Input)
	// Tick does what is due at the time now.
	Tick(now time.Time)
	// Deadline is when Tick has to be called at the latest, the zero Time
	// while nothing is due.
	Deadline() time.Time
}

// Loop feeds one core from a bounded inbox.
type Loop[Input any] struct {
	// Taken is called when what Notify brought has been stepped, on the
	// goroutine that drives the core; nil for nobody.
	Taken func()

	inbox  chan Input
	notice chan Input
}

// New makes a loop whose inbox holds up to size inputs.
func New[Input any](size int) *Loop[Input] {
	return &Loop[Input]{inbox: make(chan Input, size), notice: make(chan Input, 1)}
}

// Ready reports whether Notify would take an input.
func (l *Loop[Input]) Ready() bool { return len(l.notice) == 0 }

// Notify gives the core an input beside the inbox: one at a time, from one
// sender, who asks Ready first and hears of Taken when there is room again.
// So whoever gathers what the core has to hear never waits for it, and never
// finds the place taken by others.
func (l *Loop[Input]) Notify(in Input) bool {
	select {
	case l.notice <- in:
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

// Offer puts an input in the inbox if there is room, and never waits.
func (l *Loop[Input]) Offer(in Input) bool {
	select {
	case l.inbox <- in:
		return true
	default:
		return false
	}
}

// Send puts an input in the inbox, and waits for room until ctx is done.
func (l *Loop[Input]) Send(ctx context.Context, in Input) error {
	select {
	case l.inbox <- in:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Poll drives core on the caller's goroutine at the time now, for whoever has
// a clock of its own: it steps what is in the inbox, then a notice if there is
// one, and when both are empty does what is due.
// It reports whether there was anything.
func (l *Loop[Input]) Poll(core Core[Input], now time.Time) bool {
	worked := false
	for {
		// One after the other: a select of both would leave to chance which
		// comes first, and no run would be repeated by its seed.
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

// Run drives core until ctx is done. The clock is read once per input. What is in
// the inbox when something is due is stepped before that, so that a core that was
// kept from running does not take for lost what has arrived, and no more than
// that, so that a full inbox keeps nothing from being due.
func (l *Loop[Input]) Run(ctx context.Context, core Core[Input], clock func() time.Time) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var due <-chan time.Time
		if d := core.Deadline(); !d.IsZero() {
			timer.Reset(d.Sub(clock()))
			due = timer.C
		}
		select {
		case <-ctx.Done():
			return
		case in := <-l.inbox:
			core.Step(clock(), in)
		case in := <-l.notice:
			core.Step(clock(), in)
			l.taken()
		case <-due:
			for range len(l.inbox) {
				core.Step(clock(), <-l.inbox)
			}
			core.Tick(clock())
		}
	}
}
