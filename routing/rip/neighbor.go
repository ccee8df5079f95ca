package rip

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"routerd/routing"
)

// maxNeighbors bounds those of one interface: a link may have a large subnet
// and somebody on it who makes addresses up.
const maxNeighbors = 1024

// neighbor is another router on an interface.
type neighbor struct {
	iface   *iface
	addr    netip.Addr
	version uint8
	since   time.Time // first heard
	heard   time.Time // last heard
	paths   int       // routes learned from it
	// sequences are the last ones of its keys.
	sequences []sequence

	packets, badPackets, badEntries uint64
}

func (i *iface) sortedNeighbors() []*neighbor {
	list := make([]*neighbor, 0, len(i.neighbors))
	for _, n := range i.neighbors {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b *neighbor) int { return a.addr.Compare(b.addr) })
	return list
}

// neighbor finds who has the address, or gets to know it; nil where there are
// too many.
func (m *Machine) neighbor(i *iface, a netip.Addr) *neighbor {
	if n := i.neighbors[a]; n != nil {
		return n
	}
	if len(i.neighbors) >= maxNeighbors {
		m.event(NeighborsFull, i, a, nil)
		return nil
	}
	n := &neighbor{iface: i, addr: a, since: m.now}
	n.sequences = m.auth.recall(i.name, a, m.now)
	i.neighbors[a] = n
	m.event(NeighborSeen, i, a, nil)
	return n
}

// loseNeighbor ends all routes by a neighbour, and forgets it.
func (m *Machine) loseNeighbor(n *neighbor) {
	m.losePaths(func(p *path) bool { return p.neighbor == n }, n.paths)
	delete(n.iface.neighbors, n.addr)
	m.event(NeighborGone, n.iface, n.addr, nil)
}

// losePaths loses the paths that are of a kind, at most so many.
func (m *Machine) losePaths(of func(*path) bool, most int) {
	for p := m.table.heard.front(); p != nil && most > 0; {
		next := p.inHeard.next.of
		if of(p) {
			m.lost(p)
			most--
		}
		p = next
	}
}

// lose ends all routes by a next hop that does not answer.
func (m *Machine) lose(id routing.InterfaceID, a netip.Addr) {
	i := m.interfaces[id]
	if i == nil {
		return
	}
	m.losePaths(func(p *path) bool { return p.neighbor.iface == i && p.nextHop == a }, len(m.table.routes)*m.cfg.MaximumPaths)
	if m.asking.wanted {
		m.trigger.urgent = true
	}
}

// clear forgets what was learned.
func (m *Machine) clear(x Clear) {
	m.losePaths(func(p *path) bool {
		return (x.Interface == routing.NoInterface || p.neighbor.iface.id == x.Interface) &&
			(!x.Address.IsValid() || p.neighbor.addr == x.Address)
	}, len(m.table.routes)*m.cfg.MaximumPaths)
	m.asking.wanted, m.trigger.urgent = true, true // somebody is waiting
}

// forgetSilent forgets neighbours that were not heard of for so long that
// their last routes are gone, with their sequence numbers: when connectivity
// was lost, others may follow (RFC 4822 §2.3.2).
func (m *Machine) forgetSilent(i *iface) {
	for _, n := range i.sortedNeighbors() {
		if n.paths == 0 && m.now.Sub(cmp.Or(n.heard, n.since)) >= m.cfg.Flush {
			m.loseNeighbor(n)
		}
	}
}
