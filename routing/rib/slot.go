package rib

import (
	"errors"
	"fmt"
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
	s := c.Slot
	kind := source
	if s.Internal && source == routing.SourceBGP {
		kind = routing.SourceIBGP
	}
	d := routing.Delta{Withdraw: !c.Offered, Route: routing.Route{
		Prefix: s.Prefix, Source: kind, Action: s.Action, Distance: s.Distance,
		Metric: s.Metric, Tag: s.Tag, NextHops: s.NextHops, Origin: s.Origin,
	}}
	err := checkDelta(&d)
	switch {
	case r.Settling():
		err = ErrSettling
	case s.Internal && kind == source:
		err = errNotInternal
	}
	if err != nil {
		return at, fmt.Errorf("taking a route of %v for %v: %w", source, s.Prefix, err)
	}
	r.touched = true
	n := number(at)
	k := keyOf(s.Prefix)
	known := r.is(n, &k)
	if d.Withdraw {
		if !known {
			n = r.find(s.Prefix)
		}
		if n != 0 {
			r.withdraw(n, source)
		}
		return 0, nil
	}
	if !known {
		n = r.number(s.Prefix)
	}
	r.offerRoute(now, n, &d.Route)
	return Number(n), nil
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
