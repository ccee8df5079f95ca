package arp

import (
	"cmp"
	"container/list"
	"net/netip"
	"slices"
	"time"

	"routerd/internal/packet"
	"routerd/internal/timers"
)

// neighbor is the machine's record of one neighbour.
type neighbor struct {
	timer  timers.Timer[waiting]
	iface  *iface
	addr   netip.Addr
	state  State
	mac    MAC
	router bool
	rank   rank   // the highest rank with which it was requested
	index  uint32 // dense number, 0 without one
	entry  *Entry // the published entry; nil if there is none

	tries   int        // requests sent in this state
	source  netip.Addr // of the packet that caused the request
	learned time.Time  // when its MAC was last learned or confirmed

	// dead: it is the next hop of routes and was reported as not answering;
	// wait is the time until the next request.
	dead bool
	wait time.Duration

	held      []held
	heldBytes int        // of held, with overhead
	hoard     *list.List // the list of those that hold as much
	spot      *list.Element

	queue *list.List // of its rank's waiting, or stale
	place *list.Element
}

// create makes the record of a neighbour that has none. Its state is Absent
// until the current event changes it.
func (m *Machine) create(i *iface, a netip.Addr) *neighbor {
	n := &neighbor{iface: i, addr: a, learned: m.now}
	n.timer.Of = n
	m.neighbors[key{i.id, a}] = n
	return n
}

// remove forgets n. The caller takes care of packets that it still holds.
func (m *Machine) remove(n *neighbor) {
	m.timers.Stop(&n.timer)
	m.enqueue(n, nil)
	m.unpublish(n)
	m.revive(n)
	n.state = Absent
	delete(m.neighbors, key{n.iface.id, n.addr})
	m.changed(n)
}

// changed tells who wants to know that n is not what it was.
func (m *Machine) changed(n *neighbor) {
	if m.cfg.Changed != nil {
		m.cfg.Changed(n.iface.id, n.addr)
	}
}

// enqueue moves n to the end of q.
func (m *Machine) enqueue(n *neighbor, q *list.List) {
	if n.queue != nil {
		n.queue.Remove(n.place)
	}
	n.queue, n.place = q, nil
	if q != nil {
		n.place = q.PushBack(n)
	}
}

// promote gives n the rank r unless it has a higher one.
func (m *Machine) promote(n *neighbor, r rank) {
	if r <= n.rank {
		return
	}
	n.rank = r
	m.weigh(n, 0)
	if n.state == Incomplete {
		m.enqueue(n, m.waiting[r])
	}
}

// number gives n its dense number, which comes from the RIB and is never
// reused.
func (m *Machine) number(n *neighbor, index uint32) {
	if n.index == index {
		return
	}
	n.index = index
	if n.entry != nil {
		m.emit(Publish{n.entry, n.index})
	}
}

// publish publishes n, if it differs from what is published.
func (m *Machine) publish(n *neighbor) {
	if e := n.entry; e != nil && e.State == n.state && e.MAC == n.mac && e.Router == n.router {
		return
	}
	n.entry = &Entry{Interface: n.iface.id, Addr: n.addr, MAC: n.mac, State: n.state, Router: n.router}
	m.emit(Publish{n.entry, n.index})
	m.revive(n)
}

// unpublish removes n from the published table.
func (m *Machine) unpublish(n *neighbor) {
	if n.entry != nil {
		n.entry = nil
		m.emit(Unpublish{n.iface.id, n.addr, n.index})
	}
}

// prompted records the source of the packet for which n is requested: if it is
// an address of the router, the request is sent from it (RFC 4861 §7.2.2).
func (n *neighbor) prompted(p []byte) {
	var src netip.Addr
	if ip := packet.IPv4(p); ip.Valid() {
		src = ip.Src()
	} else if ip := packet.IPv6(p); ip.Valid() {
		src = ip.Src()
	}
	if src.Is4() == n.addr.Is4() && n.iface.usable(src) {
		n.source = src
	}
}

// sorted gives the neighbours in order of interface and address, so that what
// is done to many of them is done in a deterministic order.
func (m *Machine) sorted() []*neighbor {
	all := make([]*neighbor, 0, len(m.neighbors))
	for _, n := range m.neighbors {
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b *neighbor) int {
		return cmp.Or(cmp.Compare(a.iface.id, b.iface.id), a.addr.Compare(b.addr))
	})
	return all
}
