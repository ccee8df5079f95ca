package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"routerd/internal/lab"
)

// serial numbers the labs of a run.
var serial int

// inLab brings a lab up, has f use it, and takes it down again, also when ctx
// has ended.
func inLab(ctx context.Context, o options, topology string, f func(*lab.Lab) error) (err error) {
	serial++
	path := filepath.Join(o.dir, fmt.Sprintf("%d.toml", serial))
	topology = fmt.Sprintf("name = \"rdr%d-%d\"\n%s", os.Getpid(), serial, topology)
	if err := os.WriteFile(path, []byte(topology), 0o600); err != nil {
		return fmt.Errorf("writing the topology: %w", err)
	}
	l, err := lab.Load(path, lab.Options{Dir: o.dir, Binary: o.routerd})
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
		return fmt.Errorf("%s %w", m[1], errMissing)
	}
	return f(l)
}

// errMissing is returned where a program that the lab wants is not installed.
var errMissing = errors.New("is not installed")

// missing is how a lab says which one.
var missing = regexp.MustCompile(`(\S+) is not installed`)

// await waits until there is no complaint, at most for limit.
func await(ctx context.Context, limit, every time.Duration, what string, complaint func() (string, error)) error {
	for deadline := time.Now().Add(limit); ; {
		why, err := complaint()
		if err != nil || why == "" {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %v: %s", what, limit, why)
		}
		if err := pause(ctx, every); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// usage is what a process has used.
type usage struct {
	cpu time.Duration // in user space and in the kernel
	rss float64       // MiB
}

// used adds up the processes of a node.
func used(l *lab.Lab, node string) (u usage, err error) {
	pids, err := l.Processes(node)
	if err != nil {
		return u, err
	}
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return u, fmt.Errorf("what %s used: %w", node, err)
		}
		// The name, in parentheses, may have anything in it. After it come
		// state as field 3, utime and stime as 14 and 15, rss as 24: proc(5).
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) < 22 {
			return u, fmt.Errorf("what %s used: unreadable %q", node, stat)
		}
		var n [3]int64
		for i, at := range []int{14, 15, 24} {
			if n[i], err = strconv.ParseInt(fields[at-3], 10, 64); err != nil {
				return u, fmt.Errorf("what %s used: %w", node, err)
			}
		}
		u.cpu += time.Duration(n[0]+n[1]) * (time.Second / userHz)
		u.rss += float64(n[2]) * float64(os.Getpagesize()) / (1 << 20)
	}
	return u, nil
}

// userHz is in what /proc counts CPU time, on every architecture of Linux.
const userHz = 100
