package router

import (
	"errors"
	"math"

	"routerd/dataplane"
	"routerd/routing"
)

// settle has the RIB settle for one slice, and updates the forwarding table
// once the RIB is done. It reports whether the whole table was copied for that.
func (r *Router) settle(units int) (complete, copied bool, err error) {
	r.gathered.some = false
	settled, complete, err := r.rib.Settle(units)
	r.changes += len(settled.Changes)
	r.followed.Touched = append(r.followed.Touched, settled.Touched...)
	r.coming.Apply(settled.Changes)
	r.carriage.settled(settled.Changes, complete)
	if !complete {
		return false, false, err
	}
	copied = r.changes > 0 && r.table.FIB.Copies(r.changes)
	r.changes = 0
	// A new Table, not a new FIB in the old one: readers may still be using the
	// published one.
	r.table = &dataplane.Table{Name: r.table.Name, FIB: r.coming.Publish()}
	return true, copied, err
}

// settleAll has the RIB settle everything, however long it takes.
func (r *Router) settleAll() error {
	var errs error
	for r.rib.Unsettled() {
		_, _, err := r.settle(math.MaxInt)
		errs = errors.Join(errs, err)
	}
	return errs
}

// settleSome has the RIB settle for one slice, which is nearly always enough;
// if not, Poll continues.
func (r *Router) settleSome() error {
	_, _, err := r.settle(settledAtOnce)
	if r.rib.Unsettled() {
		r.mail.poke()
	}
	return err
}

// publishRoutes publishes a View with the RIB's new routes and everything else
// as before.
func (r *Router) publishRoutes() {
	v := *r.live.Load()
	v.Generation++
	v.Tables = []*dataplane.Table{r.table}
	r.live.Publish(&v)
	r.carriage.rerouted()
	r.deliver() // only now is it true that what was installed forwards
}

// publish publishes the View that follows from the configuration, the ports and
// the RIB's settled routes.
func (r *Router) publish() {
	v := &dataplane.View{
		Generation: 1,
		Interfaces: make([]*dataplane.Interface, r.next),
		Tables:     []*dataplane.Table{r.table},
		Martians:   dataplane.NewMartians(r.cfg.Dataplane.MartianSources, r.cfg.Dataplane.MartianDestinations),
		Limits:     dataplane.Limits{ICMP: r.cfg.Dataplane.ICMP, Reassembly: r.cfg.Dataplane.Reassembly, Stack: r.cfg.Dataplane.Stack},
		Secrets:    r.secrets,
		Neighbors:  r.neighbors.table,
		Membership: r.membership,
		Probes:     r.prober.probes,
		Listeners:  r.listening.on(routing.NoInterface),
	}
	old := r.live.Load()
	if old != nil {
		v.Generation = old.Generation + 1
	}
	if r.translator.on {
		v.NAT, v.Flows = r.translator.nat, r.translator.clock
		if r.cfg.ACL.Enabled() {
			v.ACL, v.Sessions6 = r.filter, r.translator.six
		}
	}
	for _, l := range r.links {
		v.Interfaces[l.id] = r.view(l)
		if v.Interfaces[l.id].Carried != nil {
			v.Offers = r.carriage.cache
		}
		v.ClampsMSS = v.ClampsMSS || l.cfg.MSS != dataplane.MSSOff
		if l.cfg.Kind == dataplane.KindStack {
			v.Stack = v.Interfaces[l.id]
		}
	}
	v.Own = dataplane.NewOwnAddresses(v.Interfaces)
	r.live.Publish(v)
	r.carriage.published(old, v)
	r.deliver() // only now is it true that what was installed forwards
}
