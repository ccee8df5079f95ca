package daemon

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"routerd/dataplane"
	"routerd/dataplane/port"
	"routerd/dataplane/port/device"
	"routerd/routing"
)

// openPort is an open port with the goroutines that serve it.
type openPort struct {
	spec    portSpec
	port    port.Port
	serving sync.WaitGroup
	done    chan struct{} // closed when its events are no longer wanted
	steps   steps         // what it has recorded in the undo list
	opened  time.Time
	pace    time.Duration // see absent
	lacks   []string      // what was logged as lacking
	// uncarried is why the kernel carries no flows by it; nil: it does.
	uncarried error
}

// restorer is a port whose kernel's side others may change.
type restorer interface {
	Lacks() []string
	Restore() []string
}

// lacksOf says what the kernel's side of a port lacks of its configuration.
func (p *openPort) lacksOf() []string {
	if r, ok := p.port.(restorer); ok {
		return r.Lacks()
	}
	return nil
}

// logLacks logs, once, what the kernel's side of a port lacks of its
// configuration.
func (d *Daemon) logLacks(p *openPort) {
	lacks := p.lacksOf()
	if slices.Equal(lacks, p.lacks) {
		return
	}
	if len(lacks) > 0 {
		d.log.Warn("the kernel's side of an interface is not what the configuration says; the router goes on, and puts it back when it can",
			"interface", p.spec.name, "device", p.spec.host.Device, "netns", p.spec.host.Netns, "lacks", strings.Join(lacks, "; "))
	} else {
		d.log.Info("the kernel's side of an interface is what the configuration says again", "interface", p.spec.name, "device", p.spec.host.Device)
	}
	p.lacks, d.teller.stale = lacks, true
}

// portEvent is an event of a port's device.
type portEvent struct {
	name string
	port *openPort
	port.Event
	failed    error // a worker cannot go on
	uncarried error // it has lost the flow cache
}

// open opens the port of s. If that fails, its undo steps are dropped, since it
// has undone everything itself.
func (d *Daemon) open(s portSpec) (*openPort, error) {
	p := &openPort{spec: s, done: make(chan struct{}), steps: steps{undo: d.undo}}
	var err error
	if p.port, err = s.open(&p.steps); err != nil {
		return nil, errors.Join(err, p.steps.forget())
	}
	d.carry(p)
	return p, nil
}

// serve starts the workers of p and follows its events.
func (d *Daemon) serve(p *openPort, workers []*dataplane.Worker) {
	name := p.spec.name // it stays; the rest of spec belongs to the loop, and reloads change it
	for _, w := range workers {
		d.counted = append(d.counted, &counted{name: name, in: w.In(), queue: w.Queue(), counters: w.Counters, drops: w.Drops})
		p.serving.Go(func() {
			if err := w.Run(time.Now); err != nil {
				select {
				case d.events <- portEvent{name: name, port: p, failed: err}:
				case <-p.done:
				}
			}
		})
	}
	if len(workers) == 0 {
		return
	}
	// The carrier's state is stored for the packet path before the loop is
	// told, which may be busy.
	link := d.router.HopStates().Link(workers[0].In())
	link.Set(routing.CauseCarrier, p.port.Up())
	p.serving.Go(func() {
		for e := range p.port.Events() {
			link.Set(routing.CauseCarrier, e.Up && !e.Gone)
			select {
			case d.events <- portEvent{name: name, port: p, Event: e}:
			case <-p.done:
			}
		}
	})
}

// counted is the counters of the workers of one queue: of the one that runs
// now, or of all that have ended, so that no counter goes back when a port is
// opened again.
type counted struct {
	name     string
	in       routing.InterfaceID
	queue    int
	counters *dataplane.Counters
	drops    *dataplane.DropRing // nil of workers that have ended
	lasting  bool                // of what the kernel carries, whatever becomes of the port
}

// retire adds the counters of the ended workers of an interface to those of
// the ones that ended before them.
func (d *Daemon) retire(name string) {
	var kept []*counted
	for _, c := range d.counted {
		if c.name != name || c.lasting {
			kept = append(kept, c)
			continue
		}
		c.drops = nil
		at := slices.IndexFunc(kept, func(k *counted) bool { return k.name == name && k.queue == c.queue && !k.lasting })
		if at < 0 {
			kept = append(kept, c)
			continue
		}
		kept[at].counters.Add(c.counters)
	}
	d.counted = kept
}

func (p *openPort) close() error {
	close(p.done)
	err := p.port.Close()
	p.serving.Wait()
	if err != nil && !errors.Is(err, port.ErrClosed) {
		return fmt.Errorf("closing the port of %s: %w", p.spec.name, err) // its steps are tried again at the end
	}
	return p.steps.forget()
}

func (d *Daemon) portChanged(e portEvent) {
	if d.ports[e.name] != e.port {
		return // an event of a port that a reload has replaced
	}
	now := time.Now()
	switch {
	case e.uncarried != nil:
		d.lostCache(e.port, e.uncarried)
		return
	case e.failed != nil:
		d.lost(e.port, e.failed, now)
		return
	case e.Gone:
		why := e.port.replaced()
		if why == nil {
			why = device.Missing(fmt.Errorf("device %s was deleted, renamed or moved to another network namespace", e.port.spec.host.Device))
		}
		d.lost(e.port, why, now)
		return
	}
	d.log.Info("link changed", "interface", e.name, "up", e.Up, "mtu", e.MTU)
	d.logLacks(e.port)
	if err := d.router.PortChanged(e.name, e.Event, now); err != nil {
		d.log.Error("following a port", "interface", e.name, "err", err)
	}
	d.sd.say("STATUS=" + d.status())
}
