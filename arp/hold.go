package arp

import "routerd/routing"

// held is a packet that waits for its neighbour. One that the machine made
// itself goes without anybody being told.
type held struct {
	packet []byte
	tag    any
	silent bool
}

// hold keeps a packet until n answers or is given up. The newest are kept:
// "when a queue overflows, the new arrival SHOULD replace the oldest entry"
// (RFC 4861 §7.2.2), and RFC 1122 §2.3.2.2 wants the latest.
func (m *Machine) hold(n *neighbor, h held) {
	if len(n.held) >= max(m.cfg.MaxHeld, 1) {
		old := n.held[0]
		n.held = append(n.held[:0], n.held[1:]...)
		m.heldBytes -= len(old.packet)
		m.drop(n.iface.id, old, HoldFull)
	}
	for m.heldBytes+len(h.packet) > m.cfg.MaxHeldBytes {
		if !m.evictOther(n) {
			m.drop(n.iface.id, h, HoldFull)
			return
		}
	}
	n.held = append(n.held, h)
	m.heldBytes += len(h.packet)
}

// takeHeld empties n's queue.
func (m *Machine) takeHeld(n *neighbor) []held {
	all := n.held
	n.held = nil
	for _, h := range all {
		m.heldBytes -= len(h.packet)
	}
	return all
}

// release sends what n holds, in the order that it came.
func (m *Machine) release(n *neighbor) {
	for _, h := range m.takeHeld(n) {
		m.emit(Release{n.iface.id, n.mac, h.packet, h.tag})
	}
}

// unreachable gives up what n holds, and says so to each packet's sender.
func (m *Machine) unreachable(n *neighbor) {
	for _, h := range m.takeHeld(n) {
		if !h.silent {
			m.emit(Unreachable{n.iface.id, n.addr, h.packet, h.tag})
		}
	}
}

func (m *Machine) drop(id routing.InterfaceID, h held, why Reason) {
	if h.packet != nil && !h.silent {
		m.emit(Dropped{id, why, h.packet, h.tag})
	}
}

// forget removes n and drops what it holds.
func (m *Machine) forget(n *neighbor, why Reason) {
	for _, h := range m.takeHeld(n) {
		m.drop(n.iface.id, h, why)
	}
	m.remove(n)
}
