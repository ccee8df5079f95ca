// Package site is where benchmarks of protocols measure: labs that are brought up
// for one measurement each, how long nothing arrives in one, and what its
// processes use.
package site

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"routerd/internal/bench"
	"routerd/internal/lab"
)

// Site is where labs are made. It is not for several goroutines.
type Site struct {
	Dir    string // of what labs write; its owner's to remove
	Binary string // routerd
	serial int    // of the last lab
}

// New makes a site in a directory of its own, with routerd built of this source
// tree if no binary is given. The caller removes Dir, also after an error.
func New(ctx context.Context, binary string) (s *Site, err error) {
	s = &Site{Binary: binary}
	if s.Dir, err = os.MkdirTemp("", "rdr"); err != nil {
		return s, fmt.Errorf("making a directory: %w", err)
	}
	// FRR's daemons are another user's.
	if err := os.Chmod(s.Dir, 0o755); err != nil {
		return s, fmt.Errorf("opening the directory to FRR: %w", err)
	}
	if s.Binary == "" {
		s.Binary = filepath.Join(s.Dir, "routerd")
		text, err := exec.CommandContext(ctx, "go", "build", "-o", s.Binary, "routerd/cmd/routerd").CombinedOutput()
		if err != nil {
			return s, fmt.Errorf("building routerd: %w: %s", err, text)
		}
	}
	return s, nil
}

// Lab brings a lab up, has f use it, and takes it down again, also when ctx
// has ended.
func (s *Site) Lab(ctx context.Context, topology string, f func(*lab.Lab) error) (err error) {
	s.serial++
	path := filepath.Join(s.Dir, fmt.Sprintf("%d.toml", s.serial))
	topology = fmt.Sprintf("name = \"rdr%d-%d\"\n%s", os.Getpid(), s.serial, topology)
	if err := os.WriteFile(path, []byte(topology), 0o600); err != nil {
		return fmt.Errorf("writing the topology: %w", err)
	}
	l, err := lab.Load(path, lab.Options{Dir: s.Dir, Binary: s.Binary})
	if err != nil {
		return err
	}
	var said strings.Builder
	defer func() {
		err = errors.Join(err, l.Down(context.WithoutCancel(ctx), io.Discard))
	}()
	if err := l.Up(ctx, &said); err != nil {
		return fmt.Errorf("bringing the lab up: %w", err)
	}
	if m := missing.FindStringSubmatch(said.String()); m != nil {
		return fmt.Errorf("%s %w", m[1], ErrMissing)
	}
	return f(l)
}

// ErrMissing is returned where a program that the lab wants is not installed.
var ErrMissing = errors.New("is not installed")

// missing is how a lab says which one.
var missing = regexp.MustCompile(`(\S+) is not installed`)

// Await waits until there is no complaint, at most for limit.
func Await(ctx context.Context, limit, every time.Duration, what string, complaint func() (string, error)) error {
	for deadline := time.Now().Add(limit); ; {
		why, err := complaint()
		if err != nil || why == "" {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %v: %s", what, limit, why)
		}
		if err := Pause(ctx, every); err != nil {
			return err
		}
	}
}

// Pause waits for d or until ctx has ended.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// Usage is what a process has used.
type Usage struct {
	CPU      time.Duration // in user space and in the kernel
	RSS      float64       // MiB
	Switches int           // how often a thread that lives yet has given up a processor
}

// Used adds up the processes of a node.
func Used(l *lab.Lab, node string) (u Usage, err error) {
	pids, err := l.Processes(node)
	if err != nil {
		return u, err
	}
	if u, err = UsedBy(pids); err != nil {
		return u, fmt.Errorf("%s: %w", node, err)
	}
	return u, nil
}

// UsedBy adds up processes.
func UsedBy(pids []int) (u Usage, err error) {
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return u, fmt.Errorf("what process %d used: %w", pid, err)
		}
		// The name, in parentheses, may have anything in it. After it come
		// state as field 3, rss as field 24: proc(5).
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) < 22 {
			return u, fmt.Errorf("what process %d used: unreadable %q", pid, stat)
		}
		pages, err := strconv.ParseInt(fields[24-3], 10, 64)
		if err != nil {
			return u, fmt.Errorf("what process %d used: %w", pid, err)
		}
		spent, err := bench.ProcessTime(pid)
		if err != nil {
			return u, fmt.Errorf("what process %d used: %w", pid, err)
		}
		u.CPU += spent
		if err := u.addSwitches(pid); err != nil {
			return u, fmt.Errorf("what process %d used: %w", pid, err)
		}
		u.RSS += float64(pages) * float64(os.Getpagesize()) / (1 << 20)
	}
	return u, nil
}

// addSwitches adds up the context switches of the threads of a process.
func (u *Usage) addSwitches(pid int) error {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		return err
	}
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // the thread has ended
		} else if err != nil {
			return err
		}
		for _, m := range switches.FindAllSubmatch(text, -1) {
			n, err := strconv.Atoi(string(m[1]))
			if err != nil {
				return err
			}
			u.Switches += n
		}
	}
	return nil
}

// switches is how proc(5) says how often.
var switches = regexp.MustCompile(`voluntary_ctxt_switches:\s*(\d+)`)

// Judge makes a site with that binary of the daemon, or one of this source tree if it is
// "", and measures the parts of a bench there, one after the other, until it is
// interrupted. At gives the options with the site. It returns what the bench exits with:
// the code of the worst outcome, or 1 for an error, which it says under the bench's name.
func Judge[O any](name, routerd string, stdout, stderr io.Writer, at func(*Site) O, parts ...func(context.Context, O, io.Writer) (bench.Outcome, error)) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := New(ctx, routerd)
	defer os.RemoveAll(s.Dir)
	all := bench.Met
	for i := 0; i < len(parts) && err == nil; i++ {
		var outcome bench.Outcome
		outcome, err = parts[i](ctx, at(s), stdout)
		all = all.Worse(outcome)
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 1
	}
	return all.Code()
}
