package ospf

import (
	"slices"

	"routerd/routing/protocol"
)

// affect is an event of an interface's state machine (RFC 2328 §9.3).
func (m *Machine) affect(l *link, e InterfaceEvent) {
	to, do := l.state.Next(e, l.network, l.cfg.Priority > 0)
	m.become(l, to)
	if do&StartHello != 0 {
		m.due.Set(&l.hello, m.now)
	}
	if do&StartWait != 0 {
		m.after(&l.wait, l.cfg.dead())
	}
	if do&StartEligible != 0 {
		m.greetEligible(l)
	}
	if do&RunElection != 0 {
		m.elect(l)
	}
	if do&Reset != 0 {
		m.reset(l)
	}
}

// reset forgets what a link knew (RFC 2328 §9.3: InterfaceDown).
func (m *Machine) reset(l *link) {
	for _, t := range []*timer{&l.hello, &l.wait, &l.ack, &l.pace} {
		m.due.Stop(t)
	}
	why := errLinkDown
	if m.leaving {
		why = errLeaving
	}
	for _, n := range slices.Clone(l.neighbors) {
		if n.state == NeighborDown {
			m.gone(n)
		} else {
			m.lose(n, KillNbr, why)
		}
	}
	l.acks = l.acks[:0]
	l.updates.clear()
	l.dr, l.bdr, l.elect = 0, 0, false
}

// become has a link be in a state. The groups are joined and left with it (RFC 2328
// §8.1, §9.5).
func (m *Machine) become(l *link, to InterfaceState) {
	was := l.state
	if was == to {
		return
	}
	l.state, l.since = to, m.now
	m.dirtyRouter(l.area)
	m.dirtyNetwork(l)
	if (was >= InterfaceBackup) != (to >= InterfaceBackup) && l.network == Broadcast {
		if to >= InterfaceBackup {
			m.emit(protocol.Join{Link: l.id, Group: allDRouters})
		} else {
			m.emit(protocol.Leave{Link: l.id, Group: allDRouters})
		}
	}
}

// elections holds those that changes of neighbours have made necessary.
func (m *Machine) elections() {
	for _, l := range m.order {
		if l.elect {
			l.elect = false
			m.affect(l, NeighborChange)
		}
	}
}

// elect elects the DR and the BDR of a link (RFC 2328 §9.4).
func (m *Machine) elect(l *link) {
	self := Candidate{Router: m.router, Name: l.self(), Priority: l.cfg.Priority, DR: l.dr, BDR: l.bdr}
	var others []Candidate
	for _, n := range l.neighbors {
		if n.state >= NeighborTwoWay || n.helped() {
			others = append(others, n.candidate())
		}
	}
	was, dr, bdr := l.state, l.dr, l.bdr
	r := Elect(self, others)
	m.due.Stop(&l.wait)
	l.dr, l.bdr = r.DR, r.BDR
	m.become(l, r.State)
	if was == l.state && dr == l.dr && bdr == l.bdr {
		return
	}
	m.dirtyRouter(l.area)
	m.dirtyNetwork(l)
	m.hailSoon(l)                                                                 // the others have to know
	if l.network == NBMA && was < InterfaceBackup && l.state >= InterfaceBackup { // (6)
		for _, n := range l.neighbors {
			if n.state == NeighborDown {
				m.happen(n, Start)
			}
		}
	}
	for _, n := range slices.Clone(l.neighbors) { // (7)
		if n.state >= NeighborTwoWay {
			m.lose(n, AdjOK, errRole)
		}
	}
}
