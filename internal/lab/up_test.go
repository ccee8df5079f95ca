package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestUpAndDown(t *testing.T) {
	b := newBench(t, routersOnly)
	said := b.up()
	for _, node := range []string{"r1", "r2"} {
		p := b.pid(node)
		if want := fmt.Sprintf("%s   routerd started, pid %d, ready after ", node, p.PID); !strings.Contains(said, want) {
			t.Errorf("up said:\n%s\nwant in it: %s", said, want)
		}
		if !p.alive() {
			t.Errorf("%s does not run", node)
		}
	}
	before := b.pid("r1")
	if want, said := fmt.Sprintf("r1   routerd runs, pid %d\n", before.PID), b.up(); !strings.HasPrefix(said, want) {
		t.Errorf("a second up said:\n%s\nwant first: %s", said, want)
	}
	if after := b.pid("r1"); after != before {
		t.Errorf("a second up replaced %v by %v", before, after)
	}
	if err := b.Down(t.Context(), &b.out); err != nil {
		t.Fatal(err)
	}
	b.gone()
	if err := b.Down(t.Context(), &b.out); err != nil || !strings.Contains(b.out.String(), "is not up") {
		t.Errorf("a second down: %v, said %q", err, b.out.String())
	}
}

func TestUpMends(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(b *bench)
		said   string
	}{
		{"a router that was killed", func(b *bench) {
			p := b.pid("r1")
			if err := unix.Kill(p.PID, unix.SIGKILL); err != nil {
				b.t.Fatal(err)
			}
			eventually(b.t, "r1 dead", func() bool { return !p.alive() })
		}, "routerd started again: pid "},
		{"a router that no longer answers", func(b *bench) {
			r, _ := b.router("r1")
			if err := os.Remove(r.Socket); err != nil {
				b.t.Fatal(err)
			}
		}, "routerd started again: it did not answer"},
		{"a changed configuration that it will not reload", func(b *bench) {
			b.load(strings.Replace(routersOnly, "NAME", b.Topology.Name, 1) + "[node.r1.config.log]\nlevel = \"warn\"\n")
		}, "routerd started again: it would not reload its changed configuration: that needs a restart, pid "},
		{"a lost state", func(b *bench) {
			if err := os.Remove(b.statePath()); err != nil {
				b.t.Fatal(err)
			}
		}, "routerd started, pid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, routersOnly)
			b.up()
			old := b.pid("r1")
			c.damage(b)
			if said := b.up(); !strings.Contains(said, "r1   "+c.said) {
				t.Errorf("up said:\n%s\nwant in it: %s", said, c.said)
			}
			r, _ := b.router("r1")
			if now := running(arguments(r.Config)); len(now) != 1 || now[0] == old || now[0] != b.pid("r1") {
				t.Errorf("r1 runs as %v, want the one new process %v", now, b.pid("r1"))
			}
		})
	}
}

// A router whose configuration alone has changed goes on running.
func TestUpReloads(t *testing.T) {
	b := newBench(t, routersOnly)
	b.up()
	before := b.pid("r1")
	b.load(strings.Replace(routersOnly, "NAME", b.Topology.Name, 1) + "[node.r1.config.log]\nlevel = \"debug\"\n")
	said := b.up()
	if want := fmt.Sprintf("r1   routerd reloaded its configuration, pid %d: 1 change\n", before.PID); !strings.Contains(said, want) {
		t.Errorf("up said:\n%s\nwant in it: %s", said, want)
	}
	if after := b.pid("r1"); after != before || !after.alive() {
		t.Errorf("r1 was %v and is %v, want the same process, alive", before, after)
	}
	if said, want := b.up(), fmt.Sprintf("r1   routerd runs, pid %d\n", before.PID); !strings.Contains(said, want) {
		t.Errorf("an up after that said:\n%s\nwant in it: %s", said, want)
	}
}

func TestUpRemovesWhatTheTopologyLost(t *testing.T) {
	b := newBench(t, routersOnly)
	b.up()
	r2 := b.pid("r2")
	b.load("name = \"" + b.Topology.Name + "\"\n[node.r1]\nkind = \"router\"\n")
	if said, want := b.up(), fmt.Sprintf("r2   no longer in the topology: ended routerd, pid %d", r2.PID); !strings.Contains(said, want) {
		t.Errorf("up said:\n%s\nwant in it: %s", said, want)
	}
	if r2.alive() {
		t.Error("r2 still runs")
	}
}

func TestUpShowsWhyARouterEnded(t *testing.T) {
	t.Setenv("STAND_IN", "exit")
	b := newBench(t, routersOnly)
	err := b.Up(t.Context(), &b.out)
	want := "r1: routerd ended before it was ready, exit status 3:\n    cannot open /dev/net/tun\n    no such device"
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
	b.gone()
}

func TestUpGivesUp(t *testing.T) {
	t.Setenv("STAND_IN", "deaf")
	b := newBench(t, routersOnly)
	b.options.Ready = 50 * time.Millisecond
	err := b.Up(t.Context(), &b.out)
	if err == nil || !strings.Contains(err.Error(), "r1: routerd was not ready within 50ms") {
		t.Errorf("got %v", err)
	}
	b.gone()
}

// An interrupt while a lab comes up leaves nothing of it.
func TestUpInterrupted(t *testing.T) {
	t.Setenv("STAND_IN", "deaf")
	b := newBench(t, routersOnly)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Up(ctx, &b.out) }()
	r1, _ := b.router("r1")
	eventually(t, "r1 started", func() bool { return len(running(arguments(r1.Config))) == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	b.gone()
}

// What was there before a failed up stays.
func TestUpTakesBackOnlyItsOwn(t *testing.T) {
	b := newBench(t, routersOnly)
	b.up()
	r1, r2 := b.pid("r1"), b.pid("r2")
	if err := r2.end(t.Context(), time.Second); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STAND_IN", "exit")
	if err := b.Up(t.Context(), &b.out); err == nil {
		t.Fatal("up passed with a router that ends")
	}
	if !r1.alive() || b.pid("r1") != r1 {
		t.Error("the failed up ended r1, which it had not started")
	}
}

// A lab that was killed between starting a router and writing its pid down
// is still taken down whole.
func TestDownFindsWhatWasNotWrittenDown(t *testing.T) {
	b := newBench(t, routersOnly)
	r, _ := b.router("r1")
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.Config, r.Text, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(b.options.Binary, arguments(r.Config)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait() }()
	eventually(t, "r1 serving", func() bool { return probe(t.Context(), r.Socket) == nil })
	if err := b.Down(t.Context(), &b.out); err != nil {
		t.Fatal(err)
	}
	b.gone()
}

// A router that was killed leaves the namespace of its own stack; down removes that, and no
// other of a name that is not the router's.
func TestDownRemovesTheStackOfAKilledRouter(t *testing.T) {
	needsRoot(t)
	b := newBench(t, routersOnly+"[node.r1.config.local-stack]\nnetns = \"NAME-r1-own\"\n[node.r2.config.local-stack]\nnetns = \"other-NAME\"\n")
	b.up()
	own, other := b.Topology.Name+"-r1-own", "other-"+b.Topology.Name
	for _, name := range []string{own, other} {
		if err := makeNamespace(name); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = removeNamespace(name) })
	}
	if err := unix.Kill(b.pid("r1").PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := b.Down(t.Context(), &b.out); err != nil {
		t.Fatal(err)
	}
	b.gone()
	if namespaceExists(own) || !namespaceExists(other) {
		t.Errorf("the router's own namespace is left: %v, and that of another name: %v", namespaceExists(own), namespaceExists(other))
	}
}

func TestDownWithATornState(t *testing.T) {
	b := newBench(t, routersOnly)
	b.up()
	if err := os.WriteFile(b.statePath(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Down(t.Context(), &b.out); err != nil {
		t.Fatal(err)
	}
	b.gone()
}

// Another process that got a router's pid is not ours to end.
func TestRecycledPIDIsLeftAlone(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Skipf("no sleep to run: %v", err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	p, err := identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	earlier := process{p.PID, p.Start - 1}
	if earlier.alive() {
		t.Error("a process with another start time counts as alive")
	}
	if err := earlier.end(t.Context(), time.Second); err != nil {
		t.Error(err)
	}
	if !p.alive() {
		t.Error("the wrong process was ended")
	}
}

func TestEndKillsWhatIgnoresTerm(t *testing.T) {
	cmd := exec.Command("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
	ready, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("no sh to run: %v", err)
	}
	if _, err := ready.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	p, err := identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.end(t.Context(), 20*time.Millisecond); err != nil {
		t.Error(err)
	}
	// Dead, though nobody has waited for it yet.
	if p.alive() {
		t.Error("it is still alive")
	}
	_ = cmd.Wait()
}

func TestLock(t *testing.T) {
	b := newBench(t, routersOnly)
	release, err := b.lock(t.Context(), &b.out)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := b.Up(ctx, &out); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("up beside a held lock: %v, want it to wait", err)
	}
	if want := fmt.Sprintf("pid %d\n", os.Getpid()); !strings.HasSuffix(out.String(), want) {
		t.Errorf("said %q, want the holder, %s", out.String(), want)
	}
	// Down removes the file that is locked: whoever waited for it must not
	// take the old one.
	second := make(chan func(), 1)
	go func() {
		release, err := b.lock(t.Context(), &strings.Builder{})
		if err != nil {
			t.Error(err)
		}
		second <- release
	}()
	if err := b.down(t.Context(), &b.out); err != nil {
		t.Fatal(err)
	}
	release()
	defer (<-second)()
	if _, err := os.Stat(b.dir + ".lock"); err != nil {
		t.Errorf("the second holder's lock is no file of that name: %v", err)
	}
}

func TestUpRefusesABadConfigurationBeforeItMakesAnything(t *testing.T) {
	b := newBench(t, routersOnly+"[node.r2.config.log]\nlevl = \"debug\"\n")
	err := b.Up(t.Context(), &b.out)
	if err == nil || !strings.Contains(err.Error(), "levl") || !strings.Contains(err.Error(), b.path+":7:1: error: ") {
		t.Errorf("got %v, want the mistake with its place", err)
	}
	if b.out.Len() > 0 {
		t.Errorf("it began all the same:\n%s", b.out.String())
	}
	if _, err := b.Test(t.Context(), &b.out); err == nil {
		t.Error("its tests ran")
	}
	b.gone() // its lock, too
}
