package bgp

import "routerd/routing/bgp/wire"

// sweepKind is what a sweep does with each prefix that it comes to.
type sweepKind uint8

const (
	sweepDrop        sweepKind = iota // the routes of a source are dropped
	sweepDecide                       // it is decided anew
	sweepReceived                     // what is kept of a source is dropped
	sweepImport                       // what is kept goes through import policies again
	sweepRefreshed                    // what a refresh has not brought again is dropped
	sweepReceivedOld                  // and from what is kept
	sweepLongLived                    // routes have become long-lived stale ones
)

// sweep is a table that is gone through, a part of it in each step.
type sweep struct {
	kind   sweepKind
	source *source // nil for sweepDecide
	family wire.Family
	at     uint32
	round  uint16 // of what is old: that of the refresh
}

// sweepAtOnce is how many prefixes a step looks at.
const sweepAtOnce = 1 << 13

// startSweep begins a sweep, unless the same one waits already.
func (m *Machine) startSweep(w sweep) {
	for i := range m.sweeps {
		if m.sweeps[i] == w {
			return
		}
	}
	if w.source != nil {
		w.source.sweeps++
	}
	m.sweeps = append(m.sweeps, w)
}

// again has all prefixes of a family decided anew.
func (m *Machine) again(f wire.Family) { m.startSweep(sweep{kind: sweepDecide, family: f}) }

// dropFamily drops the routes of a source of one family.
func (m *Machine) dropFamily(s *source, f wire.Family) {
	m.startSweep(sweep{kind: sweepDrop, source: s, family: f})
}

// numbers is one more than the highest number that a sweep comes to.
func (r *rib) numbers(k sweepKind) uint32 {
	switch {
	case k == sweepDrop || k == sweepDecide || k == sweepRefreshed || k == sweepLongLived:
		return r.table.Numbers()
	case r.received == nil:
		return 0
	}
	return r.received.Numbers()
}

// sweep goes on with the sweeps, one after the other, and behind them with freeing numbers.
func (m *Machine) sweep() {
	left := sweepAtOnce
	for _, r := range m.ribs {
		if len(m.sweeps) == 0 || r.crowded() {
			m.freeSome(r, left)
		}
	}
	for len(m.sweeps) > 0 && left > 0 {
		w := &m.sweeps[0]
		r := m.ribs[w.family]
		before := w.at
		switch w.kind {
		case sweepDrop:
			w.at = r.table.Sweep(w.at, left, w.source.number, func(n uint32, _ Candidate) Fate {
				w.source.routes[w.family]--
				r.touch(n)
				return DropRoute
			})
		case sweepLongLived:
			w.at = m.sweepLongLived(w, left)
		case sweepRefreshed:
			w.at = m.sweepRefreshed(w, left)
		case sweepDecide:
			w.at = r.touchAll(w.at, left)
		case sweepReceived, sweepReceivedOld:
			w.at = m.sweepReceived(w, left)
		case sweepImport:
			w.at = m.sweepImport(w, left)
			left -= (importCost - 1) * int(w.at-before)
		}
		left -= int(w.at - before)
		if w.at < r.numbers(w.kind) {
			return
		}
		s := w.source
		m.sweeps = m.sweeps[1:]
		if s == nil {
			continue
		}
		if s.sweeps--; s.sweeps == 0 && s.lost {
			m.sources[s.number] = nil
			m.freed = append(m.freed, s.number)
		}
	}
}

// touchAll has up to most prefixes from a number on decided, and gives the number to go on
// from.
func (r *rib) touchAll(from uint32, most int) uint32 {
	end := max(from, min(from+uint32(most), r.table.Numbers()))
	for n := from; n < end; n++ {
		if r.table.Used(n) {
			r.touch(n)
		}
	}
	return end
}

// Fate is what becomes of a route that Sweep has come to.
type Fate uint8

const (
	KeepRoute Fate = iota
	DropRoute
)

// Sweep goes through up to most numbers from one on, and asks about each route of a source
// what becomes of it. It gives the number to go on from, which is Numbers in the end.
func (t *Table) Sweep(from uint32, most int, source uint16, fate func(n uint32, c Candidate) Fate) uint32 {
	end := min(from+uint32(most), t.heads.n)
	for n := from; n < end; n++ {
		h := t.heads.at(n)
		if !h.used {
			continue
		}
		for at := &h.first; *at != 0; {
			r := t.routes.at(*at - 1)
			if r.source == source {
				if fate(n, t.candidate(*at, r)) == DropRoute {
					t.remove(n, r, at)
					continue
				}
			}
			at = &r.next
		}
	}
	return max(end, from)
}
