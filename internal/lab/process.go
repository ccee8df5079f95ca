package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process identifies a process, also if a later one has the same pid.
type process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks after boot, field 22 of /proc/PID/stat
}

// identify reads a living process's start time.
func identify(pid int) (process, error) {
	start, alive, err := stat(pid)
	if err == nil && !alive {
		err = errors.New("it has ended")
	}
	if err != nil {
		return process{}, fmt.Errorf("looking at process %d: %w", pid, err)
	}
	return process{pid, start}, nil
}

// alive reports whether the process still runs; a zombie does not.
func (p process) alive() bool {
	start, alive, err := stat(p.PID)
	return err == nil && alive && start == p.Start
}

func stat(pid int) (start uint64, alive bool, err error) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, false, err
	}
	// The name, in parentheses, may contain anything: fields are counted from
	// its end (proc(5)).
	_, after, ok := bytes.Cut(data[max(0, bytes.LastIndexByte(data, ')')):], []byte(") "))
	fields := bytes.Fields(after)
	if !ok || len(fields) < 20 {
		return 0, false, fmt.Errorf("/proc/%d/stat reads %q", pid, data)
	}
	start, err = strconv.ParseUint(string(fields[19]), 10, 64)
	return start, !bytes.ContainsAny(fields[0], "ZX") || threads(pid) > 1, err
}

// threads counts the threads of a process. The first thread of a killed process
// is often a zombie before the last one has closed their files and locks.
func threads(pid int) int {
	tasks, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "task"))
	if err != nil {
		return 0
	}
	return len(tasks)
}

// end sends the process SIGTERM, and kills it if it has not ended after grace.
// It signals by a pidfd, so never a later process with the same pid.
func (p process) end(ctx context.Context, grace time.Duration) error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ending process %d: %w", p.PID, err)
	}
	defer unix.Close(fd)
	if !p.alive() {
		return nil
	}
	for _, try := range []struct {
		signal unix.Signal
		wait   time.Duration
	}{{unix.SIGTERM, grace}, {unix.SIGKILL, 10 * time.Second}} {
		if err := unix.PidfdSendSignal(fd, try.signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("ending process %d: %w", p.PID, err)
		}
		if p.ended(ctx, try.wait) {
			return nil
		}
	}
	return fmt.Errorf("ending process %d: it is still there 10 s after SIGKILL", p.PID)
}

func (p process) ended(ctx context.Context, wait time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for p.alive() {
		if pause(ctx, 5*time.Millisecond) != nil {
			return !p.alive()
		}
	}
	return true
}

// processes gives every process for which keep is true.
func processes(keep func(pid int) bool) []process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() || !keep(pid) {
			continue
		}
		if p, err := identify(pid); err == nil {
			found = append(found, p)
		}
	}
	return found
}

// arguments are the arguments of a router. Its state is in the lab's directory.
func arguments(config string) []string {
	return []string{"run", "--config", config, "--run-dir", filepath.Dir(config)}
}

// running finds the processes with these arguments, which name files of this
// lab alone. A process is started a moment before it is recorded; if the lab
// was killed in between, this finds it.
func running(arguments []string) []process {
	return processes(func(pid int) bool {
		line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		if err != nil {
			return false
		}
		args := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
		return len(args) > 1 && slices.Equal(args[1:], arguments)
	})
}
