package localstack

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"routerd/routing"
	"routerd/routing/protocol"
)

// acceptor is a listener of a protocol. It outlives restarts of the stack.
type acceptor struct {
	client  *Client
	cfg     protocol.Listen
	wake    chan struct{} // there may be a stack
	quit    chan struct{} // closed by close
	stepped chan struct{}
	ended   chan struct{}
	after   []<-chan struct{} // it begins when all these are closed

	mu     sync.Mutex
	peers  map[peer]protocol.StreamOptions
	space  *space   // that file is of
	file   *os.File // nil while it waits for a stack
	closed bool     // by its protocol
	gone   bool     // its stack is gone, and with it the file
	failed error    // reason for closing the file
}

func newAcceptor(c *Client, cfg protocol.Listen) *acceptor {
	l := &acceptor{
		client: c, cfg: cfg, wake: make(chan struct{}, 1), quit: make(chan struct{}),
		stepped: make(chan struct{}, 1), ended: make(chan struct{}),
		peers: map[peer]protocol.StreamOptions{},
	}
	for _, p := range cfg.Peers {
		l.peers[peerOf(p.Remote, p.Link)] = p.StreamOptions
	}
	return l
}

func (l *acceptor) up() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// down makes the listener wait for another stack.
func (l *acceptor) down(error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.gone = true
		l.file.Close()
	}
}

// close carries out the protocol's request.
func (l *acceptor) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	close(l.quit)
	if l.file != nil {
		l.file.Close()
	}
}

// run is the listener's goroutine.
func (l *acceptor) run() {
	defer close(l.ended)
	defer l.client.streams.forget(l)
	for _, gone := range l.after {
		select {
		case <-gone:
		case <-l.quit:
		case <-l.client.streams.ctx.Done():
		}
	}
	err := l.serve()
	l.left() // nothing is open any more, however it ended
	l.client.mu.Lock()
	delete(l.client.listeners, l.cfg.ID)
	l.client.mu.Unlock()
	if err != nil {
		_ = l.client.hear(l.client.streams.ctx, protocol.Closed{ID: l.cfg.ID, Err: fmt.Errorf("listening at %v: %w", l.cfg.Local, err)}, func() {})
	}
}

// serve accepts connections in one stack after another, until the protocol
// closes the listener or it cannot be opened.
func (l *acceptor) serve() error {
	for {
		sp, expected, err := l.client.streams.current()
		if err == nil {
			err = l.client.streams.whenAddressed(func() error { return l.put(sp) })
			if err == nil {
				if _, err = l.links(sp); err != nil { // of peers that were added while put made the socket
					l.left()
				}
			}
		}
		switch {
		case l.over():
			return nil
		case errors.Is(err, errSpaceClosed):
			continue
		case err == nil:
			if err = l.accept(); !l.left() && !l.over() {
				return err
			}
			continue
		case !expected || !errors.Is(err, errAway):
			return err
		}
		select {
		case <-l.wake:
		case <-l.quit:
			return nil
		case <-l.client.streams.ctx.Done():
			return nil
		}
	}
}

// over reports whether the listener is no longer wanted.
func (l *acceptor) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed || l.client.streams.ctx.Err() != nil
}

// left closes the socket and reports whether the reason is that its stack is
// gone.
func (l *acceptor) left() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	gone := l.gone
	l.file.Close()
	l.file, l.gone = nil, false
	return gone
}

// put makes the socket, and sets all secrets before it listens.
func (l *acceptor) put(sp *space) error {
	zone, err := l.links(sp)
	if err != nil {
		return err
	}
	fam := family(l.cfg.Local.Addr())
	fd, err := sp.socket(fam)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	err = l.prepare(fd, fam, zone)
	if err == nil {
		l.file, l.space = file(fd), sp
		// One that went meanwhile has told only those that had a file.
		if l.closed || !l.client.streams.lives(sp) {
			l.file.Close()
			l.file = nil
			return errSpaceClosed
		}
		return nil
	}
	unix.Close(fd)
	return err
}

// links makes the bridges of link-local peers, and returns the device of the
// listener's own link-local address.
func (l *acceptor) links(sp *space) (zone uint32, err error) {
	l.mu.Lock()
	var list []routing.InterfaceID
	for p := range l.peers {
		if p.link != routing.NoInterface {
			list = append(list, p.link)
		}
	}
	l.mu.Unlock()
	for _, link := range list {
		if _, err := sp.bridge(l.client.streams.links, link); err != nil {
			return 0, err
		}
	}
	return l.client.zone(sp, l.cfg.Local.Addr(), l.cfg.Link)
}

func (l *acceptor) prepare(fd, fam int, zone uint32) error {
	o := l.cfg.StreamOptions
	o.MinTTL = l.lowest()
	if err := setOptions(fd, fam, o); err != nil {
		return err
	}
	if l.cfg.Secret != "" {
		if err := setSecret(fd, fam, everybody(fam), l.cfg.Secret); err != nil {
			return err
		}
	}
	for p, o := range l.peers {
		if err := l.secret(fd, fam, p.remote, o.Secret); err != nil {
			return err
		}
	}
	// SO_REUSEADDR: connections from before a restart may still exist.
	// TCP_SAVE_SYN: the first segment's TTL is checked when its peer is known.
	for _, o := range [][2]int{{unix.SOL_SOCKET, unix.SO_REUSEADDR}, {unix.IPPROTO_TCP, unix.TCP_SAVE_SYN}} {
		if err := unix.SetsockoptInt(fd, o[0], o[1], 1); err != nil {
			return fmt.Errorf("preparing a socket to listen: %w", err)
		}
	}
	if err := bindTo(fd, l.cfg.Local, zone); err != nil {
		return err
	}
	if err := unix.Listen(fd, backlog); errors.Is(err, unix.EADDRINUSE) {
		return fmt.Errorf("somebody else in the namespace of the router's own stack has the port: %w", err)
	} else if err != nil {
		return err
	}
	return nil
}

// backlog is how many connections may wait to be accepted.
const backlog = 1024

// accept accepts one connection after another, each when the protocol knows of
// the one before. A bounded number of further ones wait in the kernel.
func (l *acceptor) accept() error {
	raw, err := l.file.SyscallConn()
	if err != nil {
		return err
	}
	for {
		var fd int
		var remote unix.Sockaddr
		var failed error
		err := raw.Read(func(at uintptr) bool {
			fd, remote, failed = unix.Accept4(int(at), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			return !errors.Is(failed, unix.EAGAIN)
		})
		switch {
		case err != nil:
			return l.cause(err)
		case errors.Is(failed, unix.ECONNABORTED), errors.Is(failed, unix.EINTR):
			continue // it has gone again
		case failed != nil:
			return failed
		}
		l.welcome(fd, remote)
	}
}

// cause returns why the socket was closed, or else err.
func (l *acceptor) cause(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return l.failed
	}
	return err
}

// welcome makes a connection of an accepted socket, unless the TTL of its first
// segment is too low for its peer.
func (l *acceptor) welcome(fd int, from unix.Sockaddr) {
	fam := family(l.cfg.Local.Addr())
	remote, link := addrPort(from), routing.NoInterface
	if sa, ok := from.(*unix.SockaddrInet6); ok && linkLocal(remote.Addr()) {
		link = l.space.linkOf(sa.ZoneId)
	}
	o := l.optionsFor(remote.Addr(), link)
	if hops, ok := firstHops(fd); !ok && o.MinTTL > 0 || hops < o.MinTTL || setOptions(fd, fam, o) != nil {
		_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		unix.Close(fd)
		return
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		unix.Close(fd)
		return
	}
	c := newConn(l.client, l.client.streams.number())
	if c.adopt(fd) != nil {
		return
	}
	l.client.add(c)
	first := protocol.Connected{
		ID: c.id, Listener: l.cfg.ID, Local: addrPort(sa), Remote: remote,
		Link: link, Room: protocol.StreamRoom,
	}
	if !l.client.streams.begin(c, func() { c.run(first) }) {
		c.down(protocol.ErrNoStack)
		l.client.remove(c)
		return
	}
	if !l.client.streams.lives(l.space) {
		c.down(errSpaceClosed) // it was not there yet when the others were told
	}
	<-c.known
}

// firstHops returns the TTL or hop limit of a connection's first segment.
func firstHops(fd int) (hops uint8, ok bool) {
	var head [512]byte // IP header and TCP header, with all options
	size := uint32(len(head))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_SAVED_SYN,
		uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&size)), 0)
	switch {
	case errno != 0 || size < 20:
		return 0, false
	case head[0]>>4 == 4:
		return head[8], true
	default:
		return head[7], true
	}
}
