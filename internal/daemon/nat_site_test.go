package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"routerd/dataplane/port/device"
	"routerd/internal/control"
)

// natSite is a router that translates, on an Ethernet outside, where a host
// of the kernel's is its neighbour and leads on to a narrower network:
//
//	h1 10.0.1.2 -- lan0 [ r1 ] wan0 -- veth -- out 203.0.113.2 -- far 198.51.100.2
//	h2 10.0.2.2 -- lan1 [    ]  203.0.113.1    203.0.113.3         198.51.100.3
//	                            MTU 1400                 MTU 1300
//
// Nobody outside has a route to 10.0.0.0/8, so what is not translated gets no
// answer.
type natSite struct {
	*site
	t        *testing.T
	out, far string
}

const (
	outMTU = 1400
	farMTU = 1300
)

// newNATSite makes the site, with more in r1's configuration.
func newNATSite(t *testing.T, more string) *natSite {
	t.Helper()
	s := newSite(t)
	n := &natSite{site: s, t: t, out: strings.Replace(s.hosts[0], "-h1", "-out", 1), far: strings.Replace(s.hosts[0], "-h1", "-far", 1)}
	core := s.core(0)
	for _, ns := range []string{core, n.out, n.far} {
		s.must("ip", "netns", "add", ns)
		t.Cleanup(func() { s.must("ip", "netns", "del", ns) })
		s.must("ip", "-n", ns, "link", "set", "lo", "up")
	}
	s.must("ip", "link", "add", "wan0", "netns", core, "mtu", fmt.Sprint(outMTU), "type", "veth", "peer", "name", "eth0", "netns", n.out, "mtu", fmt.Sprint(outMTU))
	s.must("ip", "link", "add", "eth1", "netns", n.out, "mtu", fmt.Sprint(farMTU), "type", "veth", "peer", "name", "eth0", "netns", n.far, "mtu", fmt.Sprint(farMTU))
	for _, a := range [][3]string{
		{n.out, "eth0", "203.0.113.2/24"},
		{n.out, "eth0", "203.0.113.3/24"},
		{n.out, "eth1", "198.51.100.1/24"},
		{n.far, "eth0", "198.51.100.2/24"},
		{n.far, "eth0", "198.51.100.3/24"},
	} {
		s.must("ip", "-n", a[0], "address", "add", a[2], "dev", a[1])
		s.must("ip", "-n", a[0], "link", "set", a[1], "up")
	}
	s.must("ip", "netns", "exec", n.out, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.icmp_ratelimit=0")
	// Asked for segments that its own link has no room for, whoever sends has
	// to find the MTU of the path.
	s.must("ip", "-n", n.far, "route", "add", "default", "via", "198.51.100.1", "advmss", "1440")
	n.write(more)
	return n
}

// sub runs f as a test of its own on the same site.
func (n *natSite) sub(name string, f func(*natSite)) {
	n.t.Run(name, func(t *testing.T) {
		s := *n.site
		s.t = t
		f(&natSite{site: &s, t: t, out: n.out, far: n.far})
	})
}

// write writes the configuration, more behind it.
func (n *natSite) write(more string) {
	n.t.Helper()
	text := fmt.Sprintf(`name = "r1"
[api]
listen = ["unix://%s"]
[interface.lan0]
kind = "tun"
addresses = ["10.0.1.1/24"]
host = { netns = %q, device = "eth0", addresses = ["10.0.1.2/24"], routes = ["0.0.0.0/0"] }
[interface.lan1]
kind = "tun"
addresses = ["10.0.2.1/24"]
host = { netns = %q, device = "eth0", addresses = ["10.0.2.2/24"], routes = ["0.0.0.0/0"] }
[interface.wan0]
kind = "packet"
netns = %q
addresses = ["203.0.113.1/24"]
[[static.route]]
prefix = "0.0.0.0/0"
next-hop = "203.0.113.2"
%s`, n.socket(), n.hosts[0], n.hosts[1], n.core(0), more)
	if err := os.WriteFile(n.config, []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// start runs the router until it is reached through; ARP has its time.
func (n *natSite) start() (stop func()) {
	n.t.Helper()
	stop = n.site.start()
	wait(n.t, "the router to reach its gateway", func() error { return n.ping(0, "203.0.113.2") })
	return stop
}

const masquerade = `
[[nat.source]]
name = "lan-out"
outbound-interface = "wan0"
source = "10.0.0.0/8"
translation = "masquerade"
`

// run gives what a command says in a namespace, whatever it exits with.
func (n *natSite) run(ns string, argv ...string) string {
	n.t.Helper()
	if _, err := exec.LookPath(argv[0]); err != nil {
		n.t.Skipf("%s is not installed", argv[0])
	}
	ctx, cancel := context.WithTimeout(n.t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", ns}, argv...)...).CombinedOutput()
	if ctx.Err() != nil {
		n.t.Fatalf("%s did not end: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

// background runs a command in a namespace until stop is called, or it ends.
func (n *natSite) background(ns string, argv ...string) (stop func()) {
	n.t.Helper()
	if _, err := exec.LookPath(argv[0]); err != nil {
		n.t.Skipf("%s is not installed", argv[0])
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", ns}, argv...)...)
	if err := c.Start(); err != nil {
		cancel()
		n.t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		cancel()
		_ = c.Wait() // killed, mostly
	})
	n.t.Cleanup(stop)
	return stop
}

// file makes a file of so many bytes, and gives its path.
func (n *natSite) file(size int) string {
	n.t.Helper()
	path := filepath.Join(n.dir, "file")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		n.t.Fatal(err)
	}
	return path
}

// says runs a command that has to say all of want.
func (n *natSite) says(ns string, want []string, argv ...string) {
	n.t.Helper()
	out := n.run(ns, argv...)
	for _, w := range want {
		if !strings.Contains(out, w) {
			n.t.Errorf("%s in %s says\n%s\nwant %q", strings.Join(argv, " "), ns, out, w)
		}
	}
}

// web serves, in a namespace, whom it sees at /, a file at /file, and
// takes what is brought to /take.
func (n *natSite) web(ns, address string) {
	n.t.Helper()
	l := listen(n.t, ns, address)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "you are %s", r.RemoteAddr) })
	mux.HandleFunc("GET /file", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) })
	mux.HandleFunc("POST /take", func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	n.t.Cleanup(func() { server.Close() })
}

// seenBy is whom the web server at an address sees when curl asks it from a
// namespace.
func (n *natSite) seenBy(from, address string, more ...string) netip.AddrPort {
	n.t.Helper()
	argv := append([]string{"curl", "-sS", "--max-time", "10"}, more...)
	out := n.run(from, append(argv, "http://"+address+"/")...)
	seen, err := netip.ParseAddrPort(strings.TrimPrefix(out, "you are "))
	if err != nil {
		n.t.Fatalf("the web server at %s said to %s: %q", address, from, out)
	}
	return seen
}

// wantSeen checks whom the web server at an address sees.
func (n *natSite) wantSeen(from, address, want string) {
	n.t.Helper()
	if got := n.seenBy(from, address); got.Addr() != mustAddr(want) {
		n.t.Errorf("%s is seen by %s as %s, want %s", from, address, got, want)
	}
}

// packetConn is a UDP socket in a namespace.
func packetConn(t *testing.T, ns, address string) *net.UDPConn {
	t.Helper()
	var c *net.UDPConn
	inNetns(t, ns, func() error {
		a, err := net.ResolveUDPAddr("udp", address)
		if err == nil {
			c, err = net.ListenUDP("udp", a)
		}
		return err
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// packetAddr is where a packet goes.
func packetAddr(t *testing.T, s string) netip.AddrPort {
	t.Helper()
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// echo answers datagrams with whom they came from, and with what they say.
func echo(t *testing.T, ns, address string) (stop func()) {
	t.Helper()
	c := packetConn(t, ns, address)
	go func() {
		buf := make([]byte, 2048)
		for {
			size, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = c.WriteToUDPAddrPort(fmt.Appendf(nil, "%s %s", from, buf[:size]), from)
		}
	}()
	return func() { c.Close() }
}

// questions numbers what echoes are asked, so that a late answer is not taken for that to
// another question.
var questions atomic.Uint64

// seen asks an echo by c whom it sees.
func seen(c *net.UDPConn, by string) (netip.AddrPort, error) {
	to, err := netip.ParseAddrPort(by)
	if err != nil {
		return to, err
	}
	question := fmt.Sprintf("who am I? %d", questions.Add(1))
	answer, _, err := exchange(c, c, to, question, func(text string) bool { return strings.HasSuffix(text, " "+question) })
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.ParseAddrPort(strings.TrimSuffix(answer, " "+question))
}

// exchange sends a text by one socket until another has heard what it waits for, and gives
// that and who said it. It sends again each second: a queue on the way may be full, above all
// in a flood, and loses a datagram then.
func exchange(by, at *net.UDPConn, to netip.AddrPort, text string, awaited func(string) bool) (heard string, from netip.AddrPort, err error) {
	buf := make([]byte, 2048)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if _, err := by.WriteToUDPAddrPort([]byte(text), to); err != nil {
			return heard, from, err
		}
		if err := at.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			return heard, from, err
		}
		for {
			var size int
			if size, from, err = at.ReadFromUDPAddrPort(buf); err != nil {
				break
			}
			if heard = string(buf[:size]); awaited(heard) {
				return heard, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), nil
			}
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return heard, from, err
		}
	}
	return heard, from, fmt.Errorf("not what is awaited, %q at last: %w", heard, err)
}

// dropped is how many packets have come to an end with a verdict.
func (n *natSite) dropped(verdict string) uint64 {
	n.t.Helper()
	drops, err := n.client().Drops(n.t.Context(), control.DropQuery{})
	if err != nil {
		n.t.Fatal(err)
	}
	for _, v := range drops.Verdicts {
		if v.Verdict == verdict {
			return v.Packets
		}
	}
	return 0
}

// waitDropped waits until at least so many packets have ended with a verdict.
func (n *natSite) waitDropped(verdict string, least uint64) {
	n.t.Helper()
	wait(n.t, "packets to be dropped as "+verdict, func() error {
		if got := n.dropped(verdict); got < least {
			return fmt.Errorf("%d of them, want %d", got, least)
		}
		return nil
	})
}

// wantDropped sends a datagram, again each second, until one has ended with a verdict.
func (n *natSite) wantDropped(verdict string, send func() error) {
	n.t.Helper()
	before, next := n.dropped(verdict), time.Time{}
	wait(n.t, "a datagram to be dropped as "+verdict, func() error {
		if now := time.Now(); now.After(next) {
			next = now.Add(time.Second)
			if err := send(); err != nil {
				return err
			}
		}
		if n.dropped(verdict) == before {
			return errors.New("none was")
		}
		return nil
	})
}

// resolve asks the DNS server at an address for a name, from a namespace.
func resolve(ctx context.Context, from, server, name string) ([]string, error) {
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (c net.Conn, err error) {
		nsErr := device.InNamespace(from, func() error {
			c, err = (&net.Dialer{}).DialContext(ctx, network, server)
			return err
		})
		return c, nsErr
	}}
	return r.LookupHost(ctx, name)
}
