package memory

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"routerd/dataplane/port"
)

// batchBytes is the byte budget of one Read, as a real port has one.
const batchBytes = 256 << 10

// queue is one queue of a Port: its packets in order, and its waiting reader.
type queue struct {
	port *Port

	mu      sync.Mutex
	ready   sync.Cond
	packets []Packet
	closed  bool
	late    bool // the deadline has passed
	timer   *time.Timer
	round   int // counts deadlines, so that the timer of an old one does nothing
}

func newQueue(p *Port) *queue {
	q := &queue{port: p}
	q.ready.L = &q.mu
	return q
}

func (q *queue) inject(packets []Packet) {
	for _, p := range packets {
		if len(p.Data) > port.MaxFrame {
			panic(fmt.Sprintf("memory: a packet of %d bytes is longer than port.MaxFrame (%d)", len(p.Data), port.MaxFrame))
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range packets {
		q.packets = append(q.packets, Packet{slices.Clone(p.Data), p.Offload})
	}
	q.ready.Broadcast()
}

func (q *queue) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.packets)
}

// Read implements port.Queue.
func (q *queue) Read(frames []port.Frame) (int, error) {
	if len(frames) == 0 {
		return 0, nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		switch {
		case q.closed:
			return 0, port.ErrClosed
		case q.late:
			return 0, port.ErrTimeout
		case len(q.packets) > 0:
			return q.fill(frames), nil
		}
		q.ready.Wait()
	}
}

func (q *queue) fill(frames []port.Frame) int {
	n := 0
	for bytes := 0; n < len(frames) && n < len(q.packets) && bytes < batchBytes; n++ {
		f, p := &frames[n], &q.packets[n]
		f.Reset()
		f.End += copy(f.Buf[f.Start:], p.Data)
		f.Offload = p.Offload
		bytes += len(p.Data)
	}
	q.packets = slices.Delete(q.packets, 0, n)
	return n
}

// SetReadDeadline implements port.Queue.
func (q *queue) SetReadDeadline(t time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return port.ErrClosed
	}
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
	q.round++
	q.late = false
	if t.IsZero() {
		return nil
	}
	if wait := time.Until(t); wait > 0 {
		round := q.round
		q.timer = time.AfterFunc(wait, func() { q.expire(round) })
		return nil
	}
	q.late = true
	q.ready.Broadcast()
	return nil
}

func (q *queue) expire(round int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if round == q.round {
		q.late = true
		q.ready.Broadcast()
	}
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.packets = nil
	if q.timer != nil {
		q.timer.Stop()
	}
	q.ready.Broadcast()
}

// headerRoom is what a real port writes in front of a frame: the virtio-net
// header.
const headerRoom = 10

// Write implements port.Queue. Chains are flattened: what was one write is
// one Packet.
func (q *queue) Write(frames []*port.Frame) (int, error) {
	p := q.port
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := 0
	for _, f := range frames {
		f.Failed = !p.takes(f)
		if f.Failed {
			continue
		}
		for i := range headerRoom {
			f.Buf[f.Start-headerRoom+i] = 0xa5
		}
		if p.room > 0 {
			p.room--
		}
		p.sent = append(p.sent, flatten(f))
		taken++
	}
	if taken > 0 {
		close(p.arrived)
		p.arrived = make(chan struct{})
	}
	if p.closed || p.state.Gone {
		return taken, port.ErrClosed
	}
	return taken, nil
}

func (p *Port) takes(f *port.Frame) bool {
	return !p.closed && p.state.Up && p.room != 0 &&
		f.Start >= headerRoom && f.Len() > 0 && p.offloads.Takes(f.Offload)
}

func flatten(f *port.Frame) Packet {
	s := Packet{Data: slices.Clone(f.Bytes()), Offload: f.Offload}
	for n := f.Next; n != nil; n = n.Next {
		s.Data = append(s.Data, n.Bytes()...)
	}
	s.Offload.ChecksumValid = false // set on receive only
	return s
}
