package device

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// newNetns makes a network namespace for one test.
func newNetns(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs ip(8) of iproute2")
	}
	name := fmt.Sprintf("rddev%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		t.Fatalf("ip netns add %s: %v\n%s", name, err, out)
	}
	t.Cleanup(func() { exec.Command("ip", "netns", "del", name).Run() })
	return name
}

func inside(t *testing.T, netns string) (inode uint64) {
	t.Helper()
	err := InNamespace(netns, func() (err error) {
		inode, err = currentNetns()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return inode
}

func currentNetns() (uint64, error) {
	var st unix.Stat_t
	err := unix.Stat(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()), &st)
	return st.Ino, err
}

// Entering a namespace must leave every other goroutine where it was, the
// main thread above all: /proc/self shows its namespace.
func TestInNamespaceLeavesNobodyBehind(t *testing.T) {
	ns := newNetns(t)
	home, err := currentNetns()
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		there := inside(t, ns)
		if there == home {
			t.Fatal("the function did not run in the namespace")
		}
		if here, _ := currentNetns(); here != home {
			t.Fatal("the caller is in another namespace")
		}
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for _, task := range tasks {
		path := "/proc/self/task/" + task.Name() + "/ns/net"
		for {
			var st unix.Stat_t
			if unix.Stat(path, &st) != nil || st.Ino == home {
				break // ended, or at home
			}
			if time.Now().After(deadline) {
				t.Fatalf("thread %s is still in namespace %d, not %d", task.Name(), st.Ino, home)
			}
			time.Sleep(time.Millisecond)
		}
	}
}

func TestNamespaceErrors(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		netns string
		is    error
		says  string
	}{
		{"rdtun-no-such", fs.ErrNotExist, `"rdtun-no-such" does not exist; ip netns add rdtun-no-such makes it (/run/netns/rdtun-no-such: no such file or directory)`},
		{"/run/netns-no/such", fs.ErrNotExist, "/run/netns-no/such does not exist"},
		{file, syscall.EINVAL, "is not a network namespace"},
		{file + "/below", syscall.ENOTDIR, "opening network namespace"},
	}
	for _, tt := range tests {
		err := InNamespace(tt.netns, func() error { t.Error("it ran"); return nil })
		if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v\nwant %v, saying %q", tt.netns, err, tt.is, tt.says)
		}
	}
	if err := enterError("h1", "/run/netns/h1", unix.EPERM); !strings.Contains(err.Error(), "CAP_SYS_ADMIN") {
		t.Errorf("EPERM: %v", err)
	}
	if err := enterError("h1", "/run/netns/h1", unix.ENOMEM); !errors.Is(err, unix.ENOMEM) {
		t.Errorf("ENOMEM: %v", err)
	}
}
