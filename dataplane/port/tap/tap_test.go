package tap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
	"routerd/dataplane/port/porttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newNetns makes a network namespace for one test.
func newNetns(t testing.TB) string {
	t.Helper()
	porttest.NeedTUN(t)
	return porttest.Namespace(t)
}

// lanConfig has the kernel at .2 and ::2 and, in our imagination, the router at
// .1 and ::1.
func lanConfig(netns string) Config {
	return Config{
		Router: "r1", Name: "lan0", MTU: 1500,
		Host: device.Host{
			Netns: netns, Device: "lan0",
			Addresses: porttest.Prefixes("198.18.0.2/24", "2001:db8::2/64"),
			Routes:    porttest.Prefixes("0.0.0.0/0", "::/0"),
		},
		Via: []netip.Addr{netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("2001:db8::1")},
	}
}

func openPort(t testing.TB, cfg Config) *Port { return porttest.Open(t, Open, cfg) }

// frameOf is a frame between two stations with an experimental ethertype.
func frameOf(to, from [6]byte, payload string) *port.Frame {
	b := append(append(append([]byte{}, to[:]...), from[:]...), 0x88, 0xb5)
	return porttest.Frame(append(b, payload...))
}

func TestOpenedAsConfigured(t *testing.T) {
	ns := newNetns(t)
	cfg := lanConfig(ns)
	cfg.MTU = 1400
	p := openPort(t, cfg)
	if p.Name() != "lan0" || p.Kind() != "tap" || p.Device() != "lan0" || p.LinkHeader() != 14 || p.MTU() != 1400 || !p.Up() || len(p.Queues()) != 1 {
		t.Errorf("name %q, kind %q, device %q, link header %d, mtu %d, up %v, %d queues",
			p.Name(), p.Kind(), p.Device(), p.LinkHeader(), p.MTU(), p.Up(), len(p.Queues()))
	}
	if !p.Offloads().Has(port.OffloadChecksum | port.OffloadTCP4 | port.OffloadTCP6) {
		t.Errorf("offloads %b", p.Offloads())
	}
	host := device.HardwareAddr("host", "r1", "lan0")
	porttest.WantOutput(t, porttest.IP(t, "-n", ns, "address", "show", "lan0"), "mtu 1400", ",UP", "inet 198.18.0.2/24", "inet6 2001:db8::2/64", "link/ether "+net.HardwareAddr(host[:]).String())
	porttest.WantOutput(t, porttest.IP(t, "-n", ns, "route"), "default via 198.18.0.1 dev lan0")
	porttest.WantOutput(t, porttest.IP(t, "-n", ns, "-6", "route"), "default via 2001:db8::1 dev lan0")
}

// Addresses stay the same over restarts, differ between ends, routers and
// interfaces, and are those of one station each. The values are kept here
// because neighbours remember them.
func TestHardwareAddresses(t *testing.T) {
	seen := map[[6]byte]string{}
	for _, end := range []string{"router", "host"} {
		for _, router := range []string{"r1", "r2", "r1lan"} {
			for _, name := range []string{"lan0", "lan1", "0"} {
				a := device.HardwareAddr(end, router, name)
				if a[0]&3 != 2 {
					t.Errorf("% x is not locally administered and of one station", a)
				}
				what := end + " " + router + " " + name
				if other, is := seen[a]; is {
					t.Errorf("% x is that of %s and %s", a, other, what)
				}
				seen[a] = what
			}
		}
	}
	ns := newNetns(t)
	p := openPort(t, lanConfig(ns))
	first := p.HardwareAddr()
	p.Close()
	if again := openPort(t, lanConfig(ns)).HardwareAddr(); again != first || first != device.HardwareAddr("router", "r1", "lan0") {
		t.Errorf("% x, and later % x", first, again)
	}
}

// The kernel resolves the router's address on the link and then pings it.
func TestKernelResolvesAndPings(t *testing.T) {
	if _, err := exec.LookPath("ping"); err != nil {
		t.Skip("needs ping(8)")
	}
	ns := newNetns(t)
	p := openPort(t, lanConfig(ns))
	q, router := p.Queues()[0], p.HardwareAddr()
	var out bytes.Buffer
	cmd := exec.Command("ip", "netns", "exec", ns, "ping", "-n", "-c", "1", "-w", "5", "203.0.113.9")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	asked := false
	porttest.ReadUntil(t, q, "an echo request", func(f *port.Frame) bool {
		b := f.Bytes()
		switch {
		case len(b) >= 42 && binary.BigEndian.Uint16(b[12:]) == 0x0806 && netip.AddrFrom4([4]byte(b[38:42])) == netip.MustParseAddr("198.18.0.1"):
			// RFC 826: swap the ends, fill in the router's, opcode 2.
			asked = true
			b[21] = 2
			copy(b[32:42], b[22:32])
			copy(b[22:], router[:])
			copy(b[28:], []byte{198, 18, 0, 1})
			copy(b, b[6:12])
			copy(b[6:], router[:])
		case len(b) >= 42 && binary.BigEndian.Uint16(b[12:]) == 0x0800 && b[23] == 1 && b[34] == 8:
			if [6]byte(b) != router {
				t.Errorf("the request goes to % x, want the router at % x", b[:6], router)
			}
			copy(b, b[6:12])
			copy(b[6:], router[:])
			for i := range 4 {
				b[26+i], b[30+i] = b[30+i], b[26+i]
			}
			b[34] = 0
			sum := uint32(binary.BigEndian.Uint16(b[36:])) + 0x0800 // RFC 1624: the type was 8
			binary.BigEndian.PutUint16(b[36:], uint16(sum+sum>>16))
		default:
			return false
		}
		if n, err := q.Write([]*port.Frame{f}); n != 1 || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
		return b[12] == 8 && b[13] == 0
	})
	if err := cmd.Wait(); err != nil || !asked {
		t.Fatalf("ping: %v, asked for the router %v\n%s", err, asked, &out)
	}
}

// Two ports of one bridge, in a namespace of its own: what one sends the other
// receives, tags and all, and the devices themselves say nothing.
func TestBridge(t *testing.T) {
	ns := newNetns(t)
	porttest.IP(t, "-n", ns, "link", "add", "name", "br0", "type", "bridge", "mcast_snooping", "0")
	porttest.IP(t, "-n", ns, "link", "set", "dev", "br0", "addrgenmode", "none", "up")
	var ports [2]*Port
	for i := range ports {
		name := fmt.Sprint("sw", i)
		ports[i] = openPort(t, Config{Router: "r1", Name: name, MTU: 1500, Bridge: "br0", Host: device.Host{Netns: ns, Device: name}})
		porttest.WantOutput(t, porttest.IP(t, "-n", ns, "link", "show", "dev", name), "master br0")
		if out := porttest.IP(t, "-n", ns, "-6", "address", "show", "dev", name); strings.Contains(out, "fe80") {
			t.Errorf("%s has an address of its own:\n%s", name, out)
		}
	}
	a, b := ports[0], ports[1]
	broadcast := [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	for _, f := range []*port.Frame{
		frameOf(broadcast, a.HardwareAddr(), "to all"),
		frameOf([6]byte{1, 0, 0x5e, 0, 0, 5}, a.HardwareAddr(), "to a group"),
		frameOf(b.HardwareAddr(), a.HardwareAddr(), "to one"),
	} {
		if n, err := a.Queues()[0].Write([]*port.Frame{f}); n != 1 || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
		porttest.ReadUntil(t, b.Queues()[0], string(f.Bytes()[14:]), func(g *port.Frame) bool { return bytes.Equal(f.Bytes(), g.Bytes()) })
	}
	tagged := frameOf(broadcast, a.HardwareAddr(), "TCI and another ethertype")
	copy(tagged.Bytes()[12:], []byte{0x81, 0, 0, 42})
	if n, err := a.Queues()[0].Write([]*port.Frame{tagged}); n != 1 || err != nil {
		t.Fatalf("Write: %d, %v", n, err)
	}
	porttest.ReadUntil(t, b.Queues()[0], "a tag", func(g *port.Frame) bool {
		return bytes.Equal(g.Bytes()[12:16], []byte{0x81, 0, 0, 42}) && !g.HasVLAN
	})
}

func TestBadConfig(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		says   string
	}{
		{"no device name", func(c *Config) { c.Host.Device = "" }, `device name ""`},
		{"mtu too large", func(c *Config) { c.MTU = 65522 }, "mtu 65522: 68 to 65521"},
		{"queues", func(c *Config) { c.Queues = -1 }, "queues -1"},
		{"addresses on a port of a bridge", func(c *Config) { c.Bridge = "br0" }, "is a port of bridge br0"},
	} {
		cfg := lanConfig("")
		tt.change(&cfg)
		if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "TAP port lan0") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
		}
	}
	ns := newNetns(t)
	porttest.IP(t, "-n", ns, "link", "add", "name", "veth0", "type", "veth", "peer", "name", "veth1")
	for bridge, says := range map[string]string{"none": "there is no bridge", "veth0": "is of type veth, and a bridge is wanted"} {
		cfg := Config{Router: "r1", Name: "lan0", MTU: 1500, Bridge: bridge, Host: device.Host{Netns: ns, Device: "lan0"}}
		if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("bridge %s: %v, want %q", bridge, err, says)
		}
		if out := porttest.IP(t, "-n", ns, "-br", "link"); strings.Contains(out, "lan0") {
			t.Errorf("the device is still there:\n%s", out)
		}
	}
}

func TestSamePort(t *testing.T) {
	base := lanConfig("h1")
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   bool
	}{
		{"equal", func(*Config) {}, true},
		{"mtu, addresses, routes, next hops", func(c *Config) { c.MTU, c.Host.Addresses, c.Host.Routes, c.Via = 9000, nil, nil, nil }, true},
		{"router", func(c *Config) { c.Router = "r2" }, false},
		{"name", func(c *Config) { c.Name = "lan1" }, false},
		{"device", func(c *Config) { c.Host.Device = "lan1" }, false},
		{"queues", func(c *Config) { c.Queues = 2 }, false},
		{"into a bridge", func(c *Config) { c.Bridge = "br0" }, false},
	} {
		other := base
		tt.change(&other)
		if SamePort(base, other) != tt.want || SamePort(other, base) != tt.want {
			t.Errorf("%s: want %v", tt.name, tt.want)
		}
	}
}

func TestApply(t *testing.T) {
	ns := newNetns(t)
	p := openPort(t, lanConfig(ns))
	cfg := lanConfig(ns)
	cfg.MTU = 1400
	cfg.Host.Addresses = porttest.Prefixes("198.18.9.2/24", "2001:db8:9::2/64")
	cfg.Via = []netip.Addr{netip.MustParseAddr("198.18.9.1"), netip.MustParseAddr("2001:db8:9::1")}
	if err := p.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	porttest.WantOutput(t, porttest.IP(t, "-n", ns, "address", "show", "lan0"), "mtu 1400", "inet 198.18.9.2/24", "inet6 2001:db8:9::2/64")
	porttest.WantOutput(t, porttest.IP(t, "-n", ns, "route"), "default via 198.18.9.1 dev lan0")
	porttest.WantOutput(t, porttest.IP(t, "-n", ns, "-6", "route"), "default via 2001:db8:9::1 dev lan0")
	if out := porttest.IP(t, "-n", ns, "address", "show", "lan0") + porttest.IP(t, "-n", ns, "-6", "route"); strings.Contains(out, "198.18.0.2") || strings.Contains(out, "2001:db8::") {
		t.Errorf("something is left of what was:\n%s", out)
	}
	bad := cfg
	bad.Via = []netip.Addr{netip.MustParseAddr("203.0.113.1")} // not on the link
	if err := p.Check(bad); err == nil {
		t.Error("a next hop that is not on the link was accepted")
	}
	porttest.WantOutput(t, porttest.IP(t, "-n", ns, "route"), "default via 198.18.9.1 dev lan0")
	porttest.WantOutput(t, porttest.IP(t, "-n", ns, "-6", "route"), "default via 2001:db8:9::1 dev lan0")

	// What the kernel forgets while the device is down comes back.
	porttest.IP(t, "-n", ns, "link", "set", "lan0", "down")
	porttest.IP(t, "-n", ns, "link", "set", "lan0", "up")
	for deadline := time.Now().Add(porttest.Patience); ; time.Sleep(time.Millisecond) {
		out := porttest.IP(t, "-n", ns, "route") + porttest.IP(t, "-n", ns, "-6", "route")
		if strings.Contains(out, "default via 198.18.9.1") && strings.Contains(out, "default via 2001:db8:9::1") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the routes are not back:\n%s", out)
		}
	}
}

func TestBridgeChanged(t *testing.T) {
	ns := newNetns(t)
	for _, b := range []string{"br0", "br1"} {
		porttest.IP(t, "-n", ns, "link", "add", "name", b, "type", "bridge")
	}
	cfg := Config{Router: "r1", Name: "lan0", MTU: 1500, Bridge: "br0", Host: device.Host{Netns: ns, Device: "lan0"}}
	p := openPort(t, cfg)
	cfg.Bridge = "br1"
	if err := p.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	porttest.WantOutput(t, porttest.IP(t, "-n", ns, "link", "show", "dev", "lan0"), "master br1")
	cfg.Bridge = "br2"
	if err := p.Check(cfg); !errors.Is(err, device.ErrMissing) || !strings.Contains(err.Error(), "br2") {
		t.Errorf("a bridge that there is not: %v", err)
	}
	porttest.WantOutput(t, porttest.IP(t, "-n", ns, "link", "show", "dev", "lan0"), "master br1")
}

func TestGroups(t *testing.T) {
	p := openPort(t, lanConfig(newNetns(t)))
	if err := errors.Join(p.Join([6]byte{1, 0, 0x5e, 0, 0, 5}), p.Leave([6]byte{1, 0, 0x5e, 0, 0, 5})); err != nil {
		t.Error(err)
	}
	if err := p.Join([6]byte{2}); err == nil {
		t.Error("joined a station")
	}
}

func TestGone(t *testing.T) {
	ns := newNetns(t)
	p := openPort(t, lanConfig(ns))
	ended := porttest.ReadError(p.Queues()[0])
	porttest.IP(t, "-n", ns, "link", "del", "lan0")
	porttest.AwaitEvent(t, p, "that it is gone", func(e port.Event) bool { return e.Gone })
	porttest.WantReadError(t, ended, device.ErrGone)
}

// Goroutines: TestMain.
func TestNothingLeftAfterCycles(t *testing.T) {
	ns := newNetns(t)
	cfg := lanConfig(ns)
	cfg.Queues = 2
	porttest.LeavesNothing(t, 50, func() port.Port { return openPort(t, cfg) })
	if out := porttest.IP(t, "-n", ns, "-br", "link"); strings.Contains(out, "lan0") {
		t.Errorf("a device is left:\n%s", out)
	}
}

func TestClose(t *testing.T) { porttest.Closes(t, openPort(t, lanConfig(newNetns(t)))) }

func TestNameTaken(t *testing.T) {
	ns := newNetns(t)
	openPort(t, lanConfig(ns))
	if _, err := Open(lanConfig(ns)); !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), "another routerd or program holds it") {
		t.Errorf("Open: %v", err)
	}
}
