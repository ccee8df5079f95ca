package daemon

import (
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port/device"
)

// soakTraffic goes on while the ground moves under it. What it counts
// are successes: that some fail is expected, when what they need is gone.
type soakTraffic struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	kinds  []*kind
}

// kind is one kind of traffic, and how much of it arrived.
type kind struct {
	name    string
	arrived atomic.Int64
}

const (
	soakStream   = 256 << 10 // bytes of one connection
	soakFlows    = 64        // new UDP flows at once
	soakPatience = time.Second
	soakPause    = 10 * time.Millisecond // between two of a kind
)

// traffic starts pings of both families, TCP through the router in both families,
// to its own stack and translated, and new translated UDP flows, all from h1.
func (s *soak) traffic() *soakTraffic {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &soakTraffic{cancel: cancel}
	s.t.Cleanup(func() { cancel(); l.done.Wait() })
	pings := []string{"10.0.1.1", "10.0.2.2", "10.0.3.2"}
	tcp := [][3]string{{"TCP", s.hosts[1], "10.0.2.2:8080"}, {"TCP translated", s.third, "10.0.3.2:8080"}, {"TCP to the stack", s.stack, "10.0.1.1:8080"}}
	if s.ipv6 {
		pings = append(pings, "2001:db8:1::1", "2001:db8:2::2")
		tcp = append(tcp, [3]string{"TCP over IPv6", s.hosts[1], "[2001:db8:2::2]:8080"})
	}
	for _, to := range pings {
		l.add(ctx, "pings of "+to, func() int { return pinged(ctx, s.hosts[0], to) })
	}
	for _, c := range tcp {
		l.add(ctx, c[0], func() int { return transfer(s.hosts[0], c[1], c[2]) })
	}
	s.echoes(ctx, l, "10.0.3.2:9000")
	l.add(ctx, "UDP flows translated", func() int { return flows(s.hosts[0], "10.0.3.2:9000") })
	return l
}

// add runs one kind of traffic until ctx ends; once gives what arrived.
func (l *soakTraffic) add(ctx context.Context, name string, once func() int) {
	k := &kind{name: name}
	l.kinds = append(l.kinds, k)
	l.done.Go(func() {
		for ctx.Err() == nil {
			k.arrived.Add(int64(once()))
			select {
			case <-ctx.Done():
			case <-time.After(soakPause):
			}
		}
	})
}

func (l *soakTraffic) String() string {
	var parts []string
	for _, k := range l.kinds {
		parts = append(parts, fmt.Sprintf("%s %d", k.name, k.arrived.Load()))
	}
	return strings.Join(parts, ", ")
}

// end stops the traffic. Some of each kind has arrived.
func (l *soakTraffic) end(t *testing.T) {
	t.Helper()
	l.cancel()
	l.done.Wait()
	for _, k := range l.kinds {
		if k.arrived.Load() == 0 {
			t.Errorf("%s: none arrived, in all the time", k.name)
		}
	}
}

// pinged sends some pings and gives how many were answered.
func pinged(ctx context.Context, ns, to string) int {
	c := exec.CommandContext(ctx, "ip", "netns", "exec", ns, "ping", "-n", "-q", "-c20", "-i0.02", "-W1", to)
	c.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	out, _ := c.Output()
	got := pingCounts.FindSubmatch(out)
	if got == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(got[2]))
	return n
}

// transfer carries a stream from one namespace to another, which gives it back,
// and is 1 if that succeeds.
func transfer(from, to, address string) int {
	var l net.Listener
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0
	}
	if device.InNamespace(to, func() (err error) {
		l, err = net.Listen("tcp", ":"+port)
		return err
	}) != nil {
		return 0
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(soakPatience))
		_, _ = io.Copy(c, c)
	}()
	var c net.Conn
	if device.InNamespace(from, func() (err error) {
		c, err = net.DialTimeout("tcp", address, soakPatience)
		return err
	}) != nil {
		return 0
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(soakPatience))
	go func() { _, _ = c.Write(make([]byte, soakStream)) }()
	if n, _ := io.CopyN(io.Discard, c, soakStream); n < soakStream {
		return 0
	}
	return 1
}

// echoes has the third host give back datagrams until ctx ends.
func (s *soak) echoes(ctx context.Context, l *soakTraffic, address string) {
	s.t.Helper()
	var c net.PacketConn
	_, port, _ := net.SplitHostPort(address)
	if err := device.InNamespace(s.third, func() (err error) {
		c, err = net.ListenPacket("udp4", ":"+port)
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	l.done.Go(func() {
		<-ctx.Done()
		c.Close()
	})
	l.done.Go(func() {
		b := make([]byte, 2048)
		for ctx.Err() == nil {
			n, from, err := c.ReadFrom(b)
			if err == nil { // else it is an ICMP error, or closed
				_, _ = c.WriteTo(b[:n], from)
			}
		}
	})
}

// flows begins many flows at once, each from a port of its own, and gives how
// many were answered.
func flows(from, to string) (answered int) {
	var all []net.Conn
	defer func() {
		for _, c := range all {
			c.Close()
		}
	}()
	_ = device.InNamespace(from, func() error {
		for range soakFlows {
			c, err := net.Dial("udp4", to)
			if err != nil {
				return err
			}
			all = append(all, c)
			_, _ = c.Write([]byte("a new flow"))
		}
		return nil
	})
	deadline := time.Now().Add(soakPatience / 4)
	b := make([]byte, 64)
	for _, c := range all {
		_ = c.SetReadDeadline(deadline)
		if _, err := c.Read(b); err == nil {
			answered++
		}
	}
	return answered
}
