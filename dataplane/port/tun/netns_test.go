package tun

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

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
	return Config{Name: "lan0", MTU: 1500, Host: Host{
		Netns:     netns,
		Device:    "lan0",
		Addresses: porttest.Prefixes("198.18.0.2/24", "2001:db8::2/64"),
		Routes:    porttest.Prefixes("0.0.0.0/0", "::/0"),
	}}
}

func openPort(t testing.TB, cfg Config) *Port { return porttest.Open(t, Open, cfg) }

func TestMissingNamespaceIsNotMade(t *testing.T) {
	porttest.NeedTUN(t)
	cfg := lanConfig(fmt.Sprintf("rdtun%dmissing", os.Getpid()))
	_, err := Open(cfg)
	if err == nil || !strings.Contains(err.Error(), "ip netns add "+cfg.Host.Netns) || !strings.Contains(err.Error(), "TUN port lan0") {
		t.Errorf("Open: %v", err)
	}
	if _, err := os.Stat(device.NamespacePath(cfg.Host.Netns)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the namespace is there now: %v", err)
	}
}

// A namespace may be given by path.
func TestNamespaceByPath(t *testing.T) {
	ns := newNetns(t)
	cfg := lanConfig("/var/run/netns/../../run/netns/" + ns)
	openPort(t, cfg)
	if out := porttest.IP(t, "-n", ns, "-br", "link"); !strings.Contains(out, "lan0") {
		t.Errorf("no lan0 in %s:\n%s", ns, out)
	}
}

// Inside it has no more rights over the machine than the owner of its files has.
func TestUnprivilegedUserNamespace(t *testing.T) {
	if !porttest.InUserNamespace(t, "true <>"+device.ClonePath) {
		return
	}
	p := openPort(t, Config{Name: "lan0", MTU: 1400, Host: Host{
		Device: "lan0", Addresses: porttest.Prefixes("198.18.0.2/24"), Routes: porttest.Prefixes("0.0.0.0/0"),
	}})
	if !p.Up() || p.MTU() != 1400 {
		t.Errorf("up %v, mtu %d", p.Up(), p.MTU())
	}
	pingOnce(t, p, "", "198.18.0.1")
}
