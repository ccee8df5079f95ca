package arp

import "time"

// Next hops that do not answer. Groups with another hop skip them, so no packet
// causes a request any more, and the machine has to request them itself.

// A failed next hop is requested again after at most firstWait, and each time
// that it fails again after twice as long, up to mostWait. A quarter of the
// time is random, so that those that failed together are not all requested
// together.
const (
	firstWait = time.Second
	mostWait  = 30 * time.Second
)

// routed reports whether n is the next hop of routes.
func (m *Machine) routed(n *neighbor) bool {
	return m.cfg.Routed != nil && m.cfg.Routed(n.iface.id, n.addr)
}

// condemn reports that n, a next hop of routes, does not answer.
func (m *Machine) condemn(n *neighbor) {
	if !n.dead {
		n.dead, n.learned = true, m.now
		m.emit(HopState{n.iface.id, n.addr, false})
	}
}

// failed schedules the next request for n.
func (m *Machine) failed(n *neighbor) {
	m.unpublish(n)
	m.promote(n, rankNextHop)
	m.enqueue(n, nil)
	n.state, n.mac, n.router, n.tries = Failed, MAC{}, false, 0
	n.wait = min(max(2*n.wait, firstWait), mostWait)
	m.timers.Set(&n.timer, m.now.Add(m.between(n.wait*3/4, n.wait)))
}

// revive reports that nothing speaks against n any more.
func (m *Machine) revive(n *neighbor) {
	n.wait = 0
	if n.dead {
		n.dead = false
		m.emit(HopState{n.iface.id, n.addr, true})
	}
}
