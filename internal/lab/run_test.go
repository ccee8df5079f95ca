package lab

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name           string
		expect, reject []string
		exit, want     int
		output, why    string
	}{
		{"nothing asked", nil, nil, 0, 0, "", ""},
		{"wrong exit", nil, nil, 1, 0, "", "exit status 1, want 0"},
		{"wanted exit", nil, nil, 1, 1, "", ""},
		{"matches", []string{"^b$", "a"}, nil, 0, 0, "a\nb\n", ""},
		{"one does not match", []string{"a", "^c$"}, nil, 0, 0, "a\nbc\n", `its output does not match "^c$"`},
		{"rejected", []string{"a"}, []string{"x", "b+"}, 0, 0, "a\nbbb\n", `its output holds "bbb", which matches "b+"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			test := Test{Exit: c.want, Expect: compile(c.expect...), Reject: compile(c.reject...)}
			got := ""
			if err := test.judge([]byte(c.output), c.exit); err != nil {
				got = err.Error()
			}
			if got != c.why {
				t.Errorf("got %q, want %q", got, c.why)
			}
		})
	}
}

const oneRouter = "name = \"NAME\"\n[node.r1]\nkind = \"router\"\n"

func TestTests(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "marker")
	b := newBench(t, oneRouter+`
[[test]]
name = "passes"
node = "r1"
run = "echo quiet"
[[test]]
name = "passes and shows"
node = "r1"
run = "echo $ROUTERD_SOCKET"
expect = '/NAME-r1\.sock$'
show = true
[[test]]
name = "fails"
node = "r1"
run = "echo loud; exit 4"
[[test]]
name = "lacks a tool"
node = "r1"
run = "false"
tool = ["sh", "no-such-program"]
[[test]]
name = "takes two tries"
node = "r1"
run = "test -e `+marker+` || { touch `+marker+`; exit 1; }"
within = "10s"
[[test]]
name = "hangs with its children"
node = "r1"
run = "echo begun; sleep 60 & wait"
timeout = "100ms"
`)
	var out strings.Builder
	got, err := b.Test(t.Context(), &out)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Result{Passed: 3, Failed: 2, Skipped: 1}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	socket := filepath.Join(b.options.Dir, b.Topology.Name+"-r1.sock")
	at := 0
	for _, want := range []string{
		"r1   routerd started",
		"✔ passes (0.",
		"✔ passes and shows (0.", "    " + socket + "\n",
		"✘ fails (0.", "exit status 4, want 0\n    r1$ echo loud; exit 4\n    loud\n",
		"- lacks a tool: skipped, no-such-program is not installed\n",
		"✔ takes two tries (0.",
		"✘ hangs with its children (0.", ": it did not end within 100ms\n", "    begun\n",
		"3 passed, 2 failed, 1 skipped\n",
	} {
		i := strings.Index(out.String()[at:], want)
		if i < 0 {
			t.Fatalf("printed:\n%s\nwant, after what came before: %s", out.String(), want)
		}
		at += i
	}
	if strings.Contains(out.String(), "quiet") {
		t.Error("printed the output of a passed test that did not ask for it")
	}
}

// An interrupt during the tests takes down what the tests brought up, and
// leaves what was up before.
func TestTestsInterrupted(t *testing.T) {
	for _, c := range []struct {
		name   string
		before bool
	}{{"brought up by the tests", false}, {"up before", true}} {
		t.Run(c.name, func(t *testing.T) {
			marker := filepath.Join(t.TempDir(), "marker")
			b := newBench(t, oneRouter+"[[test]]\nname = \"long\"\nnode = \"r1\"\nrun = \"touch "+marker+"; sleep 60\"\n")
			if c.before {
				b.up()
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() {
				_, err := b.Test(ctx, &b.out)
				done <- err
			}()
			eventually(t, "the test running", func() bool { _, err := os.Stat(marker); return err == nil })
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want %v", err, context.Canceled)
			}
			if c.before {
				if !b.pid("r1").alive() {
					t.Error("r1 was up before and is not any more")
				}
				return
			}
			b.gone()
		})
	}
}

func TestServe(t *testing.T) {
	b := newBench(t, oneRouter)
	b.up()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, text, _ := net.SplitHostPort(listener.Addr().String())
	port, _ := strconv.Atoi(text)

	marker := filepath.Join(t.TempDir(), "marker")
	stop, err := b.serve(t.Context(), &Serve{Node: "r1", Run: "echo $$ > " + marker + "; exec sleep 60", Port: port})
	if err != nil {
		t.Fatal(err)
	}
	var server process
	eventually(t, "the server started", func() bool {
		text, _ := os.ReadFile(marker)
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err == nil {
			server, err = identify(pid)
		}
		return err == nil
	})
	stop()
	if server.alive() {
		t.Error("the server outlived its test")
	}

	listener.Close()
	_, err = b.serve(t.Context(), &Serve{Node: "r1", Run: "echo no; exit 1", Port: port})
	if err == nil || !strings.Contains(err.Error(), "was taken: no") {
		t.Errorf("a server that ends: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = b.serve(ctx, &Serve{Node: "r1", Run: "sleep 60", Port: port})
	if err == nil || !strings.Contains(err.Error(), "was not taken in time") {
		t.Errorf("a server that does not listen: %v", err)
	}
}

func TestExec(t *testing.T) {
	b := newBench(t, oneRouter+"[node.h1]\nkind = \"host\"\n")
	for _, c := range []struct{ node, want string }{
		{"r9", `has no node "r9": want one of r1, h1`},
		{"r1", "node r1: the lab is not up"},
		{"h1", "node h1: the lab is not up"},
	} {
		if err := b.Exec(c.node, []string{"true"}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("exec %s: got %v, want %s", c.node, err, c.want)
		}
	}
	b.load(strings.Replace(oneRouter, "NAME", b.Topology.Name, 1))
	b.up()
	if err := b.Exec("r1", []string{"no-such-program"}); err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("exec of what does not exist: %v", err)
	}
	out, err := exec.Command(b.options.Binary, "exec", b.path, b.options.Dir, "r1", "sh", "-c", "echo $ROUTERD_SOCKET; exit 7").CombinedOutput()
	var status *exec.ExitError
	if !errors.As(err, &status) || status.ExitCode() != 7 {
		t.Errorf("got %v, want the command's own exit status 7", err)
	}
	if r, _ := b.router("r1"); strings.TrimSpace(string(out)) != r.Socket {
		t.Errorf("printed %q, want %s", out, r.Socket)
	}
}
