package daemon

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"routerd/dataplane/offload"
)

// A router gives up what only starting takes, for whatever it might turn into
// too, and can still make and remove interfaces, listen on a low port and give
// its socket to a group.
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
			for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
				if n, _ := fmt.Sscanf(line, set+": %x", &caps); n == 1 && caps&^mask != 0 {
					t.Errorf("thread %s has in %s %x, want none but %x", task.Name(), set, caps, mask)
				}
			}
			if name, value, _ := strings.Cut(line, ":"); name == "NoNewPrivs" && strings.TrimSpace(value) != "1" {
				t.Errorf("thread %s: %s, want 1: another program would have more privileges", task.Name(), strings.TrimSpace(line))
			}
		}
	}
	c := s.client()
	s.write("[interface.extra0]\nkind = \"tun\"\naddresses = [\"10.0.9.1/24\"]\nhost = { netns = \"" + s.hosts[0] + "\", device = \"eth9\" }\n")
	if _, err := c.Reload(t.Context()); err != nil {
		t.Errorf("a reload that makes an interface: %v", err)
	}
	s.write("[metrics]\nlisten = \"127.0.0.1:79\"\n")
	s.setGroup("4")
	if _, err := c.Reload(t.Context()); err != nil {
		t.Errorf("a reload that takes a low port and names a group: %v", err)
	}
	if info, err := os.Stat(s.socket()); err != nil || info.Sys().(*syscall.Stat_t).Gid != 4 {
		t.Errorf("the socket is not of group 4: %v, %v", info, err)
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

// What a router keeps of its privileges is enough for the kernel to carry flows.
func TestCarriedWithReducedPrivileges(t *testing.T) {
	if err := probeThreads(); errors.Is(err, errThreads) {
		t.Skip("this test binary is built with cgo, which cannot change all threads")
	}
	s := newCarrySite(t)
	s.startProcess([]string{"ROUTERD_TEST_REDUCE=1"})
	s.newStream(t, "10.0.1.2:4000", "10.0.2.2:5000").packets(20)
	list, err := s.client().Interfaces(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		switch o := i.Offload; {
		case o != nil && strings.Contains(o.Why, offload.ErrTooOld.Error()):
			t.Skip(o.Why)
		case o == nil || !o.Carries:
			t.Errorf("%s: %+v, want it carried", i.Name, o)
		}
	}
}
