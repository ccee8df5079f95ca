package device

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// netnsDir is where `ip netns add` puts names.
const netnsDir = "/run/netns"

// NamespacePath is the file of a configured namespace; "" for the one that
// routerd runs in.
func NamespacePath(netns string) string {
	switch {
	case netns == "":
		return ""
	case strings.Contains(netns, "/"):
		return filepath.Clean(netns)
	default:
		return filepath.Join(netnsDir, netns)
	}
}

// DescribeNamespace names a namespace in an error.
func DescribeNamespace(netns string) string {
	if netns == "" {
		return "routerd's own network namespace"
	}
	return fmt.Sprintf("network namespace %q", netns)
}

// InNamespace runs f on a thread inside the namespace and returns what f
// returned. Sockets and devices that f makes belong to that namespace for ever;
// no other goroutine ever runs in it.
func InNamespace(netns string, f func() error) error {
	path := NamespacePath(netns)
	if path == "" {
		return f()
	}
	fd, err := openNamespace(netns, path)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	done := make(chan error, 1)
	go enter(done, func() error {
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			return enterError(netns, path, err)
		}
		return f()
	})
	return <-done
}

// enter runs f on a thread that is thrown away: a goroutine that ends while it
// is locked ends its thread too, so nothing has to be switched back, which
// could fail.
func enter(done chan<- error, f func() error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		// The main thread cannot end, and /proc/self shows its namespace. While
		// this goroutine occupies it, the other one gets another thread.
		inner := make(chan error, 1)
		go enter(inner, f)
		err := <-inner
		runtime.UnlockOSThread()
		done <- err
		return
	}
	done <- f()
}

func openNamespace(netns, path string) (int, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		return fd, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		if strings.Contains(netns, "/") {
			return -1, Missing(fmt.Errorf("network namespace %s does not exist: %w", path, err))
		}
		return -1, Missing(fmt.Errorf("network namespace %q does not exist; ip netns add %s makes it (%s: %w)", netns, netns, path, err))
	}
	return -1, fmt.Errorf("opening %s at %s: %w", DescribeNamespace(netns), path, err)
}

func enterError(netns, path string, err error) error {
	switch {
	case errors.Is(err, unix.EINVAL):
		// ip-netns(8) makes the file first, and then mounts the namespace on
		// it.
		return Missing(fmt.Errorf("entering %s: %s is not a network namespace: %w", DescribeNamespace(netns), path, err))
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("entering %s: routerd lacks CAP_SYS_ADMIN in the user namespace that owns it: %w", DescribeNamespace(netns), err)
	}
	return fmt.Errorf("entering %s: %w", DescribeNamespace(netns), err)
}
