package daemon

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"routerd/dataplane/port/device"
	"routerd/internal/control"
)

// BenchmarkCarrierLoss takes the carrier from one of two next hops while the
// router's owner loads and unloads a table and somebody reads pages of it, and
// reports the time from the kernel's netlink message to the first packet that
// leaves by the other hop. The router is a process of its own, whose GOMAXPROCS
// is the benchmark's (-cpu), or its own choice where that is the machine's:
//
//	h1 eth0 == lan0 [ r1 ] core0 -- eth0 h2
//	                       core1 -- eth1
func BenchmarkCarrierLoss(b *testing.B) {
	s := newTwoWays(b)
	const routes = 50_000
	tables := [2]string{s.twoWays(0), s.twoWays(routes)}
	s.rewrite(tables[1])
	env := []string{"ROUTERD_TEST_LOG=" + s.dir + "/log"}
	if n := runtime.GOMAXPROCS(0); n != runtime.NumCPU() {
		env = append(env, fmt.Sprintf("GOMAXPROCS=%d", n))
	}
	s.startProcess(env)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(8, runtime.GOMAXPROCS(0)))) // those who measure wait for nobody
	p := newProbe(b, s)
	stop := s.load(tables)
	defer stop() // also when a wait fails
	var gaps []float64
	for b.Loop() {
		gaps = append(gaps, float64(p.cut().Microseconds())/1000)
	}
	stop()
	slices.Sort(gaps)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(gaps[len(gaps)/2], "median-ms")
	b.ReportMetric(gaps[len(gaps)-1], "longest-ms")
}

// newTwoWays is a site whose second host is reached by two links.
func newTwoWays(b *testing.B) *site {
	s := newSite(b)
	ns := s.core(0)
	s.must("ip", "netns", "add", ns)
	b.Cleanup(func() { s.must("ip", "netns", "del", ns) })
	for i := range 2 {
		host := fmt.Sprintf("eth%d", i)
		// The kernel is a second late to tell of a veth whose ends have one number.
		s.must("ip", "link", "add", fmt.Sprintf("core%d", i), "index", fmt.Sprint(100+i), "netns", ns, "type", "veth", "peer", "name", host, "netns", s.hosts[1])
		s.in(1, "ip", "address", "add", fmt.Sprintf("10.0.1%d.2/24", i+1), "dev", host)
		s.in(1, "ip", "link", "set", host, "up")
	}
	s.in(1, "ip", "route", "add", "local", "198.18.0.0/16", "dev", "lo")
	return s
}

// twoWays is the configuration with so many more routes.
func (s *site) twoWays(routes int) string {
	var t strings.Builder
	fmt.Fprintf(&t, `name = "r1"
[api]
listen = ["unix://%s"]
[interface.lan0]
kind = "tun"
addresses = ["10.0.1.1/24"]
host = { netns = %q, device = "eth0", addresses = ["10.0.1.2/24"], routes = ["0.0.0.0/0"] }
`, s.socket(), s.hosts[0])
	for i := range 2 {
		fmt.Fprintf(&t, "[interface.core%d]\nkind = \"packet\"\nnetns = %q\naddresses = [\"10.0.1%d.1/24\"]\n", i, s.core(0), i+1)
	}
	t.WriteString("[static]\nroute = [\n{ prefix = \"198.18.0.0/16\", next-hop = [\"10.0.11.2\", \"10.0.12.2\"] },\n")
	for i := range routes {
		fmt.Fprintf(&t, "{ prefix = \"10.%d.%d.%d/30\", next-hop = [\"10.0.11.2\", \"10.0.12.2\"] },\n", 100+i>>14, i>>6&255, i&63*4)
	}
	return t.String() + "]\n"
}

func (s *site) rewrite(text string) {
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		s.t.Error(err)
	}
}

// load keeps the router busy: with one table and then the other, and with pages
// of them, until stop is called.
func (s *site) load(tables [2]string) (stop func()) {
	stopped, done := make(chan struct{}), make(chan struct{}, 2)
	run := func(f func(c *control.Client, n int) error) {
		go func() {
			defer func() { done <- struct{}{} }()
			c := control.Dial(s.socket())
			defer c.Close()
			for n := 0; ; n++ {
				select {
				case <-stopped:
					return
				default:
				}
				if err := f(c, n); err != nil {
					s.t.Error(err)
					return
				}
			}
		}()
	}
	run(func(c *control.Client, n int) error {
		s.rewrite(tables[n%2])
		_, err := c.Reload(context.Background())
		return err
	})
	var after netip.Prefix
	run(func(c *control.Client, _ int) error {
		page, err := c.Routes(context.Background(), control.RouteQuery{After: after, Limit: control.MaxPage})
		after = page.Next
		return err
	})
	return sync.OnceFunc(func() { close(stopped); <-done; <-done })
}

// probe sends datagrams of one flow, and sees on which link each arrives, with
// threads that run before all others.
type probe struct {
	b      *testing.B
	client *control.Client
	peer   *netlink.Handle
	eth0   netlink.Link
	// numbers of h2's links, and of core0
	links [2]int
	core  int
	to    atomic.Uint32 // the last octet of the destination
	// message is when the kernel said that core0 has no carrier, first when the
	// first datagram arrived on each link since it was set to 0, in nanoseconds.
	message atomic.Int64
	first   [2]atomic.Int64
}

func newProbe(b *testing.B, s *site) *probe {
	p := &probe{b: b, client: s.client(), peer: s.netlinkIn(s.hosts[1])}
	index := func(h *netlink.Handle, name string) int {
		l, err := h.LinkByName(name)
		if err != nil {
			b.Fatal(err)
		}
		if name == "eth0" {
			p.eth0 = l
		}
		return l.Attrs().Index
	}
	p.links = [2]int{index(p.peer, "eth0"), index(p.peer, "eth1")}
	p.core = index(s.netlinkIn(s.core(0)), "core0")

	out := p.socket(s.hosts[0], unix.AF_INET, unix.SOCK_DGRAM, 0, nil)
	in := p.socket(s.hosts[1], unix.AF_INET, unix.SOCK_DGRAM, 0, &unix.SockaddrInet4{Port: 9})
	if err := unix.SetsockoptInt(in, unix.IPPROTO_IP, unix.IP_PKTINFO, 1); err != nil {
		b.Fatal(err)
	}
	news := p.socket(s.core(0), unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK})
	p.urgent(func() bool { return p.read(in) })
	p.urgent(func() bool { return p.listen(news) })
	p.urgent(func() bool {
		_ = unix.Sendto(out, []byte("probe"), 0, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{198, 18, 0, byte(p.to.Load())}})
		_ = unix.Nanosleep(&unix.Timespec{Nsec: 100_000}, nil) // shorter when a signal comes
		return true
	})
	p.usable(2)
	// A flow that goes by core0 while it may.
	wait(b, "a flow by core0", func() error {
		p.to.Store((p.to.Load() + 1) % 256)
		time.Sleep(50 * time.Millisecond) // what is under way of the last one arrives
		p.forget()
		time.Sleep(50 * time.Millisecond)
		if p.first[0].Load() == 0 {
			return fmt.Errorf("198.18.0.%d does not arrive on eth0", p.to.Load())
		}
		return nil
	})
	return p
}

func (p *probe) forget() {
	p.message.Store(0)
	p.first[0].Store(0)
	p.first[1].Store(0)
}

func (s *site) netlinkIn(ns string) *netlink.Handle {
	at, err := netns.GetFromName(ns)
	if err != nil {
		s.t.Fatal(err)
	}
	defer at.Close()
	h, err := netlink.NewHandleAt(at)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(h.Close)
	return h
}

func (p *probe) socket(ns string, family, kind, protocol int, at unix.Sockaddr) (fd int) {
	err := device.InNamespace(ns, func() (err error) {
		if fd, err = unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol); err != nil {
			return err
		}
		// So that who reads finds out that it is over.
		if err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}); err != nil || at == nil {
			return err
		}
		return unix.Bind(fd, at)
	})
	if err != nil {
		p.b.Fatal(err)
	}
	p.b.Cleanup(func() { unix.Close(fd) })
	return fd
}

// urgent runs f again and again, until it is false, stop is called or the benchmark
// ends, on a thread that no other work delays.
func (p *probe) urgent(f func() bool) (stop func()) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with its priority
		err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 10}, 0)
		if err != nil {
			err = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), -20)
		}
		if err != nil {
			p.b.Errorf("a thread that runs before others: %v", err)
		}
		for f() {
			select {
			case <-over:
				return
			default:
			}
		}
	}()
	stop = sync.OnceFunc(func() { close(over); <-done })
	p.b.Cleanup(stop)
	return stop
}

// read takes a datagram.
func (p *probe) read(fd int) bool {
	var data [64]byte
	var control [128]byte
	_, n, _, _, err := unix.Recvmsg(fd, data[:], control[:], 0)
	now := time.Now().UnixNano()
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return true
	}
	messages, perr := unix.ParseSocketControlMessage(control[:n])
	if err != nil || perr != nil || len(messages) != 1 {
		return false
	}
	on := int(binary.NativeEndian.Uint32(messages[0].Data)) // ipi_ifindex of struct in_pktinfo
	if i := slices.Index(p.links[:], on); i >= 0 {
		p.first[i].CompareAndSwap(0, now)
	}
	return true
}

// listen takes the kernel's messages about links.
func (p *probe) listen(fd int) bool {
	var data [16384]byte
	n, _, err := unix.Recvfrom(fd, data[:], 0)
	now := time.Now().UnixNano()
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return true
	}
	messages, perr := syscall.ParseNetlinkMessage(data[:max(n, 0)])
	if err != nil || perr != nil {
		return false
	}
	for _, m := range messages {
		if m.Header.Type != unix.RTM_NEWLINK || len(m.Data) < unix.SizeofIfInfomsg {
			continue
		}
		info := nl.DeserializeIfInfomsg(m.Data)
		if int(info.Index) == p.core && info.Flags&unix.IFF_LOWER_UP == 0 {
			p.message.CompareAndSwap(0, now)
		}
	}
	return true
}

// cut takes the carrier from core0 and gives it back, and returns the time from
// the kernel's message to the first datagram that arrived by the other link.
func (p *probe) cut() time.Duration {
	p.usable(2)
	p.forget()
	p.seen("datagrams by core0", &p.first[0])
	p.forget()
	if err := p.peer.LinkSetDown(p.eth0); err != nil {
		p.b.Fatal(err)
	}
	p.seen("the kernel's message", &p.message)
	p.seen("datagrams by core1", &p.first[1])
	gap := time.Duration(p.first[1].Load() - p.message.Load())
	p.usable(1)
	if err := p.peer.LinkSetUp(p.eth0); err != nil {
		p.b.Fatal(err)
	}
	return max(gap, 0) // the router's thread may be quicker than this one
}

// usable waits until the forwarding table, too, has so many next hops of the route.
func (p *probe) usable(hops int) {
	wait(p.b, "the forwarding table to follow", func() error {
		page, err := p.client.FIB(p.b.Context(), control.FIBQuery{Prefix: netip.MustParsePrefix("198.18.0.0/16")})
		n := 0
		for _, e := range page.Entries {
			n += len(e.NextHops)
		}
		if err == nil && n != hops {
			err = fmt.Errorf("it has %d next hops, want %d", n, hops)
		}
		return err
	})
}

func (p *probe) seen(what string, at *atomic.Int64) {
	wait(p.b, what, func() error {
		if at.Load() == 0 {
			return errors.New("none yet")
		}
		return nil
	})
}
