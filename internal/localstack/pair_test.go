package localstack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port/device"
	"routerd/routing/protocol"
)

// pair is two namespaces on one cable: in one of them streams live, in the other
// whoever they talk to. Addresses are 10.7.0.1 and .2, 2001:db8:7::1 and ::2.
type pair struct {
	t          *testing.T
	here, far  string
	streams    *Streams
	client     *Client
	mu         sync.Mutex
	heard      []protocol.Input
	news       chan struct{}
	hold       bool          // steps nothing until release
	late       protocol.Late // the last one
	unstepped  []func()
	lastStream protocol.StreamID
}

var pairs atomic.Int32

func newPair(t *testing.T) *pair {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("making network namespaces needs root")
	}
	n := pairs.Add(1)
	p := &pair{t: t, here: fmt.Sprintf("lsp%d-%da", os.Getpid(), n), far: fmt.Sprintf("lsp%d-%db", os.Getpid(), n), news: make(chan struct{}, 1)}
	t.Cleanup(func() { exec.Command("ip", "netns", "del", p.far).Run() })
	p.ip("netns", "add", p.far)
	p.cable()
	t.Cleanup(func() { exec.Command("ip", "netns", "del", p.here).Run() })
	p.streams = NewStreams(nil)
	t.Cleanup(p.streams.Close)
	p.streams.Expect(true)
	if err := p.streams.Up(p.here); err != nil {
		t.Fatal(err)
	}
	p.client = p.streams.For(p.hear)
	return p
}

func (p *pair) ip(args ...string) {
	p.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		p.t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// cable makes the namespace of the streams and joins it to the other one.
func (p *pair) cable() {
	p.t.Helper()
	exec.Command("ip", "-n", p.far, "link", "del", "v0").Run() // of a namespace that dies slowly
	p.ip("netns", "add", p.here)
	p.ip("-n", p.here, "link", "add", "v0", "type", "veth", "peer", "name", "v0", "netns", p.far)
	for i, ns := range []string{p.here, p.far} {
		p.ip("-n", ns, "address", "add", fmt.Sprintf("10.7.0.%d/24", i+1), "dev", "v0")
		p.ip("-n", ns, "address", "add", fmt.Sprintf("2001:db8:7::%d/64", i+1), "dev", "v0", "nodad")
		p.ip("-n", ns, "link", "set", "lo", "up")
		p.ip("-n", ns, "link", "set", "v0", "up")
	}
}

// hear is the protocol: it deals with everything at once, unless it is held.
func (p *pair) hear(_ context.Context, in protocol.Input, stepped func()) error {
	if r, ok := in.(protocol.Read); ok {
		in = protocol.Read{ID: r.ID, Data: []byte(string(r.Data))}
	}
	late, isLate := in.(protocol.Late)
	if isLate {
		in = late()
	}
	p.mu.Lock()
	if isLate {
		p.late = late
	}
	p.heard = append(p.heard, in)
	hold := p.hold
	if hold {
		p.unstepped = append(p.unstepped, stepped)
	}
	p.mu.Unlock()
	select {
	case p.news <- struct{}{}:
	default:
	}
	if !hold {
		stepped()
	}
	return nil
}

func (p *pair) release() {
	p.mu.Lock()
	p.hold = false
	list := p.unstepped
	p.unstepped = nil
	p.mu.Unlock()
	for _, f := range list {
		f()
	}
}

// await gives the first input heard so far or from now on that f takes.
func await[T protocol.Input](p *pair, what string, f func(T) bool) T {
	p.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		p.mu.Lock()
		for i, in := range p.heard {
			if x, ok := in.(T); ok && f(x) {
				p.heard = append(p.heard[:i:i], p.heard[i+1:]...)
				p.mu.Unlock()
				return x
			}
		}
		p.mu.Unlock()
		select {
		case <-p.news:
		case <-deadline:
			p.mu.Lock()
			defer p.mu.Unlock()
			p.t.Fatalf("waiting for %s: heard only %.600s", what, fmt.Sprint(p.heard))
		}
	}
}

func (p *pair) next() protocol.StreamID { p.lastStream++; return p.lastStream }

func (p *pair) listen(l protocol.Listen) protocol.StreamID {
	p.t.Helper()
	l.ID = p.next()
	p.client.Carry(l)
	return l.ID
}

func (p *pair) dial(d protocol.Dial) protocol.StreamID {
	d.ID = p.next()
	p.client.Carry(d)
	return d.ID
}

func (p *pair) connected(id protocol.StreamID) protocol.Connected {
	p.t.Helper()
	return await(p, fmt.Sprintf("connection %d", id), func(c protocol.Connected) bool { return c.ID == id })
}

func (p *pair) accepted(by protocol.StreamID) protocol.Connected {
	p.t.Helper()
	return await(p, fmt.Sprintf("a connection that listener %d accepts", by), func(c protocol.Connected) bool { return c.Listener == by })
}

func (p *pair) closed(id protocol.StreamID) error {
	p.t.Helper()
	return await(p, fmt.Sprintf("the end of %#x", uint64(id)), func(c protocol.Closed) bool { return c.ID == id }).Err
}

// read gives what comes by a connection until it is so many octets.
func (p *pair) read(id protocol.StreamID, n int) string {
	p.t.Helper()
	var got strings.Builder
	for got.Len() < n {
		got.Write(await(p, fmt.Sprintf("%d octets", n), func(r protocol.Read) bool { return r.ID == id }).Data)
	}
	return got.String()
}

// Peers in the other namespace.

// farDial connects to the streams, signing with a secret unless it is "". Where
// nobody listens yet it waits for that.
func (p *pair) farDial(to, secret string, ttl int, patience time.Duration) (net.Conn, error) {
	d := net.Dialer{Timeout: patience, FallbackDelay: -1, Control: peerControl(netip.MustParseAddrPort(to).Addr(), secret, ttl)}
	var c net.Conn
	err := device.InNamespace(p.far, func() (err error) {
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			c, err = d.Dial("tcp", to)
			if !errors.Is(err, unix.ECONNREFUSED) || time.Now().After(deadline) {
				return err
			}
		}
	})
	if err == nil {
		p.t.Cleanup(func() { c.Close() })
		err = c.SetDeadline(time.Now().Add(20 * time.Second))
	}
	return c, err
}

func (p *pair) mustDial(to, secret string, ttl int) net.Conn {
	p.t.Helper()
	c, err := p.farDial(to, secret, ttl, 10*time.Second)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// farListen is somebody who listens in the other namespace, until the test ends.
func (p *pair) farListen(at, secret string, ttl int) net.Listener {
	p.t.Helper()
	remote := netip.MustParseAddr("10.7.0.1")
	if strings.HasPrefix(at, "[") {
		remote = netip.MustParseAddr("2001:db8:7::1")
	}
	c := net.ListenConfig{Control: peerControl(remote, secret, ttl)}
	var l net.Listener
	err := device.InNamespace(p.far, func() (err error) {
		l, err = c.Listen(p.t.Context(), "tcp", at)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { l.Close() })
	return l
}

// peerControl sets what a peer of another make would, by the plain option of the
// kernel's that signs for one address.
func peerControl(remote netip.Addr, secret string, ttl int) func(string, string, syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			if secret != "" {
				sig := unix.TCPMD5Sig{Keylen: uint16(len(secret))}
				copy(sig.Key[:], secret)
				if remote.Is4() {
					sig.Addr.Family = unix.AF_INET
					copy(sig.Addr.Data[2:], remote.AsSlice())
				} else {
					sig.Addr.Family = unix.AF_INET6
					copy(sig.Addr.Data[6:], remote.AsSlice())
				}
				failed = unix.SetsockoptTCPMD5Sig(int(fd), unix.IPPROTO_TCP, unix.TCP_MD5SIG, &sig)
			}
			if ttl != 0 {
				level, name := unix.IPPROTO_IP, unix.IP_TTL
				if !remote.Is4() {
					level, name = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS
				}
				failed = errors.Join(failed, unix.SetsockoptInt(int(fd), level, name, ttl))
			}
		})
		return errors.Join(err, failed)
	}
}
