package rib

import (
	"encoding/binary"
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

// roaming says in which order changes came.
type roaming struct {
	hi        uint64 // of the address of the change before
	six       bool
	district  uint32 // its district
	moves     int    // how often one is in another district than the one before
	back      int    // how often in one that is before that
	inhabited int    // how many districts there are changes in
	seen      [districts / 64]uint64
}

// roam counts a change of the prefix at.
func (s *settling) roam(at *dest) {
	w, six, hi := &s.roamed, at.is(isIPv6), uint64(at.key)<<32
	if six {
		hi = binary.BigEndian.Uint64(s.rib.six.at(at.key)[:8])
	}
	d := districtOf(hi, six)
	if d == w.district && w.inhabited > 0 {
		return
	}
	w.moves++
	if w.six && !six || w.six == six && w.hi > hi {
		w.back++
	}
	w.hi, w.six, w.district = hi, six, d
	if w.seen[d/64]>>(d%64)&1 == 0 {
		w.seen[d/64] |= 1 << (d % 64)
		w.inhabited++
	}
}

// much reports whether changes go to and fro.
func (w *roaming) much() bool { return w.moves > 2*w.inhabited && 8*w.back > w.moves }

// arrangement is another order in which changes are handed out.
type arrangement struct {
	next  [districts]uint32 // how many there are in each district; then the place of its next one
	order []number          // nil until all are counted
}

// district gives a number to the surroundings of n.
func (t *slabs) district(n number) uint32 {
	k := t.key(n)
	return districtOf(k.hi, k.six)
}

// districtOf is district by the first half of the address.
func districtOf(hi uint64, six bool) uint32 {
	if !six {
		return uint32(hi >> 52)
	}
	return districts/2 + uint32(hi>>36*0x9e3779b1)>>20
}

// countChanges counts the changes of each district, if they are many and in no
// good order.
func (s *settling) countChanges() bool {
	if s.changed.n <= unarranged || !s.roamed.much() {
		return true
	}
	if s.arranged == nil {
		s.arranged = &arrangement{}
	}
	a := s.arranged
	return eachOf(s, &s.changed, func(n *number) { a.next[s.rib.district(*n)]++ })
}

// arrangeChanges brings together those of each district.
func (s *settling) arrangeChanges() bool {
	a := s.arranged
	if a == nil {
		return true
	}
	if a.order == nil {
		place := uint32(0)
		for d, n := range a.next {
			a.next[d] = place
			place += n
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
	entries := r.entries[:0]
	if cap(entries) < most {
		entries = make([]fib.Entry, 0, most)
	}
	if r.entries = nil; most >= leastKept {
		r.entries = entries
	}
	for ; s.at < s.changed.n; s.at++ {
		if !s.spend() {
			return false
		}
		s.left -= changeUnits - 1
		n := *s.changed.at(s.at)
		if s.arranged != nil {
			n = s.arranged.order[s.at]
		}
		d := r.at(n)
		s.out = append(s.out, fib.Change{Prefix: r.prefix(n)})
		if d.leads != 0 {
			best := &d.candidate
			if !best.is(isChosen) {
				best = r.cand(r.chosen(n))
			}
			entries = append(entries, fib.Entry{})
			e := &entries[len(entries)-1]
			c := &s.out[len(s.out)-1]
			c.Entry = e
			r.describe(c.Prefix, d.leads, best, e)
		}
	}
	return true
}

// describe says in e what the FIB is to have of a prefix.
func (r *RIB) describe(p netip.Prefix, l leads, best *candidate, e *fib.Entry) {
	e.Prefix, e.Action, e.Source, e.Distance = p, l.action(), best.source, best.distance
	e.Metric, e.Interface, e.Origin = best.metric, best.owner(), best.origin.File()
	if l >= firstGroup {
		e.Group = r.led[l].Group
	}
}
