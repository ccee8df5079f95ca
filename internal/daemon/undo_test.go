package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"routerd/dataplane/port"
	"routerd/internal/control"
)

// An undo list that cannot be read names things that nobody would find again.
func TestUnreadableUndoListRefusesToStart(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "r1.undo"), 0o700); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "routerd.toml")
	text := fmt.Sprintf("name = \"r1\"\n[api]\nlisten = [\"unix://%s/api.sock\"]\n[interface.lo]\nkind = \"loopback\"\naddresses = [\"10.255.0.1/32\"]\n", dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	err = Run(t.Context(), Options{Config: config, RunDir: dir, Stderr: log})
	if err == nil || !strings.Contains(err.Error(), "r1.undo") || !strings.Contains(err.Error(), "has left to undo") {
		t.Errorf("started with %v, want an error that names the list", err)
	}
}

// What cannot be undone, or read, stays in the list until it can be.
func TestUndoKeepsWhatItCannotDo(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r1.undo")
	long := filepath.Join(dir, strings.Repeat("x", 100_000))
	kept := []string{
		`{"kind":"flying-carpet","path":"/somewhere"}`,
		`{"kind":"link-up","path":` + fmt.Sprintf("%q", long) + `,"value":"eth0"}`, // the path is too long for the kernel
		`this is no step`,
	}
	stale := filepath.Join(dir, "stale.sock")
	l, err := control.Listen(stale, os.Getegid())
	if err != nil {
		t.Fatal(err)
	}
	l.UnixListener.Close() // and its socket stays, as after a kill
	text := strings.Join(kept, "\n") + "\n" +
		fmt.Sprintf(`{"kind":"socket","path":%q,"made":%q}`, stale, l.Made) + "\n" +
		`{"kind":"socket","path":"/torn` // and then the machine went down
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and at the start after that
		u, err := openUndo(dir, "r1")
		if err != nil {
			t.Fatal(err)
		}
		_, err = u.undo()
		for _, want := range []string{"flying-carpet", "link-up", "this is no step", path + " keeps it"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("undoing: %.300v, want %q in it", err, want)
			}
		}
		if err := u.will(Step{Kind: kindSocket, Path: "/new", Made: "1:1"}); err != nil {
			t.Fatal(err)
		}
		if err := u.forget(Step{Kind: kindSocket, Path: "/new", Made: "1:1"}); err != nil {
			t.Fatal(err)
		}
		left, err := os.ReadFile(path)
		if want := strings.Join(kept, "\n") + "\n"; err != nil || string(left) != want {
			t.Errorf("the list now holds %.300q (%v), want %.300q", left, err, want)
		}
	}
	if _, err := os.Lstat(stale); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the stale socket: %v, want it removed", err)
	}
}

// A step that was done takes the place of its announcement.
func TestUndoKnowsWhatWasMade(t *testing.T) {
	dir := t.TempDir()
	u, err := openUndo(dir, "r1")
	if err != nil {
		t.Fatal(err)
	}
	for _, made := range []string{"", "4:77"} {
		if err := u.will(Step{Kind: "netns", Path: "n1", Value: "dev0", Made: made}); err != nil {
			t.Fatal(err)
		}
	}
	again, err := openUndo(dir, "r1")
	if err != nil {
		t.Fatal(err)
	}
	if len(again.steps) != 1 || again.steps[0].Made != "4:77" {
		t.Errorf("read %+v, want the one step that was made", again.steps)
	}
}

// A port that fails to open has nothing to be undone.
func TestFailedOpenForgetsItsSteps(t *testing.T) {
	u, err := openUndo(t.TempDir(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{undo: u}
	_, err = d.open(portSpec{open: func(s *steps) (port.Port, error) {
		return nil, errors.Join(s.will("link-up", "/run/netns/n1", "eth0"), errors.New("no such thing"))
	}})
	if err == nil || len(u.steps) != 0 {
		t.Errorf("%v, and the list holds %v, want it empty", err, u.steps)
	}
	if _, err := os.Stat(u.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file: %v, want none", err)
	}
}

// A path at which there is something of somebody else's is refused, at the
// start and by a reload, and what is there stays, also when the router goes.
func TestListensOverNothing(t *testing.T) {
	s := newSite(t)
	precious := filepath.Join(s.dir, "precious.txt")
	if err := os.WriteFile(precious, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	alive := filepath.Join(s.dir, "other.sock")
	l, err := net.Listen("unix", alive)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	intact := func(when string) {
		t.Helper()
		if b, err := os.ReadFile(precious); string(b) != "precious" {
			t.Errorf("%s the file holds %q (%v)", when, b, err)
		}
		c, err := net.Dial("unix", alive)
		if err != nil {
			t.Errorf("%s the other process is not reached: %v", when, err)
			return
		}
		c.Close()
	}
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	with := func(path string) {
		t.Helper()
		listen := fmt.Sprintf("[%q, %q]", "unix://"+s.socket(), "unix://"+path)
		more := strings.Replace(string(text), fmt.Sprintf("[%q]", "unix://"+s.socket()), listen, 1)
		if err := os.WriteFile(s.config, []byte(more), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	taken := map[string]string{precious: "not a socket", alive: "another process answers"}
	for path, want := range taken {
		with(path)
		o := s.options()
		if err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("started over %s: %v, want %q", path, err, want)
		}
		o.Stderr.Close()
		intact("after a start that failed")
	}
	if err := os.WriteFile(s.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	stop := s.start()
	for path, want := range taken {
		with(path)
		if _, err := s.client().Reload(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("reloaded over %s: %v, want %q", path, err, want)
		}
		intact("after a refused reload")
	}
	stop()
	intact("after the stop")
}

// A socket that has come to the path of the router's own is not the router's.
func TestLeavesAnothersSocket(t *testing.T) {
	s := newSite(t)
	stop := s.start()
	if err := os.Remove(s.socket()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", s.socket())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	stop()
	c, err := net.Dial("unix", s.socket())
	if err != nil {
		t.Fatalf("the stop has removed another's socket: %v", err)
	}
	c.Close()
}

// A namespace that has taken the name of the stack's is not the router's.
func TestLeavesAnothersNamespace(t *testing.T) {
	s, ns := stackSite(t, "")
	stop := s.start()
	s.must("ip", "netns", "del", ns)
	s.must("ip", "netns", "add", ns)
	defer s.must("ip", "netns", "del", ns)
	s.must("ip", "-n", ns, "link", "add", "keep0", "type", "veth", "peer", "name", "keep1")
	stop()
	s.must("ip", "-n", ns, "link", "show", "keep0")
}

// A device that a port has set up, and that a reload has let go, is the
// administrator's again.
func TestLetGoDeviceStaysUp(t *testing.T) {
	s := newSite(t)
	s.must("ip", "-n", s.hosts[0], "link", "add", "wan0", "type", "veth", "peer", "name", "wan1")
	s.write(fmt.Sprintf("[interface.wan]\nkind = \"packet\"\nnetns = %q\ndevice = \"wan0\"\naddresses = [\"10.0.9.1/24\"]\n", s.hosts[0]))
	stop := s.start()
	list := func() string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(s.runDir(), "r1.undo"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if !strings.Contains(list(), "wan0") {
		t.Fatalf("nothing of wan0 in the list:\n%s", list())
	}
	s.write("")
	if _, err := s.client().Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(list(), "wan0") {
		t.Errorf("wan0 was given back, and is in the list:\n%s", list())
	}
	s.in(0, "ip", "link", "set", "wan0", "up")
	stop()
	if out := s.in(0, "ip", "-o", "link", "show", "wan0"); !strings.Contains(out, ",UP") {
		t.Errorf("the stop has set down a device that is not the router's: %s", out)
	}
}
