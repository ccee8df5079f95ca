package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"routerd/config"
	"routerd/dataplane"
	"routerd/dataplane/flowcache"
	"routerd/dataplane/offload"
	"routerd/dataplane/port"
	"routerd/dataplane/port/packet"
	"routerd/routing"
)

// Why the kernel carries nothing by an interface, beside what package offload and the
// ports say. The sentences are for users.
var (
	errSwitchedOff = errors.New(`it is switched off (offload = "off")`)
	errNoFlows     = errors.New("it is switched off (forwarding.offload-flows = 0)")
	errNoDevice    = errors.New("its port has no Ethernet device of the kernel's")
)

// carrying is how the kernel carries flows. It is made when the first port can do with
// it, and lives as long as the router.
type carrying struct {
	mu     sync.Mutex // ports are opened beside the loop
	kernel *offload.Cache
	why    error // why there is none, once that is known
	flows  int   // that it has room for

	cache   atomic.Pointer[flowcache.Cache] // made by the loop; nil until then
	end     func()                          // ends the goroutine that drives it
	said    string                          // what was logged last
	counted map[routing.InterfaceID]bool    // interfaces that are in Daemon.counted by it
}

// take gives the kernel's side, for so many flows.
func (c *carrying) take(flows int) (*offload.Cache, error) {
	if flows == 0 {
		return nil, errNoFlows
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kernel == nil && c.why == nil {
		c.flows = flows
		c.kernel, c.why = offload.New(offload.Config{Flows: flows, Causes: flowcache.NumCauses, Mark: packet.Mark})
	}
	return c.kernel, c.why
}

// most is how many flows may be carried at once.
func (c *carrying) most() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flows
}

// offloads gives the ports of cfg their part of it.
func offloads(list []portSpec, cfg *config.Config) {
	wanted := map[string]dataplane.Offload{}
	for _, i := range cfg.Dataplane.Interfaces {
		wanted[i.Name] = i.Offload
	}
	for i := range list {
		list[i].offload, list[i].flows = wanted[list[i].name], cfg.Dataplane.OffloadFlows
	}
}

// carry has the kernel carry flows that come in by p, if it is to and can, or notes
// why not. Nobody else uses p meanwhile.
func (d *Daemon) carry(p *openPort) {
	c, may := p.port.(port.Carriable)
	switch {
	case !may:
		p.uncarried = errNoDevice
	case p.spec.offload == dataplane.OffloadOff:
		p.uncarried = errSwitchedOff
	default:
		k, err := d.carrying.take(p.spec.flows)
		if err == nil {
			err = c.Carry(k)
		}
		p.uncarried = err
	}
}

// recarry does what a changed configuration of p wants, and reports whether that has
// changed anything. The View says already what the configuration says.
func (d *Daemon) recarry(p *openPort) (changed bool) {
	c, may := p.port.(port.Carriable)
	switch off := p.spec.offload == dataplane.OffloadOff; {
	case !may, off && p.uncarried != nil:
		return false
	case off:
		if err := c.Uncarry(); err != nil {
			d.log.Warn("taking the flow cache from an interface", "interface", p.spec.name, "err", err)
		}
		p.uncarried = errSwitchedOff
		return true
	case p.uncarried == nil:
		return false
	}
	d.carry(p)
	return p.uncarried == nil
}

// recarryAll is recarry for ports that a reload has kept.
func (d *Daemon) recarryAll(kept []staying) {
	changed := false
	for _, k := range kept {
		if d.recarry(k.port) {
			d.follow(k.port)
			changed = true
		}
	}
	if changed {
		d.router.CarriedChanged()
	}
}

// follow has the router know of the cache, before it hears of the first port that has
// one, and counts what is carried.
func (d *Daemon) follow(p *openPort) {
	if p.uncarried != nil {
		return
	}
	c := &d.carrying
	if c.cache.Load() == nil {
		c.cache.Store(d.router.Carry(c.kernel, monotonic))
		c.counted = map[routing.InterfaceID]bool{}
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { d.driveCache(ctx) })
		running.Go(func() { d.checkCarried(ctx) })
		c.end = func() { cancel(); running.Wait() }
	}
	i := d.router.View().Named(p.spec.name)
	if i == nil || c.counted[i.ID] {
		return
	}
	c.counted[i.ID] = true
	d.counted = append(d.counted, &counted{name: i.Name, in: i.ID, counters: c.cache.Load().Counters(i.ID), lasting: true})
}

// stop ends it all. Every port is closed and no machine runs any more.
func (c *carrying) stop() error {
	if c.end != nil {
		c.end()
	}
	if c.kernel == nil {
		return nil
	}
	if err := c.kernel.Close(); err != nil {
		return fmt.Errorf("putting away the flow cache: %w", err)
	}
	return nil
}

// monotonic reads the clock that the kernel counts by, in ns.
func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0 // it exists everywhere
	}
	return t.Nano()
}

// driveCache does what the flow cache has to do, as soon as there is anything.
func (d *Daemon) driveCache(ctx context.Context) {
	cache, limit := d.carrying.cache.Load(), newLogLimit()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next, err := cache.Step(time.Now())
		if err != nil && limit.Allow() {
			d.log.Error("following the flows that the kernel carries", "err", err)
		}
		var due <-chan time.Time
		if !next.IsZero() {
			timer.Reset(time.Until(next))
			due = timer.C
		}
		select {
		case <-ctx.Done():
			return
		case <-cache.Waiting():
		case <-due:
		}
	}
}

// checkEvery is how often it is looked whether everything is still as it was attached,
// at so many ports each time: a look takes up to a millisecond.
const (
	checkEvery   = time.Second
	checksAtOnce = 16
)

// checkCarried looks after the devices that the cache is attached to, in turn. Of a port
// that has lost it the loop hears.
func (d *Daemon) checkCarried(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for last := ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var next []carriedPort
		_ = d.ask(ctx, func() { next = d.carriedAfter(last) }) // it fails only when the router stops
		for _, p := range next {
			last = p.name
			err := p.port.port.(port.Carriable).Check()
			if err == nil {
				continue
			}
			select {
			case d.events <- portEvent{name: p.name, port: p.port, uncarried: err}:
			case <-p.port.done:
			case <-ctx.Done():
				return
			}
		}
	}
}

// carriedPort is a port that has the cache.
type carriedPort struct {
	name string
	port *openPort
}

// carriedAfter gives up to checksAtOnce of them, by name from the one after last on, and
// behind the last one from the first on.
func (d *Daemon) carriedAfter(last string) []carriedPort {
	var list []carriedPort
	for name, p := range d.ports {
		if p.uncarried == nil {
			list = append(list, carriedPort{name, p})
		}
	}
	slices.SortFunc(list, func(a, b carriedPort) int { return strings.Compare(a.name, b.name) })
	from := slices.IndexFunc(list, func(p carriedPort) bool { return p.name > last })
	if from < 0 {
		from = 0
	}
	return list[from:min(from+checksAtOnce, len(list))]
}

// lostCache has the flows by p go by the stages again: the cache is no longer attached
// to its device.
func (d *Daemon) lostCache(p *openPort, why error) {
	p.uncarried = why
	d.router.CarriedChanged()
	d.logCarried()
	d.teller.stale = true
}

// logCarried logs by which interfaces the kernel carries flows, and why not by the
// others that could have it, if that has changed.
func (d *Daemon) logCarried() {
	var with, without []string
	for name, p := range d.ports {
		if _, may := p.port.(port.Carriable); !may {
			continue
		}
		if p.uncarried == nil {
			with = append(with, name)
		} else {
			without = append(without, fmt.Sprintf("%s: %v", name, p.uncarried))
		}
	}
	slices.Sort(with)
	slices.Sort(without)
	by, not := strings.Join(with, ", "), strings.Join(without, "; ")
	if now := by + "|" + not; now != d.carrying.said && (now != "|" || d.carrying.said != "") {
		d.carrying.said = now
		d.log.Info("interfaces between which the kernel carries flows that the router has decided", "interfaces", by, "without", not)
	}
}

// account takes over what the kernel has carried, before it is shown. Any goroutine may
// call it.
func (d *Daemon) account() {
	if c := d.carrying.cache.Load(); c != nil {
		c.Account(time.Now())
	}
}

// carriedBy says whether the kernel carries flows by the interface called name, and if
// not, why, to a user.
func (d *Daemon) carriedBy(name string) (carried bool, why string) {
	p := d.ports[name]
	switch {
	case p == nil:
		return false, "its port is not open"
	case p.uncarried != nil:
		return false, p.uncarried.Error()
	}
	return true, ""
}
