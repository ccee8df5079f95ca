package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// namePrefix begins the name of every namespace and directory that this
// package makes; the pid of the maker and a dash follow.
const namePrefix = "rdb"

var ownName = regexp.MustCompile(`^` + namePrefix + `([0-9]+)-`)

// InNamespace runs fn on a thread that is inside the named namespace; ""
// stands for the one the process runs in. Sockets and processes that fn makes
// stay there.
func InNamespace(name string, fn func() error) error {
	if name == "" {
		return fn()
	}
	target, err := netns.GetFromName(name)
	if err != nil {
		return fmt.Errorf("open network namespace %q: %w", name, err)
	}
	defer target.Close()
	return onThread(func() error {
		if err := netns.Set(target); err != nil {
			return fmt.Errorf("enter network namespace %q: %w", name, err)
		}
		return fn()
	})
}

// onThread runs fn locked to a thread and puts the thread's namespace back
// afterwards. A thread that cannot go back is given up: it stays locked, and
// ends with its goroutine.
func onThread(fn func() error) error {
	failed := make(chan error)
	go func() {
		runtime.LockOSThread()
		here, err := netns.Get()
		if err != nil {
			runtime.UnlockOSThread()
			failed <- fmt.Errorf("find the present network namespace: %w", err)
			return
		}
		err = fn()
		if back := netns.Set(here); back != nil {
			err = errors.Join(err, fmt.Errorf("leave network namespace: %w", back))
		} else {
			runtime.UnlockOSThread()
		}
		here.Close()
		failed <- err
	}()
	return <-failed
}

// namespaceDirectory is where named namespaces are mounted.
const namespaceDirectory = "/run/netns"

// shareDirectory makes namespaceDirectory a shared mount, as the first `ip
// netns add` on a machine does. Otherwise an `ip netns add` during the run
// would mount the directory over ours, and our namespaces could no longer be
// removed.
func shareDirectory() error {
	if err := os.MkdirAll(namespaceDirectory, 0o755); err != nil {
		return err
	}
	lock, err := os.Open(namespaceDirectory)
	if err != nil {
		return err
	}
	defer lock.Close()
	// The lock that iproute2 takes for the same purpose.
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	share := func() error {
		return unix.Mount("", namespaceDirectory, "none", unix.MS_SHARED|unix.MS_REC, "")
	}
	if err := share(); !errors.Is(err, unix.EINVAL) {
		return err
	}
	// It is no mount yet.
	if err := unix.Mount(namespaceDirectory, namespaceDirectory, "none", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return share()
}

// makeNamespace makes a named namespace whose loopback is up.
func makeNamespace(name string) error {
	if err := shareDirectory(); err != nil {
		return fmt.Errorf("prepare %s: %w", namespaceDirectory, err)
	}
	err := onThread(func() error {
		made, err := netns.NewNamed(name)
		if err != nil {
			return err
		}
		return made.Close()
	})
	if err != nil {
		return fmt.Errorf("make network namespace %q: %w", name, err)
	}
	return withLinks(name, func(h *netlink.Handle) error {
		lo, err := h.LinkByName("lo")
		if err != nil {
			return fmt.Errorf("find lo in %q: %w", name, err)
		}
		return h.LinkSetUp(lo)
	})
}

// withLinks hands fn a netlink handle on the named namespace.
func withLinks(name string, fn func(*netlink.Handle) error) error {
	ns, err := netns.GetFromName(name)
	if err != nil {
		return fmt.Errorf("open network namespace %q: %w", name, err)
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		return fmt.Errorf("open netlink in %q: %w", name, err)
	}
	defer h.Close()
	return fn(h)
}

// removeNamespace removes a named namespace; one that is gone is no error.
func removeNamespace(name string) error {
	path := filepath.Join(namespaceDirectory, name)
	// EINVAL: the name is there, but nothing is mounted on it.
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount network namespace %q: %w", name, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove network namespace %q: %w", name, err)
	}
	return nil
}

// RemoveLeftovers removes the namespaces and directories of earlier runs whose
// process is gone without having cleaned up (kill -9). Those of a living
// process are left alone.
func RemoveLeftovers() error {
	var failed error
	for dir, remove := range map[string]func(name string) error{
		namespaceDirectory: removeNamespace,
		os.TempDir():       func(name string) error { return os.RemoveAll(filepath.Join(os.TempDir(), name)) },
	} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("look for what earlier runs left behind: %w", err)
		}
		for _, e := range entries {
			m := ownName.FindStringSubmatch(e.Name())
			if m == nil {
				continue
			}
			if pid, err := strconv.Atoi(m[1]); err != nil || alive(pid) {
				continue
			}
			// One that stays busy is in use by somebody else, and does no harm.
			if err := remove(e.Name()); !errors.Is(err, unix.EBUSY) {
				failed = errors.Join(failed, err)
			}
		}
	}
	return failed
}

// knob is one setting of the kernel's network stack, below /proc/sys.
type knob struct{ name, value string }

// hostKnobs are the kernel's own defaults, as far as this machine allows them.
// A namespace inherits the machine's settings, which TCP's figures depend on.
func hostKnobs() ([]knob, error) {
	control, err := congestion()
	if err != nil {
		return nil, err
	}
	return []knob{
		{"net/ipv4/tcp_congestion_control", control},
		{"net/ipv4/tcp_rmem", "4096 131072 6291456"},
		{"net/ipv4/tcp_wmem", "4096 16384 4194304"},
	}, nil
}

// setKnobs changes settings of one namespace.
func setKnobs(namespace string, knobs []knob) error {
	return InNamespace(namespace, func() error {
		for _, k := range knobs {
			// The file shows the namespace of the thread that opens it.
			if err := os.WriteFile("/proc/sys/"+k.name, []byte(k.value+"\n"), 0); err != nil {
				return fmt.Errorf("set %s to %q in %q: %w", k.name, k.value, namespace, err)
			}
		}
		return nil
	})
}

func alive(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err == nil
}
