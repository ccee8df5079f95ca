package daemon

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"routerd/config"
	"routerd/dataplane/port/device"
	"routerd/nat"
)

// change is a configuration that has been prepared: everything that could
// fail has been done, and nothing that is in use has been touched but the
// kernel's side of ports that stay.
type change struct {
	cfg     *config.Config
	opened  []*openPort // not yet attached
	applied []applied   // ports that stay, with their former configuration
	closing []*openPort
	// missing are interfaces to go on without: those whose device is not there,
	// and those that are absent as it is.
	missing []missing
	ends    []*endpoint // new listeners, not yet serving
	ending  []string    // addresses no longer listened on
	impact  nat.Impact
}

type missing struct {
	spec portSpec
	why  error
}

type applied struct {
	port     *openPort
	old, new portSpec
}

// prepare does everything towards cfg that can fail, and undoes it if any of
// it does.
func (d *Daemon) prepare(cfg *config.Config) (_ *change, err error) {
	c := &change{cfg: cfg}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.abandon(c))
		}
	}()
	if cfg.Name != d.cfg.Name {
		return nil, fmt.Errorf("changing the router's name from %q to %q: that needs a restart", d.cfg.Name, cfg.Name)
	}
	if c.impact, err = d.router.Prepare(d.routerConfig(cfg)); err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, s := range d.specs(cfg) {
		wanted[s.name] = true
		now := d.ports[s.name]
		switch a := d.absent[s.name]; {
		case a != nil && s.keeps(a.spec):
			c.missing = append(c.missing, missing{s, a.why})
			continue
		case now != nil && s.keeps(now.spec):
			// A device that has just gone is no reason to refuse: the loop
			// hears of it next.
			if err := s.apply(now.port); err != nil && !errors.Is(err, device.ErrMissing) {
				return nil, err
			}
			c.applied = append(c.applied, applied{now, now.spec, s})
			continue
		case now != nil:
			c.closing = append(c.closing, now)
		}
		p, err := d.open(s)
		if errors.Is(err, device.ErrMissing) {
			c.missing = append(c.missing, missing{s, err})
			continue
		}
		if err != nil {
			return nil, err
		}
		c.opened = append(c.opened, p)
	}
	for name, p := range d.ports {
		if !wanted[name] {
			c.closing = append(c.closing, p)
		}
	}
	return c, d.prepareEnds(c)
}

// abandon takes back what prepare has done.
func (d *Daemon) abandon(c *change) error {
	var errs []error
	for _, e := range c.ends {
		errs = append(errs, d.closeEnd(e))
	}
	errs = append(errs, closePorts(c.opened))
	for _, a := range c.applied {
		if err := a.old.apply(a.port.port); !errors.Is(err, device.ErrMissing) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// commit swaps to what prepare has made. What goes wrong while old things are
// put away is logged; an error means that prepare let something pass that it
// should not have, and the daemon cannot go on.
func (d *Daemon) commit(c *change) error {
	now := time.Now()
	d.cfg = c.cfg
	_ = d.level.UnmarshalText([]byte(c.cfg.Log.Level)) // which the configuration has checked
	for _, a := range c.applied {
		a.port.spec = a.new
	}
	// Hosts hear it while the ports still can say it.
	var leaving []string
	for _, p := range c.closing {
		leaving = append(leaving, p.spec.name)
	}
	if len(leaving) > 0 {
		d.farewell(leaving...)
	}
	// The old ports go first: one that is replaced is in the table by name.
	for _, p := range c.closing {
		if err := d.router.Detach(p.spec.name, now); err != nil {
			return err
		}
		delete(d.ports, p.spec.name)
		d.watch.Forget(p.spec.name)
	}
	if err := d.router.Commit(d.routerConfig(c.cfg), now); err != nil {
		return err
	}
	if err := closePorts(c.closing); err != nil {
		d.log.Warn("putting away ports", "err", err)
	}
	for _, p := range c.closing {
		d.retire(p.spec.name)
	}
	d.commitAbsent(c, now)
	for _, p := range c.opened {
		if err := d.attach(p, now); err != nil {
			return err
		}
	}
	d.commitEnds(c)
	// An address may be a duplicate no more now that another interface has it.
	return d.readdressStack()
}

// reload reads the file again and applies it, or changes nothing and says why.
func (d *Daemon) reload() ([]config.Change, []config.Problem, error) {
	d.sd.reloading()
	changes, warnings, err := d.tryReload()
	if err != nil {
		d.tally.failed++
		d.log.Error("reload refused, nothing changed", "err", err)
		d.sd.ready("reload refused: " + err.Error())
		return nil, nil, err
	}
	d.tally.ok++
	d.log.Info("reloaded", "changes", len(changes))
	d.sd.ready(d.status())
	return changes, warnings, nil
}

func (d *Daemon) tryReload() ([]config.Change, []config.Problem, error) {
	cfg, warnings, err := load(d.opts.Config)
	if err != nil {
		return nil, nil, err
	}
	d.warn(warnings)
	changes := config.Diff(d.cfg, cfg)
	next, err := d.prepare(cfg)
	if err != nil {
		return nil, nil, needsRestart(err)
	}
	d.countEnds(d.cfg, changes, next.impact)
	if err := d.commit(next); err != nil {
		d.failed <- err // half of it is done, so the loop ends the router
		return nil, nil, err
	}
	if i := next.impact; len(i.Changed)+len(i.Removed) > 0 {
		d.log.Info("translated sessions of rules that changed have ended",
			"changed", strings.Join(i.Changed, ", "), "removed", strings.Join(i.Removed, ", "), "sessions", i.Ends)
	}
	return changes, append(warnings, d.stillAbsent()...), nil
}
