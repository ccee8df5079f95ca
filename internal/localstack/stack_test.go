package localstack

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"routerd/dataplane/port/device"
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// The first address of a subnet is its source, the first of a family that of
// everything else, and link-local ones are nobody's.
func TestWantedRoutes(t *testing.T) {
	got := wanted(Config{Addresses: prefixes("10.255.0.1/32", "10.0.1.1/24", "10.0.1.9/24", "fe80::1/64", "2001:db8::1/64")})
	want := map[netip.Prefix]netip.Addr{}
	for to, src := range map[string]string{
		"0.0.0.0/0": "10.255.0.1", "10.0.1.0/24": "10.0.1.1", "::/0": "2001:db8::1", "2001:db8::/64": "2001:db8::1",
	} {
		want[netip.MustParsePrefix(to)] = netip.MustParseAddr(src)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("routes %v, want %v", got, want)
	}
}

func TestAddresses(t *testing.T) {
	got := tunConfig(Config{Addresses: prefixes("10.0.1.1/24", "10.0.1.1/32", "fe80::1/64", "2001:db8::1/64")}).Host.Addresses
	if want := prefixes("10.0.1.1/32", "2001:db8::1/128"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("addresses %v, want %v", got, want)
	}
}

func config(t *testing.T) Config {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("making network namespaces needs root")
	}
	return Config{Netns: fmt.Sprintf("lst%d-stack", os.Getpid()), Device: "routerd0", MTU: 1500, Addresses: prefixes("10.0.1.1/24", "2001:db8:1::1/64")}
}

func exists(name string) bool {
	_, err := os.Lstat(device.NamespacePath(name))
	return err == nil
}

func TestOpenAndClose(t *testing.T) {
	cfg := config(t)
	var noted []string
	cfg.Will = func(kind, path, value string) error {
		if exists(path) {
			t.Error("the namespace was made before it was noted")
		}
		noted = append(noted, kind+" "+path+" "+value)
		return nil
	}
	p, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if want := KindNamespace + " " + cfg.Netns + " routerd0"; len(noted) != 1 || noted[0] != want {
		t.Errorf("noted %q, want %q", noted, want)
	}
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), "exists already") || len(noted) != 1 {
		t.Errorf("a second stack in the same namespace: %v, noted %q", err, noted)
	}
	other := cfg
	other.Device = "routerd1"
	if err := p.Apply(other); err == nil || !strings.Contains(err.Error(), "restart") {
		t.Errorf("another device: %v, want that to need a restart", err)
	}
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Error(err)
	}
	if exists(cfg.Netns) {
		t.Error("the namespace is left")
	}
	if err := Undo(cfg.Netns, ""); err != nil {
		t.Errorf("removing what is gone: %v", err)
	}
}

// A namespace that was made for the router is used and left.
func TestExisting(t *testing.T) {
	cfg := config(t)
	cfg.Existing = true
	cfg.Will = func(kind, path, _ string) error {
		t.Errorf("noted %s %s, want nothing: nothing of it has to be undone", kind, path)
		return nil
	}
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), cfg.Netns) {
		t.Errorf("a namespace that is not there: %v, want an error that names it", err)
	}
	if err := makeNamespace(cfg.Netns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Undo(cfg.Netns, ""); err != nil {
			t.Error(err)
		}
	})
	for range 2 {
		p, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if !exists(cfg.Netns) {
			t.Fatal("the namespace was removed")
		}
	}
}

// Exec runs a program among the router's addresses; the process that calls it
// is this test binary again.
func TestExec(t *testing.T) {
	const inside = "LOCALSTACK_TEST_NETNS"
	if name := os.Getenv(inside); name != "" {
		t.Fatal(Exec(name, []string{"cat", "/proc/net/fib_trie", "/proc/net/dev"}))
	}
	cfg := config(t)
	p, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestExec$")
	cmd.Env = append(os.Environ(), inside+"="+cfg.Netns)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "10.0.1.1") || !strings.Contains(string(out), "routerd0:") {
		t.Errorf("%v\n%s\nwant the stack's address and device in it", err, out)
	}
	if err := Exec(cfg.Netns, []string{"no-such-program-anywhere"}); err == nil {
		t.Error("a program that is not there was run")
	}
	if err := Exec(cfg.Netns+"-none", []string{"cat"}); err == nil || !strings.Contains(err.Error(), cfg.Netns+"-none") {
		t.Errorf("a namespace that is not there: %v", err)
	}
}

// What fails leaves nothing.
func TestOpenFails(t *testing.T) {
	for name, breakIt := range map[string]func(*Config){
		"a device that cannot be":   func(c *Config) { c.Device = "much-too-long-a-name" },
		"an MTU too small":          func(c *Config) { c.MTU = 1 },
		"a namespace with a slash":  func(c *Config) { c.Netns = "a/b" },
		"a namespace without name":  func(c *Config) { c.Netns = "" },
		"nothing can be noted":      func(c *Config) { c.Will = func(string, string, string) error { return errors.New("disk full") } },
		"IPv6 in an MTU below 1280": func(c *Config) { c.MTU = 1000 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			breakIt(&cfg)
			p, err := Open(cfg)
			if err == nil {
				p.Close()
				t.Error("it was made")
			}
			if name := cfg.Netns; name != "" && !strings.Contains(name, "/") && exists(name) {
				t.Errorf("namespace %s is left", name)
			}
		})
	}
}
