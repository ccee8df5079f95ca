package arp

import (
	"container/list"
	"math/bits"

	"routerd/routing"
)

// held is a packet that waits for its neighbour. If a packet of the machine's
// own is dropped, that is not reported.
type held struct {
	packet []byte
	tag    any
	silent bool
}

// heldOverhead is what a held packet counts in addition to its bytes, so that
// many small packets are bounded like few large ones; Linux counts as much for
// its own record of a packet.
const heldOverhead = 256

func (h held) cost() int { return len(h.packet) + heldOverhead }

// hoards are the neighbours that hold packets, by rank and by the binary
// logarithm of their bytes, so that one of those that hold most is found at
// once.
type hoards [numRanks][maxHoard + 1]list.List

// maxHoard is the largest logarithm.
const maxHoard = 30

// hold keeps a packet until n answers or is given up. The newest are kept:
// "when a queue overflows, the new arrival SHOULD replace the oldest entry"
// (RFC 4861 §7.2.2), and RFC 1122 §2.3.2.2 wants the latest. The fragments of a
// datagram stay together as far as MaxHeldEach allows. If all neighbours
// together hold too much, the one that holds most loses its oldest packet: a
// flood loses its own packets, and a neighbour with a packet or two keeps them.
func (m *Machine) hold(n *neighbor, h held) {
	size := h.cost()
	if size > m.cfg.MaxHeldEach {
		m.drop(n.iface.id, h, HoldFull)
		return
	}
	for n.heldBytes+size > m.cfg.MaxHeldEach {
		m.shed(n)
	}
	for m.heldBytes+size > m.cfg.MaxHeldBytes {
		most := m.heaviest(n.rank)
		if most == nil {
			m.drop(n.iface.id, h, HoldFull)
			return
		}
		m.shed(most)
	}
	n.held = append(n.held, h)
	m.weigh(n, size)
}

// shed drops the oldest packet that n holds.
func (m *Machine) shed(n *neighbor) {
	old := n.held[0]
	n.held[0] = held{} // let the collector free it
	n.held = n.held[1:]
	m.weigh(n, -old.cost())
	m.drop(n.iface.id, old, HoldFull)
}

// weigh records that n holds so many bytes more, or has another rank.
func (m *Machine) weigh(n *neighbor, more int) {
	m.heldBytes += more
	n.heldBytes += more
	var hoard *list.List
	if n.heldBytes > 0 {
		hoard = &m.hoards[n.rank][min(bits.Len(uint(n.heldBytes)), maxHoard)]
	}
	if n.hoard == hoard {
		return
	}
	if n.hoard != nil {
		n.hoard.Remove(n.spot)
	}
	if n.hoard = hoard; hoard != nil {
		n.spot = hoard.PushBack(n)
	}
}

// heaviest gives one of the neighbours that hold most, of the lowest rank that
// holds anything, up to r; nil if none does.
func (m *Machine) heaviest(r rank) *neighbor {
	for i := range m.hoards[:r+1] {
		for size := maxHoard; size > 0; size-- {
			if first := m.hoards[i][size].Front(); first != nil {
				return first.Value.(*neighbor)
			}
		}
	}
	return nil
}

// takeHeld empties n's queue.
func (m *Machine) takeHeld(n *neighbor) []held {
	all := n.held
	n.held = nil
	m.weigh(n, -n.heldBytes)
	return all
}

// release sends what n holds, in the order that it came.
func (m *Machine) release(n *neighbor) {
	for _, h := range m.takeHeld(n) {
		m.emit(Release{n.iface.id, n.mac, h.packet, h.tag})
	}
}

// unreachable gives up what n holds, and has each packet's sender told.
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
