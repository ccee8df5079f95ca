package packet

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
	"routerd/dataplane/port/porttest"
)

func TestOpened(t *testing.T) {
	w := newWire(t)
	porttest.IP(t, "-n", w.router, "link", "set", "dev", "r0", "mtu", "1400")
	p := openPort(t, w.config())
	if p.Name() != "lan0" || p.Kind() != "packet" || p.Device() != "r0" || p.LinkHeader() != 14 || p.HardwareAddr() != routerMAC ||
		p.MTU() != 1400 || !p.Up() || len(p.Queues()) != 1 {
		t.Errorf("name %q, kind %q, device %q, link header %d, address % x, mtu %d, up %v, %d queues",
			p.Name(), p.Kind(), p.Device(), p.LinkHeader(), p.HardwareAddr(), p.MTU(), p.Up(), len(p.Queues()))
	}
	if !p.Offloads().Has(port.OffloadChecksum | port.OffloadTCP4 | port.OffloadTCP6) {
		t.Errorf("offloads %b", p.Offloads())
	}
}

func TestErrorsNameWhatIsMissing(t *testing.T) {
	for _, tt := range []struct {
		err  error
		says string
	}{
		{refusal{unix.EPERM, firstMessage}, "routerd lacks CAP_NET_ADMIN"},
		{refusal{unix.EPERM, firstMessage + 1}, "another routerd holds the device (nftables table netdev routerd-r0)"},
		{unix.EOPNOTSUPP, "Linux 5.16"},
		{unix.ENOMEM, `on device r0 in network namespace "h1"`},
	} {
		if err := silenceError("r0", "h1", tt.err); !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%v\nwant it to say %q", err, tt.says)
		}
	}
	_, err := Open(Config{Name: "lan0", Netns: "rdpkt-no-such", Device: "r0"})
	if err == nil || !strings.Contains(err.Error(), "ip netns add rdpkt-no-such") || !strings.Contains(err.Error(), "packet port lan0") {
		t.Errorf("Open: %v", err)
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// Goroutines: TestMain.
func TestNothingLeftAfterCycles(t *testing.T) {
	w := newWire(t)
	cycle := func() {
		cfg := w.config()
		cfg.Queues, cfg.Promiscuous = 2, true
		p, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for _, q := range p.Queues() {
			wg.Go(func() {
				for fs := porttest.Buffers(1); ; {
					if _, err := q.Read(fs); err != nil {
						return
					}
				}
			})
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if _, err := Open(Config{Name: "lan0", Netns: w.router, Device: "lo"}); err == nil {
			t.Error("opened lo")
		}
	}
	cycle() // whatever is made once per process is there now
	before := openDescriptors(t)
	for range 50 {
		cycle()
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	if out := porttest.IP(t, "-n", w.router, "-d", "link", "show", "dev", "r0"); !strings.Contains(out, "promiscuity 0") {
		t.Errorf("r0 is still promiscuous:\n%s", out)
	}
}

func TestPromiscuous(t *testing.T) {
	for _, want := range []bool{true, false} {
		w := newWire(t)
		cfg := w.config()
		cfg.Promiscuous = want
		openPort(t, cfg)
		if out := porttest.IP(t, "-n", w.router, "-d", "link", "show", "dev", "r0"); strings.Contains(out, "promiscuity 1") != want {
			t.Errorf("wanted %v:\n%s", want, out)
		}
	}
}

func TestCloseWakesReader(t *testing.T) {
	w := newWire(t)
	p := openPort(t, w.config())
	q := p.Queues()[0]
	woken := make(chan error)
	go func() {
		for fs := porttest.Buffers(4); ; {
			if _, err := q.Read(fs); err != nil { // the host's own IPv6 chatter is no error
				woken <- err
				return
			}
		}
	}()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-woken:
		if err != port.ErrClosed {
			t.Errorf("Read: %v, want ErrClosed", err)
		}
	case <-time.After(porttest.Patience):
		t.Fatal("the reader is still waiting after Close")
	}
	if _, err := q.Read(porttest.Buffers(1)); err != port.ErrClosed {
		t.Errorf("Read after Close: %v", err)
	}
	f := marker("x")
	if n, err := q.Write([]*port.Frame{f}); n != 0 || err != port.ErrClosed || !f.Failed {
		t.Errorf("Write after Close: %d, %v, Failed %v", n, err, f.Failed)
	}
	if err := q.SetReadDeadline(time.Now()); err != port.ErrClosed {
		t.Errorf("SetReadDeadline after Close: %v", err)
	}
	if err := p.Join([6]byte{1}); !errors.Is(err, port.ErrClosed) {
		t.Errorf("Join after Close: %v", err)
	}
	if _, open := <-p.Events(); open {
		t.Error("Events is open after Close")
	}
	if err := p.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestMulticastGroups(t *testing.T) {
	w := newWire(t)
	p := openPort(t, w.config())
	member := func() bool {
		return strings.Contains(porttest.IP(t, "-n", w.router, "maddress", "show", "dev", "r0"), "01:00:5e:00:00:05")
	}
	ospf := [6]byte{0x01, 0x00, 0x5e, 0, 0, 5}
	for _, err := range []error{p.Join(ospf), p.Join(ospf), p.Leave(ospf)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if !member() {
		t.Error("not a member after joining twice and leaving once")
	}
	if err := p.Leave(ospf); err != nil || member() {
		t.Errorf("after leaving as often: %v, member %v", err, member())
	}
	if err := p.Join(hostMAC); err == nil || !strings.Contains(err.Error(), "not a multicast address") {
		t.Errorf("joining a station: %v", err)
	}
	if err := p.Join(ospf); err != nil {
		t.Fatal(err)
	}
	p.Close()
	if member() {
		t.Error("still a member after Close")
	}
}

// eventually waits for an event that want accepts.
func eventually(t *testing.T, p *Port, what string, want func(port.Event) bool) {
	t.Helper()
	timeout := time.After(porttest.Patience)
	var seen []port.Event
	for {
		select {
		case e, open := <-p.Events():
			if !open {
				t.Fatalf("Events closed before %s; seen %+v", what, seen)
			}
			if want(e) {
				return
			}
			seen = append(seen, e)
		case <-timeout:
			t.Fatalf("no event %s; seen %+v", what, seen)
		}
	}
}

// The reader waits through a device that is down, and hears the first frame
// after it.
func TestEvents(t *testing.T) {
	w := newWire(t)
	p := openPort(t, w.config())
	q := p.Queues()[0]
	heard := make(chan error, 1)
	go func() {
		for fs := porttest.Buffers(4); ; {
			n, err := q.Read(fs)
			if err != nil {
				heard <- err
				return
			}
			for i := range fs[:n] {
				if bytes.HasSuffix(fs[i].Bytes(), []byte("up again")) {
					heard <- nil
					return
				}
			}
		}
	}()
	porttest.IP(t, "-n", w.router, "link", "set", "dev", "r0", "mtu", "1400")
	eventually(t, p, "with mtu 1400", func(e port.Event) bool { return e == port.Event{Up: true, MTU: 1400} })
	porttest.IP(t, "-n", w.host, "link", "set", "dev", "h0", "down")
	eventually(t, p, "without carrier", func(e port.Event) bool { return e == port.Event{MTU: 1400} })
	porttest.IP(t, "-n", w.host, "link", "set", "dev", "h0", "up")
	eventually(t, p, "with carrier", func(e port.Event) bool { return e.Up })
	porttest.IP(t, "-n", w.router, "link", "set", "dev", "r0", "down")
	eventually(t, p, "down", func(e port.Event) bool { return !e.Up && !e.Gone })
	f := marker("x")
	if n, err := q.Write([]*port.Frame{f}); n != 0 || err != nil || !f.Failed {
		t.Errorf("Write while it is down: %d, %v, Failed %v", n, err, f.Failed)
	}
	porttest.IP(t, "-n", w.router, "link", "set", "dev", "r0", "up")
	eventually(t, p, "up", func(e port.Event) bool { return e.Up })

	porttest.IP(t, "-n", w.host, "neigh", "replace", "198.18.0.1", "lladdr", mac(routerMAC), "dev", "h0")
	c := porttest.ListenUDP(t, w.host, "198.18.0.2:0")
	if _, err := c.WriteToUDPAddrPort([]byte("up again"), netip.MustParseAddrPort("198.18.0.1:9")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-heard:
		if err != nil {
			t.Errorf("Read: %v", err)
		}
	case <-time.After(porttest.Patience):
		t.Error("nothing read after the device came up again")
	}
}

// A device that is deleted, and one that is moved to another namespace.
func TestDeviceGone(t *testing.T) {
	for _, how := range [][]string{{"link", "del", "dev", "r0"}, {"link", "set", "dev", "r0", "netns"}} {
		w := newWire(t)
		if how[len(how)-1] == "netns" {
			how = append(how, porttest.Namespace(t))
		}
		p := openPort(t, w.config())
		q := p.Queues()[0]
		woken := make(chan error)
		go func() {
			for fs := porttest.Buffers(4); ; {
				if _, err := q.Read(fs); err != nil {
					woken <- err
					return
				}
			}
		}()
		porttest.IP(t, append([]string{"-n", w.router}, how...)...)
		eventually(t, p, "that it is gone", func(e port.Event) bool { return e.Gone && !e.Up })
		select {
		case err := <-woken:
			if err != errGone {
				t.Errorf("Read: %v", err)
			}
		case <-time.After(porttest.Patience):
			t.Fatal("the reader is still waiting for a device that is gone")
		}
		q.SetReadDeadline(time.Time{}) // a late one from the worker
		if _, err := q.Read(porttest.Buffers(1)); err != errGone {
			t.Errorf("a later Read: %v", err)
		}
		fs := []*port.Frame{marker("x"), marker("y")}
		if n, err := q.Write(fs); n != 0 || err != errGone || !fs[0].Failed || !fs[1].Failed {
			t.Errorf("Write: %d, %v", n, err)
		}
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

// With several queues the kernel chooses one by flow, and each frame comes
// once.
func TestSeveralQueues(t *testing.T) {
	w := newWire(t)
	cfg := w.config()
	cfg.Queues = 3
	p := openPort(t, cfg)
	c := porttest.ListenUDP(t, w.host, "198.18.0.2:0")
	const flows = 200
	for i := range flows {
		to := net.UDPAddr{IP: net.IPv4(198, 18, 0, 1), Port: 10000 + i}
		if _, err := c.WriteToUDP([]byte("flow"), &to); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan int, 3*flows)
	var readers sync.WaitGroup
	for _, q := range p.Queues() {
		readers.Go(func() {
			for fs := porttest.Buffers(8); ; {
				n, err := q.Read(fs)
				if err != nil {
					return
				}
				flows := 0
				for i := range fs[:n] {
					if bytes.HasSuffix(fs[i].Bytes(), []byte("flow")) {
						flows++
					}
				}
				got <- flows
			}
		})
	}
	timeout := time.After(porttest.Patience)
	for sum := 0; sum < flows; {
		select {
		case n := <-got:
			sum += n
		case <-timeout:
			t.Fatalf("%d of %d frames", sum, flows)
		}
	}
	write(t, p, porttest.Frame(udp4("198.18.0.1:10000", c.LocalAddr().String(), "reply", false)))
	porttest.WantDatagrams(t, c, "reply")
	p.Close()
	readers.Wait()
	for _, q := range p.Queues() {
		if _, err := q.Read(porttest.Buffers(1)); err != port.ErrClosed {
			t.Errorf("Read after Close: %v", err)
		}
	}
	close(got)
	for n := range got {
		if n > 0 {
			t.Errorf("%d frames came twice", n)
		}
	}
}

// Without root, in a user namespace of one's own. The inner test is run by
// this test binary under unshare(1).
func TestUnprivilegedUserNamespace(t *testing.T) {
	if os.Getenv("RDPKT_INSIDE_USERNS") != "" {
		porttest.IP(t, "link", "add", "name", "r0", "type", "veth", "peer", "name", "h0")
		porttest.IP(t, "link", "set", "dev", "h0", "up")
		p := openPort(t, Config{Name: "lan0", Device: "r0"})
		far := openPort(t, Config{Name: "far", Device: "h0"})
		write(t, far, marker("hello"))
		porttest.ReadUntil(t, p.Queues()[0], "hello", func(f *port.Frame) bool { return bytes.HasSuffix(f.Bytes(), []byte("hello")) })
		return
	}
	for _, tool := range []string{"unshare", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	unshare := func(command ...string) *exec.Cmd {
		ctx, cancel := context.WithTimeout(context.Background(), 2*porttest.Patience)
		t.Cleanup(cancel)
		return exec.CommandContext(ctx, "unshare", append([]string{"-U", "-r", "-n"}, command...)...)
	}
	if out, err := unshare("true").CombinedOutput(); err != nil {
		t.Skipf("user namespaces are not permitted here: %v: %s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := unshare(self, "-test.run=^TestUnprivilegedUserNamespace$", "-test.count=1")
	cmd.Env = append(os.Environ(), "RDPKT_INSIDE_USERNS=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
