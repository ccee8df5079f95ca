package arp

import "time"

// Next hops that do not answer. Whoever has another one passes over them, so
// no packet asks for them any more, and the machine has to.

// A next hop that failed is asked again, as one never heard of is, after
// firstWait at most, and each time that it fails again after twice as long, up to
// mostWait. A fourth of that is left to chance, so that those that failed
// together are not all asked together.
const (
	firstWait = time.Second
	mostWait  = 30 * time.Second
)

// routed reports whether routes lead by n.
func (m *Machine) routed(n *neighbor) bool {
	return m.cfg.Routed != nil && m.cfg.Routed(n.iface.id, n.addr)
}

// condemn says of n, which routes lead by, that it does not answer.
func (m *Machine) condemn(n *neighbor) {
	if !n.dead {
		n.dead, n.learned = true, m.now
		m.emit(HopState{n.iface.id, n.addr, false})
	}
}

// failed leaves n alone for a while.
func (m *Machine) failed(n *neighbor) {
	m.unpublish(n)
	m.promote(n, rankNextHop)
	m.enqueue(n, nil)
	n.state, n.mac, n.router, n.tries = Failed, MAC{}, false, 0
	n.wait = min(max(2*n.wait, firstWait), mostWait)
	m.timers.Set(&n.timer, m.now.Add(m.between(n.wait*3/4, n.wait)))
}

// revive takes back what was said against n.
func (m *Machine) revive(n *neighbor) {
	n.wait = 0
	if n.dead {
		n.dead = false
		m.emit(HopState{n.iface.id, n.addr, true})
	}
}
