package daemon

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"routerd/arp"
	"routerd/internal/control"
)

// capture is a tcpdump on the second host's eth0, one line for each frame.
type capture struct {
	t    testing.TB
	file string
	stop func()
}

// dump starts tcpdump with an expression and waits until it listens.
func (s *site) dump(expression string) *capture {
	s.t.Helper()
	s.needs("tcpdump")
	c := &capture{t: s.t, file: filepath.Join(s.dir, "dump")}
	out, err := os.Create(c.file)
	if err != nil {
		s.t.Fatal(err)
	}
	said, err := os.Create(c.file + ".err")
	if err != nil {
		s.t.Fatal(err)
	}
	// -Z root: tcpdump would give root up, and with it the namespace's devices.
	cmd := exec.Command("ip", "netns", "exec", s.hosts[1], "tcpdump", "-Z", "root", "-i", "eth0", "-n", "-e", "-t", "-l", "--immediate-mode", expression)
	cmd.Stdout, cmd.Stderr = out, said
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := false
	c.stop = func() {
		if ended {
			return
		}
		ended = true
		_ = cmd.Process.Signal(syscall.SIGINT) // fails only when it has ended
		_ = cmd.Wait()
		out.Close()
		said.Close()
	}
	s.t.Cleanup(c.stop)
	wait(s.t, "tcpdump to listen", func() error {
		b, err := os.ReadFile(said.Name())
		if err == nil && !bytes.Contains(b, []byte("listening on")) {
			err = fmt.Errorf("it says %q", b)
		}
		return err
	})
	return c
}

// lines are the frames so far.
func (c *capture) lines() []string {
	b, err := os.ReadFile(c.file)
	if err != nil {
		c.t.Fatal(err)
	}
	whole := b[:bytes.LastIndexByte(b, '\n')+1]
	return strings.Split(strings.TrimSuffix(string(whole), "\n"), "\n")
}

// awaits waits until each pattern matches a line behind the one that the
// pattern before it matches.
func (c *capture) awaits(what string, patterns ...string) {
	c.t.Helper()
	wait(c.t, what, func() error {
		lines := c.lines()
		rest := lines
		for _, p := range patterns {
			at := 0
			for re := regexp.MustCompile(p); at < len(rest) && !re.MatchString(rest[at]); at++ {
			}
			if at == len(rest) {
				return fmt.Errorf("no %q where it belongs in\n%s", p, strings.Join(lines, "\n"))
			}
			rest = rest[at+1:]
		}
		return nil
	})
}

// has counts the lines that match a pattern.
func (c *capture) has(pattern string) int {
	n := 0
	for re, lines := regexp.MustCompile(pattern), c.lines(); len(lines) > 0; lines = lines[1:] {
		if re.MatchString(lines[0]) {
			n++
		}
	}
	return n
}

// link gives the MAC of a device.
func (s *site) link(namespace, device string) string {
	s.t.Helper()
	fields := strings.Fields(s.must("ip", "-n", namespace, "-o", "link", "show", device))
	for i, word := range fields[:len(fields)-1] {
		if word == "link/ether" {
			return fields[i+1]
		}
	}
	s.t.Fatalf("%s in %s has no MAC: %q", device, namespace, fields)
	return ""
}

// The exchanges as tcpdump sees them on the link. Asked by the host, the
// router answers by unicast; what it has to find out itself it asks all, and
// once it knows a neighbour that it sends to, it asks that one alone (RFC 1122
// §2.3.2.1, RFC 4861 §7.3.3).
func TestExchangesOnTheLink(t *testing.T) {
	s := newLAN(t, []string{"10.0.2.2/24", "2001:db8:2::2/64", "10.0.2.3/24", "2001:db8:2::3/64"}, `addresses = ["10.0.2.1/24", "2001:db8:2::1/64"]`)
	s.in(1, "ip", "route", "add", "default", "via", "10.0.2.1")
	s.in(1, "ip", "-6", "route", "add", "default", "via", "2001:db8:2::1")
	s.needs("tcpdump")
	s.start()
	wait(t, "the router to use its address", func() error { return s.ping(1, "2001:db8:2::1") })
	// Both sides forget what they learned until now, so that the capture begins
	// with the first frame of the first exchange.
	if _, err := s.client().ClearNeighbors(t.Context(), control.NeighborQuery{}); err != nil {
		t.Fatal(err)
	}
	s.in(1, "ip", "neigh", "flush", "dev", "eth0")
	c := s.dump("arp or (icmp6 and (ip6[40] == 135 or ip6[40] == 136))")
	router, host := s.link(s.core(0), "core0"), s.link(s.hosts[1], "eth0")

	s.in(1, "ping", "-n", "-c1", "-W2", "-I", "10.0.2.2", "10.0.2.1")
	s.in(1, "ping", "-n", "-c1", "-W2", "-I", "2001:db8:2::2", "2001:db8:2::1")
	c.awaits("the host's ARP request and the router's reply",
		host+` > ff:ff:ff:ff:ff:ff, .* length 42: Request who-has 10\.0\.2\.1 tell 10\.0\.2\.2,`,
		router+` > `+host+`, .* length 42: Reply 10\.0\.2\.1 is-at `+router+`,`)
	c.awaits("the host's solicitation and the router's advertisement",
		host+` > 33:33:ff:00:00:01, .* 2001:db8:2::2 > ff02::1:ff00:1: ICMP6, neighbor solicitation, who has 2001:db8:2::1,`,
		router+` > `+host+`, .* 2001:db8:2::1 > 2001:db8:2::2: ICMP6, neighbor advertisement, tgt is 2001:db8:2::1,`)

	// The host's second addresses have not said anything yet.
	for _, to := range []string{"10.0.2.3", "2001:db8:2::3"} {
		if err := s.ping(0, to); err != nil {
			t.Error(err)
		}
	}
	c.awaits("the router's ARP request and the host's reply",
		router+` > ff:ff:ff:ff:ff:ff, .* length 42: Request who-has 10\.0\.2\.3 tell 10\.0\.2\.1,`,
		host+` > `+router+`, .*: Reply 10\.0\.2\.3 is-at `+host+`,`)
	c.awaits("the router's solicitation and the host's advertisement",
		router+` > 33:33:ff:00:00:03, .* 2001:db8:2::1 > ff02::1:ff00:3: ICMP6, neighbor solicitation, who has 2001:db8:2::3,`,
		host+` > `+router+`, .* 2001:db8:2::3 > 2001:db8:2::1: ICMP6, neighbor advertisement, tgt is 2001:db8:2::3,`)

	// What the host said of itself made it a stale neighbour, the echo replies
	// one in use: after five seconds of doubt it is asked, and nobody else is.
	c.awaits("the refresh by ARP",
		router+` > `+host+`, .* length 42: Request who-has 10\.0\.2\.2 (\(`+host+`\) )?tell 10\.0\.2\.1,`,
		host+` > `+router+`, .*: Reply 10\.0\.2\.2 is-at `+host+`,`)
	c.awaits("the refresh by neighbour discovery",
		router+` > `+host+`, .* 2001:db8:2::1 > 2001:db8:2::2: ICMP6, neighbor solicitation, who has 2001:db8:2::2,`,
		host+` > `+router+`, .* 2001:db8:2::2 > 2001:db8:2::1: ICMP6, neighbor advertisement, tgt is 2001:db8:2::2,`)
	if n := c.has(router + ` > (ff:ff:ff:ff:ff:ff|33:33:.*), .*(who-has 10\.0\.2\.2|who has 2001:db8:2::2,)`); n != 0 {
		t.Errorf("the router asked all for a neighbour that it knew %d times:\n%s", n, strings.Join(c.lines(), "\n"))
	}
	for _, a := range []string{"10.0.2.2", "2001:db8:2::2"} {
		wait(t, a+" to be reachable", func() error {
			if n, _ := s.neighbour(a); n.State != arp.Reachable.String() {
				return fmt.Errorf("it is %q", n.State)
			}
			return nil
		})
	}
}

// A request that came padded to the least frame, as by a real cable, is
// answered, and none of the padding goes into the answer: a router tells
// nobody what else was in a buffer.
func TestPaddingIsNotAnswered(t *testing.T) {
	s := newLAN(t, []string{"10.0.2.2/24"}, `addresses = ["10.0.2.1/24"]`)
	s.start()
	host, err := net.ParseMAC(s.link(s.hosts[1], "eth0"))
	if err != nil {
		t.Fatal(err)
	}
	const least = 60 // bytes, without the frame check sequence
	me := arp.MAC(host)
	frame := arp.AppendEthernet(nil, arp.Broadcast, me, arp.EtherTypeARP)
	frame = arp.AppendPacket(frame, arp.OpRequest, me, mustAddr("10.0.2.2"), arp.MAC{}, mustAddr("10.0.2.1"))
	frame = append(frame, bytes.Repeat([]byte{0xa5}, least-len(frame))...)
	wire := -1
	s.within(1, func() error {
		var err error
		if wire, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		index, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		return unix.Bind(wire, &unix.SockaddrLinklayer{Protocol: 0x0608, Ifindex: index.Index}) // ETH_P_ARP in network order
	})
	defer unix.Close(wire)
	timeout := unix.NsecToTimeval(int64(100 * time.Millisecond))
	if err := unix.SetsockoptTimeval(wire, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		t.Fatal(err)
	}
	var got []byte
	wait(t, "the reply to a padded request", func() error {
		if _, err := unix.Write(wire, frame); err != nil {
			return err
		}
		buf := make([]byte, 2048)
		n, err := unix.Read(wire, buf)
		if err != nil {
			return err
		}
		got = buf[:n]
		p := arp.Packet(got[arp.EthernetHeader:])
		if !p.Valid() || p.Op() != arp.OpReply {
			return fmt.Errorf("read % x, want a reply", got)
		}
		return nil
	})
	p := arp.Packet(got[arp.EthernetHeader:])
	if arp.MAC(got[:6]) != me || p.TargetMAC() != me || p.TargetAddr() != mustAddr("10.0.2.2") || p.SenderAddr() != mustAddr("10.0.2.1") {
		t.Errorf("the reply is % x, want 10.0.2.1 told to 10.0.2.2 at %s", got, me)
	}
	if behind := p[arp.PacketLen:]; len(bytes.Trim(behind, "\x00")) != 0 {
		t.Errorf("% x behind the reply, want nothing or zeros", behind)
	}
}
