package packet

import (
	"bufio"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
	"routerd/dataplane/port/porttest"
)

// netfilterSockets counts the netfilter sockets of a namespace that are bound
// and not the kernel's.
func netfilterSockets(t *testing.T, netns string) (n int) {
	t.Helper()
	f := porttest.Inside(t, netns, func() (*os.File, error) { return os.Open("/proc/thread-self/net/netlink") })
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// The address, the protocol and the port of a socket, see netlink_native_seq_show.
		if fields := strings.Fields(lines.Text()); len(fields) > 2 && fields[1] == "12" && fields[2] != "0" {
			n++
		}
	}
	return n
}

// secondWire adds r1 and h1 to a used wire, of which the kernel answers at r1
// for 198.18.1.1, and gives a port that plays the host there.
func secondWire(t *testing.T, w wire) *Port {
	t.Helper()
	w.lay(t, "r1", "h1")
	w.address(t, "h1", "198.18.1", "2001:db8:1:")
	porttest.IP(t, "-n", w.router, "address", "add", "198.18.1.1/24", "dev", "r1")
	return openPort(t, Config{Name: "far1", Netns: w.host, Device: "h1", TakeOver: true})
}

// answers asserts that the kernel answers for 198.18.1.1 at the second wire.
func answers(t *testing.T, far *Port, when string) {
	t.Helper()
	write(t, far, arpRequest("198.18.1.1"))
	porttest.ReadUntil(t, far.Queues()[0], "an ARP reply "+when, func(f *port.Frame) bool { return isARPReply(f.Bytes()) })
}

// silent asserts that the kernel neither answers nor sends by the device that p
// holds: what p sends arrives first.
func silent(t *testing.T, p, far *Port, target, when string) {
	t.Helper()
	write(t, far, arpRequest(target))
	porttest.ReadUntil(t, p.Queues()[0], "the ARP request", func(f *port.Frame) bool {
		return len(f.Bytes()) > 13 && f.Bytes()[12] == 8 && f.Bytes()[13] == 6
	})
	write(t, p, marker("the router's own"))
	porttest.ReadUntil(t, far.Queues()[0], "the router's own frame", func(f *port.Frame) bool {
		if isARPReply(f.Bytes()) {
			t.Errorf("the kernel answers %s", when)
		}
		return strings.HasSuffix(string(f.Bytes()), "the router's own")
	})
}

// The ports of a namespace have one socket, which goes with the last of them;
// each gives back its own device alone.
func TestPortsOfOneNamespace(t *testing.T) {
	w, far := usedWire(t)
	far1 := secondWire(t, w)
	cfg := Config{Name: "lan0", Netns: w.router, Device: "r0", TakeOver: true}
	cfg1 := Config{Name: "lan1", Netns: w.router, Device: "r1", TakeOver: true}
	p, p1 := openPort(t, cfg), openPort(t, cfg1)
	if n := netfilterSockets(t, w.router); n != 1 {
		t.Errorf("two ports of one namespace have %d netfilter sockets, want 1", n)
	}
	for range 3 {
		if err := p1.Close(); err != nil {
			t.Fatal(err)
		}
		silent(t, p, far, "198.18.0.1", "at r0 when the port of r1 is closed")
		answers(t, far1, "at r1 when its port is closed")
		p1 = openPort(t, cfg1)
		silent(t, p1, far1, "198.18.1.1", "at r1 when it is taken again")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	kernelAnswers(t, far, "when the port of r0 is closed")
	silent(t, p1, far1, "198.18.1.1", "at r1 when the port of r0 is closed")
	if err := p1.Close(); err != nil {
		t.Fatal(err)
	}
	answers(t, far1, "at r1 when all ports are closed")
	if n := netfilterSockets(t, w.router); n != 0 {
		t.Errorf("%d netfilter sockets are left without a port", n)
	}
	if len(netfilters.of) != 1 { // that of the host's namespace
		t.Errorf("%d sockets are kept, want the one of the other namespace", len(netfilters.of))
	}
}

// Where another router holds a device of the same namespace, its table stays,
// and its refusal does not disturb the ports that share the socket.
func TestTwoRoutersInOneNamespace(t *testing.T) {
	w, far := usedWire(t)
	far1 := secondWire(t, w)
	fd := porttest.Inside(t, w.router, openNetfilter)
	other := &netfilter{fd: fd, left: make(map[string]bool)}
	defer unix.Close(fd)
	if err := other.install("r0"); err != nil {
		t.Fatal(err)
	}
	// A third port, so that the socket outlives the second.
	porttest.IP(t, "-n", w.router, "link", "add", "name", "r2", "type", "veth", "peer", "name", "h2", "netns", w.host)
	openPort(t, Config{Name: "lan2", Netns: w.router, Device: "r2"})
	cfg1 := Config{Name: "lan1", Netns: w.router, Device: "r1", TakeOver: true}
	for range 3 {
		p1 := openPort(t, cfg1)
		for range 2 {
			_, err := Open(Config{Name: "lan0", Netns: w.router, Device: "r0", TakeOver: true})
			if err == nil || !strings.Contains(err.Error(), "another routerd holds the device (nftables table netdev routerd-r0)") {
				t.Fatalf("taking what another router holds: %v", err)
			}
		}
		silent(t, p1, far1, "198.18.1.1", "at r1 after the refusal of r0")
		if err := p1.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.remove("r0"); err != nil {
		t.Errorf("the other router's table was not left alone: %v", err)
	}
	kernelAnswers(t, far, "when the other router has let go")
	openPort(t, Config{Name: "lan0", Netns: w.router, Device: "r0", TakeOver: true})
}

// withoutPrivileges runs f on a thread that has no capabilities.
func withoutPrivileges(t *testing.T, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends
		var data [2]unix.CapUserData
		if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err != nil {
			t.Error(err)
		}
		done <- f()
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(porttest.Patience):
		t.Fatal("it does not return")
		return nil
	}
}

// A table that could not be taken away keeps its device from nobody but the
// kernel: the router can have the device again, and gives it back then.
func TestTableThatStays(t *testing.T) {
	w, far := usedWire(t)
	secondWire(t, w)
	p1 := openPort(t, Config{Name: "lan1", Netns: w.router, Device: "r1", TakeOver: true})
	cfg := Config{Name: "lan0", Netns: w.router, Device: "r0", TakeOver: true}
	p := openPort(t, cfg)
	s := p.silence
	p.silence = nil // which leaves the rest of the port as it is
	err := withoutPrivileges(t, s.close)
	if !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "giving device r0 back") {
		t.Fatalf("taking the table away without privileges: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = openPort(t, cfg)
	silent(t, p, far, "198.18.0.1", "at r0 when it is taken again")
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	kernelAnswers(t, far, "at r0 when it is given back")

	// The last port's goes with the socket.
	s, p1.silence = p1.silence, nil
	if err := withoutPrivileges(t, s.close); err != nil {
		t.Errorf("closing the last: %v", err)
	}
	if _, err := shareAndInstall(t, w.router, "r1"); err != nil {
		t.Errorf("silencing r1 again: %v", err)
	}
}

func shareAndInstall(t *testing.T, netns, name string) (s *silence, err error) {
	s = porttest.Inside(t, netns, func() (*silence, error) {
		identity, err := device.IdentityOf("")
		if err != nil {
			return nil, err
		}
		return silenceDevice(name, netns, identity)
	})
	return s, s.close()
}
