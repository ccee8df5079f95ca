package localstack

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"routerd/routing"
	"routerd/routing/protocol"
)

// acceptor is a listener: it accepts connections for a protocol, in each stack that there is.
type acceptor struct {
	client  *Client
	cfg     protocol.Listen
	wake    chan struct{} // there may be a stack
	quit    chan struct{} // closed by close
	stepped chan struct{}
	ended   chan struct{}

	mu     sync.Mutex
	peers  map[netip.Prefix]protocol.StreamOptions
	file   *os.File // nil while it waits for a stack
	closed bool     // by its protocol
	gone   bool     // its stack went, and with it its file
	failed error    // the file was closed by
}

func newAcceptor(c *Client, cfg protocol.Listen) *acceptor {
	l := &acceptor{
		client: c, cfg: cfg, wake: make(chan struct{}, 1), quit: make(chan struct{}),
		stepped: make(chan struct{}, 1), ended: make(chan struct{}),
		peers: map[netip.Prefix]protocol.StreamOptions{},
	}
	for _, p := range cfg.Peers {
		l.peers[p.Remote.Masked()] = p.StreamOptions
	}
	return l
}

func (l *acceptor) done() <-chan struct{} { return l.ended }

func (l *acceptor) up() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// down has the listener wait for another stack.
func (l *acceptor) down(error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.gone = true
		l.file.Close()
	}
}

// close is the protocol's.
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
	err := l.serve()
	l.left() // nothing is open any more, however it ended
	l.client.mu.Lock()
	delete(l.client.listeners, l.cfg.ID)
	l.client.mu.Unlock()
	if err != nil {
		_ = l.client.hear(l.client.streams.ctx, protocol.Closed{ID: l.cfg.ID, Err: fmt.Errorf("listening at %v: %w", l.cfg.Local, err)}, func() {})
	}
}

// serve accepts in one stack after another, until the protocol closes the
// listener or it cannot be put up.
func (l *acceptor) serve() error {
	for {
		sp, expected, err := l.client.streams.current()
		if err == nil {
			err = l.put(sp)
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

// over reports whether nobody wants the listener any more.
func (l *acceptor) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed || l.client.streams.ctx.Err() != nil
}

// left puts the socket away and reports whether that is because its stack went.
func (l *acceptor) left() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	gone := l.gone
	l.file.Close()
	l.file, l.gone = nil, false
	return gone
}

// put makes the socket, with every secret in force before it listens.
func (l *acceptor) put(sp *space) error {
	fam := family(l.cfg.Local.Addr())
	fd, err := sp.socket(fam)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	err = l.prepare(fd, fam)
	if err == nil {
		l.file = file(fd)
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

func (l *acceptor) prepare(fd, fam int) error {
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
	for remote, o := range l.peers {
		if err := l.secret(fd, fam, remote, o.Secret); err != nil {
			return err
		}
	}
	// SO_REUSEADDR: connections of an earlier life may not have died yet.
	// TCP_SAVE_SYN: what a first segment arrived with is judged when it is known
	// whose it is.
	for _, o := range [][2]int{{unix.SOL_SOCKET, unix.SO_REUSEADDR}, {unix.IPPROTO_TCP, unix.TCP_SAVE_SYN}} {
		if err := unix.SetsockoptInt(fd, o[0], o[1], 1); err != nil {
			return fmt.Errorf("preparing a socket to listen: %w", err)
		}
	}
	if err := bindTo(fd, l.cfg.Local, 0); err != nil {
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

// lowest is what the kernel drops less than, of everybody: the lowest TTL that
// any peer may send with. The caller holds l.mu.
func (l *acceptor) lowest() uint8 {
	low := l.cfg.MinTTL
	for _, o := range l.peers {
		low = min(low, o.MinTTL)
	}
	return low
}

// secret sets the secret of a peer; a prefix of the other family has none here.
func (l *acceptor) secret(fd, fam int, remote netip.Prefix, secret string) error {
	if family(remote.Addr()) != fam || secret == "" {
		return nil
	}
	return setSecret(fd, fam, remote, secret)
}

// setPeer changes what holds for a peer. What the kernel does not take ends the
// listener: it must not accept what was to be signed.
func (l *acceptor) setPeer(p protocol.StreamPeer) {
	l.change(p.Remote.Masked(), p.Secret, func(m map[netip.Prefix]protocol.StreamOptions, r netip.Prefix) { m[r] = p.StreamOptions })
}

func (l *acceptor) forgetPeer(remote netip.Prefix) {
	l.change(remote.Masked(), "", func(m map[netip.Prefix]protocol.StreamOptions, r netip.Prefix) { delete(m, r) })
}

func (l *acceptor) change(remote netip.Prefix, secret string, note func(map[netip.Prefix]protocol.StreamOptions, netip.Prefix)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.peers[remote].Secret
	note(l.peers, remote)
	fam := family(l.cfg.Local.Addr())
	if l.file == nil || family(remote.Addr()) != fam {
		return
	}
	raw, err := l.file.SyscallConn()
	if err == nil {
		failed := raw.Control(func(fd uintptr) {
			if was != secret {
				err = setSecret(int(fd), fam, remote, secret)
			}
			err = errors.Join(err, setLowest(int(fd), fam, l.lowest()))
		})
		err = errors.Join(err, failed)
	}
	if err != nil {
		l.failed = err
		l.file.Close()
	}
}

// optionsFor gives what holds for a remote address.
func (l *acceptor) optionsFor(a netip.Addr) protocol.StreamOptions {
	l.mu.Lock()
	defer l.mu.Unlock()
	best, o := -1, l.cfg.StreamOptions
	for p, options := range l.peers {
		if p.Contains(a) && p.Bits() > best {
			best, o = p.Bits(), options
		}
	}
	return o
}

// accept takes one connection after another, each when the protocol has heard of
// the one before: what comes faster waits in the kernel, a bounded number.
func (l *acceptor) accept() error {
	raw, err := l.file.SyscallConn()
	if err != nil {
		return err
	}
	for {
		var fd int
		var remote netip.AddrPort
		var failed error
		err := raw.Read(func(at uintptr) bool {
			var sa unix.Sockaddr
			fd, sa, failed = unix.Accept4(int(at), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			if failed == nil {
				remote = addrPort(sa)
			}
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

// cause gives why the socket was closed, or else err.
func (l *acceptor) cause(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return l.failed
	}
	return err
}

// welcome makes a connection of an accepted socket, unless its first segment
// came from farther away than its peer may be.
func (l *acceptor) welcome(fd int, remote netip.AddrPort) {
	fam := family(l.cfg.Local.Addr())
	o := l.optionsFor(remote.Addr())
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
		Link: linkOf(remote.Addr(), routing.NoInterface), Room: protocol.StreamRoom,
	}
	if !l.client.streams.begin(c, func() { c.run(first) }) {
		c.down(protocol.ErrNoStack)
		l.client.remove(c)
		return
	}
	<-c.known
}

// firstHops gives the TTL or hop limit of a connection's first segment.
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
