package rib

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"routerd/routing"
)

// Number is the RIB's number of a prefix, which who offers a route for it may
// keep, to find it at once the next time. It is a hint: the RIB gives numbers
// again. 0 is none.
type Number uint32

// ErrSettling says that the RIB takes no slots while it is being settled.
var ErrSettling = errors.New("the table is being settled")

var errNotInternal = errors.New("it is said to be internal, which only routes of BGP are")

// TakeSlot takes a change of a slot of a protocol, as [Step] takes a Delta, and
// gives the number of its prefix, 0 if it is withdrawn. at is the number that the
// last one of the slot gave. It keeps no more of the slot than the next hops,
// which must not be written to. While [RIB.Settling], nothing is taken.
func (r *RIB) TakeSlot(now time.Time, source routing.Source, at Number, c routing.Change) (Number, error) {
	s, n := c.Slot, number(at)
	if r.Settling() {
		return at, refusedRoute(source, s.Prefix, ErrSettling)
	}
	k := keyOf(s.Prefix)
	known := r.is(n, &k)
	kind := source
	if s.Internal && source == routing.SourceBGP {
		kind = routing.SourceIBGP
	}
	err := checkRoute(kind, s.Action)
	switch {
	case s.Internal && kind == source:
		err = errNotInternal
	case !known && err == nil:
		err = checkPrefix(s.Prefix)
	}
	if err != nil {
		return at, refusedRoute(source, s.Prefix, err)
	}
	r.touched = true
	switch {
	case c.Offered && !known:
		n = r.number(s.Prefix)
	case !known:
		n = r.find(s.Prefix)
	}
	if !c.Offered {
		if n != 0 {
			r.withdraw(n, source)
		}
		return 0, nil
	}
	r.offerRoute(n, candidate{
		since: seconds(now), origin: s.Origin, metric: s.Metric, tag: s.Tag, source: kind, action: s.Action,
	}, s.Distance, s.NextHops)
	return Number(n), nil
}

func refusedRoute(s routing.Source, p netip.Prefix, why error) error {
	return fmt.Errorf("taking a route of %v for %v into the rib: %w", s, p, why)
}

// is reports whether n is the number of a prefix.
func (t *slabs) is(n number, k *key) bool {
	if n == 0 || uint32(n) >= t.dests.used {
		return false
	}
	d := t.at(n)
	if d.bits != k.bits || d.flags&(isUsed|isIPv6) != isUsed {
		return d.bits == k.bits && d.is(isUsed) && t.key(n) == *k
	}
	return !k.six && d.key == uint32(k.hi>>32)
}
