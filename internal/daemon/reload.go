package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"routerd/config"
	"routerd/internal/control"
)

// loaded is a configuration file that was read and compared with the running
// configuration.
type loaded struct {
	cfg      *config.Config
	warnings []config.Problem
	changes  []config.Change
}

// alone runs f beside the loop, while nobody else reads or changes the
// configuration. The loop goes on meanwhile.
func (d *Daemon) alone(ctx context.Context, f func() error) error {
	select {
	case d.reading <- struct{}{}:
	case <-d.quit:
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-d.reading }()
	return f()
}

// read reads the configuration file and compares it with the running
// configuration.
func (d *Daemon) read(ctx context.Context) (l loaded, err error) {
	var now *config.Config // never changed: a reload replaces it
	if err := d.ask(ctx, func() { now = d.cfg }); err != nil {
		return l, err
	}
	if l.cfg, l.warnings, err = load(d.opts.Config); err != nil {
		return l, err
	}
	l.changes = config.Diff(now, l.cfg)
	config.Share(now, l.cfg)
	return l, nil
}

// diff reads the configuration file and says what a reload would change, and
// which sessions it would end.
func (d *Daemon) diff(ctx context.Context) (l loaded, err error) {
	err = d.alone(ctx, func() error {
		if l, err = d.read(ctx); err != nil {
			return err
		}
		var c *change
		var ends func() int
		if err := d.ask(ctx, func() {
			if c, err = d.plan(l.cfg); err == nil {
				d.countEnds(d.cfg, l.changes, c.impact)
				ends = d.router.FilterEnds(d.routerConfig(l.cfg))
			}
		}); err != nil {
			return err
		}
		if err == nil {
			filterEnds(ends(), l.changes)
			d.nameInhabitants(c, l.changes)
		}
		return err
	})
	return l, err
}

// reload reads the file again and applies it, or changes nothing and says why. match
// says which configuration has to run before: see control.Expected. It is completed
// also if ctx ends.
func (d *Daemon) reload(ctx context.Context, match string) (l loaded, err error) {
	type result struct {
		loaded
		err error
	}
	done := make(chan result, 1)
	// Begun on the loop, so that none begins while the router stops.
	if err := d.ask(ctx, func() {
		d.background.Go(func() {
			l, err := d.reloadAndLog(match)
			done <- result{l, err}
		})
	}); err != nil {
		return l, err
	}
	select {
	case r := <-done:
		return r.loaded, r.err
	case <-ctx.Done():
		return l, ctx.Err()
	}
}

// reloadAndLog reloads, and reports the result to the log and to systemd.
func (d *Daemon) reloadAndLog(match string) (l loaded, err error) {
	ctx := context.Background()
	err = d.alone(ctx, func() error {
		if err := control.Expected(match, *d.web.running.Load()); err != nil {
			return err
		}
		d.sd.reloading()
		var status string
		l, err = d.tryReload(ctx)
		asked := d.ask(ctx, func() {
			if err != nil {
				d.tally.failed++
			} else {
				d.tally.ok++
			}
			status = d.status()
		})
		switch {
		case errors.Is(err, errStopping), asked != nil:
			return errors.Join(err, asked)
		case err != nil:
			d.logRefused(err)
			d.teller.refused(err)
			d.sd.ready("reload refused: " + reason(err))
			return err
		}
		d.log.Info("reloaded", "changes", len(l.changes))
		d.sd.ready(status)
		return nil
	})
	return l, err
}

func (d *Daemon) tryReload(ctx context.Context) (l loaded, err error) {
	if l, err = d.read(ctx); err != nil {
		return l, err
	}
	d.warn(l.warnings)
	var next *change
	var ends func() int
	if asked := d.ask(ctx, func() {
		if l.cfg.Name != d.cfg.Name {
			err = fmt.Errorf("changing the router's name from %q to %q: that needs a restart", d.cfg.Name, l.cfg.Name)
		} else if next, err = d.plan(l.cfg); err == nil {
			d.changing = true
			ends = d.router.FilterEnds(d.routerConfig(l.cfg))
		}
	}); asked != nil || err != nil {
		return l, errors.Join(asked, err)
	}
	defer func() { _ = d.ask(ctx, func() { d.changing = false }) }() // it fails only when the router stops
	d.nameInhabitants(next, l.changes)
	if err := d.prepare(next); err != nil {
		return l, err
	}
	filterEnds(ends(), l.changes)
	if asked := d.ask(ctx, func() {
		d.countEnds(d.cfg, l.changes, next.impact)
		d.teller.reloaded(control.ReloadResult{Changes: changesOf(l.changes), Warnings: problemsOf(l.warnings), Generation: d.router.View().Generation})
		if err = d.commit(next); err != nil {
			d.failed <- err // the commit failed halfway, so the loop ends the router
		}
		l.warnings = append(l.warnings, d.stillAbsent()...)
	}); asked != nil {
		return l, errors.Join(asked, d.abandon(next))
	}
	if err != nil {
		return l, err
	}
	d.awaitRoutes(ctx)
	d.logImpact(next)
	l.warnings = append(l.warnings, d.restore(ctx)...)
	return l, nil
}

// longestUptake bounds how long a reload waits for its routes.
const longestUptake = time.Minute

// awaitRoutes waits until packets are forwarded by the routes of the
// configuration, which the loop takes up in slices, and until the sessions that
// its filter does not allow have ended.
func (d *Daemon) awaitRoutes(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, longestUptake)
	defer cancel()
	for done := false; !done; {
		if d.ask(ctx, func() { done = d.router.RIB().Configured() && !d.router.Reviewing() }) != nil {
			return // the router stops, or goes on with it alone
		}
		if !done {
			time.Sleep(time.Millisecond)
		}
	}
}

// lastReload bounds how long a stop waits for a reload to undo what it has
// prepared. One that is still reading its file, for example from a pipe that
// nobody writes into, has prepared nothing.
const lastReload = 5 * time.Second

// endReloads waits for the reload under way, which notices that the router
// stops.
func (d *Daemon) endReloads() {
	ended := make(chan struct{})
	go func() { d.background.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(lastReload):
		d.log.Warn("a reload under way is left behind", "waited", lastReload.String())
	}
}

func (d *Daemon) logImpact(c *change) {
	if i := c.impact; len(i.Changed)+len(i.Removed) > 0 {
		d.log.Info("translated sessions of rules that changed have ended",
			"changed", strings.Join(i.Changed, ", "), "removed", strings.Join(i.Removed, ", "), "sessions", i.Ends)
	}
	if len(c.programs) > 0 {
		d.log.Warn("programs run on in the namespace of the stack that has gone, without a network", "programs", strings.Join(c.programs, ", "))
	}
}

// restore adds again what was removed from the kernel's sides of ports, beside
// the loop, and warns of what cannot be added.
func (d *Daemon) restore(ctx context.Context) (warnings []config.Problem) {
	var ports []*openPort
	if d.ask(ctx, func() { ports = slices.Collect(maps.Values(d.ports)) }) != nil {
		return nil
	}
	for _, p := range ports {
		if r, ok := p.port.(restorer); ok {
			r.Restore()
		}
	}
	_ = d.ask(ctx, func() { // it fails only when the router stops
		for _, p := range ports {
			if d.ports[p.spec.name] != p {
				continue
			}
			d.logLacks(p)
			for _, lack := range p.lacks {
				warnings = append(warnings, d.interfaceWarning(p.spec.name, fmt.Sprintf("the kernel's side of interface %s is not what the configuration says: %s", p.spec.name, lack),
					"whoever rules its namespace to let it be; it is put back when it can be"))
			}
		}
	})
	slices.SortFunc(warnings, func(a, b config.Problem) int { return strings.Compare(a.Message, b.Message) })
	return warnings
}

func (d *Daemon) interfaceWarning(name, message, want string) config.Problem {
	p := config.Problem{Warning: true, Message: message, Want: want}
	if i := d.router.View().Named(name); i != nil {
		p.Place = d.cfg.Origins.Place(i.Origin)
	}
	return p
}

// maxLogged is how many problems of one file are logged.
const maxLogged = 20

// logRefused logs why a reload was refused: each problem of a bad file with its
// place.
func (d *Daemon) logRefused(err error) {
	var bad *ConfigError
	if errors.As(err, &bad) {
		n := 0
		for _, p := range bad.Problems {
			if p.Warning {
				continue
			}
			if n++; n <= maxLogged {
				d.log.Error(p.Message, "at", p.Place.String(), "want", cmp.Or(p.Want, p.Suggestion))
			}
		}
		if n > maxLogged {
			d.log.Error("more errors are in the file; routerd check shows all", "count", n-maxLogged)
		}
	}
	d.log.Error("reload refused, nothing changed", "err", err)
}

// reason is an error in one line, for systemd: the first problem of a bad file.
func reason(err error) string {
	var bad *ConfigError
	if errors.As(err, &bad) {
		for _, p := range bad.Problems {
			if !p.Warning {
				return p.Place.String() + ": " + p.Message
			}
		}
	}
	return err.Error()
}
