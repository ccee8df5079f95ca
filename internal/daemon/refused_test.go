package daemon

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"routerd/internal/control"
)

// passing is what the kernel changes by itself from one look to the next.
var passing = regexp.MustCompile(` (tentative|expires [0-9]+sec|qlen [0-9]+|hoplimit [0-9]+)`)

// kernel is all that the kernel says of the namespaces of a site: links,
// addresses, rules and routes of all tables, settings, netfilter, and which
// namespaces and files of the router there are.
func (m *mixed) kernel() string {
	m.t.Helper()
	var b strings.Builder
	look := func(ns string, argv ...string) {
		if ns != "" {
			argv = append([]string{"ip", "netns", "exec", ns}, argv...)
		}
		out, err := exec.Command(argv[0], argv[1:]...).Output()
		if err != nil {
			m.t.Fatalf("%s: %v", strings.Join(argv, " "), err)
		}
		fmt.Fprintf(&b, "== %s\n", strings.Join(argv, " "))
		for line := range strings.Lines(string(out)) {
			if !strings.Contains(line, "fe80:") { // which come by themselves, a while after the link
				b.WriteString(passing.ReplaceAllString(line, ""))
			}
		}
	}
	for _, ns := range []string{m.hosts[0], m.hosts[1], m.port, m.third, m.stack, ""} {
		look(ns, "ip", "-o", "link")
		look(ns, "ip", "-o", "address", "show")
		for _, family := range []string{"-4", "-6"} {
			look(ns, "ip", family, "rule")
			look(ns, "ip", family, "route", "show", "table", "all")
		}
		if _, err := exec.LookPath("nft"); err == nil {
			look(ns, "nft", "list", "ruleset")
		}
		if _, err := exec.LookPath("sysctl"); err == nil && ns != "" {
			look(ns, "sysctl", "-a", "-r", `^net\.ipv[46]\.(conf|ip_forward|ip_local)`)
		}
	}
	fmt.Fprintln(&b, m.namespaces())
	list, err := os.ReadFile(filepath.Join(m.runDir(), "r1.undo"))
	if err != nil {
		m.t.Fatal(err)
	}
	b.Write(list)
	return b.String()
}

// edit writes the configuration of all with some words replaced, and more
// behind it.
func (m *mixed) edit(more string, oldNew ...string) {
	m.t.Helper()
	m.configure(more)
	text, err := os.ReadFile(m.config)
	if err != nil {
		m.t.Fatal(err)
	}
	for i := 0; i < len(oldNew); i += 2 {
		if !bytes.Contains(text, []byte(oldNew[i])) {
			m.t.Fatalf("no %q in the configuration", oldNew[i])
		}
	}
	if err := os.WriteFile(m.config, []byte(strings.NewReplacer(oldNew...).Replace(string(text))), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// A refused reload changes nothing in the kernel, whatever it was refused for
// and whatever it would have changed before, and loses no packet.
func TestRefusedReloadLeavesTheKernelAlone(t *testing.T) {
	m := newMixed(t)
	m.must("ip", "-n", m.third, "link", "add", "used0", "type", "veth", "peer", "name", "used1")
	m.must("ip", "-n", m.third, "address", "add", "192.0.2.1/24", "dev", "used0")
	m.must("ip", "-n", m.third, "link", "set", "used0", "up")
	m.must("ip", "-n", m.hosts[1], "link", "add", "up0", "type", "veth", "peer", "name", "up1")
	m.must("ip", "-n", m.hosts[1], "link", "set", "up0", "up")
	m.must("ip", "-n", m.hosts[1], "route", "add", "198.51.100.0/24", "dev", "up0")
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	m.start()
	m.reaches(2)
	m.reaches(3)
	// The administrator's own, by the router's devices.
	for _, route := range [][]string{
		{"203.0.113.0/24", "via", "10.0.1.1"},
		{"203.0.114.0/24", "via", "10.0.1.1", "src", "10.0.1.2"},
		{"203.0.115.0/24", "via", "10.0.1.1", "table", "77"},
	} {
		m.must(append([]string{"ip", "-n", m.hosts[0], "route", "add"}, append(route, "dev", "eth0")...)...)
	}
	m.must("ip", "-n", m.hosts[0], "rule", "add", "from", "10.0.1.2", "table", "77")
	hosts := []string{`"10.0.1.2/24"`, `"10.0.1.3/24"`, `"10.0.2.2/24"`, `"10.0.2.9/24"`} // what a good reload would change
	tun := func(name, netns, device string) string {
		return fmt.Sprintf("[interface.%s]\nkind = \"tun\"\naddresses = [\"10.9.9.1/24\"]\nhost = { netns = %q, device = %q, addresses = [\"10.9.9.2/24\"] }\n", name, netns, device)
	}
	all := 0
	for _, tt := range []struct {
		name string
		edit func()
		want string
	}{
		{"no TOML", func() { m.edit("[interface", hosts...) }, "error"},
		{"an unknown key", func() { m.edit("[interface.x]\nmutu = 3\n", hosts...) }, "error"},
		{"a device that is there already", func() { m.edit(tun("zz0", m.third, "used0"), hosts...) }, "is there already"},
		{"a port that opens and one that does not", func() {
			m.edit(tun("aa0", m.hosts[0], "aa0")+strings.ReplaceAll(tun("zz0", m.third, "used0"), "10.9.9", "10.9.8"), hosts...)
		}, "is there already"},
		{"a device that the kernel uses", func() {
			m.edit(fmt.Sprintf("[interface.zz0]\nkind = \"packet\"\nnetns = %q\ndevice = \"used0\"\naddresses = [\"10.9.9.1/24\"]\n", m.third), hosts...)
		}, "take-over"},
		{"a busy port", func() { m.edit(fmt.Sprintf("[metrics]\nlisten = %q\n", busy.Addr()), hosts...) }, "address already in use"},
		{"a socket where a file is", func() {
			m.edit("", append([]string{fmt.Sprintf("%q]", "unix://"+m.socket()), fmt.Sprintf("%q, %q]", "unix://"+m.socket(), "unix://"+m.config)}, hosts...)...)
		}, "not a socket"},
		{"another name", func() { m.edit("", append([]string{`name = "r1"`, `name = "r9"`}, hosts...)...) }, "restart"},
		{"another device of the stack", func() {
			m.edit("", append([]string{fmt.Sprintf("netns = %q\n[interface.lan1]", m.stack), fmt.Sprintf("netns = %q\ndevice = \"other0\"\n[interface.lan1]", m.stack)}, hosts...)...)
		}, "restart"},
		{"a host's route that another device has", func() {
			m.edit("", `"10.0.1.2/24"`, `"10.0.1.3/24"`, `"10.0.2.2/24"], routes = ["0.0.0.0/0"]`, `"10.0.2.9/24"], routes = ["0.0.0.0/0", "198.51.100.0/24"]`)
		}, "by another device"},
		{"an mtu too small for IPv6 at the host", func() {
			m.edit("", `"10.0.1.2/24"`, `"10.0.1.3/24", "2001:db8::2/64"`, `addresses = ["10.0.1.1/24"]`, "addresses = [\"10.0.1.1/24\"]\nmtu = 1000")
		}, "1280"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := m.kernel()
			stop := m.stream()
			tt.edit()
			for range 3 {
				_, err := m.client().Reload(t.Context())
				said := fmt.Sprint(err)
				if e, ok := err.(*control.Error); ok {
					said += fmt.Sprint(e.Problems)
				}
				if err == nil || !strings.Contains(said, tt.want) {
					t.Errorf("reloaded with %s, want it refused with %q", said, tt.want)
				}
			}
			sent, lost := stop()
			if all += sent; lost != 0 {
				t.Errorf("%d of %d packets were lost", lost, sent)
			}
			if d := cmp.Diff(strings.Split(before, "\n"), strings.Split(m.kernel(), "\n")); d != "" {
				t.Errorf("the kernel (-before +after):\n%s", d)
			}
		})
	}
	if all == 0 {
		t.Error("no packet was sent meanwhile")
	}
}

// Nothing that the administrator of a host's namespace does to the device keeps
// the router from a reload; what is lacking is said once, shown, and comes back.
func TestHostVetoesNoReload(t *testing.T) {
	s := newSite(t)
	s.start()
	c := s.client()
	levels := 0
	reload := func(when string) {
		t.Helper()
		levels++
		s.write(fmt.Sprintf("[log]\nlevel = %q\n", []string{"debug", "info"}[levels%2]))
		if _, err := c.Reload(t.Context()); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	s.must("ip", "-n", s.hosts[0], "link", "add", "d0", "type", "veth", "peer", "name", "d1")
	s.must("ip", "-n", s.hosts[0], "link", "set", "d0", "up")
	disable := func(value string) {
		s.in(0, "sh", "-c", "echo "+value+" > /proc/sys/net/ipv6/conf/eth0/disable_ipv6")
	}
	for _, tt := range []struct {
		what     string
		do, undo func()
		lacks    string
	}{
		{"set down", func() { s.in(0, "ip", "link", "set", "eth0", "down") }, func() { s.in(0, "ip", "link", "set", "eth0", "up") }, "set down"},
		{"mtu 1000", func() { s.in(0, "ip", "link", "set", "eth0", "mtu", "1000") }, func() { s.in(0, "ip", "link", "set", "eth0", "mtu", "1500") }, "MTU"},
		{"ipv6 disabled", func() { disable("1") }, func() { disable("0") }, "IPv6 is disabled"},
		{"default route elsewhere", func() { s.in(0, "ip", "route", "replace", "default", "dev", "d0") }, func() { s.in(0, "ip", "route", "del", "default", "dev", "d0") }, "another device"},
		{"address removed", func() { s.in(0, "ip", "address", "del", "10.0.1.2/24", "dev", "eth0") }, func() {}, ""},
	} {
		tt.do()
		for range 2 {
			reload(tt.what)
		}
		list, err := c.Interfaces(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if lacks := strings.Join(list[0].Port.Host.Lacks, "; "); tt.lacks != "" && !strings.Contains(lacks, tt.lacks) {
			t.Errorf("%s: lan0 is shown to lack %q, want %q in it", tt.what, lacks, tt.lacks)
		}
		tt.undo()
		reload("after " + tt.what)
		wait(t, "the host's side to be whole after "+tt.what, func() error {
			list, err := c.Interfaces(t.Context())
			if err == nil && len(list[0].Port.Host.Lacks) > 0 {
				reload("again after " + tt.what) // IPv6 addresses come a moment later
				err = fmt.Errorf("lan0 lacks %q", list[0].Port.Host.Lacks)
			}
			return err
		})
		if err := s.ping(0, "10.0.2.2"); err != nil {
			t.Errorf("after %s: %v", tt.what, err)
		}
		if err := s.ping(0, "2001:db8:2::2"); err != nil {
			t.Errorf("after %s: %v", tt.what, err)
		}
	}
	log, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if n := strings.Count(string(log), "IPv6 is disabled"); err != nil || n != 1 {
		t.Errorf("the log says %d times (%v) that IPv6 is disabled, want once:\n%s", n, err, log)
	}
}

// A file that takes long is read beside the loop, which answers meanwhile.
func TestLoopAnswersWhileAFileIsRead(t *testing.T) {
	s := newSite(t)
	s.start()
	fifo := filepath.Join(s.dir, "slow.toml")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	for what, ask := range map[string]func(c *control.Client) error{
		"diff":   func(c *control.Client) error { _, err := c.Diff(t.Context()); return err },
		"reload": func(c *control.Client) error { _, err := c.Reload(t.Context()); return err },
	} {
		if err := os.Rename(fifo, s.config); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- ask(control.Dial(s.socket())) }()
		w, err := os.OpenFile(s.config, os.O_WRONLY, 0) // which returns when somebody reads
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if _, err := s.client().Version(ctx); err != nil {
			t.Errorf("during a %s nobody answers: %v", what, err)
		}
		cancel()
		if _, err := io.Copy(w, bytes.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if err := os.Rename(s.config, fifo); err != nil {
			t.Fatal(err)
		}
	}
}

// A bad file is told to the log problem by problem, each with its place.
func TestBadFileIsLoggedWithPlaces(t *testing.T) {
	var b bytes.Buffer
	d := &Daemon{log: slog.New(slog.NewTextHandler(&b, nil)), teller: newTeller("r1")}
	path := filepath.Join(t.TempDir(), "r.toml")
	var text strings.Builder
	text.WriteString("[interface.lan0]\nkind = \"tapp\"\nmutu = 1\n")
	for i := range 30 {
		fmt.Fprintf(&text, "x%d = 1\n", i)
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := load(path)
	if err == nil {
		t.Fatal("loaded")
	}
	d.logRefused(err)
	for _, want := range []string{"at=" + path + ":2 ", "at=" + path + ":3 ", "did you mean", "mutu", "more errors are in the file", "reload refused, nothing changed"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
	if n := strings.Count(b.String(), "\n"); n != maxLogged+2 {
		t.Errorf("%d lines, want %d and what became of it", n, maxLogged)
	}
	if r := reason(err); !strings.HasPrefix(r, path+":2: ") {
		t.Errorf("systemd is told %q, want the first problem with its place", r)
	}
}

// SIGHUP with a bad file says what is wrong with it, and the router goes on.
func TestHangupWithABadFile(t *testing.T) {
	s := newSite(t)
	s.start()
	s.write("[interface.lan9]\nkind = \"tun\"\nmutu = 1500\n")
	if err := unix.Kill(os.Getpid(), unix.SIGHUP); err != nil {
		t.Fatal(err)
	}
	wait(t, "the log to name the line", func() error {
		log, err := os.ReadFile(filepath.Join(s.dir, "log"))
		if err == nil && !(strings.Contains(string(log), "mutu") && strings.Contains(string(log), s.config+":16\"") && strings.Contains(string(log), "reload refused")) {
			err = fmt.Errorf("it says\n%s", log)
		}
		return err
	})
	if err := s.ping(0, "10.0.2.2"); err != nil {
		t.Error(err)
	}
}

// The programs that run on in the stack's namespace are named when it goes.
func TestStackThatGoesNamesItsPrograms(t *testing.T) {
	s, ns := stackSite(t, "")
	s.start()
	cmd := exec.Command("ip", "netns", "exec", ns, "sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	want := fmt.Sprintf("sleep (pid %d)", cmd.Process.Pid)
	c := s.client()
	s.write("")
	wait(t, "diff to name the program", func() error { // ip takes a moment to become it
		d, err := c.Diff(t.Context())
		if err == nil && (len(d.Changes) != 1 || !strings.Contains(d.Changes[0].Impact, want)) {
			err = fmt.Errorf("diff says %+v, want %s in it", d.Changes, want)
		}
		return err
	})
	r, err := c.Reload(t.Context())
	if err != nil || len(r.Changes) != 1 || !strings.Contains(r.Changes[0].Impact, want) {
		t.Errorf("reload says %+v (%v), want %s in it", r.Changes, err, want)
	}
	if log, err := os.ReadFile(filepath.Join(s.dir, "log")); !strings.Contains(string(log), want) {
		t.Errorf("the log (%v) does not name %s:\n%s", err, want, log)
	}
}

// A reload that waits for its file for ever does not keep the router from
// stopping.
func TestStopsWhileAFileIsRead(t *testing.T) {
	s := newSite(t)
	stop := s.start()
	if err := os.Remove(s.config); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(s.config, 0o600); err != nil {
		t.Fatal(err)
	}
	c := s.client()
	go func() { _, _ = c.Reload(context.Background()) }()
	wait(t, "the reload to have begun", func() error {
		log, err := os.ReadFile(filepath.Join(s.dir, "log"))
		if err == nil && !strings.Contains(string(log), "an action was asked for") {
			err = fmt.Errorf("the log says\n%s", log)
		}
		return err
	})
	stop()
	// Its reader is let go, so that nothing is left of it.
	w, err := os.OpenFile(s.config, os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err == nil {
		w.Close()
	}
}
