package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// command is a process to be started for a node.
type command struct {
	node      string
	program   string // what it is called
	path      string
	args      []string
	log       string // path of what it prints
	namespace string // "" for the one that we run in
}

// launch starts a process and records it by note in the state. ended gives the
// result when it has ended.
func (b *builder) launch(c command, note func(process)) (ended <-chan error, err error) {
	log, err := os.OpenFile(c.log, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", c.node, err)
	}
	defer log.Close()
	cmd := exec.Command(c.path, c.args...)
	cmd.Stdout, cmd.Stderr = log, log
	// A session of its own, so that an interrupt at the terminal goes only to
	// the lab, which then ends its processes in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := inNamespace(c.namespace, cmd.Start); err != nil {
		return nil, fmt.Errorf("starting %s for %s: %w", c.program, c.node, err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	if p, err := identify(cmd.Process.Pid); err == nil {
		note(p)
		if err := b.lab.writeState(b.state); err != nil {
			return nil, err
		}
	} // else it has ended already, and ready reports why
	return done, nil
}

// ready waits until a process answers, or has failed to.
func (b *builder) ready(ctx context.Context, c command, ended <-chan error, probe func(context.Context) error) error {
	deadline := time.Now().Add(b.lab.options.Ready)
	for {
		last := probe(ctx)
		if last == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: %s was not ready within %v: %w\n%s", c.node, c.program, b.lab.options.Ready, last, said(c.log))
		}
		select {
		case err := <-ended:
			what := "exit status 0"
			if err != nil {
				what = err.Error()
			}
			return fmt.Errorf("%s: %s ended before it was ready, %s:\n%s", c.node, c.program, what, said(c.log))
		case <-ctx.Done():
			return fmt.Errorf("%s: waiting for %s: %w", c.node, c.program, context.Cause(ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// said gives the end of a process's output, indented.
func said(log string) string {
	text, _ := os.ReadFile(log)
	return indented(text)
}

func indented(text []byte) string {
	const most = 4096
	if len(bytes.TrimSpace(text)) == 0 {
		return "    (it printed nothing)"
	}
	text = bytes.TrimSpace(text[max(0, len(text)-most):])
	return "    " + string(bytes.ReplaceAll(text, []byte("\n"), []byte("\n    ")))
}
