package tun

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

var netnsCount atomic.Int32

// newNetns makes a network namespace for one test.
func newNetns(t testing.TB) string {
	t.Helper()
	needPort(t)
	name := fmt.Sprintf("rdtun%dx%d", os.Getpid(), netnsCount.Add(1))
	ip(t, "netns", "add", name)
	t.Cleanup(func() { ip(t, "netns", "del", name) })
	return name
}

// needPort skips a test where TUN devices cannot be made.
func needPort(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces and TUN devices")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs ip(8) of iproute2")
	}
	f, err := os.OpenFile(device.ClonePath, os.O_RDWR, 0)
	if err != nil {
		t.Skipf("needs %s: %v", device.ClonePath, err)
	}
	f.Close()
}

func ip(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func prefixes(s ...string) (ps []netip.Prefix) {
	for _, p := range s {
		ps = append(ps, netip.MustParsePrefix(p))
	}
	return ps
}

// lanConfig has the kernel at .2 and ::2 and, in our imagination, the router at
// .1 and ::1.
func lanConfig(netns string) Config {
	return Config{Name: "lan0", MTU: 1500, Host: Host{
		Netns:     netns,
		Device:    "lan0",
		Addresses: prefixes("198.18.0.2/24", "2001:db8::2/64"),
		Routes:    prefixes("0.0.0.0/0", "::/0"),
	}}
}

func openPort(t testing.TB, cfg Config) *Port {
	t.Helper()
	p, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func buffers(n int) []port.Frame {
	fs := make([]port.Frame, n)
	for i := range fs {
		fs[i].Buf = make([]byte, port.BufferSize)
	}
	return fs
}

// readUntil reads until want accepts a frame, which is then a copy.
func readUntil(t testing.TB, q port.Queue, what string, want func(*port.Frame) bool) {
	t.Helper()
	if err := q.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	defer q.SetReadDeadline(time.Time{})
	fs := buffers(4)
	for seen := 0; ; {
		n, err := q.Read(fs)
		if err != nil {
			t.Fatalf("waiting for %s: %v after %d other frames", what, err, seen)
		}
		for i := range fs[:n] {
			if want(&fs[i]) {
				return
			}
			seen++
		}
	}
}

// inside opens something in a namespace.
func inside[T any](t testing.TB, netns string, open func() (T, error)) (v T) {
	t.Helper()
	err := device.InNamespace(netns, func() (err error) {
		v, err = open()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func listenUDP(t testing.TB, netns, address string) *net.UDPConn {
	t.Helper()
	c := inside(t, netns, func() (*net.UDPConn, error) {
		return net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address)))
	})
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

func TestMissingNamespaceIsNotMade(t *testing.T) {
	needPort(t)
	cfg := lanConfig(fmt.Sprintf("rdtun%dmissing", os.Getpid()))
	_, err := Open(cfg)
	if err == nil || !strings.Contains(err.Error(), "ip netns add "+cfg.Host.Netns) || !strings.Contains(err.Error(), "TUN port lan0") {
		t.Errorf("Open: %v", err)
	}
	if _, err := os.Stat(device.NamespacePath(cfg.Host.Netns)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the namespace is there now: %v", err)
	}
}

// A namespace may be given by path.
func TestNamespaceByPath(t *testing.T) {
	ns := newNetns(t)
	cfg := lanConfig("/var/run/netns/../../run/netns/" + ns)
	openPort(t, cfg)
	if out := ip(t, "-n", ns, "-br", "link"); !strings.Contains(out, "lan0") {
		t.Errorf("no lan0 in %s:\n%s", ns, out)
	}
}

// Without root, in a user namespace of one's own. The inner test is run by
// this test binary under unshare(1).
func TestUnprivilegedUserNamespace(t *testing.T) {
	if os.Getenv("RDTUN_INSIDE_USERNS") != "" {
		p := openPort(t, Config{Name: "lan0", MTU: 1400, Host: Host{
			Device: "lan0", Addresses: prefixes("198.18.0.2/24"), Routes: prefixes("0.0.0.0/0"),
		}})
		if !p.Up() || p.MTU() != 1400 {
			t.Errorf("up %v, mtu %d", p.Up(), p.MTU())
		}
		pingOnce(t, p, "", "198.18.0.1")
		return
	}
	if _, err := exec.LookPath("unshare"); err != nil {
		t.Skip("needs unshare(1) of util-linux")
	}
	unshare := func(command ...string) *exec.Cmd {
		ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
		t.Cleanup(cancel)
		return exec.CommandContext(ctx, "unshare", append([]string{"-U", "-r", "-n"}, command...)...)
	}
	if out, err := unshare("true").CombinedOutput(); err != nil {
		t.Skipf("user namespaces are not permitted here: %v: %s", err, out)
	}
	// Whoever runs the test, inside it has no more rights over the machine
	// than the owner of its files has.
	if out, err := unshare("sh", "-c", "true <>"+device.ClonePath).CombinedOutput(); err != nil {
		t.Skipf("%s may not be opened in a user namespace here: %s", device.ClonePath, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := unshare(self, "-test.run=^TestUnprivilegedUserNamespace$", "-test.count=1")
	cmd.Env = append(os.Environ(), "RDTUN_INSIDE_USERNS=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
