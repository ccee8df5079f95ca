package rib

import (
	"net/netip"
	"slices"

	"routerd/routing/fib"
)

// The changes of the FIB are handed out in an order in which prefixes that are
// close to each other come together, whatever the order in which they were
// offered: the FIB copies the pages that a slice of them touches.

const (
	districts = 1 << 13 // for each family one half
	// unarranged changes are so few that their order does not matter.
	unarranged = 512
	// changeUnits is what a change counts in a slice, since the FIB has to take
	// it too.
	changeUnits = 8
)

// arrangement is the order in which the changes of a settling are handed out.
type arrangement struct {
	next  [districts]uint32 // how many there are in each district; then the place of its next one
	last  uint32            // the district of the one before
	moves int               // how often it is another one than the one before
	order []number          // nil = as they came
}

// district gives a number to the surroundings of n.
func (t *slabs) district(n number) uint32 {
	k := t.key(n)
	if !k.six {
		return uint32(k.hi >> 52)
	}
	return districts/2 + uint32(k.hi>>36*0x9e3779b1)>>20
}

// countChanges counts the changes of each district, if they are many.
func (s *settling) countChanges() bool {
	if s.changed.n <= unarranged {
		return true
	}
	if s.arranged == nil {
		s.arranged = &arrangement{}
	}
	a := s.arranged
	return eachOf(s, &s.changed, func(n *number) {
		d := s.rib.district(*n)
		a.next[d]++
		if d != a.last {
			a.moves++
		}
		a.last = d
	})
}

// arrangeChanges brings together those of each district, if they are not.
func (s *settling) arrangeChanges() bool {
	a := s.arranged
	if a == nil {
		return true
	}
	if a.order == nil {
		place, inhabited := uint32(0), 0
		for d, n := range a.next {
			a.next[d] = place
			place += n
			if n > 0 {
				inhabited++
			}
		}
		if a.moves <= 2*inhabited {
			return true
		}
		a.order = make([]number, s.changed.n)
	}
	return eachOf(s, &s.changed, func(n *number) {
		d := s.rib.district(*n)
		a.order[a.next[d]] = *n
		a.next[d]++
	})
}

// handOut makes the changes of the FIB.
func (s *settling) handOut() bool {
	r := s.rib
	most := min(max(s.left, 0)/changeUnits+1, s.changed.n-s.at)
	s.out = slices.Grow(r.given[:0], most)
	entries := make([]fib.Entry, 0, most)
	for ; s.at < s.changed.n; s.at++ {
		if !s.spend() {
			return false
		}
		s.left -= changeUnits - 1
		n := *s.changed.at(s.at)
		if s.arranged != nil && s.arranged.order != nil {
			n = s.arranged.order[s.at]
		}
		c := fib.Change{Prefix: r.prefix(n)}
		if l := r.at(n).leads; l != 0 {
			entries = append(entries, r.entry(c.Prefix, l, r.installed(n)))
			c.Entry = &entries[len(entries)-1]
		}
		s.out = append(s.out, c)
	}
	return true
}

// entry is what the FIB is to have.
func (r *RIB) entry(p netip.Prefix, l leads, f facts) fib.Entry {
	e := fib.Entry{
		Prefix: p, Action: l.action(), Source: f.source, Distance: f.distance,
		Metric: f.metric, Interface: f.owner, Origin: f.origin,
	}
	if l >= firstGroup {
		e.Group = r.led[l].Group
	}
	return e
}
