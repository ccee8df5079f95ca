package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"routerd/internal/control"
)

// Up makes what does not exist yet of the lab, and prints each step to out: the
// node and the result. When it fails or ctx ends, it removes what it made
// itself, and keeps what was there before.
func (l *Lab) Up(ctx context.Context, out io.Writer) error {
	if err := l.warn(out); err != nil {
		return err
	}
	release, err := l.lock(ctx, out)
	if err != nil {
		return err
	}
	defer release()
	_, err = l.up(ctx, out)
	return err
}

// warn prints warnings about the lab, or returns its errors.
func (l *Lab) warn(out io.Writer) error {
	odd, err := l.preflight()
	for _, p := range odd {
		fmt.Fprintf(out, "%s\n\n", p)
	}
	return err
}

// up is Up with the lock held. It reports whether it made anything.
func (l *Lab) up(ctx context.Context, out io.Writer) (made bool, err error) {
	release, err := l.own(ctx, out)
	if err != nil {
		return false, err
	}
	defer release()
	s, err := l.readState()
	if err != nil {
		return false, err
	}
	fresh := len(s.Namespaces) == 0 && len(s.Routers) == 0 // everything else is in a namespace
	s.Topology, s.Wire = l.path, l.options.Wire
	b := builder{lab: l, state: s, out: out, made: map[string]bool{}}
	if err := b.build(ctx); err != nil {
		fmt.Fprintf(out, "taking back what was made\n")
		// ctx may have ended; the removal has to be completed all the same.
		ctx := context.WithoutCancel(ctx)
		if fresh {
			return false, errors.Join(err, l.remove(ctx, io.Discard))
		}
		return false, errors.Join(err, b.undo(ctx))
	}
	return len(b.made) > 0, nil
}

// builder makes the difference between what exists of a lab and what its
// topology wants.
type builder struct {
	lab   *Lab
	state *state
	out   io.Writer
	// made is what this run made: names of namespaces, bridges and veth pairs,
	// sockets of routers, directories of peers.
	made map[string]bool
}

func (b *builder) say(node, format string, args ...any) {
	fmt.Fprintf(b.out, "%-4s %s\n", node, fmt.Sprintf(format, args...))
}

func (b *builder) build(ctx context.Context) error {
	if err := b.lab.writeState(b.state); err != nil {
		return err
	}
	if err := b.stale(ctx); err != nil {
		return err
	}
	for _, n := range b.lab.plan.Namespaces {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := b.namespace(n); err != nil {
			return err
		}
	}
	for _, br := range b.lab.plan.Bridges {
		if err := b.bridge(br); err != nil {
			return err
		}
	}
	for _, v := range b.lab.plan.Veths {
		if err := b.veth(v); err != nil {
			return err
		}
	}
	for _, r := range b.lab.plan.Routers {
		if err := b.router(ctx, r); err != nil {
			return err
		}
	}
	for _, p := range b.lab.plan.Peers {
		if err := b.ensureDaemons(ctx, p); err != nil {
			return err
		}
	}
	if err := b.cuts(); err != nil {
		return err
	}
	return b.usable(ctx)
}

// stale removes what an earlier version of the topology had.
func (b *builder) stale(ctx context.Context) error {
	for node, started := range b.state.Routers {
		if _, wanted := b.lab.router(node); wanted {
			continue
		}
		if err := b.lab.stop(ctx, b.state, node, started); err != nil {
			return err
		}
		b.say(node, "no longer in the topology: ended routerd, pid %d", started.PID)
	}
	for node, started := range b.state.Peers {
		if _, wanted := b.lab.peer(node); wanted {
			continue
		}
		if err := b.lab.stopDaemons(ctx, b.state, node); err != nil {
			return err
		}
		b.say(node, "no longer in the topology: ended its daemons, %s", pids(started))
	}
	for _, v := range slices.Clone(b.state.Veths) {
		if v.among(b.lab.plan.Veths) {
			continue
		}
		if err := b.lab.unplug(b.state, v); err != nil {
			return err
		}
		b.say("", "no longer in the topology: removed veth %s, mtu %d", v, v.MTU)
	}
	for _, br := range slices.Clone(b.state.Bridges) {
		if slices.Contains(b.lab.plan.Bridges, br) {
			continue
		}
		if err := b.lab.unbridge(b.state, br); err != nil {
			return err
		}
		b.say("", "no longer in the topology: removed bridge %s", br)
	}
	for _, name := range slices.Clone(b.state.Namespaces) {
		if slices.ContainsFunc(b.lab.plan.Namespaces, func(n Namespace) bool { return n.Name == name }) {
			continue
		}
		if err := b.lab.clear(ctx, b.state, name); err != nil {
			return err
		}
		b.say("", "no longer in the topology: removed namespace %s", name)
	}
	return nil
}

func (b *builder) namespace(n Namespace) error {
	exists, ours := namespaceExists(n.Name), slices.Contains(b.state.Namespaces, n.Name)
	switch {
	case exists && ours:
		b.say(n.Node, "namespace %s is there", n.Name)
		return b.settings(n)
	case exists:
		return fmt.Errorf("namespace %s of node %s exists and is not of this lab: give the lab another name, or remove it with: ip netns delete %s", n.Name, n.Node, n.Name)
	case !ours:
		b.state.Namespaces = append(b.state.Namespaces, n.Name)
		if err := b.lab.writeState(b.state); err != nil {
			return err
		}
	default: // recorded but missing: killed in between, or deleted by hand
		if err := removeNamespace(n.Name); err != nil {
			return err
		}
	}
	b.made[n.Name] = true
	if err := makeNamespace(n.Name); err != nil {
		return err
	}
	b.say(n.Node, "namespace %s", n.Name)
	return b.settings(n)
}

func (b *builder) settings(n Namespace) error {
	return set(n.Name, settings(b.lab.Topology.kind(n.Node)))
}

// router starts a router unless it runs as it should.
func (b *builder) router(ctx context.Context, r Router) error {
	started, known := b.state.Routers[r.Node]
	alive := known && started.alive()
	again := ""
	switch {
	case alive && slices.ContainsFunc(r.Namespaces, func(n string) bool { return b.made[n] }):
		again = " again: a namespace it has a device in is a new one"
	case alive && b.relinked(r):
		again = " again: a link of it is a new one"
	case alive && !holdsText(r.Config, r.Text):
		changes, err := b.reload(ctx, r)
		if err == nil {
			b.say(r.Node, "routerd reloaded its configuration, pid %d: %s", started.PID, changes)
			return nil
		}
		again = fmt.Sprintf(" again: it would not reload its changed configuration: %v", err)
	case alive && probe(ctx, r.Socket) != nil:
		again = " again: it did not answer"
	case alive:
		b.say(r.Node, "routerd runs, pid %d", started.PID)
		return nil
	case known:
		again = fmt.Sprintf(" again: pid %d had ended", started.PID)
	}
	if err := b.lab.stop(ctx, b.state, r.Node, Started{started.process, r.Config, r.Socket}); err != nil {
		return err
	}
	begin := time.Now()
	b.made[r.Socket] = true
	if err := b.start(ctx, r); err != nil {
		return err
	}
	b.say(r.Node, "routerd started%s, pid %d, ready after %d ms", again, b.state.Routers[r.Node].PID, time.Since(begin).Milliseconds())
	return nil
}

// reload has a running router apply its changed configuration, and counts the
// changes.
func (b *builder) reload(ctx context.Context, r Router) (changes string, err error) {
	if err := os.WriteFile(r.Config, r.Text, 0o644); err != nil {
		return "", fmt.Errorf("writing the configuration of %s: %w", r.Node, err)
	}
	ctx, cancel := context.WithTimeout(ctx, b.lab.options.Ready)
	defer cancel()
	client := control.Dial(r.Socket)
	defer client.Close()
	result, err := client.Reload(ctx)
	if n := len(result.Changes); n != 1 {
		return fmt.Sprintf("%d changes", n), err
	}
	return "1 change", err
}

// relinked reports whether this run made a veth pair of the router's, or a
// bridge that it has a TAP at.
func (b *builder) relinked(r Router) bool {
	return slices.ContainsFunc(b.lab.plan.Veths, func(v Veth) bool { return v.at(r.Name) && b.made[v.String()] }) ||
		slices.ContainsFunc(b.lab.plan.Bridges, func(br Bridge) bool {
			return slices.Contains(r.Namespaces, br.Namespace) && b.made[br.String()]
		})
}

// start runs a router and waits until its API answers.
func (b *builder) start(ctx context.Context, r Router) error {
	if err := os.WriteFile(r.Config, r.Text, 0o644); err != nil {
		return fmt.Errorf("writing the configuration of %s: %w", r.Node, err)
	}
	c := command{node: r.Node, program: "routerd", path: b.lab.options.Binary, args: arguments(r.Config), log: r.Log}
	ended, err := b.launch(c, func(p process) { b.state.Routers[r.Node] = Started{p, r.Config, r.Socket} })
	if err != nil {
		return err
	}
	return b.ready(ctx, c, ended, func(ctx context.Context) error { return probe(ctx, r.Socket) })
}

// probe asks the router at a socket for its version, which it answers as soon
// as it forwards.
func probe(ctx context.Context, socket string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	client := control.Dial(socket)
	defer client.Close()
	_, err := client.Version(ctx)
	return err
}

// undo removes what this run made of a lab that was partly up.
func (b *builder) undo(ctx context.Context) error {
	var errs []error
	for _, r := range b.lab.plan.Routers {
		if started, known := b.state.Routers[r.Node]; known && b.made[r.Socket] {
			errs = append(errs, b.lab.stop(ctx, b.state, r.Node, started))
		}
	}
	for _, p := range b.lab.plan.Peers {
		if b.made[p.Dir] {
			errs = append(errs, b.lab.stopDaemons(ctx, b.state, p.Node))
		}
	}
	for _, v := range b.lab.plan.Veths {
		if b.made[v.String()] {
			errs = append(errs, b.lab.unplug(b.state, v))
		}
	}
	for _, br := range b.lab.plan.Bridges {
		if b.made[br.String()] {
			errs = append(errs, b.lab.unbridge(b.state, br))
		}
	}
	for _, n := range b.lab.plan.Namespaces {
		if b.made[n.Name] {
			errs = append(errs, b.lab.clear(ctx, b.state, n.Name))
		}
	}
	return errors.Join(errs...)
}
