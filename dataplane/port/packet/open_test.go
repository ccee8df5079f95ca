package packet

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
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

// Goroutines: TestMain.
func TestNothingLeftAfterCycles(t *testing.T) {
	w := newWire(t)
	cfg := w.config()
	cfg.Queues, cfg.Promiscuous = 2, true
	porttest.LeavesNothing(t, 50, func() port.Port {
		if _, err := Open(Config{Name: "lan0", Netns: w.router, Device: "lo"}); err == nil {
			t.Error("opened lo")
		}
		return openPort(t, cfg)
	})
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

func TestClose(t *testing.T) {
	p := openPort(t, newWire(t).config())
	porttest.Closes(t, p)
	if err := p.Join([6]byte{1}); !errors.Is(err, port.ErrClosed) {
		t.Errorf("Join after Close: %v", err)
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
	porttest.AwaitEvent(t, p, "with mtu 1400", func(e port.Event) bool { return e == port.Event{Up: true, MTU: 1400} })
	porttest.IP(t, "-n", w.host, "link", "set", "dev", "h0", "down")
	porttest.AwaitEvent(t, p, "without carrier", func(e port.Event) bool { return e == port.Event{MTU: 1400} })
	porttest.IP(t, "-n", w.host, "link", "set", "dev", "h0", "up")
	porttest.AwaitEvent(t, p, "with carrier", func(e port.Event) bool { return e.Up })
	porttest.IP(t, "-n", w.router, "link", "set", "dev", "r0", "down")
	porttest.AwaitEvent(t, p, "down", func(e port.Event) bool { return !e.Up && !e.Gone })
	f := marker("x")
	if n, err := q.Write([]*port.Frame{f}); n != 0 || err != nil || !f.Failed {
		t.Errorf("Write while it is down: %d, %v, Failed %v", n, err, f.Failed)
	}
	porttest.IP(t, "-n", w.router, "link", "set", "dev", "r0", "up")
	porttest.AwaitEvent(t, p, "up", func(e port.Event) bool { return e.Up })

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
		ended := porttest.ReadError(q)
		porttest.IP(t, append([]string{"-n", w.router}, how...)...)
		porttest.AwaitEvent(t, p, "that it is gone", func(e port.Event) bool { return e.Gone && !e.Up })
		porttest.WantReadError(t, ended, errGone)
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

func TestUnprivilegedUserNamespace(t *testing.T) {
	if !porttest.InUserNamespace(t, "true") {
		return
	}
	porttest.IP(t, "link", "add", "name", "r0", "type", "veth", "peer", "name", "h0")
	porttest.IP(t, "link", "set", "dev", "h0", "up")
	p := openPort(t, Config{Name: "lan0", Device: "r0"})
	far := openPort(t, Config{Name: "far", Device: "h0"})
	write(t, far, marker("hello"))
	porttest.ReadUntil(t, p.Queues()[0], "hello", func(f *port.Frame) bool { return bytes.HasSuffix(f.Bytes(), []byte("hello")) })
}
