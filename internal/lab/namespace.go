package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// netnsDir is where `ip netns` keeps names.
const netnsDir = "/run/netns"

// onOwnThread runs f on a thread that is thrown away, with whatever namespace f
// leaves it in.
func onOwnThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if unix.Gettid() == unix.Getpid() {
			// The main thread cannot end, and /proc/self shows its namespace.
			// While this goroutine occupies it, another one gets another
			// thread.
			err := onOwnThread(f)
			runtime.UnlockOSThread()
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

// inNamespace runs f on a thread inside a namespace; a process that f starts
// runs there. "" is our own namespace.
func inNamespace(name string, f func() error) error {
	if name == "" {
		return f()
	}
	return onOwnThread(func() error {
		ns, err := netns.GetFromName(name)
		if err != nil {
			return fmt.Errorf("opening network namespace %s: %w", name, err)
		}
		defer ns.Close()
		if err := netns.Set(ns); err != nil {
			return fmt.Errorf("entering network namespace %s: %w", name, err)
		}
		return f()
	})
}

// makeNamespace makes a namespace with its loopback up.
func makeNamespace(name string) error {
	err := onOwnThread(func() error {
		ns, err := netns.NewNamed(name)
		if err != nil {
			return err
		}
		ns.Close()
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	})
	if err == nil {
		return nil
	}
	if errors.Is(err, unix.EPERM) {
		err = fmt.Errorf("%w (it takes CAP_NET_ADMIN, and CAP_SYS_ADMIN over the mounts too: root has them, and who runs it by unshare --map-root-user --net --mount)", err)
	}
	// The name may exist although the namespace was not made.
	return errors.Join(fmt.Errorf("making network namespace %s: %w", name, err), removeNamespace(name))
}

// removeNamespace removes the name; the namespace itself goes with its last
// process. It is no error if there is none.
func removeNamespace(name string) error {
	if namespaceExists(name) {
		if err := netns.DeleteNamed(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing network namespace %s: %w", name, err)
		}
	}
	// The name may have no namespace mounted on it, and unmounting may fail if
	// mounting was not allowed.
	if err := os.Remove(filepath.Join(netnsDir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing network namespace %s: %w", name, err)
	}
	return nil
}

// namespaceExists reports whether there is a namespace of that name: after a
// kill at the wrong moment the name may be an empty file.
func namespaceExists(name string) bool {
	var s unix.Statfs_t
	if unix.Statfs(filepath.Join(netnsDir, name), &s) != nil {
		return false
	}
	return s.Type == unix.NSFS_MAGIC
}

// processesIn finds the processes in a namespace.
func processesIn(name string) []process {
	home, err := os.Stat(filepath.Join(netnsDir, name))
	if err != nil {
		return nil
	}
	return processes(func(pid int) bool {
		ns, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid), "ns/net"))
		return err == nil && os.SameFile(home, ns)
	})
}
