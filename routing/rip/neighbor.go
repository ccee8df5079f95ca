package rip

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"routerd/routing"
)

// maxNeighbors bounds the neighbours of one interface, since a host on a large
// subnet could send from any number of addresses.
const maxNeighbors = 1024

// neighbor is another router on an interface.
type neighbor struct {
	iface   *iface
	addr    netip.Addr
	version uint8
	since   time.Time // first heard
	heard   time.Time // last heard
	paths   int       // number of routes learned from it

	packets, badPackets, badEntries uint64

	beyond uint64 // routes refused beyond MaximumPrefix

	watched *BFD // as BFD was asked for it, nil for not at all
	dead    bool // BFD says so, or has not said anything yet and is to
}

func (i *iface) sortedNeighbors() []*neighbor {
	list := make([]*neighbor, 0, len(i.neighbors))
	for _, n := range i.neighbors {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b *neighbor) int { return a.addr.Compare(b.addr) })
	return list
}

// neighbor returns the neighbour with the address and creates it if it is new;
// nil if there are too many.
func (m *Machine) neighbor(i *iface, a netip.Addr) *neighbor {
	if n := i.neighbors[a]; n != nil {
		return n
	}
	if len(i.neighbors) >= maxNeighbors {
		m.event(NeighborsFull, i, a, nil)
		return nil
	}
	n := &neighbor{iface: i, addr: a, since: m.now}
	i.neighbors[a] = n
	m.watch(n)
	m.event(NeighborSeen, i, a, nil)
	return n
}

// loseNeighbor loses all routes through a neighbour and deletes it.
func (m *Machine) loseNeighbor(n *neighbor) {
	m.losePaths(func(p *path) bool { return p.neighbor == n }, n.paths)
	m.unwatch(n)
	delete(n.iface.neighbors, n.addr)
	m.event(NeighborGone, n.iface, n.addr, nil)
}

// losePaths loses the paths for which of is true, at most so many.
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

// lose loses all routes through a next hop that does not answer.
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

// clear carries out a Clear.
func (m *Machine) clear(x Clear) {
	m.losePaths(func(p *path) bool {
		return (x.Interface == routing.NoInterface || p.neighbor.iface.id == x.Interface) &&
			(!x.Address.IsValid() || p.neighbor.addr == x.Address)
	}, len(m.table.routes)*m.cfg.MaximumPaths)
	m.asking.wanted, m.trigger.urgent = true, true // an operator is waiting
}

// allows reports whether packets from an address are accepted.
func (c *InterfaceConfig) allows(a netip.Addr) bool {
	return c.AllowedNeighbors == nil || slices.ContainsFunc(c.AllowedNeighbors, func(p netip.Prefix) bool { return p.Contains(a) })
}

// full reports whether the neighbour has as many routes as it may, and if so
// counts and reports it.
func (m *Machine) full(n *neighbor) bool {
	most := n.iface.cfg.MaximumPrefix
	if n.paths < most {
		return false
	}
	n.beyond++
	n.iface.counters.MaximumPrefix++
	m.event(NeighborFull, n.iface, n.addr, fmt.Errorf("it has %d, maximum-prefix on %s", n.paths, n.iface.name))
	return true
}

// restrict removes neighbours of i, and routes of theirs, that a new
// configuration no longer allows.
func (m *Machine) restrict(i *iface) {
	for _, n := range i.sortedNeighbors() {
		if !i.onLink(n.addr) || !i.cfg.allows(n.addr) {
			m.loseNeighbor(n)
			continue
		}
		m.losePaths(func(p *path) bool { return p.neighbor == n }, n.paths-i.cfg.MaximumPrefix)
	}
}

// forgetSilent deletes the neighbours that have been silent so long that their
// last routes are gone. Their sequence numbers are kept.
func (m *Machine) forgetSilent(i *iface) {
	for _, n := range i.sortedNeighbors() {
		if n.paths == 0 && m.now.Sub(cmp.Or(n.heard, n.since)) >= m.cfg.Flush {
			m.loseNeighbor(n)
		}
	}
}
