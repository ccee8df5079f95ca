package veth

import (
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
	"routerd/dataplane/port/porttest"
)

func TestOpenedAsConfigured(t *testing.T) {
	cfg := newConfig(t)
	cfg.MTU = 1400
	p := openPort(t, cfg)
	router, host := device.HardwareAddr("router", "r1", "lan0"), hostMAC()
	if p.Name() != "lan0" || p.Kind() != "veth" || p.Device() != "r0" || p.LinkHeader() != 14 || p.MTU() != 1400 || !p.Up() || len(p.Queues()) != 1 || p.HardwareAddr() != router || p.LateCarrier() {
		t.Errorf("name %q, kind %q, device %q, link header %d, mtu %d, up %v, %d queues, address % x, late %v",
			p.Name(), p.Kind(), p.Device(), p.LinkHeader(), p.MTU(), p.Up(), len(p.Queues()), p.HardwareAddr(), p.LateCarrier())
	}
	if !p.Offloads().Has(port.OffloadChecksum | port.OffloadTCP4 | port.OffloadTCP6) {
		t.Errorf("offloads %b", p.Offloads())
	}
	porttest.WantOutput(t, porttest.IP(t, "-n", cfg.Host.Netns, "address", "show", "lan0"),
		"mtu 1400", ",UP", "inet 198.18.0.2/24", "inet6 2001:db8::2/64", "link/ether "+net.HardwareAddr(host[:]).String())
	porttest.WantOutput(t, porttest.IP(t, "-n", cfg.Host.Netns, "route"), "default via 198.18.0.1 dev lan0")
	porttest.WantOutput(t, porttest.IP(t, "-n", cfg.Host.Netns, "-6", "route"), "default via 2001:db8::1 dev lan0")
	near := porttest.IP(t, "-n", cfg.Netns, "address", "show", "r0")
	porttest.WantOutput(t, near, "mtu 1400", ",UP", "NOARP", "link/ether "+net.HardwareAddr(router[:]).String())
	if strings.Contains(near, "inet") {
		t.Errorf("the router's end has an address of the kernel's:\n%s", near)
	}
}

// The kernel hurries with a lost carrier only where the ends have different
// indexes, and namespaces that are alike give them the same ones.
func TestIndexesDiffer(t *testing.T) {
	index := func(netns, name string) int {
		var links []struct{ Ifindex int }
		if err := json.Unmarshal([]byte(porttest.IP(t, "-n", netns, "-json", "link", "show", "dev", name)), &links); err != nil || len(links) != 1 {
			t.Fatalf("%v, %v", links, err)
		}
		return links[0].Ifindex
	}
	for range 2 {
		cfg := newConfig(t)
		for _, ns := range []string{cfg.Netns, cfg.Host.Netns} { // each has a bridge, so that the next indexes are equal
			porttest.IP(t, "-n", ns, "link", "add", "name", "taken", "type", "bridge")
		}
		// So is the index that is tried when both ends were equal.
		porttest.IP(t, "-n", cfg.Netns, "link", "add", "name", "later", "index", "19", "type", "bridge")
		p := openPort(t, cfg)
		if a, b := index(cfg.Netns, "r0"), index(cfg.Host.Netns, "lan0"); a == b || p.LateCarrier() {
			t.Errorf("indexes %d and %d, late carrier %v", a, b, p.LateCarrier())
		}
	}
}

func TestOneNamespaceForBoth(t *testing.T) {
	cfg := newConfig(t)
	cfg.Netns = cfg.Host.Netns
	openPort(t, cfg)
	porttest.WantOutput(t, porttest.IP(t, "-n", cfg.Netns, "link"), "r0@lan0", "lan0@r0")
}

func TestBridge(t *testing.T) {
	cfg := newConfig(t)
	cfg.Bridge, cfg.Host.Addresses, cfg.Host.Routes = "br0", nil, nil
	if _, err := Open(cfg); !errors.Is(err, device.ErrMissing) || !strings.Contains(err.Error(), `no bridge "br0"`) {
		t.Errorf("without the bridge: %v", err)
	}
	porttest.IP(t, "-n", cfg.Host.Netns, "link", "add", "name", "br0", "type", "bridge")
	openPort(t, cfg)
	porttest.WantOutput(t, porttest.IP(t, "-n", cfg.Host.Netns, "link", "show", "dev", "lan0"), "master br0")
}

func TestBadConfig(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		says   string
	}{
		{"no device", func(c *Config) { c.Device = "" }, `device name ""`},
		{"no device of the host", func(c *Config) { c.Host.Device = "a/b" }, `device name "a/b"`},
		{"one name", func(c *Config) { c.Device, c.Netns = "lan0", c.Host.Netns }, "both ends would be device lan0 of"},
		{"mtu too small", func(c *Config) { c.MTU = 67 }, "mtu 67: 68 to 65535"},
		{"mtu too small for IPv6", func(c *Config) { c.MTU = 1279 }, "IPv6 wants an MTU of 1280"},
		{"queues", func(c *Config) { c.Queues = 257 }, "queues 257: 1 to 256"},
		{"addresses on a port of a bridge", func(c *Config) { c.Bridge = "br0" }, "is a port of bridge br0"},
	} {
		cfg := Config{
			Router: "r1", Name: "lan0", MTU: 1500, Netns: "no-such-router", Device: "r0",
			Host: device.Host{Netns: "no-such-host", Device: "lan0", Addresses: porttest.Prefixes("2001:db8::2/64")},
		}
		tt.change(&cfg)
		if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "veth port lan0") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
		}
	}
}

func TestMissing(t *testing.T) {
	for what, change := range map[string]func(*Config){
		"the router's namespace": func(c *Config) { c.Netns = "rdveth-none" },
		"the host's namespace":   func(c *Config) { c.Host.Netns = "rdveth-none" },
	} {
		cfg := newConfig(t)
		change(&cfg)
		if _, err := Open(cfg); !errors.Is(err, device.ErrMissing) || !strings.Contains(err.Error(), "rdveth-none") {
			t.Errorf("without %s: %v, want it to be missing", what, err)
		}
	}
}

// A device of the name of either end stays, and the error names it.
func TestNameTaken(t *testing.T) {
	for _, end := range []string{"router", "host"} {
		cfg := newConfig(t)
		ns, name := cfg.Netns, cfg.Device
		if end == "host" {
			ns, name = cfg.Host.Netns, cfg.Host.Device
		}
		porttest.IP(t, "-n", ns, "link", "add", "name", name, "type", "bridge")
		_, err := Open(cfg)
		if !errors.Is(err, unix.EEXIST) || !strings.Contains(err.Error(), "device "+name) || !strings.Contains(err.Error(), "another routerd or program holds it") {
			t.Errorf("the name of the %s's end is taken: %v", end, err)
		}
		porttest.WantOutput(t, porttest.IP(t, "-n", ns, "-details", "link", "show", "dev", name), "bridge")
		other, left := cfg.Host.Netns, "lan0"
		if end == "host" {
			other, left = cfg.Netns, "r0"
		}
		if out := porttest.IP(t, "-n", other, "-br", "link"); strings.Contains(out, left) {
			t.Errorf("the other end was left behind:\n%s", out)
		}
	}
}

// Whatever Open does not reach is taken back.
func TestNothingLeftOnErrors(t *testing.T) {
	cfg := newConfig(t)
	cfg.Host.Routes = append(cfg.Host.Routes, cfg.Host.Routes[0]) // the kernel takes the second as the first
	cfg.Via = nil
	porttest.IP(t, "-n", cfg.Host.Netns, "link", "add", "name", "other", "type", "bridge")
	porttest.IP(t, "-n", cfg.Host.Netns, "link", "set", "dev", "other", "up")
	porttest.IP(t, "-n", cfg.Host.Netns, "route", "add", "default", "dev", "other")
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), "has a route for it by another device") {
		t.Fatalf("a default route by another device: %v", err)
	}
	cfg.Will = func(string, string, string) error { return errors.New("not now") }
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), "not now") {
		t.Fatalf("a pair that may not be made: %v", err)
	}
	for ns, name := range map[string]string{cfg.Netns: "r0", cfg.Host.Netns: "lan0"} {
		if out := porttest.IP(t, "-n", ns, "-br", "link"); strings.Contains(out, name) {
			t.Errorf("%s is left:\n%s", name, out)
		}
	}
}

// A pair of a killed process is removed by what was noted before it was made; a
// device of that name that is another one stays.
func TestUndo(t *testing.T) {
	cfg := newConfig(t)
	var noted []string
	cfg.Will = func(kind, path, value string) error {
		if out := porttest.IP(t, "-n", cfg.Netns, "-br", "link"); strings.Contains(out, "r0") {
			t.Error("the pair was made before it was noted")
		}
		noted = []string{kind, path, value}
		return nil
	}
	p := openPort(t, cfg)
	if len(noted) != 3 || noted[0] != KindPair || noted[1] != "/run/netns/"+cfg.Netns || !strings.HasPrefix(noted[2], "r0 ") {
		t.Fatalf("noted %q", noted)
	}
	if err := Undo(noted[1], noted[2]); err != nil {
		t.Error(err)
	}
	porttest.AwaitEvent(t, p, "that it is gone", func(e port.Event) bool { return e.Gone })
	for _, kind := range []string{"bridge", "veth"} {
		porttest.IP(t, "-n", cfg.Netns, "link", "add", "name", "r0", "type", kind)
		if err := Undo(noted[1], noted[2]); err != nil {
			t.Errorf("with another device of its name: %v", err)
		}
		porttest.WantOutput(t, porttest.IP(t, "-n", cfg.Netns, "-details", "link", "show", "dev", "r0"), kind)
		porttest.IP(t, "-n", cfg.Netns, "link", "del", "dev", "r0")
	}
	for what, path := range map[string]string{"without the device": noted[1], "without the namespace": "/run/netns/rdveth-none"} {
		if err := Undo(path, noted[2]); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Goroutines: TestMain.
func TestNothingLeftAfterCycles(t *testing.T) {
	cfg := newConfig(t)
	cfg.Queues = 2
	porttest.LeavesNothing(t, 20, func() port.Port { return openPort(t, cfg) })
	for ns, name := range map[string]string{cfg.Netns: "r0", cfg.Host.Netns: "lan0"} {
		if out := porttest.IP(t, "-n", ns, "-br", "link"); strings.Contains(out, name) {
			t.Errorf("%s is left:\n%s", name, out)
		}
	}
}

func TestClose(t *testing.T) { porttest.Closes(t, openPort(t, newConfig(t))) }
