package lab

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const hostsOnly = "name = \"NAME\"\n[node.h1]\nkind = \"host\"\n[node.h2]\nkind = \"host\"\n"

func TestNamespaces(t *testing.T) {
	needsRoot(t)
	b := newBench(t, hostsOnly)
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	said := b.up()
	if want := "h1   namespace " + b.Topology.Name + "-h1\n"; !strings.HasPrefix(said, want) {
		t.Errorf("up said:\n%s\nwant first: %s", said, want)
	}
	err = inNamespace(b.namespace("h1"), func() error {
		links, err := netlink.LinkList()
		if err != nil {
			return err
		}
		if len(links) != 1 || links[0].Attrs().Flags&net.FlagUp == 0 {
			t.Errorf("h1 has the devices %v, want lo alone, and up", links)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if now, _ := os.Readlink("/proc/self/ns/net"); now != own {
		t.Errorf("the process itself moved from %s to %s", own, now)
	}
	if said, want := b.up(), "h1   namespace "+b.Topology.Name+"-h1 is there\n"; !strings.HasPrefix(said, want) {
		t.Errorf("a second up said:\n%s\nwant first: %s", said, want)
	}

	out, err := exec.Command(b.options.Binary, "exec", b.path, b.options.Dir, "h1", "readlink", "/proc/self/ns/net").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) == own {
		t.Errorf("exec on h1 ran in %s (%v), want another namespace than %s", out, err, own)
	}

	// Whatever still lives in a namespace goes with it.
	cmd, err := b.start(t.Context(), "h2", "exec sleep 60", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Down(t.Context(), &b.out); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the process in h2 was not ended")
	}
	b.gone()
}

// A namespace that is not the lab's is not taken, and not removed.
func TestForeignNamespace(t *testing.T) {
	needsRoot(t)
	b := newBench(t, hostsOnly)
	foreign := b.namespace("h2")
	if err := makeNamespace(foreign); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := removeNamespace(foreign); err != nil {
			t.Error(err)
		}
	}()
	err := b.Up(t.Context(), &b.out)
	if err == nil || !strings.Contains(err.Error(), "exists and is not of this lab") {
		t.Errorf("got %v", err)
	}
	if namespaceExists(b.namespace("h1")) {
		t.Error("h1 was not taken back")
	}
	if !namespaceExists(foreign) {
		t.Error("the foreign namespace is gone")
	}
}

// Root of a user namespace may make a file in /run/netns, and mount nothing
// there: it leaves none.
func TestUpWithoutTheMountsLeavesNothing(t *testing.T) {
	needsRoot(t)
	b := newBench(t, hostsOnly)
	cmd := exec.Command(b.options.Binary, "up", b.path, b.options.Dir)
	root := []syscall.SysProcIDMap{{Size: 1}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNET, UidMappings: root, GidMappings: root}
	out, err := cmd.CombinedOutput()
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		t.Skipf("user namespaces are not allowed here: %v", err)
	}
	if err == nil || !strings.Contains(string(out), "making network namespace "+b.namespace("h1")+": operation not permitted (it takes ") || strings.Contains(string(out), "removing") {
		t.Errorf("up: %v, said:\n%s\nwant only that a namespace may not be made, and what it takes", err, out)
	}
	b.gone()
}

// A kill may leave the name without a namespace behind it, and a namespace
// may be deleted by hand; both are mended, and a router at it starts anew.
func TestNamespaceMends(t *testing.T) {
	needsRoot(t)
	const linked = hostsOnly + "[node.r1]\nkind = \"router\"\n[[link]]\nendpoints = [\"h1:eth0\", \"r1:lan0\"]\n"
	b := newBench(t, linked)
	b.up()
	name, r1 := b.namespace("h1"), b.pid("r1")
	if err := removeNamespace(name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(netnsDir, name), nil, 0o444); err != nil {
		t.Fatal(err)
	}
	said := b.up()
	if !strings.Contains(said, "routerd started again: a namespace it has a device in is a new one") {
		t.Errorf("up said:\n%s", said)
	}
	if !namespaceExists(name) || b.pid("r1") == r1 {
		t.Errorf("namespace exists: %v; r1 was %v and is %v", namespaceExists(name), r1, b.pid("r1"))
	}
}
