package memory

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"routerd/dataplane/port"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func frames(n int) []port.Frame {
	fs := make([]port.Frame, n)
	for i := range fs {
		fs[i].Buf = make([]byte, port.BufferSize)
	}
	return fs
}

func frame(data string) *port.Frame {
	f := &port.Frame{Buf: make([]byte, port.Headroom+len(data))}
	f.Reset()
	f.End += copy(f.Buf[f.Start:], data)
	return f
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestInjectedIsRead(t *testing.T) {
	p := New("lan0", 1500)
	defer p.Close()
	off := port.Offload{GSO: port.GSOTCPv4, SegmentSize: 1448, NeedsChecksum: true, ChecksumStart: 20, ChecksumOffset: 16}
	data := []byte("one")
	p.Inject(Packet{Data: data, Offload: off}, Packet{Data: []byte("two")}, Packet{Data: []byte("three")})
	data[0] = 'X' // Inject copies

	fs := frames(2)
	fs[1].Failed, fs[1].Next = true, &fs[0] // Read resets
	n, err := p.Queues()[0].Read(fs)
	if n != 2 || err != nil {
		t.Fatalf("Read = %d, %v, want 2 frames", n, err)
	}
	if got := string(fs[0].Bytes()); got != "one" || fs[0].Offload != off {
		t.Errorf("first frame %q %+v", got, fs[0].Offload)
	}
	if got := string(fs[1].Bytes()); got != "two" || fs[1].Failed || fs[1].Next != nil || fs[1].Offload != (port.Offload{}) {
		t.Errorf("second frame %q %+v", got, fs[1])
	}
	if p.Waiting() != 1 {
		t.Errorf("Waiting = %d, want 1", p.Waiting())
	}
}

func TestReadStopsAtByteBudget(t *testing.T) {
	p := New("lan0", 1500)
	defer p.Close()
	big := make([]byte, 65535)
	for range 10 {
		p.Inject(Packet{Data: big})
	}
	n, err := p.Queues()[0].Read(frames(10))
	if err != nil || n != 5 { // 4*65535 is just below 256 KiB
		t.Fatalf("Read = %d, %v, want 5 frames", n, err)
	}
}

func TestWrittenIsTaken(t *testing.T) {
	p := New("lan0", 1500)
	defer p.Close()
	head, tail := frame("head"), frame("..tail")
	head.Offload = port.Offload{GSO: port.GSOUDPL4, SegmentSize: 2, ChecksumValid: true}
	tail.Start += 2
	head.Next = tail
	n, err := p.Queues()[0].Write([]*port.Frame{head, frame("plain")})
	if n != 2 || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	copy(head.Bytes(), "gone") // what was sent is a copy
	want := []Packet{
		{[]byte("headtail"), port.Offload{GSO: port.GSOUDPL4, SegmentSize: 2}},
		{[]byte("plain"), port.Offload{}},
	}
	if d := cmp.Diff(want, p.Sent()); d != "" {
		t.Errorf("Sent (-want +got):\n%s", d)
	}
	if d := cmp.Diff(want, p.Take()); d != "" {
		t.Errorf("Take (-want +got):\n%s", d)
	}
	if left := p.Sent(); len(left) != 0 {
		t.Errorf("%d packets left after Take", len(left))
	}
	if head.Buf[port.Headroom-1] == 0 || head.Buf[port.Headroom-10] == 0 {
		t.Error("the headroom in front of a written frame was left alone")
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name    string
		opts    []Option
		prepare func(*Port)
		frame   func(*port.Frame)
		want    int
	}{
		{"taken", nil, nil, nil, 2},
		{"down", nil, func(p *Port) { p.SetUp(false) }, nil, 0},
		{"down and up again", nil, func(p *Port) { p.SetUp(false); p.SetUp(true) }, nil, 2},
		{"full", nil, func(p *Port) { p.SetRoom(0) }, nil, 0},
		{"full after one", nil, func(p *Port) { p.SetRoom(1) }, nil, 1},
		{"no offload for it", []Option{WithOffloads(port.OffloadChecksum)}, nil, func(f *port.Frame) { f.Offload.GSO = port.GSOTCPv6 }, 1},
		{"no headroom", nil, nil, func(f *port.Frame) { f.Start = 9 }, 1},
		{"empty", nil, nil, func(f *port.Frame) { f.End = f.Start }, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := New("lan0", 1500, tt.opts...)
			defer p.Close()
			if tt.prepare != nil {
				tt.prepare(p)
			}
			fs := []*port.Frame{frame("first"), frame("second")}
			fs[0].Failed = true
			if tt.frame != nil {
				tt.frame(fs[1])
			}
			n, err := p.Queues()[0].Write(fs)
			if n != tt.want || err != nil {
				t.Fatalf("Write = %d, %v, want %d", n, err, tt.want)
			}
			for i, f := range fs {
				if f.Failed != (i >= tt.want) {
					t.Errorf("frame %d: Failed = %v", i, f.Failed)
				}
			}
		})
	}
}

func TestEventsCarryLatestState(t *testing.T) {
	p := New("lan0", 1500)
	p.SetMTU(1400)
	p.SetUp(false)
	if got, want := <-p.Events(), (port.Event{Up: false, MTU: 1400}); got != want {
		t.Errorf("event %+v, want %+v", got, want)
	}
	p.SetUp(false) // no change, no event
	select {
	case e := <-p.Events():
		t.Errorf("event %+v without a change", e)
	default:
	}
	p.Remove()
	if e := <-p.Events(); !e.Gone {
		t.Errorf("event %+v, want Gone", e)
	}
	if _, err := p.Queues()[0].Read(frames(1)); !errors.Is(err, port.ErrClosed) {
		t.Errorf("Read of a removed device: %v", err)
	}
	p.Close()
	if _, open := <-p.Events(); open {
		t.Error("Events still open after Close")
	}
	p.SetUp(true) // harmless
}

func TestReadDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New("lan0", 1500)
		defer p.Close()
		q := p.Queues()[0]
		start := time.Now()
		q.SetReadDeadline(start.Add(time.Second))
		if _, err := q.Read(frames(1)); err != port.ErrTimeout {
			t.Fatalf("Read = %v, want ErrTimeout", err)
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("timed out after %v, want 1s", d)
		}
		p.Inject(Packet{Data: []byte("late")})
		if _, err := q.Read(frames(1)); err != port.ErrTimeout {
			t.Errorf("a later Read = %v, want ErrTimeout", err)
		}
		q.SetReadDeadline(time.Time{})
		if n, err := q.Read(frames(1)); n != 1 || err != nil {
			t.Errorf("Read without deadline = %d, %v", n, err)
		}
		q.SetReadDeadline(time.Now().Add(time.Hour)) // Close stops its timer
	})
}

func TestCloseWakesReader(t *testing.T) {
	p := New("lan0", 1500, WithQueues(3))
	var wg sync.WaitGroup
	for _, q := range p.Queues() {
		wg.Go(func() {
			if _, err := q.Read(frames(1)); err != port.ErrClosed {
				t.Errorf("Read = %v, want ErrClosed", err)
			}
		})
	}
	p.Close()
	wg.Wait()
	if err := p.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	f := frame("x")
	if n, err := p.Queues()[0].Write([]*port.Frame{f}); n != 0 || err != port.ErrClosed || !f.Failed {
		t.Errorf("Write after Close = %d, %v, Failed %v", n, err, f.Failed)
	}
	if err := p.Queues()[0].SetReadDeadline(time.Time{}); err != port.ErrClosed {
		t.Errorf("SetReadDeadline after Close = %v", err)
	}
}

// One reader that echoes, several writers: for the race detector, and that
// nothing is lost.
func TestConcurrentUse(t *testing.T) {
	p := New("lan0", 1500)
	const writers, each = 4, 100
	var readers, injectors sync.WaitGroup
	readers.Go(func() {
		fs := frames(8)
		out := make([]*port.Frame, 0, len(fs))
		for {
			n, err := p.Queues()[0].Read(fs)
			if err != nil {
				return
			}
			out = out[:0]
			for i := range fs[:n] {
				out = append(out, &fs[i])
			}
			p.Queues()[0].Write(out)
		}
	})
	for range writers {
		injectors.Go(func() {
			for range each {
				p.Inject(Packet{Data: []byte("ping")})
			}
		})
	}
	injectors.Wait()
	got, err := p.Wait(within(t), writers*each)
	if err != nil || len(got) != writers*each {
		t.Errorf("Wait: %d packets, %v", len(got), err)
	}
	p.Close()
	readers.Wait()
}

func TestWaitGivesUp(t *testing.T) {
	p := New("lan0", 1500)
	defer p.Close()
	p.Queues()[0].Write([]*port.Frame{frame("x")})
	ctx, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancel()
	_, err := p.Wait(ctx, 2)
	if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Wait: %v", err)
	}
	if !strings.Contains(err.Error(), "for 2 packets") || !strings.Contains(err.Error(), "saw 1") {
		t.Errorf("Wait says %q", err)
	}
	if len(p.Sent()) != 1 {
		t.Error("the packet that was there is gone")
	}
}

func TestReadAndIdentity(t *testing.T) {
	p := New("lan0", 1500, WithLinkHeader(14), WithOffloads(0))
	defer p.Close()
	if p.Name() != "lan0" || p.Kind() != "memory" || p.LinkHeader() != 14 || p.Offloads() != 0 || p.MTU() != 1500 || !p.Up() {
		t.Errorf("a port unlike what New was told: %+v", p)
	}
	q, fs := p.Queues()[0], frames(1)
	pkt := Packet{Data: []byte("x")}
	allocs := testing.AllocsPerRun(100, func() {
		q.(*queue).packets = append(q.(*queue).packets[:0], pkt)
		q.Read(fs)
	})
	if allocs != 0 {
		t.Errorf("Read allocates %v times", allocs)
	}
}

func TestInjectTooLong(t *testing.T) {
	p := New("lan0", 1500)
	defer p.Close()
	defer func() {
		if recover() == nil {
			t.Error("a packet longer than port.MaxFrame was accepted")
		}
	}()
	p.Inject(Packet{Data: make([]byte, port.MaxFrame+1)})
}
