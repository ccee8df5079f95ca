package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"routerd/internal/control"
)

// site is two hosts, each a network namespace, and the directory of a router
// between them.
type site struct {
	t      testing.TB
	dir    string
	hosts  [2]string
	config string
	// running is called when a router of this process has started.
	running func(*Daemon)
}

func newSite(t testing.TB) *site {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("making network namespaces needs root")
	}
	for _, tool := range []string{"ip", "ping"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	s := &site{t: t, dir: t.TempDir()}
	for i := range s.hosts {
		s.hosts[i] = fmt.Sprintf("rdd%d-h%d", os.Getpid(), i+1)
		s.must("ip", "netns", "add", s.hosts[i])
		t.Cleanup(func() { s.must("ip", "netns", "del", s.hosts[i]) })
		s.must("ip", "-n", s.hosts[i], "link", "set", "lo", "up")
	}
	s.config = filepath.Join(s.dir, "routerd.toml")
	s.write("")
	return s
}

// write writes the configuration of two interfaces, and more behind it.
func (s *site) write(more string) {
	s.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "name = \"r1\"\n[api]\nlisten = [\"unix://%s\"]\n", s.socket())
	for i, h := range s.hosts {
		n := i + 1
		fmt.Fprintf(&b, `
[interface.lan%d]
kind = "tun"
addresses = ["10.0.%d.1/24", "2001:db8:%d::1/64"]
host = { netns = %q, device = "eth0", addresses = ["10.0.%d.2/24", "2001:db8:%d::2/64"], routes = ["0.0.0.0/0", "::/0"] }
`, i, n, n, h, n, n)
	}
	if err := os.WriteFile(s.config, []byte(b.String()+more), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) socket() string { return filepath.Join(s.dir, "api.sock") }
func (s *site) runDir() string { return filepath.Join(s.dir, "run") }

func (s *site) must(argv ...string) string {
	s.t.Helper()
	out, err := s.try(argv...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// try runs a command and returns what it prints, which the error has too.
func (s *site) try(argv ...string) (string, error) {
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out), err
}

func (s *site) in(host int, argv ...string) string {
	s.t.Helper()
	return s.must(append([]string{"ip", "netns", "exec", s.hosts[host]}, argv...)...)
}

func (s *site) options() Options {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	return Options{Config: s.config, RunDir: s.runDir(), Stderr: log, running: s.running}
}

// start runs the router until the returned function is called.
func (s *site) start() (stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	o := s.options()
	done := make(chan error, 1)
	go func() { done <- Run(ctx, o) }()
	s.ready(done)
	stopped := false
	stop = func() {
		s.t.Helper()
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("the router ended with: %v", err)
		}
		o.Stderr.Close()
	}
	s.t.Cleanup(stop)
	return stop
}

// ready waits until the API answers, or the router has ended.
func (s *site) ready(done <-chan error) {
	s.t.Helper()
	c := control.Dial(s.socket())
	defer c.Close()
	wait(s.t, "the API to answer", func() error {
		select {
		case err := <-done:
			s.t.Fatalf("the router did not start: %v", err)
		default:
		}
		_, err := c.Version(s.t.Context())
		return err
	})
}

// wait polls until f has no complaint any more.
func wait(t testing.TB, what string, f func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("waiting for %s: %v", what, err)
}

func (s *site) ping(from int, to string) error {
	out, err := exec.Command("ip", "netns", "exec", s.hosts[from], "ping", "-n", "-c1", "-W2", to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ping %s: %w\n%s", to, err, out)
	}
	return nil
}

func (s *site) client() *control.Client {
	c := control.Dial(s.socket())
	s.t.Cleanup(c.Close)
	return c
}

func TestForwardsBetweenNamespaces(t *testing.T) {
	s := newSite(t)
	s.start()
	for _, to := range []string{"10.0.2.2", "2001:db8:2::2", "10.0.1.1", "2001:db8:2::1"} {
		if err := s.ping(0, to); err != nil {
			t.Error(err)
		}
	}
	list, err := s.client().Interfaces(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].Received.Packets == 0 || list[1].Sent.Packets == 0 {
		t.Errorf("interfaces %+v, want lan0 to have received and lan1 to have sent", list)
	}
}

// Nothing is left after many starts and stops: no goroutine, descriptor,
// device, namespace or file.
func TestStartStopLeavesNothing(t *testing.T) {
	cycles := 200
	if testing.Short() {
		cycles = 10
	}
	s := newSite(t)
	namespaces := s.namespaces()
	devices := s.must("ip", "-o", "link")
	s.start()() // what is made once and kept (the poller, pools) is made now
	before := goleak.IgnoreCurrent()
	fds := countFDs(t)
	for range cycles {
		s.start()()
	}
	goleak.VerifyNone(t, before)
	if got := countFDs(t); got > fds {
		t.Errorf("%d descriptors open after %d starts and stops, %d before", got, cycles, fds)
	}
	if got := s.namespaces(); got != namespaces {
		t.Errorf("namespaces now %s, before %s", got, namespaces)
	}
	if got := s.must("ip", "-o", "link"); got != devices {
		t.Errorf("devices now\n%s\nbefore\n%s", got, devices)
	}
	for i := range s.hosts {
		if got := s.in(i, "ip", "-o", "link"); strings.Contains(got, "eth0") {
			t.Errorf("devices left in %s:\n%s", s.hosts[i], got)
		}
	}
	left, err := os.ReadDir(s.runDir())
	if err != nil || len(left) != 0 {
		t.Errorf("left in the run directory: %v (%v), want nothing", left, err)
	}
	if _, err := os.Stat(s.socket()); err == nil {
		t.Error("the socket is left")
	}
}

// namespaces are those of this test's process; other tests make theirs.
func (s *site) namespaces() string {
	s.t.Helper()
	list, err := filepath.Glob(fmt.Sprintf("/run/netns/rdd%d-*", os.Getpid()))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(list, " ")
}

func countFDs(t testing.TB) int {
	t.Helper()
	runtime.GC() // files that only a finalizer closes are no leak
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestSecondRunFailsAndHarmsNothing(t *testing.T) {
	s := newSite(t)
	s.start()
	o := s.options()
	defer o.Stderr.Close()
	err := Run(t.Context(), o)
	if !errors.Is(err, ErrRunning) {
		t.Errorf("a second router of the same name: %v, want %v", err, ErrRunning)
	}
	// Under another name it meets the devices of the first.
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	o.Config = filepath.Join(s.dir, "other.toml")
	other := strings.Replace(string(text), `"r1"`, `"r2"`, 1)
	other = strings.Replace(other, "api.sock", "other.sock", 1)
	if err := os.WriteFile(o.Config, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "eth0") {
		t.Errorf("a second router on the same devices: %v, want an error that names eth0", err)
	}
	if err := s.ping(0, "10.0.2.2"); err != nil {
		t.Errorf("the first router was harmed: %v", err)
	}
}

func TestLinkIsFollowed(t *testing.T) {
	s := newSite(t)
	s.start()
	c := s.client()
	up := func(want bool) func() error {
		return func() error {
			list, err := c.Interfaces(t.Context())
			if err != nil {
				return err
			}
			if list[1].Up != want {
				return fmt.Errorf("lan1 is up: %v, want %v", list[1].Up, want)
			}
			f, err := c.FIB(t.Context(), control.FIBQuery{})
			if err != nil {
				return err
			}
			for _, e := range f.Entries {
				if e.Prefix.String() == "10.0.2.0/24" == want {
					return nil
				}
			}
			if want {
				return errors.New("10.0.2.0/24 is not in the FIB")
			}
			return nil
		}
	}
	s.in(1, "ip", "link", "set", "eth0", "down")
	wait(t, "lan1 to be down", up(false))
	x, err := c.ExplainPacket(t.Context(), control.PacketQuery{In: "lan0", Src: mustAddr("10.0.1.2"), Dst: mustAddr("10.0.2.2")})
	if err != nil || x.Verdict != "no_route" {
		t.Errorf("explained as %s (%v), want no_route", x.Verdict, err)
	}
	s.in(1, "ip", "link", "set", "eth0", "up")
	wait(t, "lan1 to be up", up(true))
	if err := s.ping(0, "10.0.2.2"); err != nil {
		t.Error(err)
	}
	s.in(1, "ip", "link", "set", "eth0", "mtu", "1400")
	wait(t, "the MTU to be followed", func() error {
		list, err := c.Interfaces(t.Context())
		if err == nil && list[1].MTU != 1400 {
			err = fmt.Errorf("MTU %d, want 1400", list[1].MTU)
		}
		return err
	})
}

// What a killed process leaves, the next one removes.
func TestKilledProcessIsCleanedUpAfter(t *testing.T) {
	s := newSite(t)
	p := s.startProcess(nil)
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait() // killed, so an error
	if _, err := os.Stat(s.socket()); err != nil {
		t.Fatalf("the killed process left no socket to clean up: %v", err)
	}
	if _, err := os.Stat(filepath.Join(s.runDir(), "r1.undo")); err != nil {
		t.Fatalf("the killed process left no list of what to undo: %v", err)
	}
	stop := s.start()
	if err := s.ping(0, "10.0.2.2"); err != nil {
		t.Error(err)
	}
	stop()
	if _, err := os.Stat(filepath.Join(s.runDir(), "r1.undo")); err == nil {
		t.Error("the list of what to undo is left")
	}
}

// startProcess runs the router in a process of its own, which is this test
// binary, and waits until it answers.
func (s *site) startProcess(env []string) *exec.Cmd {
	s.t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(append(os.Environ(), "ROUTERD_TEST_CONFIG="+s.config, "ROUTERD_TEST_RUNDIR="+s.runDir()), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	// Pdeathsig comes when the thread that started the process ends.
	started, over := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		started <- cmd.Start()
		<-over
	}()
	s.t.Cleanup(func() { close(over) })
	if err := <-started; err != nil {
		s.t.Fatal(err)
	}
	done := make(chan error, 1)
	s.t.Cleanup(func() {
		// Killed at once, it would leave what it has made to the tests behind this one.
		_ = cmd.Process.Signal(unix.SIGTERM)
		late := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // again, mostly
		late.Stop()
		_ = cmd.Process.Kill()
	})
	s.ready(done)
	return cmd
}

func TestMain(m *testing.M) {
	if config := os.Getenv("ROUTERD_TEST_CONFIG"); config != "" {
		log := os.Stderr
		if path := os.Getenv("ROUTERD_TEST_LOG"); path != "" {
			var err error
			if log, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
		o := Options{Config: config, RunDir: os.Getenv("ROUTERD_TEST_RUNDIR"), Stderr: log, Reduce: os.Getenv("ROUTERD_TEST_REDUCE") != ""}
		if table := os.Getenv(tableVariable); table != "" {
			o.more = append(o.more, tableOf(table))
		}
		if path := os.Getenv(pausesVariable); path != "" {
			go writePauses(path)
		}
		if err := Run(context.Background(), o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	beYardstick()
	os.Exit(m.Run())
}

// What systemd hears, in order.
func TestNotifiesSystemd(t *testing.T) {
	s := newSite(t)
	path := filepath.Join(s.dir, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := s.startProcess([]string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=200000"})
	hear := func(want ...string) {
		t.Helper()
		if err := l.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		for {
			b := make([]byte, 4096)
			n, err := l.Read(b)
			if err != nil {
				t.Fatalf("waiting for %q: %v", want, err)
			}
			said := string(b[:n])
			if strings.HasPrefix(said, want[0]) {
				for _, w := range want {
					if !strings.Contains(said, w) {
						t.Errorf("systemd heard %q, want %q in it", said, w)
					}
				}
				return
			}
		}
	}
	hear("READY=1", "STATUS=2 interfaces up")
	hear("WATCHDOG=1")
	if err := p.Process.Signal(unix.SIGHUP); err != nil {
		t.Fatal(err)
	}
	hear("RELOADING=1", "MONOTONIC_USEC=")
	hear("READY=1")
	if err := p.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	hear("STOPPING=1")
	if err := p.Wait(); err != nil {
		t.Errorf("the router ended with %v", err)
	}
}

// Where the machine allows user namespaces, no root is needed.
func TestRunsWithoutRoot(t *testing.T) {
	if _, err := exec.LookPath("unshare"); err != nil {
		t.Skip("unshare is not installed")
	}
	if out, err := exec.Command("unshare", "-Urn", "true").CombinedOutput(); err != nil {
		t.Skipf("this machine allows no user namespaces: %v %s", err, out)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "routerd.toml")
	socket := filepath.Join(dir, "api.sock")
	text := fmt.Sprintf("name = \"r1\"\n[api]\nlisten = [\"unix://%s\"]\n[interface.lan0]\nkind = \"tun\"\naddresses = [\"10.0.1.1/24\"]\nhost = { device = \"eth0\", addresses = [\"10.0.1.2/24\"] }\n", socket)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "-Urn", "/proc/self/exe")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Args[2] = self
	cmd.Env = append(os.Environ(), "ROUTERD_TEST_CONFIG="+config, "ROUTERD_TEST_RUNDIR="+filepath.Join(dir, "run"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := control.Dial(socket)
	defer c.Close()
	wait(t, "the router to answer", func() error {
		list, err := c.Interfaces(t.Context())
		if err == nil && !list[0].Up {
			err = errors.New("lan0 is down")
		}
		return err
	})
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the router ended with %v", err)
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	first, err := takeLock(t.Context(), dir, "r1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := takeLock(t.Context(), dir, "r1"); !errors.Is(err, ErrRunning) {
		t.Errorf("taken twice: %v, want %v", err, ErrRunning)
	}
	// A file that was removed under its holder locks nobody out, so it is not
	// taken for the lock.
	stale, err := os.Open(filepath.Join(dir, "r1.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer stale.Close()
	if err := first.release(); err != nil {
		t.Fatal(err)
	}
	if current(stale, filepath.Join(dir, "r1.lock")) {
		t.Error("a removed file passes for the lock")
	}
	second, err := takeLock(t.Context(), dir, "r1")
	if err != nil {
		t.Fatalf("taken after its release: %v", err)
	}
	if err := second.release(); err != nil {
		t.Error(err)
	}
}
