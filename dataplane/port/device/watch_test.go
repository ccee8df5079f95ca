package device

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func run(t *testing.T, argv ...string) {
	t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
}

// awaitTold waits until the watch tells of a place.
func awaitTold(t *testing.T, w *Watch, name, why string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case <-w.Changed():
			if slices.Contains(w.Take(), name) {
				return
			}
		case <-deadline:
			t.Fatalf("place %s was not told of when %s", name, why)
		}
	}
}

func watching(t *testing.T) (w *Watch, ns string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	w = NewWatch()
	t.Cleanup(w.Close)
	ns = fmt.Sprintf("rddev%d", os.Getpid())
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
	return w, ns
}

func TestWatchNamespaces(t *testing.T) {
	w, ns := watching(t)
	w.Await("lan0", Place{Netns: ns, Devices: []string{"eth0"}})
	run(t, "ip", "netns", "add", ns)
	awaitTold(t, w, "lan0", "its namespace came")
	identity, err := IdentityOf(ns)
	if err != nil {
		t.Fatal(err)
	}
	w.Hold("lan0", Held{Place{Netns: ns}, identity})
	run(t, "sh", "-c", "ip netns del "+ns+" && ip netns add "+ns)
	awaitTold(t, w, "lan0", "its namespace was made anew")
	wait := time.Now().Add(10 * time.Second)
	for Replaced(ns, identity) == nil && time.Now().Before(wait) {
		time.Sleep(time.Millisecond)
	}
	if err := Replaced(ns, identity); err == nil || !strings.Contains(err.Error(), "made anew") {
		t.Errorf("of a namespace that was made anew: %v", err)
	}
	if identity, err = IdentityOf(ns); err != nil || Replaced(ns, identity) != nil {
		t.Errorf("the namespace that is there: %v, %v", err, Replaced(ns, identity))
	}
}

// A namespace named by a path that inotify cannot tell of.
func TestWatchPath(t *testing.T) {
	w, _ := watching(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "later", "net")
	w.Await("lan0", Place{Netns: path})
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/proc/self/ns/net", path); err != nil {
		t.Fatal(err)
	}
	awaitTold(t, w, "lan0", "its namespace came")
}

func TestWatchDevices(t *testing.T) {
	w, ns := watching(t)
	run(t, "ip", "netns", "add", ns)
	w.Await("lan0", Place{Netns: ns, Devices: []string{"eth0", "br0"}})
	w.Await("lan1", Place{Netns: ns, Devices: []string{"eth1"}})
	awaitTold(t, w, "lan0", "the watch began")
	for _, name := range []string{"eth0", "br0"} {
		run(t, "ip", "-n", ns, "link", "add", name, "type", "bridge")
		awaitTold(t, w, "lan0", name+" came")
	}
	run(t, "ip", "-n", ns, "link", "set", "eth0", "name", "eth1")
	awaitTold(t, w, "lan1", "a device got its name")
	run(t, "ip", "-n", ns, "link", "del", "eth1")
	awaitTold(t, w, "lan1", "its device went")
	w.Forget("lan1")
	run(t, "ip", "-n", ns, "link", "add", "eth1", "type", "bridge")
	run(t, "ip", "-n", ns, "link", "set", "br0", "up")
	awaitTold(t, w, "lan0", "br0 changed")
	if slices.Contains(w.Take(), "lan1") {
		t.Error("a place that was forgotten was told of")
	}
}
