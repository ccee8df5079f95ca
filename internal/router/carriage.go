package router

import (
	"net/netip"
	"time"

	"routerd/dataplane"
	"routerd/dataplane/flowcache"
	"routerd/dataplane/port"
	"routerd/flow"
	"routerd/routing/fib"
)

// Carry has the kernel k carry flows from now on, of interfaces whose ports say that
// they can be. Whoever calls it drives the cache's Step. It is for the router's life,
// and called once at most, by the owner; monotonic is as flowcache.Config has it.
func (r *Router) Carry(k flowcache.Kernel, monotonic func() int64) *flowcache.Cache {
	c := flowcache.New(flowcache.Config{Kernel: k, Live: &r.live, Punter: r.neighbors, Monotonic: monotonic})
	r.carriage.cache = c
	r.neighbors.carried.Store(c)
	r.HopStates().Observe(func(*fib.State) { c.HopChanged() })
	r.carrySessions()
	return c
}

// carriage is what the router's owner knows of the flows that the kernel carries.
type carriage struct {
	cache *flowcache.Cache // nil: none
	// coming are the prefixes whose routes are others in the coming table, and moved
	// those whose routes are in the one that is published next.
	coming, moved prefixes
	four, six     *flow.Table // the tables whose ends the cache hears of
}

// prefixes is a bounded list of prefixes. Of more than that all are meant.
type prefixes struct {
	list []netip.Prefix
	all  bool
}

// mostPrefixes is from where on the cache looks at every flow.
const mostPrefixes = 4096

func (p *prefixes) add(list []fib.Change) {
	if p.all = p.all || len(p.list)+len(list) > mostPrefixes; p.all {
		p.list = p.list[:0]
		return
	}
	for i := range list {
		p.list = append(p.list, list[i].Prefix)
	}
}

func (p *prefixes) take(o *prefixes) {
	if p.all = p.all || o.all || len(p.list)+len(o.list) > mostPrefixes; p.all {
		p.list = p.list[:0]
	} else {
		p.list = append(p.list, o.list...)
	}
	o.list, o.all = o.list[:0], false
}

// settled notes the changes that the next table has, and whether it is complete.
func (c *carriage) settled(changes []fib.Change, complete bool) {
	if c.cache == nil {
		return
	}
	c.coming.add(changes)
	if complete {
		c.moved.take(&c.coming)
	}
}

// published ends what is carried by what was published before. It is called before
// anybody hears that the change is done.
func (c *carriage) published(before, after *dataplane.View) {
	if c.cache == nil {
		return
	}
	c.cache.ViewChanged(before, after)
	c.rerouted()
}

// rerouted is published where only routes have changed.
func (c *carriage) rerouted() {
	if c.cache == nil || len(c.moved.list) == 0 && !c.moved.all {
		return
	}
	c.cache.RoutesChanged(c.moved.list, c.moved.all)
	c.moved.list, c.moved.all = c.moved.list[:0], false
}

// review decides about some of the flows anew, see flowcache.Cache.Review.
func (c *carriage) review() (more bool) { return c.cache != nil && c.cache.Review() }

func (c *carriage) reviewing() bool { return c.cache != nil && c.cache.Reviewing() }

// idleBy is the time by which sessions are to be judged idle.
func (c *carriage) idleBy(now time.Time) time.Time {
	if c.cache == nil {
		return now
	}
	return c.cache.Accounted(now)
}

// carrySessions has the cache hear of the ends of sessions.
func (r *Router) carrySessions() {
	c, t := &r.carriage, &r.translator
	if c.cache == nil {
		return
	}
	cache := c.cache
	if t.nat != nil && c.four != t.nat.Sessions() {
		c.four = t.nat.Sessions()
		c.four.OnEnd(func(session uint32) { cache.SessionEnded(false, session) })
	}
	if t.six != nil && c.six != t.six {
		c.six = t.six
		c.six.OnEnd(func(session uint32) { cache.SessionEnded(true, session) })
	}
}

// carried says what the kernel may carry that comes in by the link or leaves by it.
func (r *Router) carried(l *link) *dataplane.Carried {
	p, may := l.port.(port.Carriable)
	if r.carriage.cache == nil || !may || l.cfg.Offload == dataplane.OffloadOff {
		return nil
	}
	c, is := p.Carried()
	if !is {
		return nil
	}
	carried := &dataplane.Carried{Device: c.Device, Peer: c.Peer, PeerMAC: c.PeerMAC}
	flowcache.Worth(l.cfg.Offload, carried)
	return carried
}

// CarriedChanged publishes what the ports say of being carried now. Call it after Carry
// or Uncarry of a port that is attached, and where a Check has failed.
func (r *Router) CarriedChanged() { r.publish() }
