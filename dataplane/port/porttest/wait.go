package porttest

import (
	"bytes"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"routerd/dataplane/port"
)

// Station is a port and the other end of its link.
type Station struct {
	Port port.Port
	// Send has the other end send one IPv4 packet from 198.18.0.2 that the
	// port's first queue is to read.
	Send func(packet []byte)
	// Up sets the device up or down, Carrier its carrier.
	Up, Carrier func(up bool)
	// Remove takes the device away under the port.
	Remove func()
}

// marked is a datagram that the other end sends. Its payload tells it from what
// the kernel sends by itself.
func marked(mark string) []byte {
	return UDP4("198.18.0.2:9", "198.18.0.1:9", mark, false)
}

// waiter is the one reader of a queue: it reads on until told to stop, and
// gives what ended each wait.
type waiter struct {
	t     *testing.T
	s     Station
	q     port.Queue
	marks int
}

// result is what a Read came back with: the mark of a frame or an error.
type result struct {
	mark string
	err  error
}

// read waits for a marked frame or an error, and ignores what the kernel sends
// by itself.
func (w *waiter) read(mark string) result {
	fs := Buffers(8)
	for {
		n, err := w.q.Read(fs)
		if err != nil {
			return result{err: err}
		}
		for i := range fs[:n] {
			if bytes.HasSuffix(fs[i].Bytes(), []byte(mark)) {
				return result{mark: mark}
			}
		}
	}
}

func (w *waiter) mark() string {
	w.marks++
	return fmt.Sprintf("mark %d of this test", w.marks)
}

// begin reads on another goroutine until the frame with mark or an error.
func (w *waiter) begin(mark string) <-chan result {
	c := make(chan result, 1)
	go func() { c <- w.read(mark) }()
	return c
}

func (w *waiter) deadline(d time.Time) {
	w.t.Helper()
	if err := w.q.SetReadDeadline(d); err != nil {
		w.t.Fatalf("setting the deadline: %v", err)
	}
}

func (w *waiter) want(c <-chan result, want result, what string) {
	w.t.Helper()
	select {
	case got := <-c:
		if got.mark != want.mark || !errors.Is(got.err, want.err) || want.err == nil && got.err != nil {
			w.t.Fatalf("%s: read %q, %v; want %q, %v", what, got.mark, got.err, want.mark, want.err)
		}
	case <-time.After(Patience):
		w.t.Fatalf("%s: the reader waits for ever; want %q, %v", what, want.mark, want.err)
	}
}

// hears checks that a frame sent now is read, both by a waiting reader and by
// one that comes later.
func (w *waiter) hears(what string) {
	w.t.Helper()
	m := w.mark()
	c := w.begin(m)
	w.s.Send(marked(m))
	w.want(c, result{mark: m}, what)
	m = w.mark()
	w.s.Send(marked(m))
	w.want(w.begin(m), result{mark: m}, what+", sent before the read")
}

// rests checks that a reader with nothing to read sleeps: it neither returns
// nor uses the processor. At the end, after then if that is not nil, a frame
// has to wake it.
func (w *waiter) rests(what string, then func()) {
	w.t.Helper()
	m := w.mark()
	c := w.begin(m)
	const look = 100 * time.Millisecond
	rested := false
	var used usage
	// The process does other things now and then, so one quiet look is enough:
	// a reader that does not sleep is never quiet.
	for looks := 0; looks < 20 && !rested; looks++ {
		before := usageNow(w.t)
		select {
		case got := <-c:
			w.t.Fatalf("%s: the reader came back with %q, %v and nothing to read", what, got.mark, got.err)
		case <-time.After(look):
		}
		used = usageNow(w.t).minus(before)
		// A reader that polls once a millisecond would be woken a hundred
		// times.
		rested = used.woken < 30 && used.cpu < look/4
	}
	if !rested {
		w.t.Errorf("%s: in %v the waiting process was woken %d times and used %v of a processor", what, look, used.woken, used.cpu)
	}
	if then != nil {
		then()
	}
	w.s.Send(marked(m))
	w.want(c, result{mark: m}, what)
}

// outlives checks that a deadline that was replaced by another no longer ends a
// wait.
func (w *waiter) outlives(by time.Time) {
	w.t.Helper()
	const first = 100 * time.Millisecond
	w.deadline(time.Now().Add(first))
	m := w.mark()
	c := w.begin(m)
	w.deadline(by)
	select {
	case got := <-c:
		w.t.Fatalf("the wait ended with %q, %v by a deadline that was replaced", got.mark, got.err)
	case <-time.After(2 * first):
	}
	w.s.Send(marked(m))
	w.want(c, result{mark: m}, "waiting")
}

// link changes the link and waits until the port has reported it.
func (w *waiter) link(set func(up bool), up bool) {
	w.t.Helper()
	set(up)
	for limit := time.After(Patience); ; {
		select {
		case e := <-w.s.Port.Events():
			if e.Up == up {
				return
			}
		case <-limit:
			w.t.Fatalf("the port does not say that the link's state is %v", up)
		}
	}
}

// flaps checks that a wait goes on while the link goes down and comes up.
func (w *waiter) flaps(set func(up bool), d time.Time) {
	w.t.Helper()
	w.deadline(d)
	m := w.mark()
	c := w.begin(m)
	w.link(set, false)
	w.link(set, true)
	w.s.Send(marked(m))
	w.want(c, result{mark: m}, "waiting")
}

// usage is how often the process gave up a processor and how long it had one.
type usage struct {
	woken int64
	cpu   time.Duration
}

func usageNow(t *testing.T) usage {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return usage{r.Nvcsw, time.Duration(r.Utime.Nano() + r.Stime.Nano())}
}

func (u usage) minus(o usage) usage { return usage{u.woken - o.woken, u.cpu - o.cpu} }

var (
	timeout = result{err: port.ErrTimeout}
	never   = time.Time{}
)

func soon() time.Time  { return time.Now().Add(20 * time.Millisecond) }
func later() time.Time { return time.Now().Add(time.Hour) }

// Waits tests every way in which a wait of a port's queue can end. After each
// that leaves the port open, the queue has to read on, and to sleep with
// nothing to read. open makes a port for one case.
func Waits(t *testing.T, open func(t *testing.T) Station) {
	for _, c := range []struct {
		name string
		ends func(w *waiter)
	}{
		{"a frame", func(w *waiter) { w.hears("a frame") }},
		{"a frame before the deadline", func(w *waiter) {
			w.deadline(later())
			w.hears("before a deadline")
		}},
		{"the deadline passes", func(w *waiter) {
			w.deadline(soon())
			w.want(w.begin("nothing"), timeout, "waiting")
			w.want(w.begin("nothing"), timeout, "a later read")
		}},
		{"the deadline passes with nobody reading", func(w *waiter) {
			w.deadline(time.Unix(1, 0))
			m := w.mark()
			w.s.Send(marked(m))
			w.want(w.begin(m), timeout, "reading")
			w.deadline(never)
			w.want(w.begin(m), result{mark: m}, "what came meanwhile")
		}},
		{"a deadline passes, and another", func(w *waiter) {
			for range 3 {
				w.deadline(soon())
				w.want(w.begin("nothing"), timeout, "waiting")
			}
		}},
		{"a deadline passes and is moved later", func(w *waiter) {
			w.deadline(soon())
			w.want(w.begin("nothing"), timeout, "waiting")
			w.deadline(later())
			w.hears("with a later deadline")
		}},
		{"the same deadline again", func(w *waiter) {
			d := soon()
			w.deadline(d)
			w.deadline(d)
			w.want(w.begin("nothing"), timeout, "waiting")
			w.deadline(d)
			w.want(w.begin("nothing"), timeout, "set again")
		}},
		{"the deadline moves earlier while waiting", func(w *waiter) {
			w.deadline(later())
			c := w.begin("nothing")
			w.deadline(soon())
			w.want(c, timeout, "waiting")
		}},
		{"the deadline moves into the past while waiting", func(w *waiter) {
			c := w.begin("nothing")
			w.deadline(time.Unix(1, 0))
			w.want(c, timeout, "waiting")
		}},
		{"the deadline moves later while waiting", func(w *waiter) {
			w.outlives(later())
		}},
		{"the deadline is cleared while waiting", func(w *waiter) {
			w.outlives(never)
		}},
		{"the link goes down and comes up", func(w *waiter) { w.flaps(w.s.Up, never) }},
		{"the link goes down and comes up before the deadline", func(w *waiter) { w.flaps(w.s.Up, later()) }},
		{"the carrier is lost and comes back", func(w *waiter) { w.flaps(w.s.Carrier, never) }},
		{"the deadline passes while the link is down", func(w *waiter) {
			w.deadline(time.Now().Add(100 * time.Millisecond))
			c := w.begin("nothing")
			w.link(w.s.Up, false)
			w.want(c, timeout, "waiting")
			w.link(w.s.Up, true)
		}},
		{"the link is down for a while", func(w *waiter) {
			w.link(w.s.Up, false)
			w.rests("while down", func() { w.link(w.s.Up, true) })
		}},
		{"the carrier is away for a while", func(w *waiter) {
			w.link(w.s.Carrier, false)
			w.rests("without a carrier", func() { w.link(w.s.Carrier, true) })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			w := &waiter{t: t, s: s, q: s.Port.Queues()[0]}
			c.ends(w)
			w.deadline(never)
			w.hears("afterwards")
			w.rests("afterwards", nil)
		})
	}
	t.Run("closed", func(t *testing.T) {
		ends(t, open(t), func(s Station) { s.Port.Close() })
	})
	t.Run("removed", func(t *testing.T) {
		ends(t, open(t), func(s Station) { s.Remove() })
	})
}

// ends checks that a waiting reader and every later one see the port's end,
// whatever deadline is set before and after it.
func ends(t *testing.T, s Station, end func(Station)) {
	w := &waiter{t: t, s: s, q: s.Port.Queues()[0]}
	w.deadline(later())
	c := w.begin("nothing")
	end(s)
	closed := result{err: port.ErrClosed}
	w.want(c, closed, "waiting")
	for _, d := range []time.Time{never, time.Unix(1, 0), later()} {
		if err := w.q.SetReadDeadline(d); err != nil && !errors.Is(err, port.ErrClosed) {
			t.Errorf("setting a deadline at the end: %v", err)
		}
		w.want(w.begin("nothing"), closed, "a later read")
	}
}
