package daemon

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"routerd/internal/control"
)

// tables is what a router has made of its configuration and devices, without
// what counts, numbers or dates.
func (m *mixed) tables() string {
	m.t.Helper()
	c := control.Dial(m.socket())
	defer c.Close()
	var b strings.Builder
	list, err := c.Interfaces(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	for _, i := range list {
		fmt.Fprintln(&b, i.Name, i.Kind, i.State, i.Up, i.MTU, i.Addresses, i.Origin)
	}
	routes, err := c.Routes(m.t.Context(), control.RouteQuery{})
	if err != nil {
		m.t.Fatal(err)
	}
	for _, r := range routes.Routes {
		fmt.Fprintln(&b, r.Prefix, r.Source, r.Action, r.Interface, r.Selected, r.Installed, r.WhyNot, r.NextHops)
	}
	fib, err := c.FIB(m.t.Context(), control.FIBQuery{})
	if err != nil {
		m.t.Fatal(err)
	}
	for _, e := range fib.Entries {
		fmt.Fprintln(&b, e.Prefix, e.Action, e.Source, e.Interface, e.NextHops)
	}
	return b.String()
}

// churn does one thing, chosen by chance, to the devices and namespaces. What is
// there already, or gone already, is no matter.
func (m *mixed) churn(r *rand.Rand) string {
	try := func(command string) { _ = exec.Command("sh", "-c", command).Run() }
	deeds := []struct {
		name string
		do   func()
	}{
		{"lan1's device deleted", func() { try("ip -n " + m.hosts[0] + " link del eth0") }},
		{"lan2's device deleted", func() { try("ip -n " + m.hosts[1] + " link del eth0") }},
		{"lan2's device set down and up", func() {
			try("ip -n " + m.hosts[1] + " link set eth0 down; ip -n " + m.hosts[1] + " link set eth0 up")
		}},
		{"lan3's device deleted", func() { try("ip -n " + m.port + " link del p3") }},
		{"lan3's device made", func() { try(m.cabling()) }},
		{"lan3's device deleted and made", func() { try("ip -n " + m.port + " link del p3; " + m.cabling()) }},
		{"lan3's device renamed", func() {
			try("ip -n " + m.port + " link set p3 down && ip -n " + m.port + " link set p3 name other")
		}},
		{"lan2's namespace deleted", func() { try("ip netns del " + m.hosts[1]) }},
		{"lan2's namespace made", func() { try("ip netns add " + m.hosts[1]) }},
		{"lan2's namespace deleted and made", func() { try("ip netns del " + m.hosts[1] + "; ip netns add " + m.hosts[1]) }},
		{"lan3's namespace deleted and made", func() { try("ip netns del " + m.port + "; ip netns add " + m.port) }},
		{"the stack's device deleted", func() { try("ip -n " + m.stack + " link del routerd0") }},
		{"the stack's namespace deleted", func() { try("ip netns del " + m.stack) }},
	}
	d := deeds[r.IntN(len(deeds))]
	d.do()
	return d.name
}

// cabling is cable as a command that may fail.
func (m *mixed) cabling() string {
	return fmt.Sprintf("ip link add p3 address 02:00:00:00:00:03 netns %s type veth peer name eth0 netns %s; ip -n %s address add 10.0.3.2/24 dev eth0; ip -n %s link set eth0 up; ip -n %s route replace default via 10.0.3.1",
		m.port, m.third, m.third, m.third, m.third)
}

// mend brings everything back, and waits until the router has all of it.
func (m *mixed) mend() {
	m.t.Helper()
	_ = exec.Command("sh", "-c", "ip netns add "+m.hosts[1]+"; ip netns add "+m.port).Run()
	_ = exec.Command("sh", "-c", "ip -n "+m.port+" link del p3; ip -n "+m.port+" link del other").Run()
	// The far end of a cable whose namespace was deleted goes some time later.
	wait(m.t, "the cable of lan3 to be there", func() error {
		_ = exec.Command("sh", "-c", m.cabling()).Run()
		out, err := exec.Command("ip", "-n", m.port, "link", "show", "p3").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	for _, name := range []string{"lan1", "lan2", "lan3", "local-stack"} {
		m.becomes(name, control.StateUp)
	}
	c := control.Dial(m.socket())
	defer c.Close()
	wait(m.t, "lan2 and lan3 to use their link-local addresses, when nobody else does", func() error {
		list, err := c.Interfaces(m.t.Context())
		if err != nil {
			return err
		}
		used := 0
		for _, i := range list {
			if i.Name != "lan2" && i.Name != "lan3" {
				continue
			}
			if slices.ContainsFunc(i.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() }) {
				used++
			}
		}
		if used == 2 {
			return nil
		}
		return fmt.Errorf("%+v", list)
	})
}

// background sends to hosts behind the other ports until the test ends.
func (m *mixed) background(to ...string) {
	m.t.Helper()
	for _, a := range to {
		c := exec.Command("ip", "netns", "exec", m.hosts[0], "ping", "-n", "-q", "-i", "0.005", a)
		c.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
		if err := c.Start(); err != nil {
			m.t.Fatal(err)
		}
		m.t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	}
}

// Devices and namespaces come and go by chance under traffic, with reloads in
// between, some of a file that is refused. No other reload is refused, and when
// all is back the router is what one that starts now is, in its tables and in
// what it holds.
func TestChurn(t *testing.T) {
	rounds, deeds := 6, 25
	if testing.Short() {
		rounds, deeds = 2, 12
	}
	m := newMixed(t)
	stop := m.start()
	m.background("10.0.2.2", "10.0.3.2", "10.0.1.1")
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("ROUTERD_TEST_SEED"); text != "" {
		_, _ = fmt.Sscan(text, &seed)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	c := control.Dial(m.socket())
	defer c.Close()
	var done []string
	round := func() {
		done = done[:0]
		for range deeds {
			done = append(done, m.churn(r))
			switch r.IntN(4) {
			case 0:
				m.configure([]string{"", "[interface.lo]\nkind = \"loopback\"\naddresses = [\"10.255.0.1/32\"]\n", "[log]\nlevel = \"debug\"\n"}[r.IntN(3)])
				if _, err := c.Reload(t.Context()); err != nil {
					t.Errorf("a reload after %q was refused: %v (ROUTERD_TEST_SEED=%d)", done, err, seed)
				}
				done = append(done, "reload")
			case 1:
				m.configure("nonsense = true\n")
				if _, err := c.Reload(t.Context()); err == nil {
					t.Error("a reload of nonsense was not refused")
				}
			case 2:
				time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond)
			}
		}
		m.configure("")
		m.mend()
		if _, err := c.Reload(t.Context()); err != nil {
			t.Errorf("the last reload was refused: %v", err)
		}
	}
	round()
	fds, goroutines := countFDs(t), runtime.NumGoroutine()
	for range rounds {
		round()
	}
	wait(t, "descriptors and goroutines to be as many as after the first round", func() error {
		if f, g := countFDs(t), runtime.NumGoroutine(); f > fds || g > goroutines {
			return fmt.Errorf("%d descriptors and %d goroutines, %d and %d before", f, g, fds, goroutines)
		}
		return nil
	})
	got := m.tables()
	for n := range 3 {
		m.reaches(n + 1)
	}
	stop()
	m.start()
	m.mend()
	if diff := cmp.Diff(m.tables(), got); diff != "" {
		t.Errorf("after %q (ROUTERD_TEST_SEED=%d) the tables differ from those of a fresh start (-fresh +churned):\n%s", done, seed, diff)
	}
}
