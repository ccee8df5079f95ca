package daemon

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"routerd/internal/control"
)

// newVeths is two hosts, each behind a veth pair whose other end is in a namespace
// of the router's own, m.port:
//
//	h1 eth0 == lan1 [ r1 ] lan2 == eth0 h2
func newVeths(t testing.TB) *mixed {
	t.Helper()
	s := newSite(t)
	m := &mixed{site: s, port: strings.Replace(s.hosts[0], "-h1", "-r1", 1)}
	s.must("ip", "netns", "add", m.port)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", m.port).Run() })
	m.pair(1500)
	return m
}

// pair writes the configuration with an MTU of lan1.
func (m *mixed) pair(mtu int) {
	m.t.Helper()
	text := fmt.Sprintf("name = \"r1\"\n[api]\nlisten = [\"unix://%s\"]\n", m.socket())
	for i, host := range m.hosts {
		n := i + 1
		text += fmt.Sprintf(`
[interface.lan%d]
kind = "veth"
netns = %q
device = "r%d"
addresses = ["10.0.%d.1/24", "2001:db8:%d::1/64"]
mtu = %d
host = { netns = %q, device = "eth0", addresses = ["10.0.%d.2/24", "2001:db8:%d::2/64"], routes = ["0.0.0.0/0", "::/0"] }
`, n, m.port, n, n, n, mtu, host, n, n)
		mtu = 1500
	}
	if err := os.WriteFile(m.config, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// passes waits until host 1 reaches host 2 by both families.
func (m *mixed) passes(when string) {
	m.t.Helper()
	for _, to := range []string{"10.0.2.2", "2001:db8:2::2"} {
		wait(m.t, to+" to answer, "+when, func() error { return m.pingSoon(0, to) })
	}
}

// ends fails the test unless the router's ends of both pairs are there, or none is.
func (m *mixed) ends(wanted bool, when string) {
	m.t.Helper()
	out := m.must("ip", "-n", m.port, "-br", "link")
	for _, name := range []string{"r1", "r2"} {
		if strings.Contains(out, name+"@") != wanted {
			m.t.Errorf("%s: the devices are as follows, want the ends of the pairs there: %v\n%s", when, wanted, out)
		}
	}
}

func TestVethForwards(t *testing.T) {
	m := newVeths(t)
	stop := m.start()
	m.passes("at first")
	states, err := m.states()
	if err != nil {
		t.Fatal(err)
	}
	i := states["lan1"]
	if i.Kind != "veth" || i.State != control.StateUp || i.MTU != 1500 || i.Port == nil || i.Port.Host.String() != m.hosts[0]+":eth0" || i.Port.LateCarrier || i.Received.Packets == 0 {
		t.Errorf("lan1 is %+v, its port %+v", i, i.Port)
	}
	// Another MTU changes both ends, and the pair stays.
	before := m.must("ip", "-n", m.port, "-br", "link", "show", "dev", "r1")
	m.pair(1400)
	m.reload()
	wait(t, "the MTU of lan1 to be 1400", func() error {
		states, err := m.states()
		if i := states["lan1"]; err == nil && (i.MTU != 1400 || i.State != control.StateUp) {
			err = fmt.Errorf("it is %d, and lan1 is %s", i.MTU, i.State)
		}
		return err
	})
	if out := m.in(0, "ip", "link", "show", "eth0"); !strings.Contains(out, "mtu 1400") {
		t.Errorf("the host's end did not change:\n%s", out)
	}
	if after := m.must("ip", "-n", m.port, "-br", "link", "show", "dev", "r1"); after != before {
		t.Errorf("the router's end is another device:\n%s%s", before, after)
	}
	out, err := m.try("ip", "netns", "exec", m.hosts[1], "ping", "-n", "-c1", "-W2", "-Mdo", "-s1440", "10.0.1.2")
	if err == nil || !strings.Contains(out, "mtu") {
		t.Errorf("a packet longer than the MTU of lan1: %v\n%s", err, out)
	}
	m.passes("after the reload")
	stop()
	m.ends(false, "after the stop")
	if _, err := os.Stat(filepath.Join(m.runDir(), "r1.undo")); err == nil {
		t.Error("the list of what to undo is left")
	}
}

// A cut link is seen at once, and a pair that somebody deletes, or whose namespace
// is made anew at either end, is made again.
func TestVethsComeAndGo(t *testing.T) {
	m := newVeths(t)
	m.start()
	m.passes("at first")
	m.in(1, "ip", "link", "set", "eth0", "down")
	m.becomes("lan2", control.StateDown)
	m.in(1, "ip", "link", "set", "eth0", "up")
	m.becomes("lan2", control.StateUp)
	m.passes("after the link was cut")
	for range 3 {
		m.must("ip", "-n", m.port, "link", "del", "r1")
		m.in(1, "ip", "link", "del", "eth0")
		m.passes("after both pairs were deleted")
		m.must("ip", "netns", "del", m.hosts[1])
		m.becomes("lan2", control.StateGone)
		m.must("ip", "netns", "add", m.hosts[1])
		m.passes("after a host's namespace was made anew")
		m.must("ip", "netns", "del", m.port)
		m.becomes("lan1", control.StateGone)
		m.becomes("lan2", control.StateGone)
		if err := m.pingSoon(0, "10.0.1.1"); err == nil {
			t.Error("the router answers without its ends")
		}
		m.must("ip", "netns", "add", m.port)
		m.passes("after the namespace of the router's ends was made anew")
	}
}

// A killed router leaves its pairs; the next start makes them anew, and a stop
// leaves nothing.
func TestVethsOfAKilledRouter(t *testing.T) {
	m := newVeths(t)
	p := m.startProcess(nil)
	m.passes("at first")
	for range 2 {
		if err := p.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = p.Wait() // killed, so an error
		m.ends(true, "after the kill")
		p = m.startProcess(nil)
		m.passes("after a restart")
	}
	if err := errors.Join(p.Process.Signal(unix.SIGTERM), p.Wait()); err != nil {
		t.Error(err)
	}
	m.ends(false, "after the stop")
	if left, err := os.ReadFile(filepath.Join(m.runDir(), "r1.undo")); err == nil {
		t.Errorf("left to undo:\n%s", left)
	}
}
