package daemon

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	inner "routerd/internal/packet"
)

// The kernel's tools see through the cache what they see without it.
func TestCarriedTools(t *testing.T) {
	s := newCarrySite(t)
	s.begin()
	s.newStream(t, "10.0.1.2:4000", "10.0.2.2:5000").carried()
	for _, to := range []string{"10.0.2.2", "2001:db8:2::2"} {
		for _, size := range []int{0, 56, 1400, 1452, 1472, 1473, 5000, 20000} {
			s.in(0, "ping", "-n", "-c1", "-W5", "-s", fmt.Sprint(size), to)
		}
		if out, err := s.try("ip", "netns", "exec", s.hosts[0], "ping", "-n", "-c1", "-W5", "-t1", to); err == nil || !strings.Contains(out, "exceeded") {
			t.Errorf("a ping of one hop: %v, want that the time is exceeded", err)
		}
		for _, method := range []string{"icmp", "udp", "tcp"} {
			out := s.in(0, "traceroute", "-n", "-M", method, "-q1", "-w5", "-N1", "-m4", to)
			gateway := strings.Replace(strings.Replace(to, ".2.2", ".1.1", 1), ":2::2", ":1::1", 1)
			if !strings.Contains(out, " 1  "+gateway+" ") || !strings.Contains(out, " 2  "+to+" ") {
				t.Errorf("traceroute by %s to %s:\n%s", method, to, out)
			}
		}
		if out := s.in(0, "tracepath", "-n", to); !strings.Contains(out, "Resume: pmtu 1500 hops 2 back 2") {
			t.Errorf("tracepath to %s:\n%s", to, out)
		}
	}
}

// The MTU of the way becomes smaller in the middle of a connection that is carried,
// and larger again: all of it comes, and it is carried by the MTU that there is.
func TestCarriedPathMTU(t *testing.T) {
	s := newCarrySite(t)
	s.begin()
	for _, to := range []string{"10.0.2.2:6000", "[2001:db8:2::2]:6000"} {
		l := listen(t, s.hosts[1], to)
		got := received(l)
		c := dial(t, s.hosts[0], "tcp", to)
		const part = 8 << 20
		var sent int64
		for _, mtu := range []int{1500, 1400, 1300, 1500} {
			s.must("ip", "-n", s.core, "link", "set", "r1", "mtu", fmt.Sprint(mtu))
			wait(t, fmt.Sprintf("the MTU of %d to be followed", mtu), func() error {
				if s.d.router.View().Named("lan1").MTU != mtu {
					return errNotYet
				}
				return nil
			})
			wait(t, fmt.Sprintf("the connection to %s to be carried with an MTU of %d", to, mtu), func() error {
				if err := c.SetWriteDeadline(time.Now().Add(20 * time.Second)); err != nil {
					return err
				}
				if n, err := io.CopyN(c, zeros{}, part); err != nil {
					t.Fatalf("after %d bytes: %v", sent+n, err)
				}
				sent += part
				s.cache.Account(time.Now())
				f, is := s.cache.Find(s.d.router.View().Named("lan0"), inner.ProtoTCP, packetAddr(t, c.LocalAddr().String()), packetAddr(t, to))
				if !is || f.Bytes < part/2 {
					return errNotYet
				}
				return nil
			})
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if n := <-got; n != sent {
			t.Errorf("%d bytes have come to %s, want %d", n, to, sent)
		}
	}
}

// A forwarded port is carried from outside to the inside host; the same from the
// inside host's own link is answered too, and is not carried, since it leaves by the
// way that it came.
func TestCarriedForwardedPort(t *testing.T) {
	s := newCarrySite(t)
	s.configure("always", "2", "[[nat.destination]]\nname = \"web\"\ninbound-interface = \"lan1\"\nprotocol = \"tcp\"\ndestination = \"10.0.2.1:7000\"\ntranslation = \"10.0.1.2:7001\"\nhairpin = true\n")
	s.begin()
	l := listen(t, s.hosts[0], "10.0.1.2:7001")
	const size = 8 << 20
	for _, from := range []struct {
		host    int
		in      string
		carried bool
	}{{1, "lan1", true}, {0, "lan0", false}} {
		got := received(l)
		c := dial(t, s.hosts[from.host], "tcp", "10.0.2.1:7000")
		if _, err := io.CopyN(c, zeros{}, size); err != nil {
			t.Fatalf("from %s: %v", from.in, err)
		}
		s.cache.Account(time.Now())
		f, is := s.cache.Find(s.d.router.View().Named(from.in), inner.ProtoTCP, packetAddr(t, c.LocalAddr().String()), packetAddr(t, "10.0.2.1:7000"))
		if is != from.carried || is && f.NewDst != packetAddr(t, "10.0.1.2:7001") {
			t.Errorf("from %s: carried %v, %+v", from.in, is, f)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if n := <-got; n != size {
			t.Errorf("from %s %d bytes have come, want %d", from.in, n, size)
		}
	}
}

// Flows are spread over two ways as without the cache, and all go on by the other one
// when one of them is cut.
func TestCarriedWays(t *testing.T) {
	s := newCarrySite(t)
	s.configure("always", "2", "[[static.route]]\nprefix = \"10.50.0.0/24\"\nnext-hop = [\"10.0.2.2\", \"10.0.3.2\"]\n")
	s.begin()
	by := map[string]int{}
	var flows []*stream
	for i := range 16 {
		x := s.newStream(t, fmt.Sprintf("10.0.1.2:%d", 4000+i), fmt.Sprintf("10.50.0.1:%d", 5000+i))
		by[x.carried().Out]++
		flows = append(flows, x)
	}
	if by["lan1"] == 0 || by["lan2"] == 0 || len(by) != 2 {
		t.Errorf("flows leave by %v, want some by lan1 and by lan2", by)
	}
	s.in(1, "ip", "link", "set", "eth1", "down")
	wait(t, "the cut to be seen", func() error {
		if s.d.router.View().Named("lan2").Up {
			return errNotYet
		}
		return nil
	})
	for _, x := range flows {
		if f := x.carried(); f.Out != "lan1" {
			t.Errorf("the flow from %s leaves by %s, which is cut", x.from, f.Out)
		}
	}
}
