package daemon

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"routerd/internal/control"
)

// A router gives up what only starting takes, and can still make and remove
// interfaces; what it can no longer do is refused with the word restart.
func TestPrivilegesAreReduced(t *testing.T) {
	if err := probeThreads(); errors.Is(err, errThreads) {
		t.Skip("this test binary is built with cgo, which cannot change all threads")
	}
	s := newSite(t)
	p := s.startProcess([]string{"ROUTERD_TEST_REDUCE=1"})
	var mask uint64
	for _, c := range kept {
		mask |= 1 << c
	}
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.Process.Pid))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("threads of the router: %v", err)
	}
	for _, task := range tasks {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", p.Process.Pid, task.Name()))
		if err != nil {
			continue // ended meanwhile
		}
		for line := range strings.Lines(string(status)) {
			var caps uint64
			if n, _ := fmt.Sscanf(line, "CapEff: %x", &caps); n == 1 && caps&^mask != 0 {
				t.Errorf("thread %s has capabilities %x, want none but %x", task.Name(), caps, mask)
			}
		}
	}
	c := s.client()
	s.write("[interface.extra0]\nkind = \"tun\"\naddresses = [\"10.0.9.1/24\"]\nhost = { netns = \"" + s.hosts[0] + "\", device = \"eth9\" }\n")
	if _, err := c.Reload(t.Context()); err != nil {
		t.Errorf("a reload that makes an interface: %v", err)
	}
	s.write("[metrics]\nlisten = \"127.0.0.1:79\"\n")
	var refused *control.Error
	if _, err := c.Reload(t.Context()); !errors.As(err, &refused) || !strings.Contains(refused.Message, "restart") {
		t.Errorf("a reload that takes a low port: %v, want it refused with the word restart", err)
	}
	if err := p.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("the router ended with %v", err)
	}
	for i := range s.hosts {
		if got := s.in(i, "ip", "-o", "link"); strings.Contains(got, "eth") {
			t.Errorf("devices left in %s:\n%s", s.hosts[i], got)
		}
	}
}

// probeThreads reports errThreads where reducePrivileges cannot work.
func probeThreads() error {
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_GETPID, 0, 0, 0); errno == unix.ENOTSUP {
		return errThreads
	}
	return nil
}
