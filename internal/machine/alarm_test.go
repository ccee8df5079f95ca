package machine

import (
	"context"
	"sync"
	"testing"
	"time"
)

func newAlarm(t *testing.T) *Alarm {
	t.Helper()
	a, err := NewAlarm()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Errorf("closing an alarm: %v", err)
		}
	})
	return a
}

// waitFor waits for an alarm, with a limit of the test's own, and gives for how long.
func waitFor(t *testing.T, a *Alarm, until time.Time) time.Duration {
	t.Helper()
	began := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- a.Wait(until, time.Now()) }()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("still waiting for %v", until.Sub(began))
	}
	return time.Since(began)
}

// An alarm ends a wait at its time and not before it, each time that it is set, also
// to the same time and to an earlier or a later one.
func TestAlarmTime(t *testing.T) {
	a := newAlarm(t)
	for _, d := range []time.Duration{3 * time.Millisecond, 10 * time.Millisecond, time.Millisecond, -time.Second, 2 * time.Millisecond} {
		until := time.Now().Add(d)
		for range 3 { // two of them behind that time
			for time.Now().Before(until) {
				a.Expect()
				waitFor(t, a, until)
			}
			a.Expect()
			waitFor(t, a, until)
		}
	}
}

// A ring ends a wait, whether it comes before or during it, and only one that was
// expected does.
func TestAlarmRing(t *testing.T) {
	a := newAlarm(t)
	a.Ring()
	a.Expect()
	until := time.Now().Add(20 * time.Millisecond)
	for waitFor(t, a, until); time.Now().Before(until); waitFor(t, a, until) {
		t.Fatal("a ring that nobody expected ended a wait")
	}
	a.Expect()
	a.Ring()
	waitFor(t, a, time.Time{})
	a.Expect()
	go func() {
		time.Sleep(time.Millisecond) // so that it most likely waits already; either is right
		a.Ring()
	}()
	waitFor(t, a, time.Time{})
	// The time that was set before holds behind it.
	a.Expect()
	waitFor(t, a, time.Now().Add(time.Millisecond))
}

// Ring may be called when the alarm is closed, and writes nowhere.
func TestAlarmClosed(t *testing.T) {
	a, err := NewAlarm()
	if err != nil {
		t.Fatal(err)
	}
	a.Expect()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a.Ring()
	if err := a.Wait(time.Time{}, time.Now()); err == nil {
		t.Error("a closed alarm was waited for")
	}
}

// counter counts its inputs, and is due shortly behind each of them.
type counter struct {
	got, ticks int
	due        time.Time
	done       func()
	want       int
}

func (c *counter) Step(now time.Time, in int) {
	if c.got++; c.got == c.want {
		c.done()
	}
	c.due = now.Add(time.Duration(in) * time.Microsecond)
}

func (c *counter) Tick(time.Time)      { c.ticks, c.due = c.ticks+1, time.Time{} }
func (c *counter) Deadline() time.Time { return c.due }

// No input is overlooked, whoever sends it and however the loop's waits fall.
func TestLoopOverlooksNothing(t *testing.T) {
	const senders, each = 4, 5000
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	l := New[int](8)
	running, stop := context.WithCancel(ctx)
	c := &counter{done: stop, want: senders*each + each}
	ended := make(chan error)
	go func() { ended <- l.Run(running, c, time.Now) }()
	var all sync.WaitGroup
	for n := range senders {
		all.Go(func() {
			for i := range each {
				if i%16 == n { // the loop has time to wait
					time.Sleep(time.Microsecond)
				}
				_ = l.Send(running, i%50) // the test counts what came
			}
		})
	}
	all.Go(func() {
		for i := 0; i < each && running.Err() == nil; {
			if l.Notify(1) {
				i++
			}
		}
	})
	all.Wait()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil || c.got != c.want || c.ticks == 0 {
		t.Errorf("%d inputs and %d ticks, want %d and some", c.got, c.ticks, c.want)
	}
}

// What one wait takes, and one input that finds the loop waiting.
func BenchmarkWake(b *testing.B) {
	l := New[int](1)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	back := make(chan int, 1)
	c := &core{steps: back, ticks: make(chan time.Time, 1)}
	go func() { _ = l.Run(ctx, c, time.Now) }()
	for b.Loop() {
		l.Offer(0)
		<-back
	}
}

// pacer is due again and again, each time a little later, until it was often enough.
type pacer struct {
	due  time.Time
	left int
	done func()
}

func (p *pacer) Step(time.Time, int) {}

func (p *pacer) Tick(now time.Time) {
	if p.left--; p.left <= 0 {
		p.due = time.Time{}
		p.done()
		return
	}
	p.due = now.Add(time.Duration(p.left%7*50) * time.Microsecond)
}

func (p *pacer) Deadline() time.Time { return p.due }

// No time is overlooked, whatever arrives beside it.
func TestLoopIsAlwaysInTime(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	running, stop := context.WithCancel(ctx)
	p := &pacer{due: time.Now(), left: 2000, done: stop}
	l := New[int](8)
	go func() {
		for running.Err() == nil {
			l.Offer(0)
			time.Sleep(100 * time.Microsecond) // some fall on a wait, others do not
		}
	}()
	if err := l.Run(running, p, time.Now); err != nil {
		t.Fatal(err)
	}
	if p.left > 0 {
		t.Errorf("%d times of 2000 were never noticed", p.left)
	}
}
