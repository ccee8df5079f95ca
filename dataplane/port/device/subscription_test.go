package device

import (
	"errors"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"routerd/dataplane/port"
)

// The links of a namespace share one socket, each hears of its own device
// alone, and the last one closes it.
func TestNewsOfOneNamespace(t *testing.T) {
	ns := newNetns(t)
	open := func(netns string) *subscription {
		t.Helper()
		var n *subscription
		if err := InNamespace(netns, func() (err error) { n, err = subscribe(); return err }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	a, b, other := open(ns), open(ns), open("")
	if a.socket != b.socket || a.socket == other.socket {
		t.Fatal("links of one namespace have sockets of their own, or those of two share one")
	}
	other.Close()
	ip := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", append([]string{"-n", ns}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v\n%s", args, err, out)
		}
	}
	a.about(101)
	b.about(102)
	ip("link", "add", "x", "index", "101", "type", "veth", "peer", "name", "y", "index", "102")
	for _, n := range []struct {
		*subscription
		index int
	}{{a, 101}, {b, 102}} {
		messages, err := n.Receive()
		if err != nil || len(messages) == 0 {
			t.Fatalf("link %d heard %d messages, %v", n.index, len(messages), err)
		}
		for _, m := range messages {
			l := Link{Index: n.index}
			if ours, _, _ := l.concerned(messages); !ours || len(m.Data) != unix.SizeofIfInfomsg {
				t.Errorf("link %d hears of another device, or more than it reads: % x", n.index, m.Data)
			}
		}
	}
	// More than it keeps counts as lost.
	for i := range 2 * maxQueued {
		ip("link", "set", "dev", "x", "mtu", fmt.Sprint(1000+i))
	}
	for limit := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		a.mu.Lock()
		lost := a.lost
		a.mu.Unlock()
		if lost || time.Now().After(limit) {
			break
		}
	}
	if _, err := a.Receive(); err != unix.ENOBUFS {
		t.Errorf("after too many messages: %v, want that some were lost", err)
	}
	a.Close()
	a.Close()
	if _, err := a.Receive(); !errors.Is(err, port.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	ended := make(chan error, 1)
	go func() { _, err := b.Receive(); ended <- err }()
	b.Close()
	for err := range ended {
		if errors.Is(err, port.ErrClosed) {
			break
		}
	}
	linkSockets.mu.Lock()
	defer linkSockets.mu.Unlock()
	if len(linkSockets.by) != 0 {
		t.Errorf("%d sockets are left", len(linkSockets.by))
	}
}
