package porttest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port/device"
)

// Patience is how long a test waits for what has to happen.
const Patience = 10 * time.Second

var namespaces atomic.Int32

// NeedRoot skips a test where namespaces cannot be made.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces and devices")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs ip(8) of iproute2")
	}
}

// NeedTUN skips a test where TUN and TAP devices cannot be made.
func NeedTUN(t testing.TB) {
	t.Helper()
	NeedRoot(t)
	f, err := os.OpenFile(device.ClonePath, os.O_RDWR, 0)
	if err != nil {
		t.Skipf("needs %s: %v", device.ClonePath, err)
	}
	f.Close()
}

// Namespace makes a network namespace for one test and gives its name.
func Namespace(t testing.TB) string {
	t.Helper()
	NeedRoot(t)
	name := fmt.Sprintf("rdport%dx%d", os.Getpid(), namespaces.Add(1))
	IP(t, "netns", "add", name)
	t.Cleanup(func() { IP(t, "netns", "del", name) })
	return name
}

// IP runs ip(8) and gives what it says.
func IP(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Inside opens something in a namespace.
func Inside[T any](t testing.TB, netns string, open func() (T, error)) (v T) {
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

// ListenUDP listens in a namespace until the test ends.
func ListenUDP(t testing.TB, netns, address string) *net.UDPConn {
	t.Helper()
	c := Inside(t, netns, func() (*net.UDPConn, error) {
		return net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address)))
	})
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(Patience))
	return c
}

// WantDatagrams reads the datagrams that are wanted, in order.
func WantDatagrams(t testing.TB, c *net.UDPConn, want ...string) {
	t.Helper()
	b := make([]byte, 65536)
	for i, w := range want {
		n, _, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			t.Fatalf("datagram %d of %d: %v", i+1, len(want), err)
		}
		if string(b[:n]) != w {
			t.Fatalf("datagram %d of %d is %q, want %q", i+1, len(want), b[:n], w)
		}
	}
}

// Sender gives a function that sends whole packets by a device of a namespace,
// each behind the link header, past the kernel's own addresses and neighbours.
// It waits for a device that has just come up.
func Sender(t testing.TB, netns, name string, header []byte) func(packet []byte) {
	t.Helper()
	var index int
	fd := Inside(t, netns, func() (int, error) {
		i, err := net.InterfaceByName(name)
		if err != nil {
			return -1, err
		}
		index = i.Index
		return unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	})
	t.Cleanup(func() { unix.Close(fd) })
	to := &unix.SockaddrLinklayer{Ifindex: index, Protocol: 0x0008} // IPv4, in network order
	return func(packet []byte) {
		t.Helper()
		frame := append(append([]byte(nil), header...), packet...)
		for limit := time.Now().Add(Patience); ; time.Sleep(time.Millisecond) {
			err := unix.Sendto(fd, frame, 0, to)
			if err == nil {
				return
			}
			if err != unix.ENETDOWN && err != unix.ENOBUFS || time.Now().After(limit) {
				t.Fatalf("sending by %s of %s: %v", name, netns, err)
			}
		}
	}
}

// SetUp gives a function that sets a device of a namespace up or down.
func SetUp(t testing.TB, netns, name string) func(up bool) {
	return set(t, netns, name, []string{"up"}, []string{"down"})
}

// SetCarrier gives a function that takes a device's carrier away or gives it
// back.
func SetCarrier(t testing.TB, netns, name string) func(up bool) {
	return set(t, netns, name, []string{"carrier", "on"}, []string{"carrier", "off"})
}

func set(t testing.TB, netns, name string, up, down []string) func(up bool) {
	return func(on bool) {
		t.Helper()
		words := down
		if on {
			words = up
		}
		IP(t, append([]string{"-n", netns, "link", "set", "dev", name}, words...)...)
	}
}

// SegmentSize has the kernel take super-packets of such segments from a socket.
func SegmentSize(t testing.TB, c *net.UDPConn, n int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT, n) })
	if err != nil {
		t.Skipf("this kernel has no UDP_SEGMENT: %v", err)
	}
}

// InUserNamespace runs the calling test again, by this test binary under
// unshare(1), without root and in a user and network namespace of its own. It is
// true in there. Where such namespaces are not permitted, or the command try
// fails in one, the test is skipped.
func InUserNamespace(t *testing.T, try string) bool {
	t.Helper()
	const mark = "PORTTEST_IN_USER_NAMESPACE"
	if os.Getenv(mark) == t.Name() {
		return true
	}
	for _, tool := range []string{"unshare", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	unshare := func(command ...string) *exec.Cmd {
		ctx, cancel := context.WithTimeout(context.Background(), 2*Patience)
		t.Cleanup(cancel)
		return exec.CommandContext(ctx, "unshare", append([]string{"-U", "-r", "-n"}, command...)...)
	}
	if out, err := unshare("true").CombinedOutput(); err != nil {
		t.Skipf("user namespaces are not permitted here: %v: %s", err, out)
	}
	if out, err := unshare("sh", "-c", try).CombinedOutput(); err != nil {
		t.Skipf("%s fails in a user namespace here: %s", try, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := unshare(self, "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), mark+"="+t.Name())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}
