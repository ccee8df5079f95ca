package dataplane

import (
	"errors"
	"fmt"
	"time"

	"routerd/dataplane/port"
	"routerd/routing"
)

// Worker forwards the packets of one queue: it reads a batch, processes it,
// writes it, and begins again. One goroutine runs it.
type Worker struct {
	live   *Live
	in     routing.InterfaceID
	number int
	queue  port.Queue
	batch  *Batch
	crowd  crowd
	watch  *watch // nil until something could be offered

	Counters *Counters
	Drops    *DropRing
	deadline time.Time // the read deadline that was last set on the queue
}

// crowd is how busy a worker is. An idle worker reads a frame at a time, so
// that thousands of them need little memory; a busy one borrows memory for
// whole batches until it has read nothing for a while.
type crowd struct {
	size  int       // frames at once when it is busy
	large *scratch  // the memory to give back; nil while idle
	last  time.Time // when a batch was read last
	full  int       // how many full batches have come in a row
	look  time.Time // while busy: when to check whether it still is
}

// When a worker becomes busy, and when idle again.
const (
	busyGap    = time.Millisecond
	busyFrames = 8
	idleTime   = time.Second
)

// NewWorker makes the worker for a queue of the interface in, the number-th
// of its port, that reads up to size frames at once. The punter takes what
// the neighbour machine and the router's protocols have to see; nil where
// there is none.
func NewWorker(live *Live, in routing.InterfaceID, number, size int, queue port.Queue, punter Punter) *Worker {
	w := &Worker{live: live, in: in, number: number, queue: queue, crowd: crowd{size: size}, Counters: &Counters{}, Drops: &DropRing{}}
	w.batch = NewBatch(1, w.Counters, w.Drops)
	w.batch.punter = punter
	w.batch.Stream = uint32(in)<<8 | uint32(number)
	return w
}

// In is the interface that the worker reads from.
func (w *Worker) In() routing.InterfaceID { return w.in }

// Queue is the number of the worker's queue among those of its port.
func (w *Worker) Queue() int { return w.number }

// Run carries packets until the queue's port is closed, which is no error.
// The clock is read once per batch.
func (w *Worker) Run(clock func() time.Time) error {
	for {
		err := w.Once(clock)
		passed := errors.Is(err, port.ErrTimeout)
		switch {
		case err == nil:
		case passed:
			now := clock()
			w.Expire(now)
			w.rest(now)
		case errors.Is(err, port.ErrClosed):
			return nil
		default:
			return fmt.Errorf("reading packets: %w", err)
		}
		if err := w.rearm(passed); err != nil {
			return err
		}
	}
}

// Once waits for one batch and forwards it. The error is that of the queue's
// Read.
func (w *Worker) Once(clock func() time.Time) error {
	n, err := w.queue.Read(w.batch.Frames())
	if err == nil {
		w.Handle(n, clock())
	}
	return err
}

// Expire gives up the fragments that have waited too long and answers their
// senders.
func (w *Worker) Expire(now time.Time) {
	Expire(w.live.Load(), w.batch, now)
	w.batch.Transmit(now)
}

// Deadline is when Expire has something to do, the zero Time while nothing waits.
func (w *Worker) Deadline() time.Time { return w.batch.held.Deadline() }

// Handle processes and writes the first n frames of the batch.
func (w *Worker) Handle(n int, now time.Time) {
	b := w.batch
	b.Received(n, w.in)
	w.Counters.receive(b)
	v := w.live.Load()
	Process(v, b, now)
	b.Transmit(now)
	if v.Offers != nil {
		w.offer(v, now)
	}
	w.gather(n, now)
}

// offer counts what the batch has forwarded that the kernel might carry.
func (w *Worker) offer(v *View, now time.Time) {
	in := v.Interface(w.in)
	if in == nil || in.Carried == nil {
		return
	}
	if w.watch == nil {
		w.watch = new(watch)
	}
	w.watch.see(v, w.batch, in, now)
}

// gather records that n frames were read at the time now, and makes an idle
// worker busy if it is time.
func (w *Worker) gather(n int, now time.Time) {
	c := &w.crowd
	soon := now.Sub(c.last) < busyGap
	c.last = now
	if c.large != nil {
		return
	}
	w.batch.leave()
	if n < len(w.batch.frames) || !soon {
		c.full = 0
	}
	if c.full++; c.full < busyFrames || c.size <= n {
		return
	}
	c.large, c.look, c.full = w.batch.grow(c.size), now.Add(idleTime), 0
}

// rest makes a busy worker idle again if it has read nothing for a while.
func (w *Worker) rest(now time.Time) {
	c := &w.crowd
	switch {
	case c.large == nil:
		w.batch.leave() // what Expire may have taken
	case now.Before(c.look):
	case now.Sub(c.last) < idleTime:
		c.look = c.last.Add(idleTime)
	default:
		w.batch.shrink(c.large)
		c.large, c.look = nil, time.Time{}
	}
}

// rearm sets the queue's read deadline to when the next fragment expires or a
// busy worker checks whether it still is busy. A deadline that has passed has
// to be replaced, even if nothing is due: it would end every Read.
func (w *Worker) rearm(passed bool) error {
	d := w.batch.held.Deadline()
	if look := w.crowd.look; d.IsZero() || !look.IsZero() && look.Before(d) {
		d = look
	}
	if !passed && d.Equal(w.deadline) {
		return nil
	}
	w.deadline = d
	if err := w.queue.SetReadDeadline(d); err != nil && !errors.Is(err, port.ErrClosed) {
		return fmt.Errorf("setting a deadline for reading: %w", err)
	}
	return nil
}

func (c *Counters) receive(b *Batch) {
	packets, bytes, supers := 0, 0, 0
	for i := range b.frames[:b.n] {
		f := &b.frames[i]
		packets += int(b.packets[i].carried)
		bytes += f.Len()
		if f.Offload.GSO != port.GSONone {
			supers++
		}
	}
	c.received.packets.Add(uint64(packets))
	c.received.bytes.Add(uint64(bytes))
	if supers > 0 {
		c.received.supers.Add(uint64(supers))
	}
	c.batches.Add(1)
}
