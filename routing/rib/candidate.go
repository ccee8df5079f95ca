package rib

import (
	"cmp"
	"net/netip"
	"time"

	"routerd/internal/origin"
	"routerd/routing"
)

// candidate is one route that one source offers for a prefix, without its next
// hops, which are shared: the slabs have the number of their set. Why it was not
// chosen is determined when somebody asks.
type candidate struct {
	since  uint32 // when it last changed, in seconds since 1970
	origin origin.ID
	metric uint32
	tag    uint32
	// place is the place in the configuration of a static route, the interface
	// of a connected one, and 0 of all others.
	place    uint32
	source   routing.Source // SourceNone: no candidate at all
	action   routing.Action
	distance uint8
	flags    flags
}

type flags uint8

const (
	isChosen    flags = 1 << iota
	isWhole           // of an own address: it is its whole subnet, and the link is up
	ownDistance       // the distance is given by its source and not by the configuration
	epochOne          // the rest is the epoch of its source when it was offered, see stale.go
)

const epochs = 256 / int(epochOne)

func (c *candidate) is(f flags) bool { return c.flags&f != 0 }

func (c *candidate) epoch() int { return int(c.flags / epochOne) }

func (c *candidate) setEpoch(e int) { c.flags = c.flags%epochOne | flags(e)*epochOne }

// ref says where a candidate is: the best of a prefix, by the prefix's number, or
// a spare one. 0 is none. It is good until a candidate of the prefix comes or goes.
type ref uint32

const spareRef ref = 1 << 31

func seconds(t time.Time) uint32 { return uint32(max(t.Unix(), 0)) }

// owner is the interface of a connected, local or broadcast route; else
// NoInterface.
func (c *candidate) owner() routing.InterfaceID {
	if c.source == routing.SourceConnected {
		return routing.InterfaceID(c.place)
	}
	return routing.NoInterface
}

// offered is the distance as the source gave it; 0 = the configured one.
func (c *candidate) offered() uint8 {
	if c.is(ownDistance) {
		return c.distance
	}
	return 0
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
		cmp.Compare(c.place, o.place),
	)
}

// merges reports whether o, which comes after c, forms a multipath route with
// c. Only static routes do; a protocol offers one route with several hops.
func (c *candidate) merges(o *candidate) bool {
	return c.source == routing.SourceStatic && o.source == c.source &&
		c.action == routing.Forward && o.action == c.action &&
		c.distance == o.distance && c.metric == o.metric
}

// same reports whether c and o, of the same prefix, are equal, hops, lines and
// ages aside.
func (c *candidate) same(o *candidate) bool {
	return c.source == o.source && c.action == o.action && c.offered() == o.offered() &&
		c.metric == o.metric && c.tag == o.tag && c.place == o.place
}

// first gives the best candidate of n.
func (t *slabs) first(n number) ref {
	if t.at(n).source == routing.SourceNone {
		return 0
	}
	return ref(n)
}

// cand gives the candidate that is at c.
func (t *slabs) cand(c ref) *candidate {
	if c&spareRef != 0 {
		return &t.spares.at(uint32(c &^ spareRef)).candidate
	}
	return &t.dests.at(uint32(c)).candidate
}

// more gives what follows c in order of preference.
func (t *slabs) more(c ref) *ref {
	if c&spareRef != 0 {
		return &t.spares.at(uint32(c &^ spareRef)).more
	}
	return &t.dests.at(uint32(c)).more
}

// hopsOf gives the number of the set of next hops of c: 0 of a connected one and
// of one that does not forward.
func (t *slabs) hopsOf(c ref) *uint32 {
	if c&spareRef != 0 {
		return t.shops.at(uint32(c &^ spareRef))
	}
	return t.hops.at(uint32(c))
}

// link puts a candidate in its place among those of n.
func (t *slabs) link(n number, c candidate, hops uint32) {
	d := t.at(n)
	if d.source == routing.SourceNone {
		d.candidate, *t.hopsOf(ref(n)) = c, hops
		return
	}
	s := ref(t.spares.take()) | spareRef
	t.shops.cover(uint32(s &^ spareRef))
	t.spares.at(uint32(s &^ spareRef)).dest = n
	if c.order(&d.candidate) < 0 {
		*t.cand(s), *t.hopsOf(s), *t.more(s) = d.candidate, *t.hopsOf(ref(n)), d.more
		d.candidate, *t.hopsOf(ref(n)), d.more = c, hops, s
		return
	}
	at := &d.more
	for *at != 0 && t.cand(*at).order(&c) < 0 {
		at = t.more(*at)
	}
	*t.cand(s), *t.hopsOf(s), *t.more(s) = c, hops, *at
	*at = s
}

// unlink takes a candidate from those of n.
func (t *slabs) unlink(n number, c ref) {
	d := t.at(n)
	if c == ref(n) {
		s := d.more
		if s == 0 {
			d.candidate, *t.hopsOf(c) = candidate{}, 0
			return
		}
		d.candidate, *t.hopsOf(c), d.more = *t.cand(s), *t.hopsOf(s), *t.more(s)
		c = s
	} else {
		at := &d.more
		for *at != c {
			at = t.more(*at)
		}
		*at = *t.more(c)
	}
	at := uint32(c &^ spareRef)
	*t.spares.at(at), *t.shops.at(at) = spare{}, 0
	t.spares.give(at)
}

// by gives the candidate of n that a source offers in a place, 0 where it offers
// none. A protocol's place is 0.
func (t *slabs) by(n number, s routing.Source, place uint32) ref {
	s = s.Offerer()
	for c := t.first(n); c != 0; c = *t.more(c) {
		if x := t.cand(c); x.source.Offerer() == s && x.place == place {
			return c
		}
	}
	return 0
}

// chosen gives the candidate of n that packets are forwarded by, the first of
// equal ones, or 0.
func (t *slabs) chosen(n number) ref {
	for c := t.first(n); c != 0; c = *t.more(c) {
		if t.cand(c).is(isChosen) {
			return c
		}
	}
	return 0
}

// offer adds a candidate of n, which holds a reference to its hops.
func (r *RIB) offer(n number, c candidate, hops uint32) {
	r.touch(n)
	d := r.at(n)
	r.link(n, c, hops)
	r.stats.Routes[c.source][d.family()]++
}

// remove removes a candidate. Its prefix is kept until the next settling has
// changed the FIB.
func (r *RIB) remove(n number, c ref) {
	r.touch(n)
	r.stats.Routes[r.cand(c).source][r.at(n).family()]--
	hops := *r.hopsOf(c)
	r.unlink(n, c)
	r.releaseHops(hops)
}

// number gives the number of a prefix, which it makes if there is none.
func (r *RIB) number(p netip.Prefix) number {
	n, made := r.slabs.number(p)
	if made {
		if inside := r.watchesIn(p); inside > 0 {
			r.transits[n] = &transit{watches: inside}
			r.at(n).flags |= isTransit
		}
	}
	return n
}
