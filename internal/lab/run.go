package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Result counts a lab's tests by outcome.
type Result struct {
	Passed, Failed, Skipped int
}

// String is the closing line.
func (r Result) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", r.Passed, r.Failed, r.Skipped)
}

// Test brings the lab up if it is not, runs every test in the file's order
// and prints a line for each, with the output of what failed. A failed test
// is no error. The lab stays up, unless ctx ends and this call brought it up.
func (l *Lab) Test(ctx context.Context, out io.Writer) (Result, error) {
	var sum Result
	if err := l.warn(out); err != nil {
		return sum, err
	}
	release, err := l.lock(ctx, out)
	if err != nil {
		return sum, err
	}
	defer release()
	made, err := l.up(ctx, out)
	if err != nil {
		return sum, err
	}
	for _, t := range l.Topology.Tests {
		if ctx.Err() != nil {
			break
		}
		l.one(ctx, out, t, &sum)
	}
	if ctx.Err() != nil {
		err := fmt.Errorf("tests of lab %s: %w", l.Topology.Name, context.Cause(ctx))
		if made {
			fmt.Fprintln(out, "taking the lab down")
			err = errors.Join(err, l.down(context.WithoutCancel(ctx), io.Discard))
		}
		return sum, err
	}
	fmt.Fprintln(out, sum)
	return sum, nil
}

func (l *Lab) one(ctx context.Context, out io.Writer, t Test, sum *Result) {
	for _, tool := range t.Tools {
		if _, err := l.find(tool); err != nil {
			sum.Skipped++
			fmt.Fprintf(out, "- %s: skipped, %s is not installed\n", t.Name, tool)
			return
		}
	}
	for _, node := range l.involved(t) {
		if lacks := l.lacking(node); lacks != "" {
			sum.Skipped++
			fmt.Fprintf(out, "- %s: skipped, %s of %s is not installed\n", t.Name, lacks, node)
			return
		}
	}
	begin := time.Now()
	output, err := l.until(ctx, t)
	if ctx.Err() != nil {
		return // a test that was cut short says nothing about the lab
	}
	mark, why := "✔", ""
	if err != nil {
		mark, why = "✘", ": "+err.Error()
		sum.Failed++
	} else {
		sum.Passed++
	}
	fmt.Fprintf(out, "%s %s (%.2f s)%s\n", mark, t.Name, time.Since(begin).Seconds(), why)
	if err != nil {
		fmt.Fprintf(out, "    %s$ %s\n", t.Node, t.Run)
	}
	if text := strings.TrimRight(string(output), "\n"); text != "" && (err != nil || t.Show) {
		fmt.Fprintf(out, "    %s\n", strings.ReplaceAll(text, "\n", "\n    "))
	}
}

// involved gives the nodes that a test needs.
func (l *Lab) involved(t Test) []string {
	nodes := append([]string{t.Node}, t.Needs...)
	if t.Serve != nil {
		nodes = append(nodes, t.Serve.Node)
	}
	return nodes
}

// until tries a test again until it passes or its time is over.
func (l *Lab) until(ctx context.Context, t Test) (output []byte, err error) {
	deadline := time.Now().Add(t.Within)
	for tries := 1; ; tries++ {
		output, err = l.try(ctx, t)
		if err == nil {
			return output, nil
		}
		if time.Now().After(deadline) || pause(ctx, 200*time.Millisecond) != nil {
			if tries > 1 {
				err = fmt.Errorf("%w (%d tries within %v)", err, tries, t.Within)
			}
			return output, err
		}
	}
}

// try runs a test once, with its server.
func (l *Lab) try(ctx context.Context, t Test) (output []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	if t.Serve != nil {
		stop, err := l.serve(ctx, t.Serve)
		if err != nil {
			return nil, err
		}
		defer stop()
	}
	var buffer bytes.Buffer
	cmd, err := l.start(ctx, t.Node, t.Run, &buffer)
	if err != nil {
		return nil, err
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		return buffer.Bytes(), fmt.Errorf("it did not end within %v", t.Timeout)
	}
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		return buffer.Bytes(), err
	}
	return buffer.Bytes(), t.judge(buffer.Bytes(), cmd.ProcessState.ExitCode())
}

// judge says which of a test's expectations is not met.
func (t *Test) judge(output []byte, exit int) error {
	if exit != t.Exit {
		return fmt.Errorf("exit status %d, want %d", exit, t.Exit)
	}
	for _, p := range t.Expect {
		if !p.Match(output) {
			return fmt.Errorf("its output does not match %q", pattern(p))
		}
	}
	for _, p := range t.Reject {
		if found := p.Find(output); found != nil {
			return fmt.Errorf("its output holds %q, which matches %q", found, pattern(p))
		}
	}
	return nil
}

// pattern gives an expression as the file has it.
func pattern(p Pattern) string { return strings.TrimPrefix(p.String(), "(?m)") }

// Run runs a line of sh on a node, as a test does, and gives its output, also
// if it failed. All that it started is killed when ctx ends. Several may run at
// the same time.
func (l *Lab) Run(ctx context.Context, node, line string) ([]byte, error) {
	var out bytes.Buffer
	cmd, err := l.start(ctx, node, line, &out)
	if err != nil {
		return nil, err
	}
	if err := cmd.Wait(); err != nil {
		return out.Bytes(), fmt.Errorf("running %q on %s: %w", line, node, err)
	}
	return out.Bytes(), nil
}

// Processes gives the pids of the daemons of a node, in the order of their
// start.
func (l *Lab) Processes(node string) ([]int, error) {
	s, err := l.readState()
	if err != nil {
		return nil, err
	}
	var pids []int
	if r, ok := s.Routers[node]; ok {
		pids = append(pids, r.PID)
	}
	for _, p := range s.Peers[node] {
		pids = append(pids, p.PID)
	}
	return pids, nil
}

// start runs a line of sh on a node, in a process group of its own, which is
// killed as a whole when ctx ends.
func (l *Lab) start(ctx context.Context, node, line string, output io.Writer) (*exec.Cmd, error) {
	if err := l.reachable(node); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", l.functions(node)+line)
	cmd.Env = l.environment(node)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	// A grandchild that left the group may hold the pipe open.
	cmd.WaitDelay = time.Second
	if err := inNamespace(l.namespace(node), cmd.Start); err != nil {
		return nil, fmt.Errorf("running %q on %s: %w", line, node, err)
	}
	return cmd, nil
}
