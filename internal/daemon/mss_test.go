package daemon

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// linkMTU is what the link between the router and the second host carries,
// while the host believes in 1500.
const linkMTU = 1400

// newNarrow is a site whose second host does not know how narrow its link is:
// the veth under core0 drops what is longer without a word, as many a tunnel
// does.
func newNarrow(t *testing.T) *site {
	s := newLAN(t, []string{"10.0.12.2/24", "2001:db8:12::2/64"}, "")
	s.must("ip", "-n", s.core(0), "link", "set", "core0", "mtu", fmt.Sprint(linkMTU))
	// A super-packet passes whole, whatever the MTU is: none is made.
	s.in(1, "ip", "link", "set", "eth0", "gso_max_segs", "1")
	s.in(1, "ip", "route", "add", "10.0.1.0/24", "via", "10.0.12.1")
	s.in(1, "ip", "-6", "route", "add", "2001:db8:1::/64", "via", "2001:db8:12::1")
	return s
}

// narrow writes the configuration with these keys for lan0 and core0, and more
// behind it.
func (s *site) narrow(lan, core, more string) {
	s.t.Helper()
	text := fmt.Sprintf(`name = "r1"
[api]
listen = ["unix://%s"]
[interface.lan0]
kind = "tun"
addresses = ["10.0.1.1/24", "2001:db8:1::1/64"]
host = { netns = %q, device = "eth0", addresses = ["10.0.1.2/24", "2001:db8:1::2/64"], routes = ["0.0.0.0/0", "::/0"] }
%s
[interface.core0]
kind = "packet"
netns = %q
addresses = ["10.0.12.1/24", "2001:db8:12::1/64"]
%s
%s`, s.socket(), s.hosts[0], lan, s.core(0), core, more)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// segment dials from one host to the other and gives the segment size that the
// one who listens may send with, options left out; where size is not 0 it
// sends so many bytes, which have to arrive.
func (s *site) segment(t *testing.T, from, to int, address string, size int) (mss int) {
	t.Helper()
	l := listen(t, s.hosts[to], net.JoinHostPort(address, "0"))
	defer l.Close()
	sent := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			sent <- err
			return
		}
		defer c.Close()
		raw, _ := c.(*net.TCPConn).SyscallConn()
		if cerr := raw.Control(func(fd uintptr) { mss, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG) }); cerr != nil {
			err = cerr
		}
		if err == nil {
			_ = c.SetDeadline(time.Now().Add(20 * time.Second))
			_, err = c.Write(make([]byte, size))
		}
		sent <- err
	}()
	c := dial(t, s.hosts[from], "tcp", l.Addr().String())
	n, err := io.Copy(io.Discard, c)
	if err != nil || n != int64(size) {
		t.Fatalf("%d of %d bytes arrived from %s: %v", n, size, address, err)
	}
	if err := <-sent; err != nil {
		t.Fatalf("sending from %s: %v", address, err)
	}
	return mss
}

// TestMSSOnANarrowLink: TCP passes a link that is narrower than both ends know
// and that tells nobody, in both directions and families, translated or not.
func TestMSSOnANarrowLink(t *testing.T) {
	const nat = `
[[nat.source]]
name = "lan-out"
outbound-interface = "core0"
source = "10.0.1.0/24"
translation = "masquerade"
`
	s := newNarrow(t)
	s.narrow("", "", "")
	s.start()
	wait(t, "h1 to reach h2", func() error { return s.ping(0, "10.0.12.2") })
	wait(t, "h1 to reach h2 over IPv6", func() error { return s.ping(0, "2001:db8:12::2") })
	if got := s.segment(t, 0, 1, "10.0.12.2", 0); got <= linkMTU-40 {
		t.Fatalf("without a setting h2 sends segments of %d, want more than the link carries", got)
	}
	timestamps := 12
	for _, tt := range []struct {
		name, lan, core, more string
		want4, want6          int
	}{
		{"clamp where it leaves", "", `mss = "clamp"`, "", linkMTU - 40, linkMTU - 60},
		{"clamp where it comes in", `mss = "clamp"`, "", "", linkMTU - 40, linkMTU - 60},
		{"clamp, translated", "", `mss = "clamp"`, nat, linkMTU - 40, linkMTU - 60},
		{"a number", "", "mss = 1000", "", 1000, 1000},
		{"two numbers, translated", "mss = 900", "mss = 1000", nat, 900, 900},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sub := *s
			sub.t = t
			sub.narrow(tt.lan, tt.core, tt.more)
			if r, err := sub.client().Reload(t.Context()); err != nil {
				t.Fatalf("reloading: %v, %+v", err, r)
			}
			list, err := sub.client().Interfaces(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range list {
				given := map[string]string{"lan0": tt.lan, "core0": tt.core}[i.Name]
				if (i.MSS == "") != (given == "") || !strings.Contains(given, i.MSS) {
					t.Errorf("%s is shown with mss %q, want that of %q", i.Name, i.MSS, given)
				}
			}
			for address, want := range map[string]int{"10.0.12.2": tt.want4, "2001:db8:12::2": tt.want6} {
				if got := sub.segment(t, 0, 1, address, 1<<20); got != want && got != want-timestamps {
					t.Errorf("h2 sends h1 segments of %d from %s, want %d", got, address, want)
				}
			}
			back := map[string]int{"10.0.1.2": tt.want4, "2001:db8:1::2": tt.want6}
			if tt.more != "" {
				delete(back, "10.0.1.2") // nobody outside begins
			}
			for address, want := range back {
				if got := sub.segment(t, 1, 0, address, 1<<20); got != want && got != want-timestamps {
					t.Errorf("h1 sends h2 segments of %d from %s, want %d", got, address, want)
				}
				carry(t, sub.hosts[1], sub.hosts[0], net.JoinHostPort(address, "8080")) // and h2 to h1, where it has begun
			}
		})
	}
}
