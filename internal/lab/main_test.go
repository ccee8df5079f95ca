package lab

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"golang.org/x/sys/unix"

	"routerd/config"
)

// The test binary takes the place of routerd: as `run --config FILE` it
// serves the API socket that the file names, and as `exec TOPOLOGY DIR NODE
// COMMAND...` it becomes a command on a node; as `up TOPOLOGY DIR` it brings a
// lab up, and as `link TOPOLOGY DIR END down|up` it cuts or mends a link.
func TestMain(m *testing.M) {
	if daemon, ok := peerStandIns[filepath.Base(os.Args[0])]; ok {
		os.Exit(daemon(os.Args))
	}
	if len(os.Args) == 6 && slices.Equal(os.Args[1:], arguments(os.Args[3])) {
		os.Exit(standIn(os.Args[3]))
	}
	if len(os.Args) > 5 && os.Args[1] == "exec" {
		l, err := Load(os.Args[2], Options{Dir: os.Args[3]})
		if err == nil {
			err = l.Exec(os.Args[4], os.Args[5:])
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if up, link := len(os.Args) == 4 && os.Args[1] == "up", len(os.Args) == 6 && os.Args[1] == "link"; up || link {
		l, err := Load(os.Args[2], Options{Dir: os.Args[3]})
		if err == nil && up {
			err = l.Up(context.Background(), os.Stdout)
		} else if err == nil {
			err = l.SetLink(context.Background(), os.Stdout, os.Args[4], os.Args[5] == "down")
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// A stand-in that is built with the race detector would otherwise wait
	// for a second before it exits.
	os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0"))
	// Tests of routing protocols wait for timers nearly all of the time, whatever the
	// number of processors.
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = parallel.Value.Set("6")
	}
	code := m.Run()
	os.RemoveAll(built.dir)
	os.Exit(code)
}

// built is routerd as its users run it, made when the first test needs it.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// realRouterd gives the path of it, and skips where it could not run, and in the run with
// the race detector: routerd is built without it, so that run would say nothing that the
// plain one has not.
func realRouterd(t *testing.T) string {
	t.Helper()
	if raceEnabled {
		t.Skip("routerd runs as users have it, without the race detector; internal/daemon runs it with that")
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Skipf("there are no TUN devices here: %v", err)
	}
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "lab"); built.err != nil {
			return
		}
		build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(built.dir, "routerd"), "routerd/cmd/routerd")
		// Built as by make, whose objects serve again.
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatalf("building routerd: %v", built.err)
	}
	return filepath.Join(built.dir, "routerd")
}

// standIn behaves as the variable STAND_IN says: it serves, exits at once, or
// lives without ever serving.
func standIn(path string) int {
	var config struct {
		API struct{ Listen []string }
	}
	if _, err := toml.DecodeFile(path, &config); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	switch os.Getenv("STAND_IN") {
	case "exit":
		fmt.Fprintln(os.Stderr, "cannot open /dev/net/tun\nno such device")
		return 3
	case "deaf":
		<-ctx.Done()
		return 0
	}
	socket := strings.TrimPrefix(config.API.Listen[0], "unix://")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/version", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "{}") })
	mux.HandleFunc("GET /v1/interface", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `{"interfaces": []}`)
	})
	mux.HandleFunc("POST /v1/reload", func(w http.ResponseWriter, _ *http.Request) {
		text, err := os.ReadFile(path)
		if err != nil || strings.Contains(string(text), "warn") {
			http.Error(w, `{"error": "that needs a restart"}`, http.StatusUnprocessableEntity)
			return
		}
		fmt.Fprintln(w, `{"generation": 2, "changes": [{"path": "log.level"}]}`)
	})
	go func() { _ = http.Serve(listener, mux) }()
	<-ctx.Done()
	listener.Close()
	return 0
}

// bench is a lab in a directory of its own, gone when the test ends.
type bench struct {
	*Lab
	t    *testing.T
	path string
	out  strings.Builder
}

// routersOnly needs no privilege: it has no namespaces.
const routersOnly = "name = \"NAME\"\n[node.r1]\nkind = \"router\"\n[node.r2]\nkind = \"router\"\n"

// newBench loads a topology in which NAME stands for the lab's name, unique
// to this process and test.
func newBench(t *testing.T, text string) *bench {
	t.Helper()
	// Not t.TempDir: a test's name would make the sockets' paths too long.
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // FRR's daemons are another user's
		t.Fatal(err)
	}
	b := &bench{t: t, path: filepath.Join(dir, "topology.toml")}
	b.load(strings.ReplaceAll(text, "NAME", fmt.Sprintf("lab-%d-%d", os.Getpid(), serial.Add(1))))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := b.Down(ctx, &b.out); err != nil {
			t.Errorf("down: %v", err)
		}
		if t.Failed() {
			t.Logf("the lab said:\n%s", b.out.String())
		}
	})
	return b
}

var serial atomic.Int64

// load reads the topology again, changed.
func (b *bench) load(text string) {
	b.t.Helper()
	if err := os.WriteFile(b.path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	l, err := Load(b.path, Options{Dir: filepath.Dir(b.path), Ready: 10 * time.Second, Grace: 2 * time.Second})
	if err != nil {
		b.t.Fatal(err)
	}
	b.Lab = l
}

// up brings the lab up and gives what it said.
func (b *bench) up() string {
	b.t.Helper()
	var out strings.Builder
	if err := b.Up(b.t.Context(), &out); err != nil {
		b.t.Fatalf("up: %v\n%s", err, out.String())
	}
	return out.String()
}

func (b *bench) pid(node string) process {
	b.t.Helper()
	s, err := b.readState()
	if err != nil {
		b.t.Fatal(err)
	}
	p := s.Routers[node].process
	if p.PID == 0 {
		b.t.Fatalf("the state has no %s", node)
	}
	return p
}

// gone fails unless nothing of the lab is left on the machine.
func (b *bench) gone() {
	b.t.Helper()
	for _, r := range b.plan.Routers {
		if left := running(arguments(r.Config)); len(left) > 0 {
			b.t.Errorf("%s still runs: %v", r.Node, left)
		}
		if _, err := os.Stat(r.Socket); err == nil {
			b.t.Errorf("socket %s is left", r.Socket)
		}
	}
	for _, p := range b.plan.Peers {
		for _, d := range p.Daemons {
			if left := running(d.Args); len(left) > 0 {
				b.t.Errorf("%s of %s still runs: %v", d.Program, p.Node, left)
			}
		}
	}
	for _, n := range b.plan.Namespaces {
		if _, err := os.Stat(filepath.Join(netnsDir, n.Name)); err == nil {
			b.t.Errorf("namespace %s is left", n.Name)
		}
	}
	for _, path := range []string{b.dir, b.dir + ".lock"} {
		if _, err := os.Stat(path); err == nil {
			b.t.Errorf("%s is left", path)
		}
	}
}

// eventually waits for a condition and says what it waited for.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	within(t, 10*time.Second, what, condition)
}

// within is eventually for what takes longer.
func within(t *testing.T, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// needsRoot skips what makes namespaces.
func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("making network namespaces takes root")
	}
	if err := onOwnThread(func() error { return unix.Unshare(unix.CLONE_NEWNET) }); err != nil {
		t.Skipf("making network namespaces is not allowed here: %v", err)
	}
}

// acceptable fails where a router would refuse its configuration.
func (p *Plan) acceptable(t *testing.T) {
	t.Helper()
	for _, r := range p.Routers {
		if _, problems := config.Parse(r.Config, r.Text); config.Failed(problems) {
			t.Errorf("%s would refuse its configuration: %v", r.Node, problems)
		}
	}
}
