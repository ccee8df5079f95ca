package bgp

import (
	"errors"

	"routerd/routing/bgp/wire"
)

// refreshBegins is told that a neighbour sends all of a family again: what it has not sent
// by the end is dropped (RFC 7313 §4).
func (m *Machine) refreshBegins(n *neighbor, f wire.Family) {
	s := n.source
	switch {
	case s == nil || !n.session.Agreed().EnhancedRefresh:
		return
	case n.session.Theirs().Capabilities.Restart.Present && !s.ended.Has(f):
		m.event(RefreshIgnored, n.link, n.cfg.Address, errors.New("the neighbour begins a refresh, and has not sent all once yet"))
		return
	}
	s.refreshing |= wire.Of(f)
	if n.cfg.Families[f].KeepReceived {
		s.filling |= wire.Of(f)
	}
	m.ribs[f].table.Renew(s.number)
	if t := m.ribs[f].received; t != nil {
		t.Renew(s.number)
	}
	m.tasks.Set(&n.refreshing[f].timer, m.now.Add(staleTime))
}

// refreshed drops what a neighbour has not sent again, when it says that it has sent all,
// or has not said so for long.
func (m *Machine) refreshed(n *neighbor, f wire.Family) {
	m.tasks.Stop(&n.refreshing[f].timer)
	s := n.source
	if s == nil || !s.refreshing.Has(f) { // RFC 7313 §4: an end without a beginning may be ignored
		return
	}
	s.refreshing &^= wire.Of(f)
	s.whole[f] = s.whole[f] || s.filling.Has(f)
	s.filling &^= wire.Of(f)
	round := m.ribs[f].table.round(s.number)
	for k, came := range s.rejected[f] {
		if came != round {
			delete(s.rejected[f], k)
		}
	}
	m.startSweep(sweep{kind: sweepRefreshed, source: s, family: f, round: round})
	if t := m.ribs[f].received; t != nil && s.kept[f] > 0 {
		m.startSweep(sweep{kind: sweepReceivedOld, source: s, family: f, round: t.round(s.number)})
	}
}

// sweepRefreshed goes on with dropping what a refresh has not brought again. The next one
// may have begun meanwhile.
func (m *Machine) sweepRefreshed(w *sweep, most int) uint32 {
	r, s := m.ribs[w.family], w.source
	since := r.table.round(s.number) - w.round
	return r.table.Sweep(w.at, most, s.number, func(n uint32, c Candidate) Fate {
		if c.Age <= since {
			return KeepRoute
		}
		s.routes[w.family]--
		r.touch(n)
		return DropRoute
	})
}
