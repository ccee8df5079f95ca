package ospf

import (
	"slices"
	"time"

	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// flushTime is how long a router that stops waits for its neighbours to acknowledge
// that its LSAs are no more.
const flushTime = time.Second

// stop has the router leave: while its neighbours still forward by it it offers
// itself for no transit (RFC 6987), then it flushes what it has originated, and at
// last its Hellos name nobody.
func (m *Machine) stop() {
	if m.stopping {
		return
	}
	m.stopping = true
	wait := m.cfg.StubRouter.OnShutdown
	if !m.anyFull() {
		wait = 0
	}
	for _, a := range m.areas {
		m.dirtyRouter(a)
	}
	m.emit(protocol.Leaving{Within: wait + arrival + flushTime})
	m.after(&m.leave, wait)
}

func (m *Machine) anyFull() bool {
	return slices.ContainsFunc(m.order, func(l *link) bool { return l.full() > 0 })
}

// settled is when the newest LSA of the router has been out for so long that its
// successor is let in everywhere (RFC 2328 §13 (5)(a)).
func (m *Machine) settled() (at time.Time) {
	for _, s := range m.scopes() {
		for t := range wire.ASOpaque + 1 {
			for e := range s.db.All(t) {
				if out := e.installed.Add(arrival); e.self && !e.maxAge && out.After(at) {
					at = out
				}
			}
		}
	}
	return at
}

// flush withdraws all that the router has originated.
func (m *Machine) flush() {
	if at := m.settled(); at.After(m.now) && m.anyFull() {
		m.due.Set(&m.leave, at)
		return
	}
	m.leaving = true
	for _, s := range slices.Clone(m.scopes()) {
		m.withdrawAll(s)
	}
	m.leave.Of = m.goodbye
	m.after(&m.leave, flushTime)
}

// withdrawAll withdraws what the router has originated in a scope.
func (m *Machine) withdrawAll(s scope) {
	for t := range wire.ASOpaque + 1 {
		for e := range s.db.All(t) {
			if !e.self {
				continue
			}
			if _, flood := s.db.Withdraw(e.lsa.Identity()); flood {
				m.spread(s, e, nil)
			}
		}
	}
}

// depart says goodbye as soon as there is nothing to wait for.
func (m *Machine) depart() {
	if !m.leaving || !m.leave.IsSet() {
		return
	}
	for _, l := range m.order {
		for _, n := range l.neighbors {
			if n.unacked.len() > 0 {
				return
			}
		}
	}
	m.due.Stop(&m.leave)
	m.goodbye()
}

// goodbye has all neighbours know at once that the router hears them no longer.
func (m *Machine) goodbye() {
	for _, l := range m.order {
		m.part(l)
	}
	for _, l := range slices.Clone(m.order) {
		m.deactivate(l)
	}
	m.save(false)
	m.stopped = true
	m.emit(protocol.Stopped{})
}

// part has the neighbours of a link know that they are heard no longer.
func (m *Machine) part(l *link) {
	if !l.speaks() {
		return
	}
	l.parting = true
	if l.groups() {
		m.hail(l, allSPFRouters)
	} else {
		for _, n := range l.neighbors {
			if n.state >= NeighborInit {
				m.hail(l, n.address)
			}
		}
	}
	l.parting = false
}
