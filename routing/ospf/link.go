package ospf

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"time"

	"routerd/routing"
	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// link is an interface of the router, whether it speaks the protocol or not, or a
// virtual link, which is an interface of the backbone (RFC 2328 §9).
type link struct {
	id        routing.InterfaceID // NoInterface of a virtual link
	name      string
	kind      protocol.LinkKind
	addresses []netip.Prefix // IPv4, with host bits; the first one is what the router is called by
	mtu       int            // of IP packets, octets
	speed     uint64         // bits a second, 0 = not known
	// peer and transit are of a virtual link: the router at the other end, and the
	// area that it leads through.
	peer    wire.ID
	transit *area
	path    uint16 // cost of the way there

	// While it is active: it speaks the protocol, or is passive.
	cfg     InterfaceConfig
	area    *area // nil while it is not active
	network NetworkType
	state   InterfaceState
	// address is the one that the router sends from; its prefix is that of the
	// network. Unnumbered: it has none of its own, and address is a /32.
	address    netip.Prefix
	unnumbered bool

	dr, bdr   wire.ID // by name; see Candidate
	seals     seals
	neighbors []*neighbor
	index     map[wire.ID]*neighbor
	db        *Database // LinkOpaque; nil while there was none, and of a virtual link
	dirty     bool      // the Network-LSA may have to be another one

	updates ordered[*Entry, struct{}] // to be flooded
	acks    []wire.Header             // to be sent together
	waiting bool                      // among those on which something is to be sent
	parting bool                      // Hellos name nobody
	elect   bool                      // at the end of the step
	window  time.Time                 // since when it may send left packets of Updates
	left    int
	turn    int // of neighbours with something to be sent to them alone

	hailed time.Time // when Hellos were last sent to all
	hello  timer
	wait   timer
	ack    timer
	pace   timer // while it sends nothing because it has sent much

	since    time.Time // of state
	counters Counters
	refused  LastRefusal
}

// Counters count what an interface sent, received and refused. The arrays of
// packets are by wire.Type.
type Counters struct {
	Sent, Received [wire.TypeAcknowledgement + 1]uint64
	// Refused is what was received and not used, by reason: packets, and LSAs of
	// packets that were used.
	Refused [wire.NumReasons]uint64
	// Standings is what LSAs that were received were to the database.
	Standings [NoRoom + 1]uint64
	// Retransmitted counts LSAs.
	Retransmitted uint64
}

// LastRefusal is the last refusal on an interface.
type LastRefusal struct {
	Refusal wire.Refusal // Accepted: there was none
	From    netip.Addr
	At      time.Time
}

// virtual reports a virtual link.
func (l *link) virtual() bool { return l.transit != nil }

// active reports whether it speaks the protocol, or is passive.
func (l *link) active() bool { return l.area != nil }

// cost is the output cost (RFC 2328 §C.3).
func (m *Machine) cost(l *link) uint16 {
	switch {
	case l.virtual():
		return l.path
	case l.cfg.Cost != 0:
		return l.cfg.Cost
	case l.speed == 0:
		return 10
	}
	return uint16(min(max(m.cfg.ReferenceBandwidth/l.speed, 1), wire.MaxLinkCost))
}

// full counts the neighbours in Full.
func (l *link) full() (n int) {
	for _, x := range l.neighbors {
		if x.full() {
			n++
		}
	}
	return n
}

func compareLinks(a, b *link) int {
	if a.virtual() && b.virtual() {
		return cmp.Or(cmp.Compare(a.transit.ID, b.transit.ID), cmp.Compare(a.peer, b.peer))
	}
	return cmp.Compare(a.id, b.id) // NoInterface is the highest
}

// up takes in that an interface is up, or has changed.
func (m *Machine) up(x protocol.LinkUp) {
	l := m.links[x.Link]
	if l == nil {
		l = m.newLink(x.Link)
		m.links[x.Link] = l
		m.order = append(m.order, l)
		sortLinks(m.order)
	}
	l.name, l.kind, l.mtu, l.speed, l.addresses = x.Name, x.Kind, x.MTU, x.Speed, nil
	for _, p := range x.Addresses {
		if speaksFor(p.Addr()) {
			l.addresses = append(l.addresses, p)
		}
	}
	m.considerRouter()
	m.refresh()
}

// down takes in that an interface is gone: its adjacencies are.
func (m *Machine) down(x protocol.LinkDown) {
	l := m.links[x.Link]
	if l == nil {
		return
	}
	m.deactivate(l)
	delete(m.links, l.id)
	m.order = slices.DeleteFunc(m.order, func(o *link) bool { return o == l })
	m.refresh() // others may have borrowed its address
}

// newLink makes a link that is not active.
func (m *Machine) newLink(id routing.InterfaceID) *link {
	l := &link{id: id, index: map[wire.ID]*neighbor{}}
	l.hello.Of = func() { m.sayHello(l) }
	l.wait.Of = func() { m.affect(l, WaitTimer) }
	l.ack.Of = func() { m.sendDelayed(l) }
	l.pace.Of = func() { m.transmitSoon(l) }
	return l
}

// activate has an interface be what it is to be.
func (m *Machine) activate(l *link) {
	if l.virtual() {
		return
	}
	p, cfg := m.plan(l)
	if !l.same(p) {
		m.part(l)
		m.deactivate(l)
	}
	if p.area == nil {
		return
	}
	was := l.cfg
	l.cfg = cfg
	m.equip(l, &was.Auth)
	l.network, l.address, l.unnumbered = p.network, p.address, p.unnumbered
	m.dirtyRouter(p.area)
	if l.active() {
		m.adjust(l, &was)
		return
	}
	l.area = p.area
	l.area.links = append(l.area.links, l)
	sortLinks(l.area.links)
	m.begin(l)
}

// begin brings a link up that has become active.
func (m *Machine) begin(l *link) {
	switch {
	case l.kind == protocol.Loopback:
		m.affect(l, LoopInd)
	case l.cfg.Passive && l.network.Elects():
		m.become(l, InterfaceDROther)
	case l.cfg.Passive:
		m.become(l, InterfacePointToPoint)
	case l.virtual():
		m.affect(l, InterfaceUp)
	default:
		m.emit(l.claim())
		m.emit(protocol.Join{Link: l.id, Group: allSPFRouters})
		m.configureNeighbors(l)
		m.affect(l, InterfaceUp)
	}
}

// speaks reports whether a link sends and receives.
func (l *link) speaks() bool {
	return l.active() && l.state > InterfaceLoopback && !l.cfg.Passive
}

var (
	errLinkDown = errors.New("the interface went down, or is another one now")
	errLeaving  = errors.New("this router stops")
)

// deactivate ends the protocol on an interface.
func (m *Machine) deactivate(l *link) {
	if !l.active() {
		return
	}
	if l.speaks() && !l.virtual() {
		m.emit(protocol.Release(l.claim()))
		m.emit(protocol.Leave{Link: l.id, Group: allSPFRouters})
	}
	if l.state == InterfaceDR {
		m.unsay(l.area, wire.Identity{Type: wire.NetworkLSA, ID: l.self()})
	}
	m.affect(l, InterfaceGone)
	m.dirtyRouter(l.area)
	l.area.links = slices.DeleteFunc(l.area.links, func(o *link) bool { return o == l })
	if l.db != nil {
		l.db.forget()
	}
	l.area, l.db, l.address = nil, nil, netip.Prefix{}
}

// adjust takes in a changed configuration of an active link.
func (m *Machine) adjust(l *link, was *InterfaceConfig) {
	if !l.speaks() {
		return
	}
	if was.interval() != l.cfg.interval() || was.dead() != l.cfg.dead() {
		m.hailSoon(l)
	}
	if was.Priority != l.cfg.Priority && l.network.Elects() {
		l.elect = true
		m.hailSoon(l)
	}
	if !l.virtual() {
		m.configureNeighbors(l)
	}
	for _, n := range l.neighbors {
		m.watch(n)
	}
}

// sortLinks puts links in their order: by number, and virtual ones behind, by the
// area that they lead through and the router at the other end.
func sortLinks(list []*link) { slices.SortStableFunc(list, compareLinks) }
