package tun

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
	"routerd/dataplane/port/porttest"
)

func TestSamePort(t *testing.T) {
	base := lanConfig("h1")
	tests := []struct {
		name   string
		change func(*Config)
		want   bool
	}{
		{"equal", func(*Config) {}, true},
		{"mtu, addresses, routes", func(c *Config) { c.MTU, c.Host.Addresses, c.Host.Routes = 9000, nil, nil }, true},
		{"one queue is the default", func(c *Config) { c.Queues = 1 }, true},
		{"namespace by path", func(c *Config) { c.Host.Netns = "/run/netns/h1" }, true},
		{"name", func(c *Config) { c.Name = "lan1" }, false},
		{"device", func(c *Config) { c.Host.Device = "lan1" }, false},
		{"namespace", func(c *Config) { c.Host.Netns = "h2" }, false},
		{"own namespace", func(c *Config) { c.Host.Netns = "" }, false},
		{"queues", func(c *Config) { c.Queues = 2 }, false},
	}
	for _, tt := range tests {
		other := base
		tt.change(&other)
		if SamePort(base, other) != tt.want || SamePort(other, base) != tt.want {
			t.Errorf("%s: want %v", tt.name, tt.want)
		}
	}
}

// hostState is what the kernel says of lan0, one fact a line, without the
// kernel's own link-local and multicast entries.
func hostState(t *testing.T, ns string) []string {
	t.Helper()
	var facts []string
	for _, l := range strings.Split(porttest.IP(t, "-n", ns, "-o", "address", "show", "dev", "lan0"), "\n") {
		if f := strings.Fields(l); len(f) > 3 && !strings.HasPrefix(f[3], "fe80:") {
			facts = append(facts, "address "+f[3])
		}
	}
	for _, family := range []string{"-4", "-6"} {
		for _, l := range strings.Split(porttest.IP(t, "-n", ns, family, "route", "show", "dev", "lan0"), "\n") {
			if f := strings.Fields(l); len(f) > 0 && !strings.HasPrefix(f[0], "fe80:") {
				facts = append(facts, "route "+family+" "+f[0])
			}
		}
	}
	link := strings.Fields(porttest.IP(t, "-n", ns, "-o", "link", "show", "dev", "lan0"))
	facts = append(facts, "mtu "+link[slices.Index(link, "mtu")+1])
	slices.Sort(facts)
	return slices.Compact(facts)
}

var lanState = []string{
	"address 198.18.0.2/24", "address 2001:db8::2/64", "mtu 1500",
	"route -4 198.18.0.0/24", "route -4 default", "route -6 2001:db8::/64", "route -6 default",
}

func TestApply(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"nothing", func(*Config) {}, lanState},
		{"mtu", func(c *Config) { c.MTU = 1400 }, []string{
			"address 198.18.0.2/24", "address 2001:db8::2/64", "mtu 1400",
			"route -4 198.18.0.0/24", "route -4 default", "route -6 2001:db8::/64", "route -6 default",
		}},
		{"routes", func(c *Config) {
			c.Host.Routes = porttest.Prefixes("203.0.113.0/24", "::/0", "2001:db8:1::/48", "198.18.0.0/24", "2001:db8::/64")
		}, []string{
			"address 198.18.0.2/24", "address 2001:db8::2/64", "mtu 1500",
			"route -4 198.18.0.0/24", "route -4 203.0.113.0/24",
			"route -6 2001:db8:1::/48", "route -6 2001:db8::/64", "route -6 default",
		}},
		// The first address of a subnet takes the others with it.
		{"another address of the subnet", func(c *Config) { c.Host.Addresses = porttest.Prefixes("198.18.0.3/24", "198.18.0.4/24") }, []string{
			"address 198.18.0.3/24", "address 198.18.0.4/24", "mtu 1500",
			"route -4 198.18.0.0/24", "route -4 default", "route -6 default",
		}},
		{"prefix length", func(c *Config) { c.Host.Addresses = porttest.Prefixes("198.18.0.2/16", "2001:db8::2/48") }, []string{
			"address 198.18.0.2/16", "address 2001:db8::2/48", "mtu 1500",
			"route -4 198.18.0.0/16", "route -4 default", "route -6 2001:db8::/48", "route -6 default",
		}},
		{"no ipv6 and too small for it", func(c *Config) {
			c.MTU, c.Host.Addresses, c.Host.Routes = 576, c.Host.Addresses[:1], c.Host.Routes[:1]
		}, []string{"address 198.18.0.2/24", "mtu 576", "route -4 198.18.0.0/24", "route -4 default"}},
	}
	ns := newNetns(t)
	p := openPort(t, lanConfig(ns))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := lanConfig(ns)
			cfg.Host.Addresses, cfg.Host.Routes = slices.Clone(cfg.Host.Addresses), slices.Clone(cfg.Host.Routes)
			tt.change(&cfg)
			if err := p.Apply(cfg); err != nil {
				t.Fatal(err)
			}
			if got := hostState(t, ns); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if err := p.Apply(lanConfig(ns)); err != nil {
				t.Fatalf("and back: %v", err)
			}
			if got := hostState(t, ns); !slices.Equal(got, lanState) {
				t.Errorf("and back: got  %q\nwant %q", got, lanState)
			}
		})
	}
}

func TestApplyRefused(t *testing.T) {
	ns := newNetns(t)
	porttest.IP(t, "-n", ns, "link", "add", "up0", "type", "veth", "peer", "name", "up1")
	porttest.IP(t, "-n", ns, "link", "set", "up0", "up")
	porttest.IP(t, "-n", ns, "route", "add", "203.0.113.0/24", "dev", "up0")
	p := openPort(t, lanConfig(ns))
	tests := []struct {
		name   string
		change func(*Config)
		says   string
	}{
		{"another device", func(c *Config) { c.Host.Device = "lan1" }, "needs another port"},
		{"mtu", func(c *Config) { c.MTU = 10 }, "mtu 10"},
		{"somebody else's route", func(c *Config) {
			c.MTU, c.Host.Addresses = 1400, porttest.Prefixes("198.18.0.9/24")
			c.Host.Routes = porttest.Prefixes("203.0.113.0/24")
		}, "by another device"},
		{"ipv6 on a small mtu", func(c *Config) { c.MTU = 1000 }, "IPv6 wants an MTU"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := lanConfig(ns)
			tt.change(&cfg)
			if err := p.Check(cfg); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Check: %v, want %q", err, tt.says)
			}
			if got := hostState(t, ns); !slices.Equal(got, lanState) {
				t.Errorf("the configuration is no longer what it was: %q", got)
			}
		})
	}
}

// The administrator of the namespace may do anything with the kernel's side: what
// does not change is not touched, what does is, and what is lacking is said
// and comes back when that is allowed.
func TestHostUndoes(t *testing.T) {
	ns := newNetns(t)
	ip := func(argv ...string) { porttest.IP(t, append([]string{"-n", ns}, argv...)...) }
	sysctl := func(value string) {
		porttest.IP(t, "netns", "exec", ns, "sysctl", "-qw", "net.ipv6.conf.lan0.disable_ipv6="+value)
	}
	ip("link", "add", "up0", "type", "veth", "peer", "name", "up1")
	ip("link", "set", "up0", "up")
	for _, tt := range []struct {
		name     string
		do, undo func()
		lacks    string
	}{
		{"sets it down", func() { ip("link", "set", "lan0", "down") }, func() { ip("link", "set", "lan0", "up") }, "set down"},
		{"makes its mtu small", func() { ip("link", "set", "lan0", "mtu", "1000") }, func() { ip("link", "set", "lan0", "mtu", "1500") }, "MTU of 1000"},
		{"disables ipv6", func() { sysctl("1") }, func() { sysctl("0") }, "IPv6 is disabled"},
		{"has its default route elsewhere", func() { ip("route", "replace", "default", "dev", "up0") }, func() { ip("route", "del", "default", "dev", "up0") }, "by another device"},
		{"takes its addresses away", func() { ip("address", "flush", "dev", "lan0") }, func() {}, ""},
		{"renames it", func() {
			ip("link", "set", "lan0", "down")
			ip("link", "set", "lan0", "name", "zz")
			ip("link", "set", "zz", "up")
		}, func() {
			ip("link", "set", "zz", "down")
			ip("link", "set", "zz", "name", "lan0")
			ip("link", "set", "lan0", "up")
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := openPort(t, lanConfig(ns))
			defer p.Close()
			tt.do()
			if err := errors.Join(p.Check(lanConfig(ns)), p.Apply(lanConfig(ns))); err != nil {
				t.Errorf("what it is already: %v", err)
			}
			more := lanConfig(ns)
			more.Host.Addresses = porttest.Prefixes("198.18.0.2/24", "198.18.0.7/24", "2001:db8::2/64")
			if err := errors.Join(p.Check(more), p.Apply(more)); err != nil {
				t.Errorf("an address more: %v", err)
			}
			if lacks := strings.Join(p.Restore(), "; "); tt.lacks != "" && !strings.Contains(lacks, tt.lacks) {
				t.Errorf("it is said to lack %q, want %q in it", lacks, tt.lacks)
			}
			tt.undo()
			want := slices.Sorted(slices.Values(append([]string{"address 198.18.0.7/24"}, lanState...)))
			for deadline := time.Now().Add(porttest.Patience); ; time.Sleep(time.Millisecond) {
				lacks := p.Restore()
				if got := hostState(t, ns); len(lacks) == 0 && slices.Equal(got, want) {
					break
				} else if time.Now().After(deadline) {
					t.Fatalf("it lacks %q, and is %q, want %q", lacks, got, want)
				}
			}
		})
	}
}

// A side that is not changed is left as whoever rules the namespace has it, and
// one that is changed in one thing is left so in the others.
func TestApplyLeavesTheRestAlone(t *testing.T) {
	ns := newNetns(t)
	p := openPort(t, lanConfig(ns))
	porttest.IP(t, "-n", ns, "route", "del", "default", "dev", "lan0")
	porttest.IP(t, "-n", ns, "address", "del", "2001:db8::2/64", "dev", "lan0")
	before := hostState(t, ns)
	if err := p.Apply(lanConfig(ns)); err != nil {
		t.Fatal(err)
	}
	if got := hostState(t, ns); !slices.Equal(got, before) {
		t.Errorf("it was %q, and is %q", before, got)
	}
	more := lanConfig(ns)
	more.Host.Addresses = porttest.Prefixes("198.18.0.2/24", "198.18.0.7/24", "2001:db8::2/64")
	if err := p.Apply(more); err != nil {
		t.Fatal(err)
	}
	if got, want := hostState(t, ns), slices.Sorted(slices.Values(append([]string{"address 198.18.0.7/24"}, before...))); !slices.Equal(got, want) {
		t.Errorf("with one address more it is %q, want %q", got, want)
	}
}

// A new address in the place of the old one takes none of the administrator's
// routes with it.
func TestApplyKeepsForeignRoutes(t *testing.T) {
	ns := newNetns(t)
	p := openPort(t, lanConfig(ns))
	for _, r := range []string{"203.0.113.0/24", "203.0.114.0/24"} {
		porttest.IP(t, "-n", ns, "route", "add", r, "via", "198.18.0.1", "dev", "lan0")
	}
	cfg := lanConfig(ns)
	cfg.Host.Addresses = porttest.Prefixes("198.18.0.9/24", "2001:db8::2/64")
	if err := p.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(hostState(t, ns), "\n")
	for _, want := range []string{"address 198.18.0.9/24", "route -4 203.0.113.0/24", "route -4 203.0.114.0/24"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "198.18.0.2") {
		t.Errorf("the old address is left:\n%s", got)
	}
}

func TestIPv6Disabled(t *testing.T) {
	ns := newNetns(t)
	porttest.IP(t, "netns", "exec", ns, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
	_, err := Open(lanConfig(ns))
	if err == nil || !strings.Contains(err.Error(), "IPv6 is disabled in network namespace") {
		t.Errorf("Open: %v", err)
	}
}

func TestEvents(t *testing.T) {
	ns := newNetns(t)
	p := openPort(t, lanConfig(ns))
	porttest.IP(t, "-n", ns, "link", "set", "lan0", "mtu", "1400")
	porttest.AwaitEvent(t, p, "with mtu 1400", func(e port.Event) bool { return e == port.Event{Up: true, MTU: 1400} })
	porttest.IP(t, "-n", ns, "link", "set", "lan0", "down")
	porttest.AwaitEvent(t, p, "down", func(e port.Event) bool { return e == port.Event{MTU: 1400} })
	porttest.IP(t, "-n", ns, "link", "set", "lan0", "up")
	porttest.AwaitEvent(t, p, "up", func(e port.Event) bool { return e == port.Event{Up: true, MTU: 1400} })
	porttest.IP(t, "-n", ns, "link", "set", "lan0", "carrier", "off")
	porttest.AwaitEvent(t, p, "without carrier", func(e port.Event) bool { return !e.Up && !e.Gone })
	porttest.IP(t, "-n", ns, "link", "set", "lan0", "carrier", "on")
	porttest.AwaitEvent(t, p, "with carrier", func(e port.Event) bool { return e.Up })
	cfg := lanConfig(ns)
	cfg.MTU = 1300 // our own change is one like any other
	if err := p.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	porttest.AwaitEvent(t, p, "with mtu 1300", func(e port.Event) bool { return e.MTU == 1300 })
	select {
	case e := <-p.Events():
		t.Errorf("event %+v without a change", e)
	default:
	}
}

// What the kernel forgets while a device is down comes back when it is up.
func TestRestoredAfterDown(t *testing.T) {
	ns := newNetns(t)
	p := openPort(t, lanConfig(ns))
	// Nobody reads Events here: nothing may wait for that.
	porttest.IP(t, "-n", ns, "link", "set", "lan0", "down")
	if got := hostState(t, ns); slices.Equal(got, lanState) {
		t.Fatal("the kernel forgot nothing, so this test shows nothing")
	}
	porttest.IP(t, "-n", ns, "link", "set", "lan0", "up")
	awaitState(t, ns, lanState)
	porttest.IP(t, "-n", ns, "link", "set", "lan0", "mtu", "1000")
	porttest.IP(t, "-n", ns, "link", "set", "lan0", "mtu", "1500")
	awaitState(t, ns, lanState)
	// Too small for IPv6: IPv4 comes back alone, and IPv6 once it can.
	porttest.IP(t, "-n", ns, "link", "set", "lan0", "mtu", "1000")
	porttest.IP(t, "-n", ns, "link", "set", "lan0", "down")
	porttest.IP(t, "-n", ns, "link", "set", "lan0", "up")
	awaitState(t, ns, []string{"address 198.18.0.2/24", "mtu 1000", "route -4 198.18.0.0/24", "route -4 default"})
	porttest.IP(t, "-n", ns, "link", "set", "lan0", "mtu", "1500")
	awaitState(t, ns, lanState)
	pingOnce(t, p, ns, "2001:db8:9::1")
}

func awaitState(t *testing.T, ns string, want []string) {
	t.Helper()
	for deadline := time.Now().Add(porttest.Patience); ; time.Sleep(time.Millisecond) {
		got := hostState(t, ns)
		if slices.Equal(got, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	}
}

func TestDeletedBySomebodyElse(t *testing.T) {
	ns := newNetns(t)
	p := openPort(t, lanConfig(ns))
	q := p.Queues()[0]
	ended := porttest.ReadError(q)
	porttest.IP(t, "-n", ns, "link", "del", "lan0")
	porttest.AwaitEvent(t, p, "that it is gone", func(e port.Event) bool { return e.Gone && !e.Up })
	porttest.WantReadError(t, ended, device.ErrGone)
	fs := []*port.Frame{porttest.Frame([]byte("x")), porttest.Frame([]byte("y"))}
	if n, err := q.Write(fs); n != 0 || err != device.ErrGone || !fs[0].Failed || !fs[1].Failed {
		t.Errorf("Write: %d, %v", n, err)
	}
	cfg := lanConfig(ns)
	cfg.MTU = 1400
	if err := p.Apply(cfg); err == nil || !strings.Contains(err.Error(), "lan0") {
		t.Errorf("Apply: %v", err)
	}
}
