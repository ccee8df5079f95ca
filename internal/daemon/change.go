package daemon

import (
	"errors"
	"slices"
	"time"

	"routerd/config"
	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
	"routerd/internal/access"
	"routerd/internal/localstack"
	"routerd/internal/router"
	"routerd/internal/tlskeys"
	"routerd/nat"
)

// change is a change to a new configuration. The loop plans it, everything that
// can fail is done beside the loop, and then the loop commits it or it is
// abandoned. Until the commit nothing that is in use is touched: no port, and
// not the kernel's side of one. Only the group of the API's sockets is changed
// earlier, which abandon undoes.
type change struct {
	cfg     *config.Config
	kept    []staying  // ports that stay
	open    []portSpec // ports to open
	closing []*openPort
	// missing are interfaces to leave out: those whose device does not exist,
	// and those that are absent already.
	missing  []missing
	listen   []wantedEnd // new addresses to listen on
	keptEnds []*endpoint // listeners that stay
	ending   []string    // addresses no longer listened on
	impact   nat.Impact
	programs []string // running in the namespace of the stack that goes

	opened []*openPort // not yet attached
	ends   []*endpoint // new listeners, not yet serving
	tls    *tlskeys.Pair
	// clients are the identities of certificates.
	clients *access.Clients
	// group is the number of the sockets' group, and oldGroup the one they had.
	group, oldGroup int
}

type missing struct {
	spec portSpec
	why  error
}

type staying struct {
	port *openPort
	spec portSpec
}

// plan says what has to be done to change to cfg, and does nothing.
func (d *Daemon) plan(cfg *config.Config) (*change, error) {
	c := &change{cfg: cfg}
	var err error
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
			c.kept = append(c.kept, staying{now, s})
			continue
		case now != nil:
			c.closing = append(c.closing, now)
		}
		c.open = append(c.open, s)
	}
	for name, p := range d.ports {
		if !wanted[name] {
			c.closing = append(c.closing, p)
		}
	}
	d.planEnds(c)
	return c, nil
}

// prepare does everything for c that can fail, beside the loop, and undoes it
// all if anything fails.
func (d *Daemon) prepare(c *change) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, d.abandon(c))
		}
	}()
	for _, k := range c.kept {
		// A device that has just gone is no reason to refuse, nor is a port
		// that the loop has closed since, see settle. A missing bridge is
		// reported as what the port lacks.
		if err := k.spec.check(k.port.port); err != nil && !errors.Is(err, device.ErrMissing) && !errors.Is(err, port.ErrClosed) {
			return err
		}
	}
	for _, s := range c.open {
		p, err := d.open(s)
		if errors.Is(err, device.ErrMissing) {
			c.missing = append(c.missing, missing{s, err})
			continue
		}
		if err != nil {
			return err
		}
		c.opened = append(c.opened, p)
	}
	return d.prepareEnds(c)
}

// abandon undoes what prepare has done.
func (d *Daemon) abandon(c *change) error {
	return errors.Join(d.abandonEnds(c), closePorts(c.opened))
}

// commit changes to what prepare has made. Errors of closing old things, and of
// the kernel's side of ports that stay, are logged; an error that is returned
// should have been found by prepare, and the daemon cannot go on.
func (d *Daemon) commit(c *change) error {
	now := time.Now()
	d.settle(c)
	d.cfg, d.applied = c.cfg, now
	d.publishConfig()
	_ = d.level.UnmarshalText([]byte(c.cfg.Log.Level)) // the configuration has checked it
	for _, k := range c.kept {
		k.port.spec = k.spec
		if err := k.spec.apply(k.port.port); err != nil && !errors.Is(err, device.ErrMissing) {
			d.log.Error("changing the kernel's side of an interface", "interface", k.spec.name, "err", err)
		}
	}
	// Hosts, and the other ends of connections, are told while the ports are
	// still open.
	var leaving []string
	for _, p := range c.closing {
		leaving = append(leaving, p.spec.name)
		if p.spec.name == localstack.Name {
			d.streams.Down(errors.New("the configuration has no longer this stack of the router's own"))
		}
	}
	if len(leaving) > 0 {
		d.farewell(leaving...)
	}
	// The old ports go first: the table is by name, and a replaced port has the
	// name of the new one.
	for _, p := range c.closing {
		if err := d.router.Detach(p.spec.name, now); err != nil {
			return err
		}
		delete(d.ports, p.spec.name)
		d.watch.Forget(p.spec.name)
	}
	d.streams.Expect(c.cfg.LocalStack != nil)
	if err := d.tolerable(d.router.Commit(d.routerConfig(c.cfg), now)); err != nil {
		return err
	}
	d.recarryAll(c.kept)
	spareFor(d.router.Protocols(), c.cfg.RouteFile, len(c.cfg.RIB.Static))
	if err := closePorts(c.closing); err != nil {
		d.log.Warn("putting away ports", "err", err)
	}
	for _, p := range c.closing {
		d.retire(p.spec.name)
	}
	d.commitAbsent(c, now)
	for _, p := range c.opened {
		if err := d.tolerable(d.attach(p, now)); err != nil {
			return err
		}
		if p.spec.name == localstack.Name && c.cfg.StackFor != "" {
			d.log.Info("made a TCP/IP stack of the router's own: the configuration has no [local-stack]", "for", c.cfg.StackFor, "netns", c.cfg.LocalStack.Netns)
		}
	}
	d.logCarried()
	d.commitEnds(c)
	// An address that was a duplicate may be usable now that another interface
	// has it.
	if err := d.readdressStack(); err != nil {
		d.log.Error("changing the addresses of the router's own stack", "err", err)
	}
	d.lookAtLogged(now)
	return nil
}

// tolerable logs an error that is due to a device that just went, which its
// port will report, and returns any other error.
func (d *Daemon) tolerable(err error) error {
	if errors.Is(err, router.ErrGroups) {
		d.log.Warn("following a port", "err", err)
		return nil
	}
	return err
}

// settle adjusts c to what has happened to ports since it was planned: a port
// that was to stay may have lost its device, and is absent then.
func (d *Daemon) settle(c *change) {
	stay := c.kept[:0]
	for _, k := range c.kept {
		if d.ports[k.spec.name] == k.port {
			stay = append(stay, k)
		} else if a := d.absent[k.spec.name]; a != nil {
			c.missing = append(c.missing, missing{k.spec, a.why})
		}
	}
	c.kept = stay
	c.closing = slices.DeleteFunc(c.closing, func(p *openPort) bool { return d.ports[p.spec.name] != p })
	for _, p := range c.opened {
		d.adopt(p)
	}
}
