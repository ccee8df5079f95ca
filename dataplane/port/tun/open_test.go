package tun

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
	"routerd/dataplane/port/porttest"
)

func TestOpenedAsConfigured(t *testing.T) {
	ns := newNetns(t)
	cfg := lanConfig(ns)
	cfg.MTU = 1380
	p := openPort(t, cfg)
	if p.Name() != "lan0" || p.Kind() != "tun" || p.Device() != "lan0" || p.LinkHeader() != 0 || p.MTU() != 1380 || !p.Up() || len(p.Queues()) != 1 {
		t.Errorf("name %q, kind %q, device %q, link header %d, mtu %d, up %v, %d queues",
			p.Name(), p.Kind(), p.Device(), p.LinkHeader(), p.MTU(), p.Up(), len(p.Queues()))
	}
	if !p.Offloads().Has(port.OffloadChecksum | port.OffloadTCP4 | port.OffloadTCP6) {
		t.Errorf("offloads %b", p.Offloads())
	}
	porttest.WantOutput(t, porttest.IP(t, "-n", ns, "address", "show", "lan0"), "mtu 1380", ",UP", "inet 198.18.0.2/24", "inet6 2001:db8::2/64")
	porttest.WantOutput(t, porttest.IP(t, "-n", ns, "route"), "default dev lan0", "scope link", "198.18.0.0/24 dev lan0")
	porttest.WantOutput(t, porttest.IP(t, "-n", ns, "-6", "route"), "default dev lan0", "2001:db8::/64 dev lan0")
}

func TestNameTaken(t *testing.T) {
	ns := newNetns(t)
	openPort(t, lanConfig(ns))
	porttest.IP(t, "-n", ns, "link", "add", "other0", "type", "veth", "peer", "name", "other1")
	porttest.IP(t, "-n", ns, "tuntap", "add", "idle0", "mode", "tun") // persistent, held by nobody
	for _, device := range []string{"lan0", "other0", "idle0"} {
		cfg := lanConfig(ns)
		cfg.Host.Device = device
		_, err := Open(cfg)
		if !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), "another routerd or program holds it") {
			t.Errorf("%s: %v", device, err)
		}
		porttest.WantOutput(t, porttest.IP(t, "-n", ns, "-br", "link"), device) // harmed nobody
	}
}

func TestBadConfig(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		says   string
	}{
		{"no device name", func(c *Config) { c.Host.Device = "" }, `device name ""`},
		{"long device name", func(c *Config) { c.Host.Device = "sixteen-bytes-xx" }, "1 to 15 bytes"},
		{"template", func(c *Config) { c.Host.Device = "tun%d" }, "percent sign"},
		{"mtu too small", func(c *Config) { c.MTU = 67 }, "mtu 67: 68 to 65535"},
		{"mtu too large", func(c *Config) { c.MTU = 65536 }, "mtu 65536"},
		{"queues", func(c *Config) { c.Queues = 257 }, "queues 257"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := lanConfig("")
			tt.change(&cfg)
			if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Open: %v, want %q", err, tt.says)
			}
		})
	}
}

// Whatever fails, nothing stays behind.
func TestPartialFailureUndoesEverything(t *testing.T) {
	ns := newNetns(t)
	porttest.IP(t, "-n", ns, "link", "add", "up0", "type", "veth", "peer", "name", "up1")
	porttest.IP(t, "-n", ns, "link", "set", "up0", "up")
	porttest.IP(t, "-n", ns, "route", "add", "default", "dev", "up0")
	before := porttest.OpenDescriptors(t)
	for _, tt := range []struct {
		name   string
		change func(*Config)
		says   string
	}{
		{"route taken", func(*Config) {}, "has a route for it by another device"},
		{"ipv6 on a small mtu", func(c *Config) { c.MTU = 1279 }, "IPv6 wants an MTU of 1280 or more, not 1279"},
		{"impossible address", func(c *Config) { c.Host.Addresses = porttest.Prefixes("224.0.0.1/24", "ff02::1/64") }, "giving device lan0 the address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := lanConfig(ns)
			tt.change(&cfg)
			p, err := Open(cfg)
			if err == nil {
				p.Close()
				t.Fatal("Open succeeded")
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Open: %v\nwant %q", err, tt.says)
			}
			if out := porttest.IP(t, "-n", ns, "-br", "link"); strings.Contains(out, "lan0") {
				t.Errorf("the device is still there:\n%s", out)
			}
		})
	}
	if after := porttest.OpenDescriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// TUN_CYCLES=200 makes it the long version.
func TestNothingLeftAfterCycles(t *testing.T) {
	ns := newNetns(t)
	cycles := 50
	if s := os.Getenv("TUN_CYCLES"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("TUN_CYCLES=%q: a number is wanted", s)
		}
		cycles = n
	}
	porttest.LeavesNothing(t, cycles, func() port.Port { return openPort(t, lanConfig(ns)) })
	if out := porttest.IP(t, "-n", ns, "-br", "link"); strings.Contains(out, "lan0") {
		t.Errorf("a device is left:\n%s", out)
	} // goroutines: TestMain
}

func TestClose(t *testing.T) {
	p := openPort(t, lanConfig(newNetns(t)))
	porttest.Closes(t, p)
	if err := p.Apply(lanConfig(p.cfg.Host.Netns)); err == nil {
		t.Error("Apply after Close succeeded")
	}
}

func TestSeveralQueues(t *testing.T) {
	ns := newNetns(t)
	cfg := lanConfig(ns)
	cfg.Queues = 3
	p := openPort(t, cfg)
	if n := len(p.Queues()); n != 3 {
		t.Fatalf("%d queues, want 3", n)
	}
	// The kernel chooses a queue by flow: with enough flows each one gets some.
	deadline := time.Now().Add(porttest.Patience)
	sender := porttest.ListenUDP(t, ns, "198.18.0.2:0")
	for i := range 200 {
		to := fmt.Sprintf("198.18.0.1:%d", 10000+i)
		if _, err := sender.WriteToUDPAddrPort([]byte("flow"), netip.MustParseAddrPort(to)); err != nil {
			t.Fatal(err)
		}
	}
	for i, q := range p.Queues() {
		q.SetReadDeadline(deadline)
		if n, err := q.Read(porttest.Buffers(1)); n != 1 || err != nil {
			t.Errorf("queue %d: %d frames, %v", i, n, err)
		}
	}
	receiver := porttest.ListenUDP(t, ns, "198.18.0.2:7000")
	for i, q := range p.Queues() {
		f := porttest.Frame(porttest.UDP4("198.18.0.1:1", "198.18.0.2:7000", strconv.Itoa(i), false))
		if n, err := q.Write([]*port.Frame{f}); n != 1 || err != nil {
			t.Fatalf("writing to queue %d: %d, %v", i, n, err)
		}
		porttest.WantDatagrams(t, receiver, strconv.Itoa(i))
	}
}
