package daemon

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"routerd/config"
	"routerd/dataplane/port/device"
	"routerd/internal/control"
	"routerd/internal/localstack"
)

// absent is an interface whose port is not open: its device, namespace or
// bridge does not exist, or cannot be used. The other interfaces work without
// it, and its port is opened when that becomes possible.
type absent struct {
	spec  portSpec
	state string // control.StateMissing, StateGone or StateWaiting
	why   error
	was   bool      // its port was open before
	next  time.Time // the latest time of the next try
	pause time.Duration
	// Until quiet, hints do not cause a try. pace is the length of that time,
	// which grows if somebody deletes the device again and again.
	quiet time.Time
	pace  time.Duration
	hint  bool // the watch has seen a change since the last try
}

// How often an absent interface is tried: at once after a hint of the watch,
// else after a pause that doubles, since not every change gives a hint.
const (
	firstPause = time.Second
	lastPause  = 30 * time.Second
	firstPace  = 20 * time.Millisecond
	lastPace   = time.Second
	// triesAtOnce limits the tries of one turn, so that the loop does other
	// work in between.
	triesAtOnce = 8
	// steady: a port that lived for that long does not count as deleted again
	// and again.
	steady = 10 * time.Second
)

// stateOf gives the state of an interface whose port cannot be opened for the
// reason why.
func stateOf(why error, was bool) string {
	switch {
	case !errors.Is(why, device.ErrMissing):
		return control.StateWaiting
	case was:
		return control.StateGone
	}
	return control.StateMissing
}

// await has an interface without a port tried again later, and logs that once.
func (d *Daemon) await(s portSpec, why error, was bool, now time.Time) {
	a := d.absent[s.name]
	if a == nil {
		a = &absent{pause: firstPause}
		d.absent[s.name] = a
	}
	a.spec, a.was = s, was
	a.next = now.Add(a.pause)
	a.pause = min(2*a.pause, lastPause)
	state := stateOf(why, was)
	pace := firstPace
	if state == control.StateWaiting {
		pace = lastPace // checking whether the device is in use may list the kernel's whole routing table
	}
	a.quiet = later(a.quiet, now.Add(pace))
	a.hint = false
	if a.state != state || state == control.StateWaiting && a.why.Error() != why.Error() {
		d.log.Warn("an interface is "+state+" and is taken when it comes; the others go on", "interface", s.name, "device", s.host.Device, "netns", s.host.Netns, "why", why)
	}
	if state == control.StateWaiting || state != a.state {
		d.teller.stale = true
		a.state, a.why = state, why // that it went says more than that it is missing
	}
	d.watch.Await(s.name, s.awaited()...)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// lost closes a port whose device is gone, with all that it holds by name, so
// that the device can be made again by anybody.
func (d *Daemon) lost(p *openPort, why error, now time.Time) {
	name := p.spec.name
	if s, ok := p.port.(*localstack.Port); ok {
		// If the namespace still exists it still has to be removed at the end,
		// and sockets in it wait for the stack to come back.
		if left := (leftStack{p.spec.host.Netns, s.Leave(), p.steps}); left.stays() {
			d.stack, p.steps.list = left, nil
		} else {
			defer d.streams.Down(why)
		}
	}
	if err := d.router.Detach(name, now); err != nil {
		d.log.Error("following a port", "interface", name, "err", err)
	}
	delete(d.ports, name)
	if err := p.close(); err != nil {
		d.log.Warn("putting away a port", "err", err)
	}
	d.retire(name)
	d.await(p.spec, why, true, now)
	a := d.absent[name]
	if a.pace = firstPace; now.Sub(p.opened) < steady {
		a.pace = min(max(2*p.pace, firstPace), lastPace)
	}
	a.quiet = now.Add(a.pace)
	d.sd.say("STATUS=" + d.status())
}

// placesChanged handles the changes that the watch has seen.
func (d *Daemon) placesChanged() {
	now := time.Now()
	for _, name := range d.watch.Take() {
		if a := d.absent[name]; a != nil {
			a.hint = true
			continue
		}
		if p := d.ports[name]; p != nil {
			if why := p.replaced(); why != nil {
				d.lost(p, why, now)
			} else if r, ok := p.port.(restorer); ok {
				r.Restore()
				d.logLacks(p)
			}
		}
	}
	d.tryAbsent(now)
}

// due is when the next absent interface is to be tried, the zero Time if none
// is.
func (d *Daemon) due() (due time.Time) {
	if d.changing {
		return due
	}
	for _, a := range d.absent {
		at := a.next
		if a.hint {
			at = a.quiet
		}
		if due.IsZero() || at.Before(due) {
			due = at
		}
	}
	return due
}

// tryAbsent tries to open the ports that are due.
func (d *Daemon) tryAbsent(now time.Time) {
	if d.changing {
		return // a reload is changing which interfaces there are
	}
	var names []string
	for name, a := range d.absent {
		if !now.Before(a.next) || a.hint && !now.Before(a.quiet) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names[:min(len(names), triesAtOnce)] {
		d.tryOne(d.absent[name], time.Now())
	}
}

func (d *Daemon) tryOne(a *absent, now time.Time) {
	s := a.spec
	if s.name == localstack.Name {
		s = d.stackSpec(*d.cfg.LocalStack) // with the present addresses
	}
	p, err := d.open(s)
	if err != nil {
		d.await(s, err, a.was, now)
		return
	}
	p.pace = a.pace
	d.adopt(p)
	if err := d.attach(p, now); err != nil {
		d.log.Error("following a port", "interface", s.name, "err", err)
	}
	d.logCarried()
	d.log.Info("an interface serves that was "+a.state, "interface", s.name, "device", s.host.Device, "netns", s.host.Netns)
	if err := d.readdressStack(); err != nil {
		d.log.Error("following an address", "err", err)
	}
	d.sd.say("STATUS=" + d.status())
}

// adopt hands the namespace that was left of the router's own stack to the
// port, if that was made in it.
func (d *Daemon) adopt(p *openPort) {
	if p.steps.again {
		d.stack = leftStack{}
	}
}

// attach gives an open port to its interface and starts to serve it.
func (d *Daemon) attach(p *openPort, now time.Time) error {
	name := p.spec.name
	delete(d.absent, name)
	p.opened = now
	d.ports[name] = p
	if name == localstack.Name {
		if err := d.streams.Up(p.spec.host.Netns); err != nil {
			d.log.Error("protocols have no TCP", "err", err)
		}
	}
	d.watch.Hold(name, p.spec.held(p.namespaces())...)
	if p.lateCarrier() {
		d.log.Warn("both ends of a veth pair have the same interface index, so that the kernel tells up to a second late that the carrier is lost; make one end with another: ip link add ... index N",
			"interface", name, "device", p.spec.host.Device, "netns", p.spec.host.Netns)
	}
	d.follow(p)
	workers, err := d.router.Attach(name, p.port, now)
	if workers != nil {
		d.serve(p, workers)
	}
	return err
}

// lateCarrier reports whether the kernel may report a lost carrier late.
func (p *openPort) lateCarrier() bool {
	l, ok := p.port.(interface{ LateCarrier() bool })
	return ok && l.LateCarrier()
}

// namespaces are the identities of the namespaces that p was opened in, one for
// each of its spots.
func (p *openPort) namespaces() []device.Identity {
	switch n := p.port.(type) {
	case interface{ Namespaces() []device.Identity }:
		return n.Namespaces()
	case interface{ Namespace() device.Identity }:
		return []device.Identity{n.Namespace()}
	}
	return nil
}

// replaced returns an error if the name of a namespace that p was opened in no
// longer is that namespace's.
func (p *openPort) replaced() error {
	for _, h := range p.spec.held(p.namespaces()) {
		if err := device.Replaced(h.Netns, h.Namespace); err != nil {
			return err
		}
	}
	return nil
}

// dismiss stops trying an interface that is no longer configured.
func (d *Daemon) dismiss(name string) {
	a := d.absent[name]
	if a == nil {
		return
	}
	delete(d.absent, name)
	d.watch.Forget(name)
	if name == localstack.Name {
		d.streams.Down(errors.New("the configuration has no longer this stack of the router's own"))
	}
	if name == localstack.Name && d.stack.made != "" {
		if err := errors.Join(localstack.Undo(d.stack.netns, d.stack.made), d.stack.steps.forget()); err != nil {
			d.log.Warn("putting away a port", "err", err)
		}
		d.stack = leftStack{}
	}
}

// commitAbsent makes the missing interfaces of c absent, and tries those that
// were absent before at once: they may be there now.
func (d *Daemon) commitAbsent(c *change, now time.Time) {
	still := map[string]bool{}
	for _, m := range c.missing {
		still[m.spec.name] = true
		a := d.absent[m.spec.name]
		if a == nil || !m.spec.keeps(a.spec) {
			d.dismiss(m.spec.name)
			d.await(m.spec, m.why, false, now)
			continue
		}
		a.spec, a.next = m.spec, now
	}
	for name := range d.absent {
		if !still[name] {
			d.dismiss(name)
		}
	}
}

// stillAbsent gives a warning for each absent interface, at its place in the
// configuration.
func (d *Daemon) stillAbsent() (list []config.Problem) {
	for name, a := range d.absent {
		list = append(list, d.interfaceWarning(name, fmt.Sprintf("interface %s is %s: %v", name, a.state, a.why), "it is served when its device comes"))
	}
	slices.SortFunc(list, func(x, y config.Problem) int { return strings.Compare(x.Message, y.Message) })
	return list
}

// leftStack is the namespace of the router's own stack with its sockets, which
// is left when the stack's device was deleted.
type leftStack struct {
	netns, made string
	steps       steps
}

func (l leftStack) stays() bool { return localstack.Stays(l.netns, l.made) }

// stateOfInterface gives the state of an interface for the API, and why, if it
// is neither up nor down.
func (d *Daemon) stateOfInterface(name string, up bool) (state, why string) {
	if a := d.absent[name]; a != nil {
		return a.state, a.why.Error()
	}
	if up {
		return control.StateUp, ""
	}
	return control.StateDown, ""
}

// whyNoInput says why no packet can come in by an interface now; "" if packets
// can.
func (d *Daemon) whyNoInput(name string, up bool) string {
	switch state, why := d.stateOfInterface(name, up); state {
	case control.StateUp:
		return ""
	case control.StateDown:
		return fmt.Sprintf("interface %s is down: no packet comes in by it now; one that did would go on as follows", name)
	default:
		return fmt.Sprintf("interface %s is %s: %s; no packet comes in by it now, one that did would go on as follows", name, state, why)
	}
}
