package daemon

import (
	"context"
	"fmt"
	"sync"
	"time"

	"routerd/routing"
	"routerd/routing/protocol"
)

// startMachines runs the router's machines beside the loop, each on a goroutine
// of its own. What the neighbour machine finds out about the router's own
// addresses comes back as notices; routes of the protocols wait in the router
// for the loop's poll.
func (d *Daemon) startMachines() {
	n := d.router.Neighbors()
	n.Owner = d.notices.add
	n.Changed = d.teller.neighborChanged
	d.router.LinkChanging = d.teller.linkChanging
	d.counted = append(d.counted, &counted{name: "none", in: routing.NoInterface, counters: n.Counters, drops: n.Drops})
	l := d.router.Membership()
	d.counted = append(d.counted, &counted{name: "none", in: routing.NoInterface, counters: l.Counters, drops: l.Drops})
	s := d.router.LinkLocal()
	d.counted = append(d.counted, &counted{name: "none", in: routing.NoInterface, counters: s.Counters, drops: s.Drops})
	a := d.router.Prober()
	d.counted = append(d.counted, &counted{name: "none", in: routing.NoInterface, counters: a.Counters, drops: a.Drops})
	d.owners = nil
	for _, p := range d.router.Protocols() {
		o := newProtocolOwner(d, p.Name)
		p.Owner = o.carryOut
		p.Streams = d.streams.For(p.HearStream)
		d.owners = append(d.owners, o)
		d.counted = append(d.counted, &counted{name: "none", in: routing.NoInterface, counters: p.Counters, drops: p.Drops})
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, m := range d.router.Machines() {
		running.Go(func() {
			if err := m.Run(ctx, time.Now); err != nil {
				d.failed <- fmt.Errorf("running %s: %w", m.Name(), err)
			}
		})
	}
	running.Go(func() { d.keepListenersPorts(ctx) })
	running.Go(func() { d.keeper.run(ctx) })
	running.Go(func() { d.teller.run(ctx) })
	d.stopMachines = func() { cancel(); running.Wait() }
}

// poll has the router take the routes of its protocols and do what is due.
func (d *Daemon) poll() {
	now := time.Now()
	if _, err := d.router.Poll(now); err != nil {
		d.log.Error("taking up what the protocols offer", "err", err)
	}
	d.lookAtLogged(now)
	d.lookAtLimits(now)
	if n := d.router.NAT(); n != nil {
		d.natLimits.look(now, n, d.log, d.teller.natLimit)
	}
}

// goodbyeTime bounds how long telling the neighbours that the router stops may
// take, unless a protocol says that it takes longer.
const goodbyeTime = time.Second

// sayGoodbye has the protocols tell their neighbours, and then router
// advertisements tell the hosts, that the router stops, while the ports are
// still open.
func (d *Daemon) sayGoodbye() {
	d.stopProtocols()
	d.farewell()
}

// stopProtocols stops the protocols and waits until all have told their
// neighbours, which takes time for a large table.
func (d *Daemon) stopProtocols() {
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTime)
	defer cancel()
	// All at the same time, so that none waits for another's table.
	for _, p := range d.router.Protocols() {
		_ = p.Inbox.Send(ctx, protocol.Stop{}) // stopped says when it is done
	}
	end := time.Now().Add(goodbyeTime)
	for _, o := range d.owners {
		if !o.wait(end) {
			d.log.Warn("stopping before the neighbours were told everything", "protocol", o.name)
		}
	}
	// What is written last has its time too.
	last, done := context.WithTimeout(context.Background(), goodbyeTime)
	defer done()
	d.streams.Flush(last)
}

// wait waits until the protocol has told its neighbours that the router stops, and
// reports whether it has by the end, or by the later one that it asks for.
func (o *protocolOwner) wait(end time.Time) bool {
	timer := time.NewTimer(time.Until(end))
	defer timer.Stop()
	for {
		select {
		case <-o.stopped:
			return true
		case within := <-o.leaving:
			timer.Reset(within + goodbyeTime)
		case <-timer.C:
			select { // both may be ready
			case within := <-o.leaving:
				timer.Reset(within + goodbyeTime)
			case <-o.stopped:
				return true
			default:
				return false
			}
		}
	}
}

// farewell tells the hosts on the links of the named interfaces, of all if none
// is named, that the router leaves. Errors do not keep it from leaving.
func (d *Daemon) farewell(names ...string) {
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTime)
	defer cancel()
	if err := d.router.Farewell(ctx, names...); err != nil {
		d.log.Warn("leaving before all hosts were told", "err", err)
	}
}
