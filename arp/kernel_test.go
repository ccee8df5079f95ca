package arp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"routerd/internal/siphash"
	"routerd/routing"
)

// patience is how long the kernel has for what it is expected to do.
const patience = 15 * time.Second

// wire is a machine on a veth, by a packet socket, and a Linux host at the
// other end. One goroutine, the test's, does it all.
type wire struct {
	t     *testing.T
	m     *Machine
	tab   *Table
	fd    int
	host  string // its namespace
	mac   MAC    // ours
	seen  []Effect
	frame [2048]byte
}

func newWire(t *testing.T) *wire {
	t.Helper()
	if testing.Short() {
		t.Skip("waits for the kernel's own timers")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	for _, tool := range []string{"ip", "arping", "ndisc6", "rdisc6", "sysctl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	us, host := fmt.Sprintf("rdarp%dr", os.Getpid()), fmt.Sprintf("rdarp%dh", os.Getpid())
	w := &wire{t: t, host: host}
	for _, ns := range []string{us, host} {
		w.run("ip", "netns", "add", ns)
		t.Cleanup(func() { w.run("ip", "netns", "del", ns) })
	}
	// The kernel is to leave our end alone.
	w.run("ip", "netns", "exec", us, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
	w.run("ip", "-n", us, "link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", host)
	w.run("ip", "-n", us, "link", "set", "lan0", "up")
	w.run("ip", "-n", host, "link", "set", "eth0", "up")
	w.open(us)
	return w
}

func (w *wire) run(args ...string) string {
	w.t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// open binds a packet socket to our end: a socket stays in the namespace that
// it was made in.
func (w *wire) open(us string) {
	w.t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := netns.Get()
	if err != nil {
		w.t.Fatal(err)
	}
	defer home.Close()
	there, err := netns.GetFromName(us)
	if err != nil {
		w.t.Fatal(err)
	}
	defer there.Close()
	if err := netns.Set(there); err != nil {
		w.t.Fatal(err)
	}
	defer func() {
		if err := netns.Set(home); err != nil {
			w.t.Fatal(err)
		}
	}()
	all := int(binary.NativeEndian.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL}))
	if w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { unix.Close(w.fd) })
	ifr, err := unix.NewIfreq("lan0")
	if err != nil {
		w.t.Fatal(err)
	}
	if err := unix.IoctlIfreq(w.fd, unix.SIOCGIFINDEX, ifr); err != nil {
		w.t.Fatal(err)
	}
	if err := unix.Bind(w.fd, &unix.SockaddrLinklayer{Protocol: uint16(all), Ifindex: int(ifr.Uint32())}); err != nil {
		w.t.Fatal(err)
	}
	link := regexp.MustCompile(`link/ether (\S+)`).FindStringSubmatch(w.run("ip", "-n", us, "link", "show", "lan0"))
	w.mac = parseMAC(w.t, link[1])
}

func parseMAC(t *testing.T, s string) (m MAC) {
	t.Helper()
	if _, err := fmt.Sscanf(s, "%02x:%02x:%02x:%02x:%02x:%02x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]); err != nil {
		t.Fatalf("address %q: %v", s, err)
	}
	return m
}

func (w *wire) step(in Input) {
	w.t.Helper()
	for _, e := range w.m.Step(time.Now(), in, nil) {
		w.tab.Apply(e)
		w.seen = append(w.seen, e)
		if s, ok := e.(SendFrame); ok {
			if _, err := unix.Write(w.fd, s.Frame); err != nil {
				w.t.Fatalf("send: %v", err)
			}
		}
	}
}

// until passes frames and time to the machine until done says so.
func (w *wire) until(what string, done func() bool) {
	w.t.Helper()
	for end := time.Now().Add(patience); !done(); {
		if time.Now().After(end) {
			w.t.Fatalf("waited %v for %s; the machine wanted %v", patience, what, w.seen)
		}
		wait := 20 * time.Millisecond
		if d := w.m.Deadline(); !d.IsZero() {
			wait = min(max(time.Until(d), time.Millisecond), wait)
		}
		poll := []unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(poll, int(wait/time.Millisecond)); err != nil && err != unix.EINTR {
			w.t.Fatalf("poll: %v", err)
		} else if n < 1 {
			w.step(Tick{})
			continue
		}
		n, from, err := unix.Recvfrom(w.fd, w.frame[:], unix.MSG_DONTWAIT)
		if err != nil {
			w.t.Fatalf("receive: %v", err)
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype != unix.PACKET_OUTGOING {
			w.step(Received{eth0, w.frame[:n]})
		}
	}
}

// onHost runs a command on the host while the machine runs, and gives what it
// printed and whether it succeeded.
func (w *wire) onHost(args ...string) (string, bool) {
	w.t.Helper()
	type result struct {
		out []byte
		err error
	}
	ended := make(chan result, 1)
	cmd := exec.Command("ip", append([]string{"netns", "exec", w.host}, args...)...)
	go func() {
		out, err := cmd.CombinedOutput()
		ended <- result{out, err}
	}()
	var r result
	w.until(strings.Join(args, " "), func() bool {
		select {
		case r = <-ended:
			return true
		default:
			return false
		}
	})
	return string(r.out), r.err == nil
}

func (w *wire) hostMAC() MAC {
	w.t.Helper()
	out, _ := w.onHost("cat", "/sys/class/net/eth0/address")
	return parseMAC(w.t, strings.TrimSpace(out))
}

// The kernel is the other party of everything that the machine says.
func TestKernel(t *testing.T) {
	w := newWire(t)
	w.m, w.tab = New(DefaultConfig(), 1), NewTable(64, siphash.Key{1})
	w.run("ip", "-n", w.host, "addr", "add", "192.0.2.10/24", "dev", "eth0")
	taken := netip.MustParsePrefix("2001:db8:5::5/64")
	w.run("ip", "-n", w.host, "addr", "add", taken.String(), "dev", "eth0", "nodad")
	ra := DefaultRA([]netip.Prefix{netip.MustParsePrefix("2001:db8::/64")}, []netip.Addr{our6})
	w.step(InterfaceUp{eth0, InterfaceConfig{
		MAC: w.mac, RA: &ra,
		Addresses: []netip.Prefix{netip.PrefixFrom(our4, 24), netip.PrefixFrom(our6, 64), taken},
	}})
	w.until("the end of duplicate address detection", func() bool {
		return len(of[AddressUsable](w.seen)) == 3 && len(of[AddressDuplicate](w.seen)) == 1
	})
	if d := of[AddressDuplicate](w.seen)[0]; d.Prefix != taken || d.MAC != w.hostMAC() {
		t.Errorf("the host holds %v, reported as duplicate %+v", taken, d)
	}

	if out, ok := w.onHost("arping", "-c", "1", "-w", "5", "-I", "eth0", our4.String()); !ok || !strings.Contains(strings.ToLower(out), w.mac.String()) {
		t.Errorf("arping failed:\n%s", out)
	}
	if out, ok := w.onHost("ndisc6", "-1", our6.String(), "eth0"); !ok || !strings.Contains(strings.ToLower(out), w.mac.String()) {
		t.Errorf("ndisc6 failed:\n%s", out)
	}
	w.until("the host to take an address and a default route", func() bool {
		addrs, _ := w.onHost("ip", "-6", "addr", "show", "dev", "eth0", "scope", "global", "dynamic", "-tentative")
		routes, _ := w.onHost("ip", "-6", "route", "show", "default")
		return strings.Contains(addrs, "inet6 2001:db8::") &&
			strings.Contains(routes, "via "+LinkLocal(w.mac).String()+" dev eth0 proto ra")
	})
	if out, ok := w.onHost("rdisc6", "-1", "eth0"); !ok || !strings.Contains(out, "2001:db8::/64") || !strings.Contains(out, "Recursive DNS server") {
		t.Errorf("rdisc6 failed:\n%s", out)
	}
	w.resolves(w.hostMAC())
	w.moves()
	w.hostFindsDuplicate()
}

// resolves asks for the host in both families.
func (w *wire) resolves(mac MAC) {
	w.t.Helper()
	out, _ := w.onHost("ip", "-6", "addr", "show", "dev", "eth0", "scope", "link")
	ll := netip.MustParsePrefix(regexp.MustCompile(`inet6 (\S+)`).FindStringSubmatch(out)[1]).Addr()
	w.step(Clear{Interface: routing.NoInterface})
	for i, a := range []netip.Addr{peer4, ll} {
		w.step(Resolve{Interface: eth0, Addr: a, Index: uint32(i + 1)})
		w.until(a.String()+" to be resolved", func() bool {
			e := w.tab.ByIndex(uint32(i + 1))
			return e != nil && e.State == Reachable && e.MAC == mac
		})
	}
}

// moves gives the host another MAC, which it announces.
func (w *wire) moves() {
	w.t.Helper()
	moved := MAC{0x02, 0xaa, 0, 0, 0, 0x77}
	w.run("ip", "-n", w.host, "link", "set", "eth0", "address", moved.String())
	if e := w.tab.Lookup(eth0, peer4); e == nil || e.MAC == moved {
		w.t.Fatalf("before the announcement the host is at %+v", e)
	}
	w.onHost("arping", "-U", "-c", "1", "-I", "eth0", peer4.String())
	w.until("the neighbour to move", func() bool {
		e := w.tab.Lookup(eth0, peer4)
		return e != nil && e.MAC == moved && e.State == Stale
	})
}

// hostFindsDuplicate gives the host an address of ours: its own duplicate
// address detection has to hear of it.
func (w *wire) hostFindsDuplicate() {
	w.t.Helper()
	w.run("ip", "-n", w.host, "addr", "add", our6.String()+"/64", "dev", "eth0")
	w.until("the host to find its address a duplicate", func() bool {
		out, _ := w.onHost("ip", "-6", "addr", "show", "dev", "eth0", "dadfailed")
		return strings.Contains(out, our6.String())
	})
	if slices.ContainsFunc(of[AddressDuplicate](w.seen), func(d AddressDuplicate) bool { return d.Prefix.Addr() == our6 }) {
		w.t.Errorf("gave up %v, which it had first", our6)
	}
}
