package bench

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// namespacePrefix begins the name of every namespace this package makes; the
// pid of the maker and a dash follow.
const namespacePrefix = "rdb"

var namespaceName = regexp.MustCompile(`^` + namespacePrefix + `([0-9]+)-`)

// inNamespace runs fn on a thread that is inside the named namespace; ""
// stands for the one the process runs in. Sockets and processes that fn makes
// stay there.
func inNamespace(name string, fn func() error) error {
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

// makeNamespace makes a named namespace whose loopback is up.
func makeNamespace(name string) error {
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

// RemoveLeftovers removes the namespaces of earlier runs whose process is
// gone without having cleaned up (kill -9). Those of a living process are
// left alone.
func RemoveLeftovers() error {
	entries, err := os.ReadDir("/run/netns")
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for namespaces left behind: %w", err)
	}
	var failed error
	for _, e := range entries {
		m := namespaceName.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		if pid, err := strconv.Atoi(m[1]); err != nil || alive(pid) {
			continue
		}
		failed = errors.Join(failed, netns.DeleteNamed(e.Name()))
	}
	return failed
}

func alive(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err == nil
}
