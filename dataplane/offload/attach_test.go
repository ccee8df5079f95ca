package offload

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
	"routerd/dataplane/port/porttest"
)

// atIngress counts the programs of a device in the namespace.
func atIngress(t *testing.T, netns string, index int) int {
	t.Helper()
	return porttest.Inside(t, netns, func() (int, error) {
		r, err := link.QueryPrograms(link.QueryOptions{Target: index, Attach: ebpf.AttachTCXIngress})
		if err != nil {
			return 0, err
		}
		return len(r.Programs), nil
	})
}

// A device is refused while another program is attached to it, and free again
// when an attachment is closed.
func TestOccupied(t *testing.T) {
	c, ns := newCache(t), porttest.Namespace(t)
	porttest.IP(t, "-n", ns, "link", "add", "name", "d0", "index", "77", "type", "veth", "peer", "name", "d1")
	attach := func() (a port.Attachment, err error) {
		err = device.InNamespace(ns, func() (err error) {
			a, err = c.Attach("d0", 77)
			return err
		})
		return a, err
	}
	l := porttest.Inside(t, ns, func() (link.Link, error) {
		return link.AttachTCX(link.TCXOptions{Interface: 77, Program: other(t, ebpf.SchedCLS), Attach: ebpf.AttachTCXIngress})
	})
	if _, err := attach(); !errors.Is(err, ErrOccupied) || !strings.Contains(err.Error(), "device d0: another program is attached") {
		t.Errorf("beside another program: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		a, err := attach()
		if err != nil {
			t.Fatal(err)
		}
		if n := atIngress(t, ns, 77); n != 1 {
			t.Errorf("%d programs are attached, want 1", n)
		}
		if _, err := attach(); !errors.Is(err, ErrOccupied) {
			t.Errorf("twice: %v", err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if n := atIngress(t, ns, 77); n != 0 {
			t.Errorf("%d programs are left", n)
		}
	}
	if _, err := c.Attach("none", 1<<30); !errors.Is(err, unix.ENODEV) {
		t.Errorf("a device that is not there: %v", err)
	}
}

// What users read where there can be no cache.
func TestReasons(t *testing.T) {
	for want, err := range map[error]error{
		ErrNoRight:  fmt.Errorf("making a map: %w", unix.EPERM),
		ErrTooOld:   fmt.Errorf("attaching: %w", ebpf.ErrNotSupported),
		unix.ENOMEM: fmt.Errorf("making a map: %w", unix.ENOMEM),
	} {
		if got := plain(err); !errors.Is(got, want) {
			t.Errorf("%v becomes %v, want %v", err, got, want)
		}
	}
	porttest.NeedRoot(t)
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends
		var none [2]unix.CapUserData
		if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
			done <- err
			return
		}
		_, err := New(Config{Flows: 1, Causes: 1})
		done <- err
	}()
	if err := <-done; !errors.Is(err, ErrNoRight) {
		t.Errorf("without capabilities: %v", err)
	}
}
