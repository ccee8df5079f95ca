package rip

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"routerd/routing"
	"routerd/routing/keys"
	"routerd/routing/protocol"
)

// patience is how long BIRD has for what it is expected to do.
const patience = 15 * time.Second

// live is a machine on a veth, by a UDP socket, and BIRD at the other end. One
// goroutine, the test's, does it all.
type live struct {
	t      *testing.T
	m      *Machine
	fd     int
	index  int    // of our end
	bird   string // its namespace
	socket string
	slots  *routing.Slots
	rib    map[netip.Prefix]routing.Route
}

func newLive(t *testing.T, cfg Config, options string) *live {
	t.Helper()
	if testing.Short() {
		t.Skip("waits for another program")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	for _, tool := range []string{"ip", "bird", "birdc", "sysctl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	us, them := fmt.Sprintf("rdrip%dr", os.Getpid()), fmt.Sprintf("rdrip%db", os.Getpid())
	l := &live{t: t, bird: them, socket: filepath.Join(t.TempDir(), "b"), rib: map[netip.Prefix]routing.Route{}}
	for _, ns := range []string{us, them} {
		l.run("ip", "netns", "add", ns)
		t.Cleanup(func() { l.run("ip", "netns", "del", ns) })
		l.run("ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
	}
	l.run("ip", "-n", us, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", them)
	for at, ns := range []string{us, them} {
		l.run("ip", "-n", ns, "address", "add", fmt.Sprintf("198.18.0.%d/24", at+1), "dev", "eth0")
		l.run("ip", "-n", ns, "address", "add", fmt.Sprintf("fe80::%d/64", at+1), "dev", "eth0", "nodad")
		l.run("ip", "-n", ns, "link", "set", "eth0", "addrgenmode", "none")
		l.run("ip", "-n", ns, "link", "set", "eth0", "up")
	}
	for _, ns := range []string{us, them} { // the kernel brings IPv6 up in its own time
		ready := func() bool {
			return exec.Command("ip", "-n", ns, "route", "get", "ff02::9", "oif", "eth0").Run() == nil
		}
		l.until("way to the group", ready, func() string { return l.run("ip", "-n", ns, "address") })
	}
	l.open(us, cfg.Protocol)
	l.startBIRD(cfg.Protocol, options)
	l.slots = &routing.Slots{}
	l.m = New(cfg.Protocol, protocol.Start{Seed: 1, Slots: l.slots})
	l.step(protocol.Configure{Config: cfg})
	l.step(protocol.LinkUp{Link: eth0, Name: "eth0", Addresses: []netip.Prefix{pfx("198.18.0.1/24"), pfx("fe80::1/64")}, MTU: 1500})
	return l
}

func (l *live) run(args ...string) string {
	l.t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// startBIRD runs BIRD with one route of its own.
func (l *live) startBIRD(p Protocol, options string) {
	l.t.Helper()
	words := map[Protocol][]string{
		RIP:   {"ipv4", "203.0.113.0/24", "rip"},
		RIPng: {"ipv6", "2001:db8:b::/48", "rip ng"},
	}[p]
	conf := filepath.Join(l.t.TempDir(), "bird.conf")
	text := fmt.Sprintf(`
		log stderr all;
		router id 198.18.0.2;
		protocol device {}
		protocol static { %[1]s; route %[2]s blackhole; }
		protocol %[3]s rip1 {
			%[1]s { import all; export where source = RTS_STATIC; };
			interface "eth0" { %[4]s };
		}`, words[0], words[1], words[2], options)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command("ip", "netns", "exec", l.bird, "bird", "-f", "-c", conf, "-s", l.socket)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		_ = cmd.Process.Signal(unix.SIGTERM)
		_ = cmd.Wait()
		if l.t.Failed() {
			l.t.Logf("BIRD said:\n%s", log.String())
		}
	})
	l.until("BIRD's socket", func() bool { _, err := os.Stat(l.socket); return err == nil }, func() string { return log.String() })
}

// open makes a socket for the protocol's port at our end: it stays in the
// namespace that it was made in.
func (l *live) open(us string, p Protocol) {
	l.t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := netns.Get()
	if err != nil {
		l.t.Fatal(err)
	}
	defer home.Close()
	there, err := netns.GetFromName(us)
	if err != nil {
		l.t.Fatal(err)
	}
	defer there.Close()
	if err := netns.Set(there); err != nil {
		l.t.Fatal(err)
	}
	defer func() {
		if err := netns.Set(home); err != nil {
			l.t.Fatal(err)
		}
	}()
	ours, err := net.InterfaceByName("eth0")
	if err != nil {
		l.t.Fatal(err)
	}
	l.index = ours.Index
	family, to := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: 520})
	if p == RIPng {
		family, to = unix.AF_INET6, &unix.SockaddrInet6{Port: 521}
	}
	if l.fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { unix.Close(l.fd) })
	group, _ := Group(p)
	for _, err := range []error{
		unix.Bind(l.fd, to),
		l.join(p, group),
	} {
		if err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *live) join(p Protocol, group netip.Addr) error {
	if p == RIPng {
		mreq := &unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(l.index)}
		if err := unix.SetsockoptIPv6Mreq(l.fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, mreq); err != nil {
			return err
		}
		if err := unix.SetsockoptInt(l.fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, l.index); err != nil {
			return err
		}
		return unix.SetsockoptInt(l.fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255)
	}
	mreq := &unix.IPMreqn{Multiaddr: group.As4(), Ifindex: int32(l.index)}
	if err := unix.SetsockoptIPMreqn(l.fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, mreq); err != nil {
		return err
	}
	return unix.SetsockoptIPMreqn(l.fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, mreq)
}

// step steps the machine and carries out what it says.
func (l *live) step(in protocol.Input) {
	l.t.Helper()
	for _, e := range l.m.Step(time.Now(), in, nil) {
		switch e := e.(type) {
		case protocol.Send:
			var to unix.Sockaddr = &unix.SockaddrInet4{Port: int(e.DstPort), Addr: [4]byte(e.Dst.AsSlice()[:4])}
			if e.Dst.Is6() {
				to = &unix.SockaddrInet6{Port: int(e.DstPort), Addr: e.Dst.As16(), ZoneId: uint32(l.index)}
			}
			if err := unix.Sendto(l.fd, e.Payload, 0, to); err != nil {
				l.t.Fatalf("send to %v: %v", e.Dst, err)
			}
		case protocol.Event:
			if e.What != NeighborSeen.String() && e.What != NeighborGone.String() {
				l.t.Errorf("%v: %v", e.What, e.Err)
			}
		}
	}
	takeUp(l.slots, l.rib)
}

// poll receives for a short while, and lets the machine do what is due.
func (l *live) poll() {
	l.t.Helper()
	fds := []unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}}
	if l.m == nil {
		_, _ = unix.Poll(nil, 5)
		return
	}
	_, _ = unix.Poll(fds, 5)
	buf := make([]byte, 2048)
	for {
		n, from, err := unix.Recvfrom(l.fd, buf, 0)
		if err != nil {
			break
		}
		in := protocol.Received{Link: eth0, HopLimit: 255, Payload: buf[:n]}
		switch from := from.(type) {
		case *unix.SockaddrInet4:
			in.Src, in.SrcPort = netip.AddrFrom4(from.Addr), uint16(from.Port)
		case *unix.SockaddrInet6:
			in.Src, in.SrcPort = netip.AddrFrom16(from.Addr), uint16(from.Port)
		}
		l.step(in)
	}
	l.step(protocol.Tick{})
}

// until polls until a condition holds.
func (l *live) until(what string, holds func() bool, seen func() string) {
	l.t.Helper()
	for end := time.Now().Add(patience); !holds(); l.poll() {
		if time.Now().After(end) {
			l.t.Fatalf("after %v no %s; seen: %s", patience, what, seen())
		}
	}
}

// birdHas reports whether BIRD has learned a route, with a metric.
func (l *live) birdHas(p netip.Prefix, metric int) func() bool {
	pattern := regexp.MustCompile(fmt.Sprintf(`(?s)%s.*RIP\.metric: %d\b`, regexp.QuoteMeta(p.String()), metric))
	return func() bool { return pattern.MatchString(l.birdRoutes()) }
}

func (l *live) birdRoutes() string {
	return l.run("birdc", "-s", l.socket, "show", "route", "protocol", "rip1", "all")
}

// Both learn each other's routes and hear of their end, in either protocol and
// with every authentication that both have; and BIRD answers at once when it
// is asked for the whole table.
func TestBIRD(t *testing.T) {
	const cryptographic = `authentication cryptographic; password "secret" { id 7; algorithm %s; };`
	for _, tt := range []struct {
		name      string
		protocol  Protocol
		algorithm keys.Algorithm
		options   string
	}{
		{"rip", RIP, keys.None, ""},
		{"ripng", RIPng, keys.None, ""},
		{"plain text", RIP, keys.PlainText, `authentication plaintext; password "secret";`},
		{"md5", RIP, keys.KeyedMD5, fmt.Sprintf(cryptographic, "keyed md5")},
		{"sha1", RIP, keys.HMACSHA1, fmt.Sprintf(cryptographic, "hmac sha1")},
		{"sha256", RIP, keys.HMACSHA256, fmt.Sprintf(cryptographic, "hmac sha256")},
		{"sha384", RIP, keys.HMACSHA384, fmt.Sprintf(cryptographic, "hmac sha384")},
		{"sha512", RIP, keys.HMACSHA512, fmt.Sprintf(cryptographic, "hmac sha512")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := DefaultConfig(tt.protocol)
			i := DefaultInterface()
			if tt.algorithm != keys.None {
				i.Auth = Auth{tt.algorithm, keys.Chain{{ID: 7, Secret: []byte("secret")}}}
			}
			cfg.Interfaces["eth0"] = i
			l := newLive(t, cfg, tt.options)
			theirs, ours := netB, pfx("198.51.100.0/24")
			if tt.protocol == RIPng {
				theirs, ours = pfx("2001:db8:b::/48"), pfx("2001:db8:a::/48")
			}
			known := func() bool { _, ok := l.rib[theirs]; return ok }
			seen := func() string { return fmt.Sprintf("%v and\n%s", l.rib, l.birdRoutes()) }
			l.until("route of BIRD's", known, seen)
			if r := l.rib[theirs]; r.Metric != 2 {
				t.Errorf("metric %d, want 2", r.Metric)
			}
			l.step(protocol.Notices{Notices: routing.Notices{Routes: []routing.Delta{
				{Route: routing.Route{Prefix: ours, Source: routing.SourceStatic, Metric: 3, Tag: 42}},
			}}})
			l.until("route of ours with BIRD", l.birdHas(ours, 4), seen)
			if text := l.birdRoutes(); !strings.Contains(text, "RIP.tag: 002a") && !strings.Contains(text, "RIP.tag: 42") {
				t.Errorf("no tag in what BIRD has:\n%s", text)
			}
			l.step(Clear{routing.NoInterface, netip.Addr{}})
			if known() {
				t.Error("cleared, but still known")
			}
			// Within patience, which is less than half of BIRD's interval.
			l.until("route of BIRD's after asking for it", known, seen)
			l.step(protocol.Notices{Notices: routing.Notices{Routes: []routing.Delta{
				{Withdraw: true, Route: routing.Route{Prefix: ours, Source: routing.SourceStatic}},
			}}})
			l.until("end of our route with BIRD", func() bool { return !strings.Contains(l.birdRoutes(), ours.String()) }, seen)
			l.run("birdc", "-s", l.socket, "disable", "static1")
			l.until("end of BIRD's route", func() bool { return !known() }, seen)
		})
	}
}
