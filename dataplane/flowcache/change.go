package flowcache

import (
	"net/netip"

	"routerd/dataplane"
	"routerd/routing/fib"
)

// decidedAtOnce is how many flows are decided anew while somebody waits for it.
// Of more flows those beyond end, and come back with their next packets.
const decidedAtOnce = 512

// RoutesChanged ends the flows for which other routes of these prefixes lead
// elsewhere, or of any prefix if all is set. The router's owner calls it once the
// View with the new routes is published; when it returns, nothing is carried by the
// old ones.
func (c *Cache) RoutesChanged(prefixes []netip.Prefix, all bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.carried == 0 {
		return
	}
	c.touched = c.touched[:0]
	if all || len(prefixes) > c.carried {
		c.touched = c.standing(c.touched)
	} else {
		for _, p := range prefixes {
			c.touched = c.index[byDestination].within(p, c.touched)
			c.touched = c.index[bySource].within(p, c.touched)
		}
	}
	v, decided := c.live.Load(), 0
	for _, f := range c.touched {
		switch {
		case f.state != standing || f.leads(v):
		case decided < decidedAtOnce:
			decided++
			c.again(v, f, EndRoute)
		default:
			c.end(f, EndRoute)
		}
	}
	c.finish()
}

// finish lets go of the flows that were touched, and has those that ended removed.
// The caller holds the mutex.
func (c *Cache) finish() {
	clear(c.touched)
	c.touched = c.touched[:0]
	if len(c.stopped) > 0 {
		c.poke()
	}
}

// standing appends the flows that have not ended.
func (c *Cache) standing(list []*flow) []*flow {
	for _, f := range c.flows {
		if f != nil && f.state == standing {
			list = append(list, f)
		}
	}
	return list
}

// leads reports whether the routes of a flow say what they said.
func (f *flow) leads(v *dataplane.View) bool {
	in := v.Interface(f.how.In.ID)
	if in == nil {
		return false
	}
	table := v.FIB(in)
	if !sameWay(table.Way(f.how.NewDst.Addr()), &f.way) {
		return false
	}
	return f.how.Source == nil || sameWay(table.Way(f.key.Src.Addr()), &f.source)
}

func sameWay(a, b *fib.Way) bool { return a != nil && *a == *b }

// again decides about a flow anew, and ends it if it leaves in another way or not
// at all. The caller holds the mutex.
func (c *Cache) again(v *dataplane.View, f *flow, why End) {
	o := dataplane.Offer{In: f.how.In.ID, Proto: f.key.Proto, Src: f.key.Src, Dst: f.key.Dst, Length: f.length, Segment: f.segment}
	how, no := c.decider.Decide(v, &o, c.now)
	if no != dataplane.Carriable || !alike(&f.how, &how) {
		c.end(f, why)
		return
	}
	f.how.In, f.how.Out, f.way = how.In, how.Out, *how.Way
	if how.Source != nil {
		f.source = *how.Source
	}
}

// ViewChanged ends the flows by interfaces that are not what they were, unless they
// leave as before. The router's owner calls it once it has published now in place of
// before; when it returns, nothing is carried by what was published before of
// interfaces. What else the two differ in is for Review.
func (c *Cache) ViewChanged(before, after *dataplane.View) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.review.next, c.review.on = 0, c.carried > 0
	if c.carried == 0 {
		return
	}
	changed, any := make([]bool, max(len(before.Interfaces), len(after.Interfaces))), false
	for i := range changed {
		changed[i] = !sameInterface(at(before, i), at(after, i))
		any = any || changed[i]
	}
	switched := (before.NAT == nil) != (after.NAT == nil) || (before.ACL == nil) != (after.ACL == nil)
	if !any && !switched {
		return
	}
	c.touched = c.standing(c.touched[:0])
	decided := 0
	for _, f := range c.touched {
		switch why := EndInterface; {
		case switched:
			c.end(f, EndSettings)
		case !changed[f.how.In.ID] && !changed[f.how.Out.ID]:
		case decided < decidedAtOnce:
			decided++
			c.again(after, f, why)
		default:
			c.end(f, why)
		}
	}
	c.finish()
}

func at(v *dataplane.View, i int) *dataplane.Interface {
	if i >= len(v.Interfaces) {
		return nil
	}
	return v.Interfaces[i]
}

// sameInterface reports whether an interface is to packets that pass what it was.
func sameInterface(a, b *dataplane.Interface) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Up == b.Up && a.Kind == b.Kind && a.Table == b.Table && a.MTU == b.MTU && a.URPF == b.URPF && a.MAC == b.MAC &&
		a.Output == b.Output && a.Offloads == b.Offloads && sameCarried(a.Carried, b.Carried)
}

func sameCarried(a, b *dataplane.Carried) bool { return a == b || a != nil && b != nil && *a == *b }

// review is how far all flows have been decided anew.
type review struct {
	on   bool
	next int // number of the flow
}

// reviewedInTurn is how many flows one call of Review decides about.
const reviewedInTurn = 256

// Review decides about some of the flows anew, after a change that may concern any,
// and reports whether there are more: the settings have applied when there are none.
// Each ViewChanged begins it anew.
func (c *Cache) Review() (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.review.on {
		return false
	}
	v, n := c.live.Load(), 0
	for ; c.review.next < len(c.flows) && n < reviewedInTurn; c.review.next++ {
		if f := c.flows[c.review.next]; f != nil && f.state == standing {
			n++
			c.again(v, f, EndSettings)
		}
	}
	c.review.on = c.review.next < len(c.flows)
	c.finish()
	return c.review.on
}

// Reviewing reports whether Review has more to do.
func (c *Cache) Reviewing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.review.on
}
