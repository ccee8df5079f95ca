// Package memory is a port without a device: a worker reads what a test
// injects, and the test takes what the worker writes. It behaves like a real
// port, deadlines and closing included, and is as strict as a real one may be:
// it overwrites the headroom of every frame written to it and refuses what its
// offloads do not cover.
package memory

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"routerd/dataplane/port"
)

// Packet is one frame outside the router: a super-packet is one Packet.
type Packet struct {
	Data    []byte
	Offload port.Offload
}

// Port is a port.Port in memory. All its methods may be called from any
// goroutine.
type Port struct {
	name       string
	linkHeader int
	offloads   port.Offloads
	mtu        int // when it was opened
	queues     []*queue
	events     chan port.Event

	mu      sync.Mutex
	state   port.Event
	closed  bool
	room    int // frames that it still takes; negative: no limit
	sent    []Packet
	arrived chan struct{} // closed and replaced whenever sent grows
}

var _ port.Port = (*Port)(nil)

// Option changes what New makes.
type Option func(*Port)

// WithOffloads sets what the port takes whole; without it that is everything.
func WithOffloads(o port.Offloads) Option { return func(p *Port) { p.offloads = o } }

// WithLinkHeader sets the length of the link header, 0 without it.
func WithLinkHeader(n int) Option { return func(p *Port) { p.linkHeader = n } }

// WithQueues sets the number of queues, 1 without it.
func WithQueues(n int) Option {
	return func(p *Port) {
		p.queues = nil
		for range n {
			p.queues = append(p.queues, newQueue(p))
		}
	}
}

// New makes a port that is up. The MTU is in bytes of an IP packet.
func New(name string, mtu int, opts ...Option) *Port {
	p := &Port{
		name:     name,
		offloads: port.OffloadAll,
		mtu:      mtu,
		events:   make(chan port.Event, 1),
		state:    port.Event{Up: true, MTU: mtu},
		room:     -1,
		arrived:  make(chan struct{}),
	}
	WithQueues(1)(p)
	for _, o := range opts {
		o(p)
	}
	return p
}

// Name is the name of the interface that the port serves.
func (p *Port) Name() string { return p.name }

// Kind is "memory".
func (p *Port) Kind() string { return "memory" }

// LinkHeader is the length of the link header in front of each packet.
func (p *Port) LinkHeader() int { return p.linkHeader }

// Offloads says what Write takes whole.
func (p *Port) Offloads() port.Offloads { return p.offloads }

// MTU is the MTU that New was given.
func (p *Port) MTU() int { return p.mtu }

// Up is true: a port is opened up.
func (p *Port) Up() bool { return true }

// Events carries the latest state after each change.
func (p *Port) Events() <-chan port.Event { return p.events }

// Queues gives the port's queues.
func (p *Port) Queues() []port.Queue {
	qs := make([]port.Queue, len(p.queues))
	for i, q := range p.queues {
		qs[i] = q
	}
	return qs
}

// Close wakes every reader and closes Events. What was sent can still be
// taken.
func (p *Port) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	close(p.events)
	p.mu.Unlock()
	for _, q := range p.queues {
		q.close()
	}
	return nil
}

// Inject makes copies of the packets readable from the first queue. It panics
// on one that is longer than port.MaxFrame.
func (p *Port) Inject(packets ...Packet) { p.InjectAt(0, packets...) }

// InjectAt is Inject for a queue by its index.
func (p *Port) InjectAt(queue int, packets ...Packet) { p.queues[queue].inject(packets) }

// Waiting is how many injected packets nobody has read yet.
func (p *Port) Waiting() int {
	n := 0
	for _, q := range p.queues {
		n += q.waiting()
	}
	return n
}

// Sent gives what was written so far and not taken, oldest first. The slice is
// the caller's; the bytes of the packets are shared with later calls and must
// not be changed.
func (p *Port) Sent() []Packet {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sent)
}

// Take is Sent, and forgets what it gives.
func (p *Port) Take() []Packet {
	p.mu.Lock()
	defer p.mu.Unlock()
	sent := p.sent
	p.sent = nil
	return sent
}

// Wait takes what was written once that is at least n packets. When ctx ends
// first the error says how many there were, and they stay.
func (p *Port) Wait(ctx context.Context, n int) ([]Packet, error) {
	for {
		p.mu.Lock()
		if len(p.sent) >= n {
			sent := p.sent
			p.sent = nil
			p.mu.Unlock()
			return sent, nil
		}
		have, arrived := len(p.sent), p.arrived
		p.mu.Unlock()
		select {
		case <-arrived:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for %d packets from memory port %s, saw %d: %w", n, p.name, have, ctx.Err())
		}
	}
}

// SetUp sets the link up or down, with an event where that is a change. A
// port that is down refuses every frame.
func (p *Port) SetUp(up bool) { p.change(func(e *port.Event) { e.Up = up }) }

// SetMTU changes the MTU, with an event where that is a change.
func (p *Port) SetMTU(mtu int) { p.change(func(e *port.Event) { e.MTU = mtu }) }

// Remove removes the device, as another program could: readers see ErrClosed,
// Events stays open until Close.
func (p *Port) Remove() {
	p.change(func(e *port.Event) { e.Up, e.Gone = false, true })
	for _, q := range p.queues {
		q.close()
	}
}

func (p *Port) change(f func(*port.Event)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.state
	f(&p.state)
	if p.closed || p.state == old {
		return
	}
	select { // latest state only; everybody who sends holds the lock
	case <-p.events:
	default:
	}
	p.events <- p.state
}

// SetRoom makes the device take n more frames and then be full; with a negative
// n it is never full.
func (p *Port) SetRoom(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.room = n
}
