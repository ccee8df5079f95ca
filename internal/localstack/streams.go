package localstack

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"routerd/routing/protocol"
)

// Streams is TCP for routing protocols, with the kernel's TCP in the namespace
// of the router's own stack. It outlives the stack: while there is none, its
// listeners wait for the next one and are opened again in it.
//
// A connection has one goroutine, and a second one while something waits to be
// sent; none of them keeps a thread. All methods may be called from any
// goroutine, and none but Close waits for anything on the network.
type Streams struct {
	ctx     context.Context
	cancel  context.CancelFunc
	links   Links          // nil: no connections between link-local addresses
	running sync.WaitGroup // goroutines of connections and listeners

	mu          sync.Mutex
	space       *space // nil while there is no stack
	why         error  // reason why there is none
	expected    bool   // one is configured
	accepted    protocol.StreamID
	ends        map[ender]bool // all connections and listeners
	readdressed chan struct{}  // closed, and another made, when the stack's addresses may have changed
}

// ender is a connection or a listener.
type ender interface {
	// down ends it because its stack is gone, with the reason why. A listener
	// only waits.
	down(why error)
	// up wakes one that waits: there may be a stack now, or none will come.
	up()
}

// Hear passes an input about a connection or listener to the protocol. It waits
// for room until ctx is done, and calls stepped when the protocol has processed
// the input.
type Hear func(ctx context.Context, in protocol.Input, stepped func()) error

// NewStreams returns Streams without a stack. Connections between link-local
// addresses use links.
func NewStreams(links Links) *Streams {
	s := &Streams{links: links, why: protocol.ErrNoStack, ends: map[ender]bool{}, readdressed: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Expect says whether a stack is configured, so that listeners wait until there
// is one.
func (s *Streams) Expect(configured bool) {
	s.mu.Lock()
	changed := s.expected != configured
	s.expected = configured
	s.mu.Unlock()
	if changed {
		for _, e := range s.all() {
			e.up() // so that those that wait in vain end
		}
	}
}

// Up makes the streams use the namespace called netns. Connections in that
// namespace go on, those in another one end.
func (s *Streams) Up(netns string) error {
	next, err := openSpace(netns)
	if err != nil {
		return fmt.Errorf("opening the namespace of the router's own stack: %w", err)
	}
	s.mu.Lock()
	same := s.space != nil && s.space.identity == next.identity
	s.mu.Unlock()
	if same {
		next.close()
	} else {
		s.Down(errors.New("the router's own stack was made anew"))
		s.mu.Lock()
		s.space, s.why = next, nil
		s.mu.Unlock()
	}
	for _, e := range s.all() {
		e.up()
	}
	return nil
}

// Down ends all connections, with the reason why, and makes listeners wait.
func (s *Streams) Down(why error) {
	s.mu.Lock()
	old := s.space
	s.space, s.why = nil, why
	s.mu.Unlock()
	if old == nil {
		return
	}
	for _, e := range s.all() {
		e.down(why)
	}
	old.close()
}

// Readdress says that the stack's addresses, or those of the links, may have
// changed.
func (s *Streams) Readdress() {
	s.mu.Lock()
	sp := s.space
	close(s.readdressed)
	s.readdressed = make(chan struct{})
	s.mu.Unlock()
	if sp == nil {
		return
	}
	for _, link := range sp.links() {
		s.beside(func() { _, _ = sp.bridge(s.links, link) }) // tried again with the next connection
	}
}

// addressPatience is how long to wait for an address that the stack does not
// have: a protocol gets its configuration before the stack has all addresses.
const addressPatience = time.Second

// whenAddressed runs f, and again after changes of the stack's addresses as
// long as f fails for lack of one.
func (s *Streams) whenAddressed(f func() error) error {
	patience := time.NewTimer(addressPatience)
	defer patience.Stop()
	for {
		s.mu.Lock()
		changed := s.readdressed
		s.mu.Unlock()
		err := f()
		if !errors.Is(err, unix.EADDRNOTAVAIL) {
			return err
		}
		select {
		case <-changed:
		case <-patience.C:
			return err
		case <-s.ctx.Done():
			return err
		}
	}
}

func (s *Streams) all() (list []ender) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := range s.ends {
		list = append(list, e)
	}
	return list
}

// Flush waits until all connections that the protocols have closed have sent
// everything, or ctx is done. It does not wait for open ones.
func (s *Streams) Flush(ctx context.Context) {
	for _, e := range s.all() {
		c, ok := e.(*conn)
		if !ok || !c.closing() {
			continue
		}
		select {
		case <-c.ended:
		case <-ctx.Done():
			return
		}
	}
}

// Close ends everything without inputs to the protocols, and returns when all
// has ended.
func (s *Streams) Close() {
	s.mu.Lock()
	s.cancel() // nothing begins from now on
	s.mu.Unlock()
	s.Down(protocol.ErrNoStack)
	for _, e := range s.all() {
		e.down(protocol.ErrNoStack)
	}
	s.running.Wait()
}

// current returns the space for making sockets, or why there is none, and
// whether one is expected.
func (s *Streams) current() (sp *space, expected bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.space != nil:
		return s.space, true, nil
	case !s.expected:
		return nil, false, protocol.ErrNoStack
	}
	if errors.Is(s.why, protocol.ErrNoStack) {
		return nil, true, fmt.Errorf("%w: it is being made", errAway)
	}
	return nil, true, fmt.Errorf("%w; it is configured and not there now: %w", errAway, s.why)
}

// lives reports whether a space is the current one.
func (s *Streams) lives(sp *space) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.space == sp
}

var errAway = errors.New("the router's own TCP/IP stack is away")

// begin adds a connection or listener and starts run as its goroutine. It
// returns false after Close.
func (s *Streams) begin(e ender, run func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.ends[e] = true
	s.running.Go(run)
	return true
}

// beside runs f in the background, unless the streams are closed.
func (s *Streams) beside(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() == nil {
		s.running.Go(f)
	}
}

func (s *Streams) forget(e ender) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ends, e)
}

// leaving returns the listeners that their protocols have closed but that may
// still have the port.
func (s *Streams) leaving(port uint16) (list []<-chan struct{}) {
	for _, e := range s.all() {
		if l, ok := e.(*acceptor); ok && l.cfg.Local.Port() == port && l.over() {
			list = append(list, l.ended)
		}
	}
	return list
}

// number returns the number for the next accepted connection.
func (s *Streams) number() protocol.StreamID {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted++
	return s.accepted | protocol.AcceptedStream
}

// Client is the connections and listeners of one protocol.
type Client struct {
	streams *Streams
	hear    Hear

	mu        sync.Mutex
	conns     map[protocol.StreamID]*conn
	listeners map[protocol.StreamID]*acceptor
}

// For returns the client of a protocol, which gets its inputs through hear.
func (s *Streams) For(hear Hear) *Client {
	return &Client{
		streams: s, hear: hear, conns: map[protocol.StreamID]*conn{}, listeners: map[protocol.StreamID]*acceptor{},
	}
}

// Carry carries out a TCP effect of a protocol. It never waits.
func (c *Client) Carry(effect protocol.Effect) {
	switch e := effect.(type) {
	case protocol.Dial:
		n := newConn(c, e.ID)
		c.add(n)
		if !c.streams.begin(n, func() { n.dial(e) }) {
			c.remove(n)
		}
	case protocol.Listen:
		l := newAcceptor(c, e)
		l.after = c.streams.leaving(e.Local.Port())
		c.mu.Lock()
		c.listeners[e.ID] = l
		c.mu.Unlock()
		c.streams.begin(l, l.run)
	case protocol.SetPeer:
		if l := c.listener(e.ID); l != nil {
			l.setPeer(e.StreamPeer)
		}
	case protocol.ForgetPeer:
		if l := c.listener(e.ID); l != nil {
			l.forgetPeer(e)
		}
	case protocol.Write:
		if n := c.conn(e.ID); n != nil {
			n.write(e.Data)
		}
	case protocol.CloseStream:
		if n := c.conn(e.ID); n != nil {
			n.close(e.Reset)
		} else if l := c.listener(e.ID); l != nil {
			l.close()
		}
	}
}

func (c *Client) conn(id protocol.StreamID) *conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conns[id]
}

func (c *Client) listener(id protocol.StreamID) *acceptor {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.listeners[id]
}

func (c *Client) add(n *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns[n.id] = n
}

func (c *Client) remove(n *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, n.id)
}

// say sends the protocol an input and waits until it has processed it. It
// returns false if the streams are closed.
func (c *Client) say(in protocol.Input, stepped chan struct{}) bool {
	if c.hear(c.streams.ctx, in, func() { stepped <- struct{}{} }) != nil {
		return false
	}
	select {
	case <-stepped:
		return true
	case <-c.streams.ctx.Done():
		return false
	}
}

// lingering bounds how long a connection that its protocol has closed still
// sends earlier writes and waits for the other side to close too.
const lingering = 5 * time.Second

// discards is how many octets are read and thrown away meanwhile. After that they stay
// with the kernel, which then has the other side wait: one that sends on and on shall not
// take the time of a processor.
const discards = 1 << 20
