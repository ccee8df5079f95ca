package daemon

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ownStates gives the state of each IPv6 address of the router's on core0.
func (s *site) ownStates() (map[netip.Addr]string, error) {
	list, err := s.client().Interfaces(s.t.Context())
	states := map[netip.Addr]string{}
	for _, i := range list {
		for _, o := range i.Own {
			if o.Address.Addr().Is6() {
				states[o.Address.Addr()] = o.State
			}
		}
	}
	return states, err
}

func (s *site) usesAll(want int) error {
	states, err := s.ownStates()
	if err != nil {
		return err
	}
	for a, state := range states {
		if state != "usable" {
			return fmt.Errorf("%s is %s", a, state)
		}
	}
	if len(states) != want {
		return fmt.Errorf("addresses %v, want %d", states, want)
	}
	return nil
}

// A start right after the signal to stop waits for the lock, and what was the
// router's then is used at once: after an orderly stop and after a kill.
func TestRestartGoesOn(t *testing.T) {
	s := newLAN(t, []string{"2001:db8:2::2/64"}, `addresses = ["2001:db8:2::1/64"]`)
	p := s.startProcess(nil)
	wait(t, "the addresses to be usable", func() error { return s.usesAll(2) })
	for _, signal := range []unix.Signal{unix.SIGTERM, unix.SIGKILL, unix.SIGTERM} {
		if signal == unix.SIGKILL {
			wait(t, "the addresses to be noted", func() error {
				text, err := os.ReadFile(filepath.Join(s.runDir(), "r1.lock"))
				if err == nil && !strings.Contains(string(text), "2001:db8:2::1/64") {
					err = fmt.Errorf("noted %s", text)
				}
				return err
			})
		}
		if err := p.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		next := s.startProcess(nil)
		wait(t, "the new process to answer", func() error { // the old one may still have
			v, err := s.client().Version(t.Context())
			if err == nil && v.PID != next.Process.Pid {
				err = fmt.Errorf("process %d answers", v.PID)
			}
			return err
		})
		if err := s.usesAll(2); err != nil {
			t.Errorf("right after %v and a start: %v", signal, err)
		}
		if err := s.ping(1, "2001:db8:2::1"); err != nil {
			t.Error(err)
		}
		if err := p.Wait(); err != nil && signal == unix.SIGTERM {
			t.Errorf("the router that was told to stop ended with %v", err)
		}
		p = next
	}
}

// What a witness says is for a moment, and for this boot of the machine.
func TestWitness(t *testing.T) {
	dir := t.TempDir()
	used := map[string][]netip.Prefix{"lan0": {netip.MustParsePrefix("2001:db8::1/64")}}
	hold := func(change func(*lock)) map[string][]netip.Prefix {
		t.Helper()
		l, err := takeLock(t.Context(), dir, "r1")
		if err != nil {
			t.Fatal(err)
		}
		kept := l.kept()
		if err := l.uses(used); err != nil {
			t.Fatal(err)
		}
		change(l)
		if err := l.file.Close(); err != nil { // as a kill does
			t.Fatal(err)
		}
		return kept
	}
	as := func(boot string, ago time.Duration) func(*lock) {
		return func(l *lock) {
			_, seen := now()
			text := fmt.Sprintf(`{"boot":%q,"seen":%f,"addresses":{"lan0":["2001:db8::1/64"]}}`, boot, seen-ago.Seconds())
			if err := os.WriteFile(l.file.Name(), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	boot, _ := now()
	if boot == "" {
		t.Skip("this machine tells no boot ID")
	}
	hold(func(*lock) {})
	if kept := hold(as(boot, recent-5*time.Second)); len(kept["lan0"]) != 1 {
		t.Errorf("kept %v of a router that was killed just now, want its address", kept)
	}
	if kept := hold(as(boot, recent+time.Second)); len(kept["lan0"]) != 1 {
		t.Errorf("kept %v of a router last seen %v ago", kept, recent-5*time.Second)
	}
	if kept := hold(as("another", 0)); kept != nil {
		t.Errorf("kept %v of a router last seen longer ago than %v", kept, recent)
	}
	if kept := hold(func(l *lock) { _ = os.WriteFile(l.file.Name(), []byte(`{"addresses":`), 0o600) }); kept != nil {
		t.Errorf("kept %v of another boot", kept)
	}
	if kept := hold(func(*lock) {}); kept != nil {
		t.Errorf("kept %v of a witness that was not written whole", kept)
	}
}

// A holder that says it stops is waited for; one that says nothing is running.
func TestLockIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	first, err := takeLock(t.Context(), dir, "r1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := takeLock(t.Context(), dir, "r1"); !errors.Is(err, ErrRunning) {
		t.Errorf("taken twice: %v, want %v", err, ErrRunning)
	}
	if err := first.stopping(); err != nil {
		t.Fatal(err)
	}
	taken := make(chan error, 1)
	go func() {
		second, err := takeLock(t.Context(), dir, "r1")
		if err == nil {
			err = second.release()
		}
		taken <- err
	}()
	select {
	case err := <-taken:
		t.Fatalf("taken from a holder that is stopping: %v", err)
	case <-time.After(lockWait + 200*time.Millisecond): // longer than one that says nothing is waited for
	}
	if err := first.release(); err != nil {
		t.Fatal(err)
	}
	if err := <-taken; err != nil {
		t.Errorf("after the release: %v", err)
	}
}

// The kernel frees a killed router's lock before the last of its devices is gone.
func TestStartWaitsForTheKilled(t *testing.T) {
	dir := t.TempDir()
	dying := exec.Command("sleep", "60")
	if err := dying.Start(); err != nil {
		t.Fatal(err)
	}
	start, exiting := started(dying.Process.Pid)
	if start == 0 || exiting {
		t.Fatalf("a process that lives began at %d, on its way out: %v", start, exiting)
	}
	text := fmt.Sprintf(`{"pid":%d,"start":%d}`, dying.Process.Pid, start)
	if err := os.WriteFile(filepath.Join(dir, "r1.lock"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	taken := make(chan error, 1)
	go func() {
		l, err := takeLock(t.Context(), dir, "r1")
		if err == nil {
			err = l.release()
		}
		taken <- err
	}()
	select {
	case err := <-taken:
		t.Errorf("taken while the process that held it is there: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	if err := dying.Process.Kill(); err != nil { // which leaves a zombie
		t.Fatal(err)
	}
	select {
	case err := <-taken:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(deathWait / 3):
		t.Error("not taken after that process was killed")
	}
	_ = dying.Wait()
}
