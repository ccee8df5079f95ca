package localstack

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// listenAgain is how often a Server tries again to listen, where nothing says when
// it could.
const listenAgain = time.Second

// Server is a net.Listener in the stack, for the router's own services. It outlives
// the stack: while there is none, or the stack has not the address, it waits, and
// connections that were in a stack that is gone are closed.
type Server struct {
	streams *Streams
	local   netip.AddrPort
	note    func(err error)

	wake chan struct{} // there may be a stack
	quit chan struct{} // closed by Close

	mu     sync.Mutex
	l      net.Listener // nil while it waits
	conns  map[*visit]bool
	closed bool
	noted  string // what note was told last
}

// Serve returns a Server at an address, which may be every one of a family. It
// listens from the first Accept. note is told why it does not listen, and nil when it
// does, whenever that changes; it must not wait.
func (s *Streams) Serve(local netip.AddrPort, note func(err error)) *Server {
	v := &Server{
		streams: s, local: local, note: note, noted: "-",
		wake: make(chan struct{}, 1), quit: make(chan struct{}), conns: map[*visit]bool{},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends[v] = true
	return v
}

// Addr returns the address that it was made for.
func (v *Server) Addr() net.Addr { return net.TCPAddrFromAddrPort(v.local) }

// Close ends it, and not the connections. Accept returns net.ErrClosed from then on.
func (v *Server) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return net.ErrClosed
	}
	v.closed = true
	close(v.quit)
	if v.l != nil {
		v.l.Close()
	}
	v.streams.forget(v)
	return nil
}

// Accept waits for the next connection, however often the stack goes and comes.
func (v *Server) Accept() (net.Conn, error) {
	for {
		l, err := v.listener()
		if err != nil {
			return nil, err
		}
		c, err := l.Accept()
		v.mu.Lock()
		closed, same := v.closed, v.l == l
		if err == nil && same && !closed {
			c = v.visited(c)
			v.mu.Unlock()
			return c, nil
		}
		v.mu.Unlock()
		if err == nil {
			c.Close()
		}
		switch {
		case closed:
			return nil, net.ErrClosed
		case same:
			return nil, err
		}
		// Its stack went meanwhile, and there may be another one.
	}
}

// listener returns the socket, and waits for it as long as there can be none.
func (v *Server) listener() (net.Listener, error) {
	again := time.NewTicker(listenAgain)
	defer again.Stop()
	for {
		v.mu.Lock()
		l := v.l
		v.mu.Unlock()
		if l != nil {
			return l, nil
		}
		v.streams.mu.Lock()
		changed := v.streams.readdressed
		v.streams.mu.Unlock()
		l, err := v.open()
		v.tell(err)
		if err == nil {
			return l, nil
		}
		select {
		case <-v.quit:
			return nil, net.ErrClosed
		case <-v.wake:
		case <-changed:
		case <-again.C:
		}
	}
}

// tell tells note what has changed.
func (v *Server) tell(err error) {
	says := ""
	if err != nil {
		says = err.Error()
	}
	select {
	case <-v.quit:
		return
	default:
	}
	if v.noted != says {
		v.noted = says
		v.note(err)
	}
}

// open listens in the stack that there is.
func (v *Server) open() (net.Listener, error) {
	sp, _, err := v.streams.current()
	if err != nil {
		return nil, err
	}
	fd, err := sp.socket(family(v.local.Addr()))
	if err != nil {
		return nil, err
	}
	f := file(fd)
	defer f.Close() // the listener has a descriptor of its own
	if err := v.prepare(fd); err != nil {
		return nil, err
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("listening at %v: %w", v.local, err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	// A stack that went meanwhile has told only those that had a socket.
	if v.closed || !v.streams.lives(sp) {
		l.Close()
		return nil, errSpaceClosed
	}
	v.l = l
	return l, nil
}

func (v *Server) prepare(fd int) error {
	// SO_REUSEADDR: connections from before a restart may still exist.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return fmt.Errorf("preparing a socket to listen: %w", err)
	}
	if err := bindTo(fd, v.local, 0); err != nil {
		return err
	}
	if err := unix.Listen(fd, backlog); err != nil {
		return fmt.Errorf("listening at %v: %w", v.local, err)
	}
	return nil
}

func (v *Server) up() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// down closes what is in a stack that is gone.
func (v *Server) down(error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.l != nil {
		v.l.Close()
		v.l = nil
	}
	for c := range v.conns {
		c.Conn.Close()
	}
	clear(v.conns)
}

// visit is a connection that is closed when its stack goes.
type visit struct {
	net.Conn
	of *Server
}

// visited notes a connection. The lock is held.
func (v *Server) visited(c net.Conn) net.Conn {
	s := &visit{c, v}
	v.conns[s] = true
	return s
}

// Close closes the connection.
func (s *visit) Close() error {
	s.of.mu.Lock()
	delete(s.of.conns, s)
	s.of.mu.Unlock()
	return s.Conn.Close()
}
