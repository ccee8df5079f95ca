package localstack

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"routerd/routing"
	"routerd/routing/protocol"
)

// conn is a connection. Its goroutine connects, reads and reports the end; a
// second one writes while there is something to write.
type conn struct {
	client  *Client
	id      protocol.StreamID
	stepped chan struct{}
	known   chan struct{} // closed when its protocol knows of it or never will
	ahead   chan struct{} // holds one for each block that its protocol has still to process
	ended   chan struct{}

	mu        sync.Mutex
	file      *os.File // nil until there is a socket
	raw       syscall.RawConn
	connected bool
	why       error // reason of its end, for the protocol
	closed    bool  // by its protocol, which gets no more inputs
	waiting   []byte
	taken     int           // octets of it that the writer has taken
	writing   chan struct{} // closed when the writer ends; nil while there is none
	pressed   bool          // more than half of the room was taken

	discarded int // octets that came when it was closed; the reading goroutine's own
}

func newConn(c *Client, id protocol.StreamID) *conn {
	return &conn{
		client: c, id: id,
		stepped: make(chan struct{}, 1), known: make(chan struct{}), ahead: make(chan struct{}, readAhead), ended: make(chan struct{}),
	}
}

func (c *conn) up() {}

// down ends the connection, with why as the reason.
func (c *conn) down(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail(why)
}

// fail makes the connection's goroutine end. The first reason counts. The
// caller holds c.mu.
func (c *conn) fail(why error) {
	if c.why == nil {
		c.why = why
	}
	if c.file != nil {
		c.file.Close()
	}
}

// adopt gives the connection its socket, or closes the socket if the connection
// has ended already.
func (c *conn) adopt(fd int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := file(fd)
	raw, err := f.SyscallConn()
	if c.why != nil {
		err = c.why
	}
	if err != nil {
		f.Close()
		return err
	}
	c.file, c.raw = f, raw
	return nil
}

// dial is the goroutine of an outgoing connection.
func (c *conn) dial(d protocol.Dial) {
	local, err := c.connect(d)
	if err != nil {
		c.end(fmt.Errorf("connecting to %v: %w", d.Remote, reason(err)))
		return
	}
	c.run(protocol.Connected{ID: c.id, Local: local, Remote: d.Remote, Link: d.Link, Room: protocol.StreamRoom})
}

func (c *conn) connect(d protocol.Dial) (local netip.AddrPort, err error) {
	sp, _, err := c.client.streams.current()
	if err != nil {
		return local, err
	}
	fam := family(d.Remote.Addr())
	var fd int
	var zone uint32
	err = c.client.streams.whenAddressed(func() (err error) {
		if fd, err = sp.socket(fam); err != nil {
			return err
		}
		if zone, err = c.client.zone(sp, d.Remote.Addr(), d.Link); err == nil {
			err = prepareDial(fd, fam, d, zone)
		}
		if err != nil {
			unix.Close(fd)
		}
		return err
	})
	if err != nil {
		return local, err
	}
	if err := c.adopt(fd); err != nil {
		return local, err
	}
	asked := false
	var failed error
	err = c.raw.Write(func(fd uintptr) bool {
		if !asked {
			asked = true
			failed = unix.Connect(int(fd), sockaddr(d.Remote, zone))
			return !errors.Is(failed, unix.EINPROGRESS)
		}
		errno, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		failed = err
		if err == nil && errno != 0 {
			failed = syscall.Errno(errno)
		}
		if failed != nil {
			return true
		}
		_, err = unix.Getpeername(int(fd))
		return err == nil // else it was woken early
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return local, err
	}
	err = c.control(func(fd int) error {
		sa, err := unix.Getsockname(fd)
		local = addrPort(sa)
		return err
	})
	return local, err
}

// prepareDial sets a socket's options and binds it if the protocol wants that.
func prepareDial(fd, fam int, d protocol.Dial, zone uint32) error {
	if err := setOptions(fd, fam, d.StreamOptions); err != nil {
		return err
	}
	if d.Secret != "" {
		if err := setSecret(fd, fam, netip.PrefixFrom(d.Remote.Addr(), d.Remote.Addr().BitLen()), d.Secret); err != nil {
			return err
		}
	}
	local := d.Local
	if !local.Addr().IsValid() {
		if local.Port() == 0 {
			return nil
		}
		local = netip.AddrPortFrom(everybody(fam).Addr(), local.Port())
	}
	if family(local.Addr()) != fam {
		return fmt.Errorf("from %v: an address of the same family is wanted", local.Addr())
	}
	// A port that the protocol chooses may be in use with other remote ends. A
	// port that the kernel chooses needs to be free only for this remote end.
	name, level := unix.IP_BIND_ADDRESS_NO_PORT, unix.IPPROTO_IP
	if local.Port() != 0 {
		name, level = unix.SO_REUSEADDR, unix.SOL_SOCKET
	}
	if err := unix.SetsockoptInt(fd, level, name, 1); err != nil {
		return fmt.Errorf("setting how a TCP socket is bound: %w", err)
	}
	return bindTo(fd, local, zone)
}

// zone returns the index of the device of a link-local address, 0 for other
// addresses.
func (c *Client) zone(sp *space, a netip.Addr, link routing.InterfaceID) (uint32, error) {
	if !linkLocal(a) {
		return 0, nil
	}
	b, err := sp.bridge(c.streams.links, link)
	if err != nil {
		return 0, err
	}
	return uint32(b.index), nil
}

// linkLocal reports whether an address is valid only together with its link.
func linkLocal(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() }

// bindTo binds a socket. Its errors are in plain words.
func bindTo(fd int, local netip.AddrPort, zone uint32) error {
	err := unix.Bind(fd, sockaddr(local, zone))
	switch {
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("binding to %v: the router's own stack has no such address: %w", local, err)
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("binding to %v: somebody else in the namespace of the router's own stack has the port: %w", local, err)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("binding to %v: a port below 1024 takes CAP_NET_BIND_SERVICE: %w", local, err)
	case err != nil:
		return fmt.Errorf("binding to %v: %w", local, err)
	}
	return nil
}

func (c *conn) control(f func(fd int) error) error {
	var failed error
	if err := c.raw.Control(func(fd uintptr) { failed = f(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// run reports the connection to the protocol, waits until the protocol has processed
// that, and then reports everything received on it.
func (c *conn) run(first protocol.Connected) {
	c.mu.Lock()
	c.connected = true
	if len(c.waiting) > 0 {
		c.startWriter() // written before it was connected
	}
	c.mu.Unlock()
	var err error
	if !c.client.say(first, c.stepped) {
		err = errUnheard
	}
	close(c.known)
	for err == nil {
		err = c.read()
	}
	c.end(err)
}

// errUnheard ends a connection when its protocol has stopped.
var errUnheard = errors.New("the router stops")

func ignoringEINTR(f func() (int, error)) (int, error) {
	for {
		n, err := f()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// end finishes the connection's goroutine: it closes the socket and reports the
// reason.
func (c *conn) end(err error) {
	c.mu.Lock()
	if c.closed && c.why == nil {
		switch writing := c.writing; {
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.reset()
		case writing != nil: // the last octets are still to be sent
			c.mu.Unlock()
			<-writing
			c.mu.Lock()
		}
	}
	if c.why != nil {
		err = c.why
	}
	c.fail(err)
	silent := c.closed
	c.waiting = nil
	c.mu.Unlock()
	c.client.remove(c)
	if !silent {
		_ = c.client.hear(c.client.streams.ctx, protocol.Closed{ID: c.id, Err: err}, func() {})
	}
	c.client.streams.forget(c)
	close(c.ended)
}

// closing reports whether the protocol has closed the connection.
func (c *conn) closing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// close carries out the protocol's request: waiting octets are sent, and then
// the other side has some seconds to close too, so that it reads them before
// the kernel resets the connection.
func (c *conn) close(reset bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	switch {
	case !c.connected, reset:
		c.reset()
	default:
		_ = c.file.SetDeadline(time.Now().Add(lingering))
		if c.writing == nil {
			c.shut()
		}
	}
}

// reset ends the connection with a reset to the other side. The caller holds
// c.mu.
func (c *conn) reset() {
	if c.raw != nil {
		_ = c.control(func(fd int) error {
			return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		})
	}
	c.fail(protocol.ErrStreamEnd)
}

// shut sends the end of the stream. The caller holds c.mu.
func (c *conn) shut() {
	if c.control(func(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) }) != nil {
		c.reset() // it was not connected yet, or is not any more
	}
}
