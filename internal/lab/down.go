package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"routerd/config"
)

// Down ends and removes everything of the lab, whatever state an earlier
// command left it in. The error names what could not be removed; everything
// else is removed all the same.
func (l *Lab) Down(ctx context.Context, out io.Writer) error {
	if _, err := os.Stat(l.dir); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(out, "lab %s is not up\n", l.Topology.Name)
		return nil
	}
	release, err := l.lock(ctx, out)
	if err != nil {
		return err
	}
	defer release()
	return l.down(ctx, out)
}

// down is Down with the lock held.
func (l *Lab) down(ctx context.Context, out io.Writer) error {
	release, err := l.own(ctx, out)
	if err != nil {
		return err
	}
	defer release()
	return l.remove(ctx, out)
}

// remove is down with the state's lock held too. It removes what the state says
// was made, not what the topology says now.
func (l *Lab) remove(ctx context.Context, out io.Writer) error {
	s, err := l.readState()
	if err != nil {
		// Without a readable state, remove what the topology names.
		fmt.Fprintf(out, "%v; going by the topology\n", err)
		s = emptyState()
		for _, n := range l.plan.Namespaces {
			s.Namespaces = append(s.Namespaces, n.Name)
		}
	}
	for _, r := range l.plan.Routers {
		if _, known := s.Routers[r.Node]; !known {
			s.Routers[r.Node] = Started{Config: r.Config, Socket: r.Socket}
		}
	}
	var errs []error
	for _, node := range slices.Sorted(maps.Keys(s.Routers)) {
		started := s.Routers[node]
		if err := l.stop(ctx, s, node, started); err != nil {
			errs = append(errs, err)
		} else if started.PID != 0 {
			fmt.Fprintf(out, "%-4s routerd ended, pid %d\n", node, started.PID)
		}
	}
	for _, p := range l.plan.Peers {
		if _, known := s.Peers[p.Node]; !known {
			s.Peers[p.Node] = nil
		}
	}
	for _, node := range slices.Sorted(maps.Keys(s.Peers)) {
		started := s.Peers[node]
		if err := l.stopDaemons(ctx, s, node); err != nil {
			errs = append(errs, err)
		} else if len(started) > 0 {
			fmt.Fprintf(out, "%-4s daemons ended, %s\n", node, pids(started))
		}
	}
	for _, name := range slices.Backward(slices.Clone(s.Namespaces)) {
		if err := l.clear(ctx, s, name); err != nil {
			errs = append(errs, err)
		} else {
			fmt.Fprintf(out, "     namespace %s removed\n", name)
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if err := os.RemoveAll(l.dir); err != nil {
		return fmt.Errorf("removing the state of lab %s: %w", l.Topology.Name, err)
	}
	// Last of all: a command that waits for the lock sees that the file is gone
	// and makes a new one.
	if err := os.Remove(l.dir + ".lock"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the lock of lab %s: %w", l.Topology.Name, err)
	}
	return nil
}

// stop ends a router, also one that was started and not recorded, and removes
// it from the state.
func (l *Lab) stop(ctx context.Context, s *state, node string, started Started) error {
	all := running(arguments(started.Config))
	if started.PID != 0 && !slices.Contains(all, started.process) {
		all = append(all, started.process)
	}
	for _, p := range all {
		if err := p.end(ctx, l.options.Grace); err != nil {
			return fmt.Errorf("%s: %w", node, err)
		}
	}
	// A killed router leaves the namespace of its stack and its socket.
	if name := ownStack(started.Config); name != "" {
		if err := removeNamespace(name); err != nil {
			return fmt.Errorf("%s: %w", node, err)
		}
	}
	if err := os.Remove(started.Socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: removing its socket: %w", node, err)
	}
	delete(s.Routers, node)
	return l.writeState(s)
}

// ownStack is the namespace that a router with the configuration makes for its own
// TCP/IP stack, if its name says that it is this router's; else "".
func ownStack(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	c, _ := config.Parse(path, text)
	if c == nil || c.LocalStack == nil || c.LocalStack.Existing || !strings.HasPrefix(c.LocalStack.Netns, c.Name+"-") {
		return ""
	}
	return c.LocalStack.Netns
}

// clear ends all processes in a namespace, and removes it and its record.
func (l *Lab) clear(ctx context.Context, s *state, name string) error {
	for _, p := range processesIn(name) {
		if err := p.end(ctx, l.options.Grace); err != nil {
			return fmt.Errorf("clearing namespace %s: %w", name, err)
		}
	}
	if err := removeNamespace(name); err != nil {
		return err
	}
	s.forget(name)
	return l.writeState(s)
}
