package porttest

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"routerd/dataplane/port"
)

// Open opens a port for one test.
func Open[C any, P port.Port](t testing.TB, open func(C) (P, error), cfg C) P {
	t.Helper()
	p, err := open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// ReadError reads on until Read returns an error, on another goroutine.
func ReadError(q port.Queue) <-chan error {
	ended := make(chan error, 1)
	go func() {
		for fs := Buffers(4); ; {
			if _, err := q.Read(fs); err != nil {
				ended <- err
				return
			}
		}
	}()
	return ended
}

// WantReadError waits for what ReadError has begun, and wants it to end with
// an error.
func WantReadError(t testing.TB, ended <-chan error, want error) {
	t.Helper()
	select {
	case err := <-ended:
		if err != want {
			t.Errorf("Read: %v, want %v", err, want)
		}
	case <-time.After(Patience):
		t.Fatalf("the reader is still waiting; want %v", want)
	}
}

// Closes closes a port that is being read, and wants every call to say so
// afterwards.
func Closes(t *testing.T, p port.Port) {
	q := p.Queues()[0]
	ended := ReadError(q)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	WantReadError(t, ended, port.ErrClosed)
	if _, err := q.Read(Buffers(1)); err != port.ErrClosed {
		t.Errorf("Read after Close: %v", err)
	}
	f := Frame(make([]byte, 64))
	if n, err := q.Write([]*port.Frame{f}); n != 0 || err != port.ErrClosed || !f.Failed {
		t.Errorf("Write after Close: %d, %v, Failed %v", n, err, f.Failed)
	}
	if err := q.SetReadDeadline(time.Now()); err != port.ErrClosed {
		t.Errorf("SetReadDeadline after Close: %v", err)
	}
	for range p.Events() { // may still hold the last state
	}
	if err := p.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// AwaitEvent waits for an event that want accepts.
func AwaitEvent(t testing.TB, p port.Port, what string, want func(port.Event) bool) {
	t.Helper()
	timeout := time.After(Patience)
	var seen []port.Event
	for {
		select {
		case e, open := <-p.Events():
			if !open {
				t.Fatalf("Events closed before %s; seen %+v", what, seen)
			}
			if want(e) {
				return
			}
			seen = append(seen, e)
		case <-timeout:
			t.Fatalf("no event %s; seen %+v", what, seen)
		}
	}
}

// OpenDescriptors counts the descriptors of this process.
func OpenDescriptors(t testing.TB) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// LeavesNothing opens a port, reads it and closes it so many times, and wants
// no descriptor to be left.
func LeavesNothing(t testing.TB, times int, open func() port.Port) {
	t.Helper()
	cycle := func() {
		p := open()
		var wg sync.WaitGroup
		for _, q := range p.Queues() {
			wg.Go(func() {
				for fs := Buffers(1); ; {
					if _, err := q.Read(fs); err != nil {
						return
					}
				}
			})
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	}
	cycle() // whatever is made once per process is there now
	before := OpenDescriptors(t)
	for range times {
		cycle()
	}
	if after := OpenDescriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after opening %d times", before, after, times)
	}
}

// WritersShare writes to q from many goroutines at once. The frame that build
// makes of a payload has to come to c each time.
func WritersShare(t *testing.T, q port.Queue, c *net.UDPConn, build func(payload string) *port.Frame) {
	const writers, each = 16, 10
	results := make(chan error)
	for i := range writers {
		f := build(fmt.Sprintf("%02d", i))
		go func() {
			var err error
			for range each {
				if n, werr := q.Write([]*port.Frame{f}); n != 1 {
					err = fmt.Errorf("wrote %d frames, want 1: %w", n, werr)
				}
			}
			results <- err
		}()
	}
	for range writers {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	seen, b := map[string]int{}, make([]byte, 100)
	for range writers * each {
		n, _, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			t.Fatalf("%v; seen so far: %v", err, seen)
		}
		seen[string(b[:n])]++
	}
	if len(seen) != writers {
		t.Errorf("seen %v", seen)
	}
}

// AllocatesNothing writes a frame, alone and as the head of a chain, and reads
// what c sends to to, and wants that to allocate nothing. raw is the frame, and
// partial its Offload with a partial checksum.
func AllocatesNothing(t *testing.T, q port.Queue, raw []byte, partial port.Offload, c *net.UDPConn, to netip.AddrPort) {
	plain, chain := Frame(raw), Frame(raw)
	chain.Offload = partial
	chain.Offload.GSO, chain.Offload.SegmentSize = port.GSOUDPL4, 100
	chain.Next = Frame([]byte("payload"))
	out := []*port.Frame{plain, chain, plain}
	if n := testing.AllocsPerRun(100, func() { q.Write(out) }); n != 0 {
		t.Errorf("Write allocates %v times", n)
	}
	ping, in := []byte("ping"), Buffers(4)
	var err error
	read := func() {
		if _, err = c.WriteToUDPAddrPort(ping, to); err == nil {
			_, err = q.Read(in)
		}
	}
	if n := testing.AllocsPerRun(100, read); n != 0 || err != nil {
		t.Errorf("sending and reading allocates %v times, %v", n, err)
	}
	q.SetReadDeadline(time.Unix(1, 0))
	if n := testing.AllocsPerRun(100, func() { q.Read(in) }); n != 0 {
		t.Errorf("a Read that times out allocates %v times", n)
	}
}

// WantOutput wants each of the parts in what a program printed.
func WantOutput(t testing.TB, out string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(out, part) {
			t.Errorf("no %q in:\n%s", part, out)
		}
	}
}
