package veth

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
	"routerd/dataplane/port/porttest"
)

func TestSamePort(t *testing.T) {
	base := Config{Router: "r1", Name: "lan0", MTU: 1500, Device: "r0", Host: device.Host{Netns: "h1", Device: "lan0"}}
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   bool
	}{
		{"equal", func(*Config) {}, true},
		{"mtu, addresses, routes, next hops", func(c *Config) {
			c.MTU, c.Host.Addresses, c.Host.Routes, c.Via = 9000, porttest.Prefixes("198.18.0.2/24"), porttest.Prefixes("0.0.0.0/0"), []netip.Addr{netip.MustParseAddr("198.18.0.1")}
		}, true},
		{"another way to write a namespace", func(c *Config) { c.Host.Netns = "/run/netns/h1" }, true},
		{"router", func(c *Config) { c.Router = "r2" }, false},
		{"name", func(c *Config) { c.Name = "lan1" }, false},
		{"the router's device", func(c *Config) { c.Device = "r9" }, false},
		{"the router's namespace", func(c *Config) { c.Netns = "r" }, false},
		{"the host's device", func(c *Config) { c.Host.Device = "lan1" }, false},
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
	cfg := newConfig(t)
	p := openPort(t, cfg)
	for _, mtu := range []int{1400, 9000} {
		cfg.MTU = mtu
		if err := errors.Join(p.CheckChange(cfg), p.Apply(cfg)); err != nil {
			t.Fatal(err)
		}
		porttest.AwaitEvent(t, p, "the new MTU", func(e port.Event) bool { return e.Up && e.MTU == mtu })
	}
	porttest.WantOutput(t, porttest.IP(t, "-n", cfg.Netns, "link", "show", "r0"), "mtu 9000")
	cfg.Host.Addresses = porttest.Prefixes("198.18.9.2/24", "2001:db8:9::2/64")
	cfg.Via = []netip.Addr{netip.MustParseAddr("198.18.9.1"), netip.MustParseAddr("2001:db8:9::1")}
	if err := p.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	porttest.WantOutput(t, porttest.IP(t, "-n", cfg.Host.Netns, "address", "show", "lan0"), "mtu 9000", "inet 198.18.9.2/24", "inet6 2001:db8:9::2/64")
	porttest.WantOutput(t, porttest.IP(t, "-n", cfg.Host.Netns, "route"), "default via 198.18.9.1 dev lan0")
	if lacks := p.Lacks(); lacks != nil {
		t.Errorf("the host's end lacks %q", lacks)
	}

	bad := cfg
	bad.Via = []netip.Addr{netip.MustParseAddr("203.0.113.1")} // not on the link
	if err := p.CheckChange(bad); err == nil {
		t.Error("a next hop that is not on the link was accepted")
	}
	other := cfg
	other.Device = "r9"
	if err := p.Apply(other); err == nil || !strings.Contains(err.Error(), "needs another port") {
		t.Errorf("another device: %v", err)
	}
	porttest.IP(t, "-n", cfg.Host.Netns, "link", "del", "lan0")
	cfg.MTU = 1500
	if err := p.Apply(cfg); !errors.Is(err, device.ErrMissing) {
		t.Errorf("changing the MTU of a pair that is gone: %v", err)
	}
}

// What others take from the host's end comes back, by itself when it was down and
// else by Restore; a changed MTU is followed and said.
func TestRestore(t *testing.T) {
	cfg := newConfig(t)
	p := openPort(t, cfg)
	host := cfg.Host.Netns
	porttest.IP(t, "-n", host, "link", "set", "lan0", "down")
	porttest.AwaitEvent(t, p, "down", func(e port.Event) bool { return !e.Up && !e.Gone })
	porttest.IP(t, "-n", host, "link", "set", "lan0", "up")
	porttest.AwaitEvent(t, p, "up", func(e port.Event) bool { return e.Up })
	has := func(what string) {
		t.Helper()
		for limit := time.Now().Add(porttest.Patience); ; time.Sleep(time.Millisecond) {
			out := porttest.IP(t, "-n", host, "route") + porttest.IP(t, "-n", host, "-6", "route")
			if strings.Contains(out, "default via 198.18.0.1") && strings.Contains(out, "default via 2001:db8::1") {
				return
			}
			if time.Now().After(limit) {
				t.Fatalf("%s: the routes are not back:\n%s", what, out)
			}
		}
	}
	has("after it was down")
	porttest.IP(t, "-n", host, "address", "flush", "dev", "lan0")
	if lacks := p.Restore(); lacks != nil {
		t.Errorf("after all addresses were removed it lacks %q", lacks)
	}
	has("after all addresses were removed")
	porttest.IP(t, "-n", host, "link", "set", "lan0", "mtu", "1400")
	porttest.AwaitEvent(t, p, "the MTU of the host's end", func(e port.Event) bool { return e.Up && e.MTU == 1400 })
	if lacks := strings.Join(p.Restore(), "; "); !strings.Contains(lacks, "device lan0 has an MTU of 1400, not 1500") {
		t.Errorf("with another MTU it lacks %q", lacks)
	}
}

// The link has a carrier while both ends are up, whoever sets them down, and is
// gone with either.
func TestCarrier(t *testing.T) {
	cfg := newConfig(t)
	p := openPort(t, cfg)
	for ns, name := range map[string]string{cfg.Netns: "r0", cfg.Host.Netns: "lan0"} {
		for range 3 {
			porttest.IP(t, "-n", ns, "link", "set", name, "down")
			porttest.AwaitEvent(t, p, "no carrier", func(e port.Event) bool { return !e.Up })
			porttest.IP(t, "-n", ns, "link", "set", name, "up")
			porttest.AwaitEvent(t, p, "a carrier", func(e port.Event) bool { return e.Up })
		}
	}
	for what, take := range map[string]func(cfg Config){
		"the router's end is deleted": func(cfg Config) { porttest.IP(t, "-n", cfg.Netns, "link", "del", "r0") },
		"the host's end is moved":     func(cfg Config) { porttest.IP(t, "-n", cfg.Host.Netns, "link", "set", "lan0", "netns", cfg.Netns) },
		"the router's end is renamed": func(cfg Config) {
			porttest.IP(t, "-n", cfg.Netns, "link", "set", "r0", "down")
			porttest.IP(t, "-n", cfg.Netns, "link", "set", "r0", "name", "r1")
		},
	} {
		cfg := newConfig(t)
		p := openPort(t, cfg)
		take(cfg)
		porttest.AwaitEvent(t, p, what, func(e port.Event) bool { return e.Gone && !e.Up })
		if err := p.Close(); err != nil {
			t.Errorf("%s: closing: %v", what, err)
		}
		if out := porttest.IP(t, "-n", cfg.Netns, "-br", "link"); strings.Contains(out, "r0") || strings.Contains(out, "r1") || strings.Contains(out, "lan0") {
			t.Errorf("%s: left behind:\n%s", what, out)
		}
	}
}
