package dataplane

import (
	"context"
	"errors"
	"testing"
	"time"

	"routerd/dataplane/port"
	"routerd/dataplane/reassembly"
	"routerd/internal/packet"
	"routerd/internal/verdict"
)

// watchedQueue is the queue of a device as far as deadlines go: a deadline that
// has passed ends every Read until another one is set. It counts the reads
// that ended that way, and asked, if not nil, runs before each read.
type watchedQueue struct {
	port.Queue
	reads    int
	timeouts int
	deadline time.Time
	asked    func(reads int)
}

func (q *watchedQueue) Read(fs []port.Frame) (int, error) {
	q.reads++
	if q.asked != nil {
		q.asked(q.reads)
	}
	n, err := q.Queue.Read(fs)
	if errors.Is(err, port.ErrTimeout) {
		q.timeouts++
	}
	return n, err
}

func (q *watchedQueue) SetReadDeadline(t time.Time) error {
	q.deadline = t
	return q.Queue.SetReadDeadline(t)
}

// After fragments have waited in vain the worker reads on, and no expired
// deadline is left that would end one read after the other.
func TestWorkerReadsOnAfterATimeout(t *testing.T) {
	fragment := func(id uint16) []byte {
		b := cut4(build(t, Probe{Src: addr("10.0.1.2"), Dst: addr("10.255.0.1"), Proto: packet.ProtoICMP, Size: 3000}), 0, 800, true)
		return edit4(b, func(p packet.IPv4) { p.SetID(id) })
	}
	echo := build(t, Probe{Src: addr("10.0.1.2"), Dst: addr("10.255.0.1"), Proto: packet.ProtoICMP, Size: 100})
	for _, tt := range []struct {
		name      string
		fragments int
		timeout   time.Duration
		// change, if not nil, is done to the view while the fragments wait.
		change func(v *View)
	}{
		{name: "one fragment", fragments: 1, timeout: time.Millisecond},
		{name: "three, one after the other", fragments: 3, timeout: time.Millisecond},
		{name: "limits changed meanwhile", fragments: 1, timeout: time.Hour, change: func(v *View) { v.Limits.Reassembly.Packets++ }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork(t)
			n.view.Limits.Reassembly = reassembly.Config{Timeout: tt.timeout, Packets: 8, Bytes: 1 << 16}
			var live Live
			live.Publish(n.view)
			p := n.ports[lan0]
			q := &watchedQueue{Queue: p.Queues()[0]}
			w := NewWorker(&live, lan0, 0, BatchSize, q, nil)
			const enough = 100 // reads that a worker which never rests would reach at once
			idle := make(chan struct{})
			sent := 0
			q.asked = func(reads int) {
				_, held := w.batch.held.Held()
				// The last fragment may still be in the queue when those before time out.
				waiting := held > 0 || tt.timeout < time.Hour && int(w.Counters.Verdict(verdict.FragmentTimeout)) < tt.fragments
				switch {
				case reads > enough:
					p.Close() // it spins
				case sent < tt.fragments:
					sent++
					p.Inject(raw(fragment(uint16(sent))))
				case tt.change != nil:
					view := *n.view
					tt.change(&view)
					tt.change = nil
					live.Publish(&view)
					p.Inject(raw(echo))
				case !waiting && idle != nil:
					close(idle)
					idle = nil
				}
			}
			done := make(chan error, 1)
			resting := idle
			go func() { done <- w.Run(time.Now) }()
			select {
			case <-resting:
			case err := <-done:
				t.Fatalf("the worker ended (%v) after %d reads, %d of them timeouts", err, q.reads, q.timeouts)
			case <-time.After(10 * time.Second):
				t.Fatal("the fragments are held for ever")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			p.Take()
			p.Inject(raw(echo))
			if _, err := p.Wait(ctx, 1); err != nil {
				t.Error(err)
			}
			p.Close()
			if err := <-done; err != nil {
				t.Errorf("worker: %v", err)
			}
			if q.reads > enough {
				t.Errorf("%d reads, %d of them timeouts: the worker never rests", q.reads, q.timeouts)
			}
			if !q.deadline.IsZero() {
				t.Errorf("the deadline %v is left while nothing is held", q.deadline)
			}
			if got := int(w.Counters.Verdict(verdict.FragmentTimeout)); tt.timeout < time.Hour && got != tt.fragments {
				t.Errorf("%d fragments timed out, want %d", got, tt.fragments)
			}
		})
	}
}

// An idle worker holds one buffer, a busy one borrows a batch's worth, and
// gives it back when nothing came for a while.
func TestWorkerBorrowsMemory(t *testing.T) {
	n := newNetwork(t)
	var live Live
	live.Publish(n.view)
	p := n.ports[lan0]
	w := NewWorker(&live, lan0, 0, BatchSize, p.Queues()[0], nil)
	now := testNow
	clock := func() time.Time { return now }
	echo := raw(build(t, Probe{Src: addr("10.0.1.2"), Dst: addr("10.255.0.1"), Proto: packet.ProtoICMP, Size: 100}))
	once := func(packets int, gap time.Duration) {
		t.Helper()
		for range packets {
			now = now.Add(gap)
			p.Inject(echo)
			if err := w.Once(clock); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := func(frames int, when string) {
		t.Helper()
		if got := len(w.batch.Frames()); got != frames {
			t.Fatalf("%s: room for %d frames, want %d", when, got, frames)
		}
	}
	want(1, "in the beginning")
	once(50, 10*time.Millisecond)
	want(1, "with a packet now and then")
	if w.batch.pieces != nil {
		t.Error("an idle worker keeps the memory that its answers were made in")
	}
	once(busyFrames, time.Microsecond)
	want(BatchSize, "with packet after packet")
	if d := w.crowd.look; d.IsZero() {
		t.Error("a busy worker never looks whether it still is one")
	}
	now = now.Add(idleTime / 2)
	once(1, 0)
	now = now.Add(idleTime * 2 / 3)
	w.rest(now)
	want(BatchSize, "less than a while after the last packet")
	now = now.Add(idleTime)
	w.rest(now)
	want(1, "after a while")
	if !w.crowd.look.IsZero() {
		t.Error("an idle worker is woken to see whether it is idle")
	}
	sent := len(p.Take())
	once(2, time.Microsecond)
	if got := len(p.Take()); got != 2 || sent != 50+busyFrames+1 {
		t.Errorf("%d and %d packets were answered, want %d and 2", sent, got, 50+busyFrames+1)
	}
}
