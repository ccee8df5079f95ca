package daemon

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"routerd/dataplane"
	"routerd/dataplane/flowcache"
	"routerd/dataplane/offload"
	"routerd/internal/control"
	inner "routerd/internal/packet"
)

// carrySite is two hosts on veths, and a router with packet ports on the other ends, in a
// namespace of its own. The second host has a second link, and 10.50.0.1 behind both.
//
//	h1 eth0 -- r0 lan0 [ r1 ] lan1 r1 -- eth0 h2
//	                          lan2 r2 -- eth1 h2
type carrySite struct {
	*site
	core  string
	d     *Daemon
	cache *flowcache.Cache // nil while the router is a process of its own
}

func newCarrySite(t *testing.T) *carrySite {
	s := &carrySite{site: newSite(t)}
	s.core = s.site.core(0)
	s.must("ip", "netns", "add", s.core)
	t.Cleanup(func() { s.must("ip", "netns", "del", s.core) })
	for i, at := range []struct {
		host   int
		device string
	}{{0, "eth0"}, {1, "eth0"}, {1, "eth1"}} {
		r, n := fmt.Sprintf("r%d", i), i+1
		s.must("ip", "link", "add", r, "index", fmt.Sprint(101+i), "netns", s.core, "type", "veth", "peer", "name", at.device, "netns", s.hosts[at.host])
		s.in(at.host, "ip", "address", "add", fmt.Sprintf("10.0.%d.2/24", n), "dev", at.device)
		s.in(at.host, "ip", "address", "add", fmt.Sprintf("2001:db8:%d::2/64", n), "dev", at.device, "nodad")
		s.in(at.host, "ip", "link", "set", at.device, "up")
	}
	for host, gateway := range []string{"1", "2"} {
		s.in(host, "ip", "route", "add", "default", "via", "10.0."+gateway+".1")
		s.in(host, "ip", "route", "add", "default", "via", "2001:db8:"+gateway+"::1")
	}
	s.in(1, "ip", "address", "add", "10.50.0.1/32", "dev", "lo")
	s.in(1, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=0", "net.ipv4.conf.eth1.rp_filter=0")
	s.configure("always", "2", "")
	return s
}

// configure writes the configuration: which flows are carried, by which link 10.50.0.0/16
// is reached, and more.
func (s *carrySite) configure(mode, link, more string) {
	s.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "name = \"r1\"\n[api]\nlisten = [\"unix://%s\"]\n[[static.route]]\nprefix = \"10.50.0.0/16\"\nnext-hop = \"10.0.%s.2\"\n", s.socket(), link)
	for i := range 3 {
		fmt.Fprintf(&b, "[interface.lan%d]\nkind = \"packet\"\nnetns = %q\ndevice = \"r%d\"\noffload = %q\naddresses = [\"10.0.%d.1/24\", \"2001:db8:%d::1/64\"]\n",
			i, s.core, i, mode, i+1, i+1)
	}
	if err := os.WriteFile(s.config, []byte(b.String()+more), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// begin starts the router, in this process.
func (s *carrySite) begin() (stop func()) {
	s.t.Helper()
	started := make(chan *Daemon, 1)
	s.running = func(d *Daemon) { started <- d }
	stop = s.start()
	s.d = <-started
	if err := s.d.carrying.why; errors.Is(err, offload.ErrTooOld) || errors.Is(err, offload.ErrNoRight) {
		s.t.Skip(err)
	}
	if s.cache = s.d.carrying.cache.Load(); s.cache == nil {
		s.t.Fatalf("the kernel carries nothing: %v", s.d.carrying.why)
	}
	return stop
}

func (s *carrySite) reload() {
	s.t.Helper()
	if _, err := s.client().Reload(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// stream is numbered datagrams from one host to another, which sends each back.
type stream struct {
	*carrySite
	from, to netip.AddrPort
	send     func(n int) error
	close    func()
	sent     uint64
}

// newStream begins a flow of UDP from h1 to an address of h2.
func (s *carrySite) newStream(t *testing.T, from, to string) *stream {
	t.Helper()
	far, near := packetConn(t, s.hosts[1], to), packetConn(t, s.hosts[0], from)
	go func() {
		buf := make([]byte, 2048)
		for {
			size, by, err := far.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = far.WriteToUDPAddrPort(buf[:size], by)
		}
	}()
	x := &stream{carrySite: s, from: near.LocalAddr().(*net.UDPAddr).AddrPort(), to: far.LocalAddr().(*net.UDPAddr).AddrPort()}
	x.close = func() { near.Close(); far.Close() }
	x.send = func(n int) error {
		text, buf := fmt.Appendf(nil, "%d", n), make([]byte, 2048)
		if _, err := near.WriteToUDPAddrPort(text, x.to); err != nil {
			return err
		}
		if err := near.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			return err
		}
		size, _, err := near.ReadFromUDPAddrPort(buf)
		if err == nil && string(buf[:size]) != string(text) {
			err = fmt.Errorf("the answer to %s is %q", text, buf[:size])
		}
		return err
	}
	return x
}

// packets sends datagrams and waits for the answer to each.
func (x *stream) packets(n int) {
	x.t.Helper()
	for range n {
		x.sent++
		if err := x.send(int(x.sent)); err != nil {
			x.t.Fatalf("datagram %d from %s to %s: %v", x.sent, x.from, x.to, err)
		}
	}
}

// carried gives the flow as it comes in by lan0, once the kernel carries it, with all that
// it has carried.
func (x *stream) carried() (f flowcache.Flow) {
	x.t.Helper()
	wait(x.t, fmt.Sprintf("the flow to %s to be carried", x.to), func() error {
		x.packets(1)
		var is bool
		if f, is = x.flow(); !is || f.Packets == 0 { // the first that finds an entry goes to the socket
			return fmt.Errorf("it is not: %v, %+v", is, x.cache.Totals())
		}
		return nil
	})
	return f
}

func (x *stream) flow() (flowcache.Flow, bool) {
	x.cache.Account(time.Now())
	return x.cache.Find(x.d.router.View().Named("lan0"), inner.ProtoUDP, x.from, x.to)
}

// traffic is the counters of an interface.
func (s *carrySite) traffic(name string) (received, sent dataplane.Traffic) {
	s.t.Helper()
	list, err := s.client().Interfaces(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, i := range list {
		if i.Name == name {
			return i.Received, i.Sent
		}
	}
	s.t.Fatalf("there is no interface %s", name)
	return received, sent
}

// session is the only one.
func (s *carrySite) session() control.NATSession {
	s.t.Helper()
	p, err := s.client().NATSessions(s.t.Context(), control.NATQuery{})
	if err != nil || len(p.Sessions) != 1 {
		s.t.Fatalf("sessions %+v (%v), want one", p.Sessions, err)
	}
	return p.Sessions[0]
}

// received accepts a connection and gives how many bytes have come by it when it ends, -1
// if none has come.
func received(l net.Listener) <-chan int64 {
	got := make(chan int64, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			got <- -1
			return
		}
		defer c.Close()
		n, _ := io.Copy(io.Discard, c)
		got <- n
	}()
	return got
}
