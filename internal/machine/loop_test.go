package machine

import (
	"context"
	"errors"
	"testing"
	"time"
)

// core notes what it is told; it is due at the time that it was last sent.
type core struct {
	due   time.Time
	steps chan int
	ticks chan time.Time
}

func (c *core) Step(now time.Time, in int) {
	if in > 0 {
		c.due = now.Add(time.Duration(in) * time.Millisecond)
	}
	c.steps <- in
}

func (c *core) Tick(now time.Time) {
	if !now.Before(c.due) {
		c.due = time.Time{}
	}
	c.ticks <- now
}

func (c *core) Deadline() time.Time { return c.due }

func TestLoop(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c := &core{steps: make(chan int, 1), ticks: make(chan time.Time, 1)}
	l := New[int](2)
	ended := make(chan struct{})
	running, stop := context.WithCancel(ctx)
	go func() { l.Run(running, c, time.Now); close(ended) }()
	for want := range 3 {
		if err := l.Send(ctx, -want); err != nil {
			t.Fatal(err)
		}
		if got := <-c.steps; got != -want {
			t.Fatalf("stepped with %d, want %d", got, -want)
		}
	}
	before := time.Now()
	if !l.Offer(5) { // due in 5 ms
		t.Fatal("an empty inbox took nothing")
	}
	<-c.steps
	select {
	case at := <-c.ticks:
		if at.Sub(before) < 5*time.Millisecond {
			t.Errorf("ticked after %v, due after 5ms", at.Sub(before))
		}
	case <-ctx.Done():
		t.Fatal("never ticked")
	}
	stop()
	select {
	case <-ended:
	case <-ctx.Done():
		t.Fatal("goes on after its context is done")
	}
	// An input that comes too late finds room and nobody, and the next one no room.
	for range 2 {
		if !l.Offer(1) {
			t.Fatal("no room in the inbox of a loop that has ended")
		}
	}
	if err := l.Send(running, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a full inbox with nobody behind it: %v, want that the context is done", err)
	}
	if n := len(c.steps); n > 0 {
		t.Errorf("stepped %d times after it ended", n)
	}
}

// A core that was kept from running hears what has arrived before that something
// is due, and no full inbox keeps it from being due.
func TestLoopHearsWhatArrivedFirst(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	const waiting = 500
	c := &core{steps: make(chan int, 2*waiting), ticks: make(chan time.Time, 1)}
	c.due = time.Now().Add(-time.Second)
	l := New[int](waiting)
	for range waiting {
		l.Offer(-1)
	}
	before := -1
	go l.Run(ctx, during{c, func() { before = len(c.steps); cancel() }}, time.Now)
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("never ticked: %v", err)
	}
	if before != waiting {
		t.Errorf("ticked after %d of %d inputs that were there", before, waiting)
	}
}

// during is a core whose ticks are told.
type during struct {
	*core
	told func()
}

func (d during) Tick(time.Time) { d.told() }

func TestOfferNeverWaits(t *testing.T) {
	l := New[int](2)
	for i, want := range []bool{true, true, false} {
		if got := l.Offer(i); got != want {
			t.Errorf("offer %d taken: %v, want %v", i, got, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Send(ctx, 3); err == nil {
		t.Error("a full inbox took an input after the context was done")
	}
}

func TestPoll(t *testing.T) {
	c := &core{steps: make(chan int, 4), ticks: make(chan time.Time, 4)}
	l := New[int](4)
	now := time.Unix(1000, 0)
	if l.Poll(c, now) {
		t.Error("an idle core was driven")
	}
	l.Offer(0)
	l.Offer(5)
	if !l.Poll(c, now) || len(c.steps) != 2 || len(c.ticks) != 0 {
		t.Fatalf("%d steps and %d ticks, want 2 and 0", len(c.steps), len(c.ticks))
	}
	if l.Poll(c, now.Add(4*time.Millisecond)) {
		t.Error("driven before it was due")
	}
	if !l.Poll(c, now.Add(5*time.Millisecond)) || len(c.ticks) != 1 {
		t.Errorf("%d ticks at the deadline, want 1", len(c.ticks))
	}
}

func TestNotify(t *testing.T) {
	c := &core{steps: make(chan int, 8), ticks: make(chan time.Time, 4)}
	l := New[int](1)
	taken := 0
	l.Taken = func() { taken++ }
	if !l.Ready() || !l.Notify(-1) {
		t.Fatal("no room for the first notice")
	}
	if l.Ready() || l.Notify(-2) {
		t.Error("room for a second notice before the first was taken")
	}
	if !l.Offer(-3) {
		t.Error("a notice took the inbox's room")
	}
	// The inbox comes first, every time.
	for range 10 {
		if !l.Poll(c, time.Unix(1000, 0)) || len(c.steps) != 2 {
			t.Fatalf("%d steps, want 2", len(c.steps))
		}
		if first, then := <-c.steps, <-c.steps; first != -3 || then != -1 {
			t.Fatalf("stepped %d, then %d; want the inbox's -3 before the notice -1", first, then)
		}
		l.Notify(-1)
		l.Offer(-3)
	}
	taken = 0
	if !l.Poll(c, time.Unix(1000, 0)) || len(c.steps) != 2 || taken != 1 || !l.Ready() {
		t.Errorf("%d steps, %d notices taken, ready %v; want 2, 1 and true", len(c.steps), taken, l.Ready())
	}
}
