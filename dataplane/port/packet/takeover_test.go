package packet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
	"routerd/dataplane/port/porttest"
	"routerd/internal/packet"
)

// marker is a frame of an experimental ethertype (IEEE 802).
func marker(text string) *port.Frame { return porttest.Frame(ethernet(0x88b5, []byte(text))) }

// arpRequest asks for an address as 198.18.0.2 does.
func arpRequest(target string) *port.Frame {
	b := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, hostMAC[:]...)
	b = append(b, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1) // RFC 826: Ethernet, IPv4, request
	b = append(append(b, hostMAC[:]...), netip.MustParseAddr("198.18.0.2").AsSlice()...)
	b = append(append(b, make([]byte, 6)...), netip.MustParseAddr(target).AsSlice()...)
	return porttest.Frame(b)
}

// neighbourSolicitation asks for an address as fe80::2 does (RFC 4861 §4.3).
func neighbourSolicitation(target string) *port.Frame {
	to := netip.MustParseAddr(target).As16()
	m := append([]byte{135, 0, 0, 0, 0, 0, 0, 0}, to[:]...)
	m = append(append(m, 1, 1), hostMAC[:]...)
	b := make([]byte, 40, 40+len(m))
	b[0] = 0x60
	binary.BigEndian.PutUint16(b[4:], uint16(len(m)))
	b[6], b[7] = packet.ProtoICMPv6, 255
	from := netip.MustParseAddr("fe80::2").As16()
	copy(b[8:], from[:])
	copy(b[24:], to[:])
	h := packet.IPv6(b)
	packet.ICMP(m).SetChecksum(^packet.Sum(m, packet.PseudoHeaderSum6(h.SrcBytes(), h.DstBytes(), packet.ProtoICMPv6, len(m))))
	e := append(append([]byte{}, routerMAC[:]...), hostMAC[:]...)
	return porttest.Frame(append(append(append(e, 0x86, 0xdd), b...), m...))
}

func isARPReply(b []byte) bool { return len(b) >= 42 && b[12] == 8 && b[13] == 6 && b[21] == 2 }

func isAdvertisement(b []byte) bool {
	return len(b) >= 58 && b[12] == 0x86 && b[13] == 0xdd && b[20] == packet.ProtoICMPv6 && b[54] == 136
}

// usedWire is a wire whose router's end the kernel uses: it answers there for
// 198.18.0.1, fe80::1 and 2001:db8::1, and forwards. The host's end is held by
// a port that plays the host.
func usedWire(t *testing.T) (wire, *Port) {
	w := newWire(t)
	porttest.IP(t, "-n", w.router, "address", "add", "fe80::1/64", "dev", "r0", "nodad")
	porttest.IP(t, "-n", w.router, "address", "add", "198.18.0.1/24", "dev", "r0")
	porttest.IP(t, "-n", w.router, "address", "add", "2001:db8::1/64", "dev", "r0", "nodad")
	porttest.IP(t, "-n", w.router, "route", "add", "default", "via", "198.18.0.2")
	porttest.IP(t, "netns", "exec", w.router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
	return w, openPort(t, Config{Name: "far", Netns: w.host, Device: "h0", TakeOver: true})
}

// kernelAnswers asserts that the kernel does answer at r0.
func kernelAnswers(t *testing.T, far *Port, when string) {
	t.Helper()
	write(t, far, arpRequest("198.18.0.1"))
	porttest.ReadUntil(t, far.Queues()[0], "an ARP reply "+when, func(f *port.Frame) bool { return isARPReply(f.Bytes()) })
	write(t, far, neighbourSolicitation("fe80::1"))
	porttest.ReadUntil(t, far.Queues()[0], "a neighbour advertisement "+when, func(f *port.Frame) bool { return isAdvertisement(f.Bytes()) })
}

// state is all that can be seen of r0 by ip(8) and below /proc/sys.
func (w wire) state(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, args := range [][]string{{"address", "show", "dev", "r0"}, {"route", "show", "table", "all"}, {"-6", "route", "show", "table", "all"}} {
		b.WriteString(porttest.IP(t, append([]string{"-n", w.router}, args...)...))
	}
	out, err := exec.Command("ip", "netns", "exec", w.router, "sysctl", "-a", "-r", `^net\.ipv[46]\.conf\.r0\.`).CombinedOutput()
	if err != nil {
		t.Fatalf("sysctl: %v\n%s", err, out)
	}
	b.Write(out)
	return b.String()
}

// While a port is open the kernel neither answers nor forwards nor speaks by
// its device; before and after it does, with all that it had.
func TestKernelIsSilent(t *testing.T) {
	w, far := usedWire(t)
	kernelAnswers(t, far, "before the device is taken")
	before := w.state(t)
	cfg := w.config()
	cfg.TakeOver = true
	p := openPort(t, cfg)
	write(t, p, marker("taken"))
	porttest.ReadUntil(t, far.Queues()[0], "the router's first frame", func(f *port.Frame) bool {
		return bytes.HasSuffix(f.Bytes(), []byte("taken"))
	})

	c := porttest.ListenUDP(t, w.router, "198.18.0.1:0")
	through := udp4("198.18.0.2:1", "198.18.0.77:1", "forward me", false)
	copy(through, routerMAC[:])
	copy(through[6:], hostMAC[:])
	questions := []*port.Frame{arpRequest("198.18.0.1"), neighbourSolicitation("fe80::1"), neighbourSolicitation("2001:db8::1"), porttest.Frame(through)}
	write(t, far, questions...)
	arrived := 0
	porttest.ReadUntil(t, p.Queues()[0], "what the host sent", func(f *port.Frame) bool {
		if [6]byte(f.Bytes()[6:]) == hostMAC {
			arrived++
		}
		return arrived == len(questions)
	})
	// What the kernel says of its own accord.
	if _, err := c.WriteToUDPAddrPort([]byte("the kernel's own"), netip.MustParseAddrPort("198.18.0.2:9")); err != nil {
		t.Logf("the kernel tells its own sockets: %v", err)
	}
	write(t, p, marker("the router's own"))
	porttest.ReadUntil(t, far.Queues()[0], "the router's own frame", func(f *port.Frame) bool {
		b := f.Bytes()
		if bytes.HasSuffix(b, []byte("the router's own")) {
			return true
		}
		t.Errorf("the kernel said % x", b)
		return false
	})

	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if after := w.state(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	kernelAnswers(t, far, "after the device was given back")
}

func TestUsedDeviceIsRefused(t *testing.T) {
	ns := porttest.Namespace(t)
	add := func(args ...string) { porttest.IP(t, append([]string{"-n", ns}, args...)...) }
	for _, d := range []string{"four", "six", "route", "multi", "port", "free", "down"} {
		add("link", "add", "name", d, "type", "veth", "peer", "name", d+"p")
		add("link", "set", "dev", d, "up")
		add("link", "set", "dev", d+"p", "up")
	}
	add("address", "add", "198.18.1.1/24", "dev", "four")
	add("address", "add", "2001:db8:1::1/64", "dev", "six", "nodad")
	add("route", "add", "default", "dev", "route", "table", "77")
	add("-6", "route", "add", "default", "nexthop", "via", "fe80::7", "dev", "free", "nexthop", "via", "fe80::7", "dev", "multi")
	add("link", "add", "name", "bridge0", "type", "bridge")
	add("link", "set", "dev", "port", "master", "bridge0")
	for _, tt := range []struct{ device, says string }{
		{"four", "has the address 198.18.1.1/24"},
		{"six", "has the address 2001:db8:1::1/64"},
		{"route", "carries a default route"},
		{"multi", "carries a default route"},
		{"port", "belongs to bridge bridge0"},
	} {
		cfg := Config{Name: "lan0", Netns: ns, Device: tt.device}
		if p, err := Open(cfg); err == nil {
			p.Close()
			t.Errorf("%s: not refused", tt.device)
		} else if !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "take-over = true") {
			t.Errorf("%s: %v\nwant %q", tt.device, err, tt.says)
		}
		cfg.TakeOver = true
		openPort(t, cfg)
	}
	openPort(t, Config{Name: "lan0", Netns: ns, Device: "down"})
	for _, tt := range []struct{ device, says string }{
		{"lo", "carries no Ethernet"},
		{"none", `there is no device "none" in network namespace`},
		{"", "device name"},
		{"four", "another routerd holds the device"}, // opened above
	} {
		if _, err := Open(Config{Name: "lan0", Netns: ns, Device: tt.device, TakeOver: true}); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v\nwant %q", tt.device, err, tt.says)
		}
	}
	if _, err := Open(Config{Name: "lan0", Netns: ns, Device: "down", Queues: 257}); err == nil || !strings.Contains(err.Error(), "queues 257") {
		t.Errorf("queues: %v", err)
	}
}

// A device that is down is set up and, on release, down again; whoever has to
// undo that after a kill hears of it first and may forbid it.
func TestDeviceThatIsDown(t *testing.T) {
	w := newWire(t)
	porttest.IP(t, "-n", w.router, "link", "set", "dev", "r0", "down")
	up := func() bool {
		return strings.Contains(porttest.IP(t, "-n", w.router, "link", "show", "dev", "r0"), ",UP")
	}
	cfg := w.config()
	var told []string
	cfg.Will = func(kind, path, value string) error {
		if up() {
			t.Error("it was up before it was told")
		}
		told = []string{kind, path, value}
		return nil
	}
	p := openPort(t, cfg)
	if !p.Up() || !up() || len(told) != 3 {
		t.Fatalf("port up %v, device up %v, told %q", p.Up(), up(), told)
	}
	p.Close()
	if up() {
		t.Error("the device is still up")
	}

	porttest.IP(t, "-n", w.router, "link", "set", "dev", "r0", "up")
	if err := Undo(told[0], told[1], told[2]); err != nil || up() {
		t.Errorf("Undo: %v, up %v", err, up())
	}
	for _, gone := range [][3]string{{KindUp, told[1], "gone0"}, {KindUp, "/run/netns/rdpkt-no-such", "r0"}} {
		if err := Undo(gone[0], gone[1], gone[2]); err != nil {
			t.Errorf("Undo of %q: %v", gone, err)
		}
	}
	if err := Undo("else", told[1], told[2]); err == nil {
		t.Error("Undo of another kind succeeded")
	}

	no := errors.New("not now")
	cfg.Will = func(string, string, string) error { return no }
	if _, err := Open(cfg); !errors.Is(err, no) || up() {
		t.Errorf("Open: %v, up %v", err, up())
	}
}

// The device of a process that is killed is the kernel's again at once.
func TestKilled(t *testing.T) {
	if ns := os.Getenv("RDPKT_HOLD"); ns != "" {
		if _, err := Open(Config{Name: "lan0", Netns: ns, Device: "r0", TakeOver: true}); err != nil {
			t.Fatal(err)
		}
		fmt.Println("taken")
		time.Sleep(porttest.Patience)
		return
	}
	w, far := usedWire(t)
	before := w.state(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestKilled$", "-test.count=1")
	cmd.Env = append(os.Environ(), "RDPKT_HOLD="+w.router)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	n, readErr := out.Read(b)
	_, openErr := Open(Config{Name: "lan0", Netns: w.router, Device: "r0", TakeOver: true})
	cmd.Process.Kill()
	cmd.Wait()
	if string(b[:n]) != "taken" {
		t.Fatalf("the other process: %q, %v", b[:n], readErr)
	}
	if openErr == nil || !strings.Contains(openErr.Error(), "another routerd") {
		t.Errorf("while another process holds it: %v", openErr)
	}
	if n := netfilterSockets(t, w.router); n != 0 {
		t.Errorf("%d netfilter sockets are left of the process that was killed", n)
	}
	kernelAnswers(t, far, "after the process was killed")
	if after := w.state(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	openPort(t, Config{Name: "lan0", Netns: w.router, Device: "r0", TakeOver: true})
}

// The mark of a frame for the kernel's table is not seen beyond it.
func TestMarkDoesNotLeak(t *testing.T) {
	ns := porttest.Namespace(t)
	porttest.IP(t, "-n", ns, "link", "add", "name", "one", "type", "veth", "peer", "name", "two")
	porttest.IP(t, "-n", ns, "link", "set", "dev", "one", "up")
	porttest.IP(t, "-n", ns, "link", "set", "dev", "two", "up")
	p := openPort(t, Config{Name: "one", Netns: ns, Device: "one"})
	fd := porttest.Inside(t, ns, func() (int, error) {
		return unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(networkOrder(0x88b5)))
	})
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVMARK, 1); err != nil {
		t.Skipf("this kernel does not tell the mark of what it receives (it came with 5.19): %v", err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}); err != nil {
		t.Fatal(err)
	}
	write(t, p, marker("unmarked"))
	b, control := make([]byte, 100), make([]byte, 100)
	n, c, _, _, err := unix.Recvmsg(fd, b, control, 0)
	if err != nil || !bytes.HasSuffix(b[:n], []byte("unmarked")) {
		t.Fatalf("%q, %v", b[:n], err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:c])
	if err != nil || len(messages) != 1 || messages[0].Header.Type != unix.SO_MARK {
		t.Fatalf("%+v, %v", messages, err)
	}
	if mark := native.Uint32(messages[0].Data); mark != 0 {
		t.Errorf("the mark is %#x on the other side", mark)
	}
}
