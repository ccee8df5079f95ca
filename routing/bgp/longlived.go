package bgp

import (
	"fmt"
	"time"

	"routerd/routing/bgp/wire"
)

// staleTime is how long after a neighbour has come back what it has not sent again is
// kept, if it does not say that it has sent all (RFC 4724 §4.2).
const staleTime = 6 * time.Minute

// longLived is how long routes of a family that a neighbour has left are kept after its
// restart time: as long as it asks for, up to what is configured for it (RFC 9494 §4.2).
func (n *neighbor) longLived(f wire.Family, theirs *wire.Capabilities) time.Duration {
	x := &theirs.LongLived
	if !x.Present || !x.Families.Has(f) || !theirs.Restart.Present {
		return 0
	}
	return min(time.Duration(x.Stale[f])*time.Second, n.cfg.Families[f].LongLived)
}

// keepStale keeps what a neighbour has left whose session has ended, as long as it asks
// for: for its restart time (RFC 4724 §4.2), and then as long-lived routes.
func (m *Machine) keepStale(n *neighbor, gone *source, theirs *wire.Capabilities) {
	n.stale = gone
	restart := time.Duration(theirs.Restart.Time) * time.Second
	for f := range wire.Family(wire.NumFamilies) {
		gone.keep[f] = n.longLived(f, theirs)
		if theirs.Restart.Families.Has(f) && restart > 0 {
			continue
		}
		if gone.keep[f] > 0 { // RFC 9494 §4.2: as with a restart time of 0
			m.beginLongLived(n, f)
		} else {
			m.dropFamily(gone, f)
		}
	}
	m.tasks.Set(&n.forget.timer, m.now.Add(restart))
}

// forgetStale ends the restart time of a neighbour that has not come back, or the time in
// which one that has should have sent all.
func (m *Machine) forgetStale(n *neighbor) {
	s := n.stale
	if s == nil {
		return
	}
	kept := false
	for f := range wire.Family(wire.NumFamilies) {
		switch {
		case n.source != nil:
		case s.longLived.Has(f):
			kept = true
		case s.keep[f] > 0:
			kept = true
			m.beginLongLived(n, f)
		default:
			m.dropFamily(s, f)
		}
	}
	if !kept {
		m.dropStale(n)
	}
}

// beginLongLived has the routes that a neighbour has left be long-lived stale ones: the
// least preferred, and sent on as such (RFC 9494 §4.2).
func (m *Machine) beginLongLived(n *neighbor, f wire.Family) {
	s := n.stale
	s.longLived |= wire.Of(f)
	m.tasks.Set(&n.lapse[f].timer, m.now.Add(s.keep[f]))
	m.startSweep(sweep{kind: sweepLongLived, source: s, family: f})
	if s.routes[f] > 0 {
		m.event(LongLivedStale, n.link, n.cfg.Address, fmt.Errorf("%d %v routes are kept for up to %v", s.routes[f], f, s.keep[f]))
	}
}

// endLongLived drops the routes of a family that were kept for long enough.
func (m *Machine) endLongLived(n *neighbor, f wire.Family) {
	m.tasks.Stop(&n.lapse[f].timer)
	s := n.stale
	if s == nil || !s.longLived.Has(f) {
		return
	}
	s.longLived &^= wire.Of(f)
	s.keep[f] = 0
	m.dropFamily(s, f)
	if n.source == nil && s.longLived == 0 && !n.forget.timer.IsSet() {
		m.dropStale(n)
	}
}

// sweepLongLived goes on with having routes decided that have become long-lived, but for
// those that must not (RFC 9494 §4.2).
func (m *Machine) sweepLongLived(w *sweep, most int) uint32 {
	r := m.ribs[w.family]
	return r.table.Sweep(w.at, most, w.source.number, func(n uint32, c Candidate) Fate {
		r.touch(n)
		if !c.Attributes.NoLongLived {
			return KeepRoute
		}
		w.source.routes[w.family]--
		return DropRoute
	})
}

// returns has what a neighbour has left that is back wait for all that it sends, and drops
// at once what it has not kept (RFC 4724 §4.2, RFC 9494 §4.2).
func (m *Machine) returns(n *neighbor, theirs *wire.Capabilities, agreed wire.Families) {
	for f := range wire.Family(wire.NumFamilies) {
		m.tasks.Stop(&n.lapse[f].timer)
		kept := theirs.Restart.Forwarding
		if n.stale.longLived.Has(f) {
			kept = 0
			if theirs.Restart.Present {
				kept = theirs.LongLived.Forwarding
			}
		}
		if !kept.Has(f) || !agreed.Has(f) {
			m.dropFamily(n.stale, f)
		}
	}
	m.tasks.Set(&n.forget.timer, m.now.Add(staleTime))
}
