package daemon

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port/device"
	"routerd/internal/control"
)

// stackSite is a site whose router has a TCP/IP stack of its own.
func stackSite(t *testing.T, more string) (s *site, ns string) {
	s = newSite(t)
	ns = strings.Replace(s.hosts[0], "-h1", "-stack", 1)
	s.write(fmt.Sprintf("[local-stack]\nnetns = %q\n%s", ns, more))
	return s, ns
}

// inNetns runs f on a thread in a namespace; a socket made there stays there.
func inNetns(t *testing.T, ns string, f func() error) {
	t.Helper()
	if err := device.InNamespace(ns, f); err != nil {
		t.Fatal(err)
	}
}

func listen(t *testing.T, ns, address string) net.Listener {
	t.Helper()
	var l net.Listener
	inNetns(t, ns, func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	})
	t.Cleanup(func() { l.Close() })
	return l
}

func dial(t *testing.T, ns, network, address string) net.Conn {
	t.Helper()
	var c net.Conn
	inNetns(t, ns, func() (err error) {
		c, err = (&net.Dialer{Timeout: 10 * time.Second, FallbackDelay: -1}).Dial(network, address)
		return err
	})
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// carry sends 4 MiB over a connection from one namespace to a listener in
// another, and gives both ends as the listener sees them.
func carry(t *testing.T, from, to, address string) (local, remote string) {
	t.Helper()
	l := listen(t, to, address)
	data := make([]byte, 4<<20)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	type result struct {
		sum           [sha256.Size]byte
		err           error
		local, remote string
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() { done <- r }()
		c, err := l.Accept()
		if err != nil {
			r.err = err
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		h := sha256.New()
		_, r.err = io.Copy(h, c)
		copy(r.sum[:], h.Sum(nil))
		r.local, r.remote = c.LocalAddr().String(), c.RemoteAddr().String()
	}()
	c := dial(t, from, "tcp", address)
	if _, err := c.Write(data); err != nil {
		t.Fatalf("sending to %s: %v", address, err)
	}
	c.Close()
	r := <-done
	if r.err != nil {
		t.Fatalf("receiving at %s: %v", address, r.err)
	}
	if r.sum != sha256.Sum256(data) {
		t.Errorf("what arrived at %s is not what was sent", address)
	}
	return r.local, r.remote
}

// The router serves and dials from its own addresses, both families.
func TestStackServesAndDials(t *testing.T) {
	s, ns := stackSite(t, "")
	s.start()
	for _, own := range []string{"10.0.1.1", "10.0.2.1", "2001:db8:1::1", "2001:db8:2::1"} {
		carry(t, s.hosts[0], ns, net.JoinHostPort(own, "8080"))
	}
	for to, from := range map[string]string{"10.0.2.2": "10.0.2.1", "2001:db8:2::2": "2001:db8:2::1"} {
		_, remote := carry(t, ns, s.hosts[1], net.JoinHostPort(to, "8080"))
		if host, _, _ := net.SplitHostPort(remote); host != from {
			t.Errorf("dialled %s from %s, want %s", to, host, from)
		}
	}
	v, err := s.client().Version(t.Context())
	if err != nil || v.LocalStack != ns {
		t.Errorf("the API says the stack is in %q (%v), want %q", v.LocalStack, err, ns)
	}
	for _, to := range []string{"10.0.2.2", "2001:db8:2::2"} {
		s.must("ip", "netns", "exec", ns, "ping", "-n", "-c1", "-W5", to)
	}
}

// refused wants datagrams of a connection to be refused. They are sent again, since kernels
// send few such messages a second.
func refused(c net.Conn) (err error) {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if _, err = c.Write([]byte("anybody?")); err == nil {
			_ = c.SetReadDeadline(time.Now().Add(time.Second))
			_, err = c.Read(make([]byte, 1))
		}
		switch {
		case errors.Is(err, unix.ECONNREFUSED):
			return nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("%w, want it refused", err)
		}
	}
	return fmt.Errorf("%w, want it refused", err)
}

// What listens on nothing is refused by the stack's kernel, at once.
func TestStackRefuses(t *testing.T) {
	s, _ := stackSite(t, "")
	s.start()
	for _, own := range []string{"10.0.1.1", "2001:db8:1::1"} {
		err := device.InNamespace(s.hosts[0], func() error {
			_, err := (&net.Dialer{Timeout: 5 * time.Second}).Dial("tcp", net.JoinHostPort(own, "9"))
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("TCP to a closed port of %s: %v, want it refused", own, err)
		}
		c := dial(t, s.hosts[0], "udp", net.JoinHostPort(own, "9"))
		if err := refused(c); err != nil {
			t.Errorf("UDP to a closed port of %s: %v", own, err)
		}
	}
}

// Datagrams, fragmented ones too, arrive with the hop count that they came
// with, so that RFC 5082 can be had.
func TestStackGetsDatagramsAsTheyAre(t *testing.T) {
	s, ns := stackSite(t, "")
	s.start()
	for _, own := range []string{"10.0.1.1", "2001:db8:1::1"} {
		var at *net.UDPConn
		inNetns(t, ns, func() (err error) {
			at, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(own), Port: 5000})
			return err
		})
		defer at.Close()
		_ = at.SetDeadline(time.Now().Add(20 * time.Second))
		c := dial(t, s.hosts[0], "udp", net.JoinHostPort(own, "5000")).(*net.UDPConn)
		level, set, get := unix.IPPROTO_IP, unix.IP_TTL, unix.IP_RECVTTL
		if strings.Contains(own, ":") {
			level, set, get = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, unix.IPV6_RECVHOPLIMIT
		}
		option(t, at, level, get, 1)
		for _, size := range []int{10, 4000} {
			for _, ttl := range []int{255, 1} {
				option(t, c, level, set, ttl)
				if _, err := c.Write(make([]byte, size)); err != nil {
					t.Fatal(err)
				}
				oob := make([]byte, 64)
				n, m, _, _, err := at.ReadMsgUDP(make([]byte, 9000), oob)
				if err != nil || n != size || m < unix.CmsgLen(4) {
					t.Fatalf("%s: %d bytes and %d of control (%v), want %d", own, n, m, err, size)
				}
				if got := int(oob[unix.CmsgLen(0)]); got != ttl {
					t.Errorf("%s: %d bytes arrived with TTL %d, sent with %d", own, size, got, ttl)
				}
			}
		}
	}
}

func option(t *testing.T, c *net.UDPConn, level, name, value int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err == nil {
		if e := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, name, value) }); e != nil {
			err = e
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A link narrower than the stack's own MTU: the dataplane's ICMP errors, from
// and to the router's own address, reach the stack, and a transfer succeeds.
func TestStackPathMTU(t *testing.T) {
	s, ns := stackSite(t, "")
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	narrow := strings.Replace(string(text), "[interface.lan1]\n", "[interface.lan1]\nmtu = 1300\n", 1)
	if err := os.WriteFile(s.config, []byte(narrow), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	for _, to := range []string{"10.0.2.2", "2001:db8:2::2"} {
		c := dial(t, ns, "udp", net.JoinHostPort(to, "9")).(*net.UDPConn)
		level, discover, get := unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_MTU
		if strings.Contains(to, ":") {
			level, discover, get = unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_MTU
		}
		option(t, c, level, discover, unix.IP_PMTUDISC_DO)
		wait(t, "the stack to learn the MTU towards "+to, func() error {
			_, _ = c.Write(make([]byte, 1400))
			raw, err := c.SyscallConn()
			if err != nil {
				return err
			}
			mtu := 0
			if e := raw.Control(func(fd uintptr) { mtu, err = unix.GetsockoptInt(int(fd), level, get) }); e != nil || err != nil {
				return fmt.Errorf("%w %w", e, err)
			}
			if mtu != 1300 {
				return fmt.Errorf("it thinks %d", mtu)
			}
			return nil
		})
		carry(t, ns, s.hosts[1], net.JoinHostPort(to, "8080"))
	}
}

// A flood at the router's address loses to the policer, by count, and neither
// forwarding nor the other classes notice.
func TestStackIsPoliced(t *testing.T) {
	s, ns := stackSite(t, "rate = 10\n")
	s.start()
	c := dial(t, s.hosts[0], "udp", "10.0.1.1:9")
	wait(t, "datagrams to be policed", func() error {
		for range 500 {
			_, _ = c.Write([]byte("flood"))
		}
		drops, err := s.client().Drops(t.Context(), control.DropQuery{})
		if err != nil {
			return err
		}
		for _, v := range drops.Verdicts {
			if v.Verdict == "local_policed" && v.Packets >= 300 {
				return nil
			}
		}
		return fmt.Errorf("verdicts %+v", drops.Verdicts)
	})
	wait(t, "h1 to reach h2", func() error { return s.ping(0, "10.0.2.2") }) // its queue may be full
	l := listen(t, ns, "10.0.1.1:8080")
	dial(t, s.hosts[0], "tcp", "10.0.1.1:8080")
	if a, err := l.Accept(); err != nil {
		t.Error(err)
	} else {
		a.Close()
	}
}

// A reload adds and takes addresses without a session noticing.
func TestStackFollowsReload(t *testing.T) {
	s, ns := stackSite(t, "")
	s.start()
	l := listen(t, ns, "10.0.1.1:8080")
	c := dial(t, s.hosts[0], "tcp", "10.0.1.1:8080")
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	stack := fmt.Sprintf("[local-stack]\nnetns = %q\n", ns)
	s.write(stack + "[interface.lo]\nkind = \"loopback\"\naddresses = [\"10.255.0.1/32\", \"2001:db8:ff::1/128\"]\n")
	if _, err := s.client().Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, own := range []string{"10.255.0.1", "2001:db8:ff::1"} {
		carry(t, s.hosts[0], ns, net.JoinHostPort(own, "8080"))
	}
	if out := s.must("ip", "-n", ns, "route", "get", "203.0.113.1"); !strings.Contains(out, "src 10.255.0.1") {
		t.Errorf("beyond the subnets the stack speaks as %s, want the loopback's address", out)
	}
	s.write(stack)
	if _, err := s.client().Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out := s.must("ip", "-n", ns, "address"); strings.Contains(out, "10.255.0.1") {
		t.Errorf("the stack still has an address that is gone:\n%s", out)
	}
	if out := s.must("ip", "-n", ns, "route"); !strings.Contains(out, "default") || !strings.Contains(out, "10.0.2.0/24") {
		t.Errorf("routes are missing:\n%s", out)
	}
	if _, err := c.Write([]byte("still here")); err != nil {
		t.Fatal(err)
	}
	_ = a.SetDeadline(time.Now().Add(10 * time.Second))
	if n, err := a.Read(make([]byte, 64)); err != nil || n != 10 {
		t.Errorf("the session had %d bytes (%v) after two reloads, want 10", n, err)
	}
	s.write("")
	if _, err := s.client().Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(device.NamespacePath(ns)); err == nil {
		t.Error("the namespace is still there without a [local-stack]")
	}
}

// A reload that fails after the stack was made takes it back, and with it the
// note that it has to be.
func TestStackOfARefusedReload(t *testing.T) {
	s, ns := stackSite(t, "")
	s.write("")
	s.start()
	s.write(fmt.Sprintf("[local-stack]\nnetns = %q\n[metrics]\nlisten = \"192.0.2.99:1\"\n", ns))
	if _, err := s.client().Reload(t.Context()); err == nil {
		t.Fatal("a listener was made on an address of nobody's")
	}
	if _, err := os.Lstat(device.NamespacePath(ns)); err == nil {
		t.Error("the namespace is left")
	}
	list, err := os.ReadFile(filepath.Join(s.runDir(), "r1.undo"))
	if err != nil || strings.Contains(string(list), ns) {
		t.Errorf("to undo (%v):\n%s", err, list)
	}
}

// A namespace of somebody else's is not touched, also when the router goes.
func TestStackRefusesAForeignNamespace(t *testing.T) {
	s, ns := stackSite(t, "")
	s.must("ip", "netns", "add", ns)
	t.Cleanup(func() { s.must("ip", "netns", "del", ns) })
	err := Run(t.Context(), s.options())
	if err == nil || !strings.Contains(err.Error(), "exists already and is not this router's") {
		t.Errorf("started with: %v", err)
	}
	if _, err := os.Stat(device.NamespacePath(ns)); err != nil {
		t.Errorf("the namespace of somebody else: %v", err)
	}
}

// What a killed router leaves of its stack, the next start removes and makes
// anew.
func TestStackOfAKilledProcess(t *testing.T) {
	s, ns := stackSite(t, "")
	p := s.startProcess(nil)
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait() // killed, so an error
	if _, err := os.Stat(device.NamespacePath(ns)); err != nil {
		t.Fatalf("the killed process left no namespace to clean up: %v", err)
	}
	stop := s.start()
	carry(t, s.hosts[0], ns, "10.0.1.1:8080")
	stop()
	if _, err := os.Lstat(device.NamespacePath(ns)); err == nil {
		t.Error("the namespace is left")
	}
}
