package rib

import (
	"cmp"
	"net/netip"

	"routerd/internal/origin"
	"routerd/routing"
	"routerd/routing/fib"
)

// candidate is one route that one source offers for a prefix. There may be
// millions, so it is small: next hops are shared, and why it was not chosen is
// determined when somebody asks.
type candidate struct {
	dest *dest
	next *candidate // of the same prefix, in order of preference
	hops *hopSet    // with action Forward, except connected; else nil
	// Links in the list of the candidates with the same hops.
	prevUser, nextUser *candidate

	since    int64 // when it last changed, in ns since 1970
	origin   origin.ID
	metric   uint32
	tag      uint32
	sequence uint32              // place in the configuration, of static routes
	owner    routing.InterfaceID // of connected, local and broadcast; else NoInterface
	source   routing.Source
	action   routing.Action
	offered  uint8 // distance given by its source; 0 = the configured one
	distance uint8
	chosen   bool
	whole    bool // of an own address: it is its whole subnet, and the link is up
	stale    bool // its source has restarted and not offered it again
}

// dest is a prefix with at least one candidate.
type dest struct {
	prefix netip.Prefix
	first  *candidate
	entry  *fib.Entry // the entry in the FIB; nil = no candidate is usable
	group  *sharedGroup
	looped []*watch // next hops that resolve back through this prefix; mostly none
	// transit counts the watched next hops inside the prefix. If it is zero,
	// nothing can resolve through this prefix.
	transit uint32
	offered bool // some subscriber may have been offered this prefix
	dirty   bool
	pending bool // while settling: not decided yet
	visited bool // while settling: looked at in this round
}

// rank puts the router's own addresses first, then broadcast addresses, like
// Linux, which looks into its local table first.
func (c *candidate) rank() int {
	switch c.action {
	case routing.Local:
		return 0
	case routing.Broadcast:
		return 1
	}
	return 2
}

// order is the preference: negative if c is better than o. It depends on the
// candidates alone and not on when they came, and is zero only for a candidate
// and itself.
func (c *candidate) order(o *candidate) int {
	return cmp.Or(
		cmp.Compare(c.rank(), o.rank()),
		cmp.Compare(c.distance, o.distance),
		cmp.Compare(c.metric, o.metric),
		cmp.Compare(c.source, o.source),
		cmp.Compare(c.owner, o.owner),
		cmp.Compare(c.sequence, o.sequence),
	)
}

// merges reports whether o, which comes after c, forms a multipath route with
// c. Only static routes do; a protocol offers one route with several hops.
func (c *candidate) merges(o *candidate) bool {
	return c.source == routing.SourceStatic && o.source == c.source &&
		c.action == routing.Forward && o.action == c.action &&
		c.distance == o.distance && c.metric == o.metric
}

// same reports whether c and o are equal, lines and ages aside.
func (c *candidate) same(o *candidate) bool {
	return c.source == o.source && c.action == o.action && c.offered == o.offered &&
		c.metric == o.metric && c.tag == o.tag && c.hops == o.hops && c.owner == o.owner
}

// link puts c in its place among the candidates of d.
func (d *dest) link(c *candidate) {
	at := &d.first
	for *at != nil && (*at).order(c) < 0 {
		at = &(*at).next
	}
	c.dest, c.next, *at = d, *at, c
}

// unlink takes c from the candidates of d.
func (d *dest) unlink(c *candidate) {
	for at := &d.first; *at != nil; at = &(*at).next {
		if *at == c {
			*at, c.next = c.next, nil
			return
		}
	}
}

// add offers a new candidate for p.
func (r *RIB) add(p netip.Prefix, c *candidate) {
	d, ok := r.dests.Get(p)
	if !ok {
		d = &dest{prefix: p}
		if r.watches.Size() > 0 {
			for range r.watches.Subnets(p) {
				d.transit++
			}
		}
		r.dests.Insert(p, d)
	}
	d.link(c)
	if c.hops != nil {
		c.hops.addUser(c)
	}
	r.stats.Routes[c.source][d.family()]++
	r.markDirty(d)
}

// family is 0 for IPv4 and 1 for IPv6.
func (d *dest) family() int {
	if d.prefix.Addr().Is4() {
		return 0
	}
	return 1
}

// remove removes a candidate. Its prefix is kept until Flush has changed the
// FIB.
func (r *RIB) remove(c *candidate) {
	d := c.dest
	d.unlink(c)
	r.stats.Routes[c.source][d.family()]--
	r.markDirty(d)
	if c.hops != nil {
		c.hops.removeUser(c)
		r.releaseHops(c.hops)
	}
}

// of gives the candidate of a protocol, or nil. A protocol offers at most one.
func (d *dest) of(s routing.Source) *candidate {
	for c := d.first; c != nil; c = c.next {
		if c.source == s {
			return c
		}
	}
	return nil
}

// find gives the first candidate for p for which wanted is true.
func (r *RIB) find(p netip.Prefix, wanted func(*candidate) bool) *candidate {
	d, ok := r.dests.Get(p)
	if !ok {
		return nil
	}
	for c := d.first; c != nil; c = c.next {
		if wanted(c) {
			return c
		}
	}
	return nil
}
