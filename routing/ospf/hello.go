package ospf

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// interval is the time between two Hellos; each is up to a tenth earlier, so that
// routers that were switched on together do not speak together.
func (t *Timers) interval() time.Duration {
	if t.Minimal > 0 {
		return time.Second / time.Duration(t.Minimal)
	}
	return t.HelloInterval
}

// dead is how long a neighbour may be silent.
func (t *Timers) dead() time.Duration {
	if t.Minimal > 0 {
		return time.Second
	}
	return t.DeadInterval
}

// greeting is what Hellos of the link say, but for the neighbours (RFC 2328 §9.5).
func (m *Machine) greeting(l *link) wire.Hello {
	h := wire.Hello{
		Mask:          wire.MaskOf(l.address.Bits()),
		HelloInterval: uint16(l.cfg.HelloInterval / time.Second),
		Options:       l.area.options() &^ wire.OptionO, // RFC 5250 §3: of Descriptions alone
		Priority:      l.cfg.Priority,
		DeadInterval:  uint32(l.cfg.dead() / time.Second),
		DR:            l.dr, BDR: l.bdr,
	}
	if l.unnumbered || l.virtual() {
		h.Mask = 0
	}
	if l.cfg.Minimal > 0 {
		h.HelloInterval = 0
	}
	return h
}

// sayHello sends the Hello of a link to all that it goes to, and has the next one
// sent in time.
func (m *Machine) sayHello(l *link) {
	d := l.cfg.interval()
	l.hailed = m.now
	m.after(&l.hello, d-time.Duration(m.rand.Int64N(int64(d/10)+1)))
	if l.groups() {
		m.hail(l, allSPFRouters)
		return
	}
	for _, n := range l.neighbors {
		if m.greets(n) {
			m.hail(l, n.address)
		}
	}
}

// hail sends a Hello.
func (m *Machine) hail(l *link, dst netip.Addr) {
	p := m.build(wire.TypeHello)
	neighbors := p.Hello.Neighbors[:0]
	p.Hello = m.greeting(l)
	for _, n := range l.neighbors {
		if n.state >= NeighborInit && !n.held() && !l.parting {
			neighbors = append(neighbors, n.router)
		}
	}
	p.Hello.Neighbors = neighbors
	m.extend(l, p)
	m.send(l, dst, p)
}

// maxNeighbors is how many a Hello has room for.
func (l *link) maxNeighbors() int {
	const block = 32 // of link-local signalling, which has a digest of its own
	return max((l.room(wire.HelloSize)-block-l.authSize())/4, 1)
}

// hearHello takes in the Hello in m.packet (RFC 2328 §10.5).
func (m *Machine) hearHello(l *link, x protocol.Received) {
	h := &m.packet.Hello
	ours := m.greeting(l)
	pair := l.network == PointToPoint || l.network == Virtual
	if r := h.Compare(&ours, !pair); !r.OK() {
		m.refuse(l, x.Src, r)
		return
	}
	n, r := m.meet(l, x.Src)
	if n == nil {
		m.refuse(l, x.Src, r)
		return
	}
	n.heard = m.now
	bits, _ := m.packet.LLS.ExtendedOptions()
	n.strict = bits&wire.ExtendedStrict != 0
	wasPriority, wasDR, wasBDR := n.priority, n.saysDR(), n.saysBDR()
	// The DR and the BDR call themselves by the address that they send from.
	n.priority, n.dr, n.bdr, n.options = h.Priority, h.DR, h.BDR, h.Options|n.exchange.heard.Options&wire.OptionO
	first := n.state < NeighborInit
	m.happen(n, HelloReceived)
	if l.network == NBMA && l.cfg.Priority == 0 && n.priority > 0 && !l.greetsOn(n) {
		m.hail(l, n.address) // §9.5.1: a reply to one that may become DR
	}
	if n.state == NeighborInit && n.held() {
		m.countRefusal(l, x.Src, wire.Refusal{Reason: wire.NeighborDead})
		return
	}
	if !slices.Contains(h.Neighbors, m.router) {
		m.lose(n, OneWayReceived, errOneWay)
		if first && !l.network.Elects() {
			m.hailSoon(l)
		}
		return
	}
	m.happen(n, TwoWayReceived)
	if !l.network.Elects() {
		return
	}
	waiting := l.state == InterfaceWaiting
	switch {
	case waiting && (n.saysDR() && n.bdr == 0 || n.saysBDR()):
		m.affect(l, BackupSeen)
	case wasPriority != n.priority || wasDR != n.saysDR() || wasBDR != n.saysBDR():
		l.elect = true
	}
}

func (n *neighbor) saysDR() bool  { return n.dr == called(n.address) }
func (n *neighbor) saysBDR() bool { return n.bdr == called(n.address) }

// hailSoon has neighbours know at once what is new, as that they were heard; ten
// times in an interval at most, whatever is sent to the router.
func (m *Machine) hailSoon(l *link) {
	at := l.hailed.Add(l.cfg.interval() / 10)
	if at.Before(m.now) {
		at = m.now
	}
	if l.hello.IsSet() && l.hello.At().Before(at) {
		return
	}
	m.due.Set(&l.hello, at)
}

var errAnother = errors.New("another router ID or address is there now")

// meet gives the neighbour whose Hello came from an address, made if need be.
func (m *Machine) meet(l *link, from netip.Addr) (*neighbor, wire.Refusal) {
	router := m.packet.Router
	name := l.nameOf(router, from)
	n := l.index[name]
	switch {
	case n != nil && n.router != router && n.router != 0:
		// Another router has the address now.
		m.lose(n, KillNbr, errAnother)
		n = l.index[name]
	case n == nil && !l.network.findsNeighbors(l):
		return nil, wire.Refusal{Reason: wire.NotConfigured}
	}
	for _, o := range l.neighbors {
		if o != n && (o.address == from || o.router == router && !l.network.Elects()) {
			// The router has another ID now, or another address.
			m.lose(o, KillNbr, errAnother)
			break
		}
	}
	if n == nil {
		if len(l.neighbors) >= l.maxNeighbors() && !m.makeRoom(l) {
			return nil, wire.Refusal{Reason: wire.NeighborsFull, Theirs: uint64(len(l.neighbors) + 1), Ours: uint64(l.maxNeighbors())}
		}
		n = m.newNeighbor(l, name, from)
	}
	n.router, n.address = router, from
	return n, wire.Refusal{}
}

// makeRoom forgets the neighbour that was silent for longest of those that do not
// hear this router: Hellos of nobody keep out no neighbour.
func (m *Machine) makeRoom(l *link) bool {
	var oldest *neighbor
	for _, n := range l.neighbors {
		if n.state < NeighborTwoWay && n.cfg == nil && (oldest == nil || n.heard.Before(oldest.heard)) {
			oldest = n
		}
	}
	if oldest == nil {
		return false
	}
	m.happen(oldest, KillNbr)
	return true
}

// findsNeighbors reports whether neighbours are found by their Hellos; otherwise
// they have to be configured. Those of NBMA may be (RFC 2328 §10.5).
func (t NetworkType) findsNeighbors(l *link) bool {
	return t != PointToMultipoint || len(l.cfg.Neighbors) == 0
}

// groups reports whether packets for all go to a group; otherwise each neighbour
// gets its own.
func (l *link) groups() bool {
	switch l.network {
	case Broadcast, PointToPoint:
		return true
	case PointToMultipoint:
		return len(l.cfg.Neighbors) == 0
	}
	return false
}
