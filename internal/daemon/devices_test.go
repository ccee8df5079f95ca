package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"routerd/dataplane/port/device"
	"routerd/internal/control"
)

// mixed is a site with a port of each kind, a host behind each, and the
// router's own stack:
//
//	h1 eth0 == lan1 (TUN)      [ r1 ]     lan3 (packet) -- p3 == eth0 h3
//	h2 eth0 == lan2 (TAP)      [    ]     local-stack
//
// The host n behind each port has 10.0.n.2.
type mixed struct {
	*site
	port  string // the namespace of lan3's device
	third string // the host behind it
	stack string
}

func newMixed(t testing.TB) *mixed {
	t.Helper()
	s := newSite(t)
	m := &mixed{
		site: s, port: strings.Replace(s.hosts[0], "-h1", "-p3", 1), third: strings.Replace(s.hosts[0], "-h1", "-h3", 1),
		stack: strings.Replace(s.hosts[0], "-h1", "-stack", 1),
	}
	for _, ns := range []string{m.port, m.third} {
		s.must("ip", "netns", "add", ns)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
	}
	m.configure("")
	m.cable()
	return m
}

// configure writes the configuration of all, and more behind it.
func (m *mixed) configure(more string) {
	m.t.Helper()
	text := fmt.Sprintf(`name = "r1"
[api]
listen = ["unix://%s"]
[local-stack]
netns = %q
[interface.lan1]
kind = "tun"
addresses = ["10.0.1.1/24"]
host = { netns = %q, device = "eth0", addresses = ["10.0.1.2/24"], routes = ["0.0.0.0/0"] }
[interface.lan2]
kind = "tap"
addresses = ["10.0.2.1/24"]
host = { netns = %q, device = "eth0", addresses = ["10.0.2.2/24"], routes = ["0.0.0.0/0"] }
[interface.lan3]
kind = "packet"
netns = %q
device = "p3"
addresses = ["10.0.3.1/24"]
%s`, m.socket(), m.stack, m.hosts[0], m.hosts[1], m.port, more)
	if err := os.WriteFile(m.config, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// cable makes lan3's device and the host's end of it.
func (m *mixed) cable() {
	m.t.Helper()
	m.must("ip", "link", "add", "p3", "netns", m.port, "type", "veth", "peer", "name", "eth0", "netns", m.third)
	m.must("ip", "-n", m.third, "address", "add", "10.0.3.2/24", "dev", "eth0")
	m.must("ip", "-n", m.third, "link", "set", "eth0", "up")
	m.must("ip", "-n", m.third, "route", "replace", "default", "via", "10.0.3.1")
}

// states gives the state of each interface, by name.
func (m *mixed) states() (map[string]control.Interface, error) {
	list, err := m.client().Interfaces(m.t.Context())
	states := map[string]control.Interface{}
	for _, i := range list {
		states[i.Name] = i
	}
	return states, err
}

// becomes waits until an interface has a state.
func (m *mixed) becomes(name, state string) {
	m.t.Helper()
	c := control.Dial(m.socket())
	defer c.Close()
	wait(m.t, name+" to be "+state, func() error {
		list, err := c.Interfaces(m.t.Context())
		for _, i := range list {
			if i.Name == name && i.State != state {
				err = fmt.Errorf("it is %q: %s", i.State, i.Why)
			}
		}
		return err
	})
}

func (m *mixed) reload() {
	m.t.Helper()
	if _, err := m.client().Reload(m.t.Context()); err != nil {
		m.t.Errorf("reloading: %v", err)
	}
}

// reaches waits until host n answers host 1, or host 2 for n = 1.
func (m *mixed) reaches(n int) {
	m.t.Helper()
	from := 0
	if n == 1 {
		from = 1
	}
	to := fmt.Sprintf("10.0.%d.2", n)
	wait(m.t, to+" to answer", func() error { return m.pingSoon(from, to) })
}

func (m *mixed) pingSoon(from int, to string) error {
	out, err := exec.Command("ip", "netns", "exec", m.hosts[from], "ping", "-n", "-c1", "-W1", to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ping %s: %w\n%s", to, err, out)
	}
	return nil
}

// logged gives the lines of the log with text in them.
func (s *site) logged(text string) (lines []string) {
	s.t.Helper()
	log, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}

// A device that is deleted and made anew serves again, whatever the kind of its
// port; meanwhile the others go on and the configuration reloads.
func TestDevicesComeAndGo(t *testing.T) {
	m := newMixed(t)
	m.start()
	for n := range 3 {
		m.reaches(n + 1)
	}
	for range 3 {
		// TUN and TAP are the router's own to make again.
		m.must("ip", "-n", m.hosts[0], "link", "del", "eth0")
		m.must("ip", "-n", m.hosts[1], "link", "del", "eth0")
		m.reload()
		m.reaches(2)
		m.must("ip", "-n", m.port, "link", "del", "p3")
		m.becomes("lan3", control.StateGone)
		m.reload()
		m.reaches(1)
		m.explainsGone()
		m.cable()
		m.becomes("lan3", control.StateUp)
		m.reaches(3)
	}
	if n := len(m.logged("an interface is gone")); n != 9 {
		t.Errorf("%d lines say that an interface is gone, want one for each of 9", n)
	}
	if n := len(m.logged("an interface serves")); n != 9 {
		t.Errorf("%d lines say that an interface serves again, want one for each of 9", n)
	}
}

func (m *mixed) explainsGone() {
	m.t.Helper()
	x, err := m.client().ExplainPacket(m.t.Context(), control.PacketQuery{In: "lan3", Src: mustAddr("10.0.3.2"), Dst: mustAddr("10.0.1.2")})
	if err != nil || len(x.Steps) == 0 || !strings.Contains(x.Steps[0].Text, "interface lan3 is gone: device p3") {
		m.t.Errorf("explained as %+v (%v), want it to begin with lan3 being gone", x.Steps, err)
	}
}

// The same of whole namespaces, which the sockets of a port would keep alive
// for ever.
func TestNamespacesComeAndGo(t *testing.T) {
	m := newMixed(t)
	m.start()
	for n := range 3 {
		m.reaches(n + 1)
	}
	for range 3 {
		m.must("ip", "netns", "del", m.hosts[1])
		m.must("ip", "netns", "del", m.port)
		m.becomes("lan2", control.StateGone)
		m.becomes("lan3", control.StateGone)
		m.reload()
		m.must("ip", "netns", "add", m.hosts[1])
		m.must("ip", "netns", "add", m.port)
		m.must("ip", "netns", "del", m.third) // its end of the cable went with the other
		m.must("ip", "netns", "add", m.third)
		m.cable()
		for n := range 3 {
			m.reaches(n + 1)
		}
	}
	// Deleted and made anew at once, so that the name is never seen missing.
	m.must("sh", "-c", "ip netns del "+m.hosts[1]+"; ip netns add "+m.hosts[1])
	m.reaches(2)
}

// What appears later is taken when it comes.
func TestDevicesAppearLater(t *testing.T) {
	m := newMixed(t)
	m.must("ip", "-n", m.port, "link", "del", "p3")
	m.must("ip", "netns", "del", m.hosts[1])
	m.start()
	m.becomes("lan2", control.StateMissing)
	m.becomes("lan3", control.StateMissing)
	m.reload()
	m.must("ip", "netns", "add", m.hosts[1])
	m.cable()
	for n := range 3 {
		m.reaches(n + 1)
	}
	// New in the configuration, and not there either.
	m.configure("[interface.lan4]\nkind = \"packet\"\nnetns = \"" + m.port + "\"\ndevice = \"p4\"\naddresses = [\"10.0.4.1/24\"]\n")
	r, err := m.client().Reload(m.t.Context())
	if err != nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0].Text, "interface lan4 is missing") || !strings.HasPrefix(r.Warnings[0].Origin, m.config) {
		t.Errorf("reloaded with %+v (%v), want a warning that lan4 is missing, and where it is configured", r.Warnings, err)
	}
	m.becomes("lan4", control.StateMissing)
	m.must("ip", "-n", m.port, "link", "add", "p4", "type", "veth", "peer", "name", "q4")
	m.must("ip", "-n", m.port, "link", "set", "q4", "up")
	m.becomes("lan4", control.StateUp)
	// Removed from the configuration while it is not there, and never tried again.
	m.must("ip", "-n", m.port, "link", "del", "p4")
	m.becomes("lan4", control.StateGone)
	m.configure("")
	m.reload()
	if states, err := m.states(); err != nil || len(states) != 4 {
		t.Errorf("interfaces %v (%v), want those of the configuration", states, err)
	}
}

// A device that is there and cannot be taken waits, and says why, once.
func TestDeviceInUseIsWaitedFor(t *testing.T) {
	m := newMixed(t)
	m.start()
	m.must("ip", "-n", m.port, "link", "del", "p3")
	m.becomes("lan3", control.StateGone)
	m.must("ip", "-n", m.port, "link", "add", "spare", "type", "veth", "peer", "name", "eth0", "netns", m.third)
	m.must("ip", "-n", m.port, "address", "add", "192.0.2.1/24", "dev", "spare")
	m.must("ip", "-n", m.port, "link", "set", "spare", "name", "p3")
	m.must("ip", "-n", m.third, "link", "set", "eth0", "up")
	m.becomes("lan3", control.StateWaiting)
	m.reload()
	if states, err := m.states(); err != nil || !strings.Contains(states["lan3"].Why, "take-over") {
		t.Errorf("lan3 waits because of %q (%v), want it to say that the kernel uses it", states["lan3"].Why, err)
	}
	m.must("ip", "-n", m.port, "address", "flush", "dev", "p3") // which tells nobody who follows links
	m.becomes("lan3", control.StateUp)
	if n := len(m.logged("an interface is waiting")); n != 1 {
		t.Errorf("%d lines say that an interface is waiting, want 1", n)
	}
}

// A device that gets another name is not the one of the configuration any more.
func TestRenamedDeviceIsLetGo(t *testing.T) {
	m := newMixed(t)
	m.start()
	m.reaches(3)
	m.must("ip", "-n", m.port, "link", "set", "p3", "down")
	m.becomes("lan3", control.StateDown)
	x, err := m.client().ExplainPacket(t.Context(), control.PacketQuery{In: "lan3", Src: mustAddr("10.0.3.2"), Dst: mustAddr("10.0.1.2")})
	if err != nil || !strings.Contains(x.Steps[0].Text, "interface lan3 is down") {
		t.Errorf("explained as %+v (%v), want it to begin with lan3 being down", x.Steps, err)
	}
	m.must("ip", "-n", m.port, "link", "set", "p3", "name", "other")
	m.becomes("lan3", control.StateGone)
	if _, err := exec.LookPath("nft"); err != nil {
		t.Log("nft is not installed: whether the device's table went is not looked at")
	} else if out := m.must("ip", "netns", "exec", m.port, "nft", "list", "tables"); strings.Contains(out, "routerd-p3") {
		t.Errorf("the table of a device that was let go is still there: %s", out)
	}
	m.must("ip", "-n", m.port, "link", "set", "other", "name", "p3")
	m.must("ip", "-n", m.third, "link", "set", "eth0", "up")
	m.reaches(3)
}

// The stack's device is made again under the sockets that use it, and its
// namespace with it where that is gone.
func TestStackComesAndGoes(t *testing.T) {
	m := newMixed(t)
	stop := m.start()
	l := listen(t, m.stack, "10.0.1.1:8080")
	served := func() error {
		c := dial(t, m.hosts[0], "tcp", "10.0.1.1:8080")
		defer c.Close()
		a, err := l.Accept()
		if err == nil {
			a.Close()
		}
		return err
	}
	if err := served(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		m.must("ip", "-n", m.stack, "link", "del", "routerd0")
		m.reload()
		m.becomes("local-stack", control.StateUp)
		if err := served(); err != nil {
			t.Fatalf("a socket that listened all the time: %v", err)
		}
	}
	l.Close()
	m.must("ip", "netns", "del", m.stack)
	m.reload()
	wait(t, "the stack's namespace to be made anew", func() error {
		return exec.Command("ip", "-n", m.stack, "link", "show", "routerd0").Run()
	})
	again := listen(t, m.stack, "10.0.1.1:8080")
	wait(t, "packets to go to the new namespace and not to the old one", func() error {
		return device.InNamespace(m.hosts[0], func() error {
			c, err := net.DialTimeout("tcp", "10.0.1.1:8080", time.Second)
			if err == nil {
				c.Close()
			}
			return err
		})
	})
	again.Close()
	carry(t, m.hosts[0], m.stack, "10.0.1.1:8080")
	stop()
	if _, err := os.Lstat("/run/netns/" + m.stack); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the stack's namespace after the stop: %v", err)
	}
}

// A namespace that somebody else has made in the stack's place is left alone.
func TestStackLeavesAForeignNamespaceAlone(t *testing.T) {
	m := newMixed(t)
	stop := m.start()
	m.must("sh", "-c", "ip netns del "+m.stack+"; ip netns add "+m.stack+"; sleep 0.2")
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", m.stack).Run() })
	wait(t, "the stack to wait or be made anew", func() error {
		states, err := m.states()
		if s := states["local-stack"].State; err == nil && s != control.StateWaiting {
			err = fmt.Errorf("it is %q", s)
		}
		return err
	})
	m.reload()
	m.reaches(3)
	stop()
	if _, err := os.Stat("/run/netns/" + m.stack); err != nil {
		t.Errorf("the namespace of somebody else after the stop: %v", err)
	}
}

// A TAP's bridge that comes later, and one that is deleted and made anew.
func TestBridgeComesAndGoes(t *testing.T) {
	s := newSite(t)
	s.write(fmt.Sprintf("[interface.lan3]\nkind = \"tap\"\naddresses = [\"10.0.3.1/24\"]\nhost = { netns = %q, device = \"tap3\", bridge = \"br0\" }\n", s.hosts[1]))
	m := &mixed{site: s}
	m.start()
	m.becomes("lan3", control.StateMissing)
	for range 3 {
		s.must("ip", "-n", s.hosts[1], "link", "add", "br0", "type", "bridge")
		s.must("ip", "-n", s.hosts[1], "address", "add", "10.0.3.2/24", "dev", "br0")
		s.must("ip", "-n", s.hosts[1], "link", "set", "br0", "up")
		s.must("ip", "-n", s.hosts[1], "route", "replace", "10.0.1.0/24", "via", "10.0.3.1")
		m.becomes("lan3", control.StateUp)
		wait(t, "the host on the bridge to answer", func() error { return m.pingSoon(0, "10.0.3.2") })
		s.must("ip", "-n", s.hosts[1], "link", "del", "br0")
		m.reload()
	}
}
