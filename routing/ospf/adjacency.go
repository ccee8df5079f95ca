package ospf

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"time"

	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// neighbor is a router that was heard on a link, or that is configured there (RFC
// 2328 §10).
type neighbor struct {
	link *link
	// name is what it is found by: the address on networks, the router ID on
	// point-to-point and virtual links (RFC 2328 §10, §8.2).
	name     wire.ID
	router   wire.ID    // 0 until it is heard
	address  netip.Addr // that it sends from
	priority uint8
	dr, bdr  wire.ID // as its Hellos name them
	options  wire.Options
	cfg      *NeighborConfig // nil unless it is configured
	polled   time.Time       // when it was greeted while it was down
	number   uint64          // of its last packet with AuthCryptographic

	state    NeighborState
	since    time.Time       // of state
	heard    time.Time       // its last Hello
	watched  *protocol.Watch // as BFD was asked
	dead     bool            // by BFD
	strict   bool            // its Hellos have the bit of RFC 9355
	expected protocol.Expect
	exchange exchange
	requests requests
	asked    int                        // of them, in the last Request
	unacked  ordered[*Entry, time.Time] // the retransmission list, by when they were sent
	replies  ordered[*Entry, struct{}]  // to be sent to it alone
	early    ordered[*Entry, struct{}]  // of unacked, to be sent again soon
	backoff  int                        // how often in a row nothing was acknowledged

	grace      grace
	inactivity timer
	ask        timer // requests
	retransmit timer
	hurry      timer // early

	counters NeighborCounters
}

// NeighborCounters count what happened with a neighbour.
type NeighborCounters struct {
	StateChanges  uint64
	Retransmitted uint64 // LSAs
}

// newNeighbor makes a neighbour in Down.
func (m *Machine) newNeighbor(l *link, name wire.ID, address netip.Addr) *neighbor {
	n := &neighbor{link: l, name: name, address: address, since: m.now}
	n.inactivity.Of = func() { m.silent(n) }
	n.exchange.repeat.Of = func() { m.repeatDescription(n) }
	n.ask.Of = func() { m.sendRequest(n) }
	n.retransmit.Of = func() { m.resend(n) }
	n.hurry.Of = func() { m.resendEarly(n) }
	n.exchange.sequence = m.rand.Uint32()
	l.index[name] = n
	l.neighbors = append(l.neighbors, n)
	slices.SortFunc(l.neighbors, func(a, b *neighbor) int { return cmp.Compare(a.name, b.name) })
	return n
}

var (
	errSilent = errors.New("no Hello came for the dead interval")
	errOneWay = errors.New("its Hellos no longer name this router")
	errRole   = errors.New("neither of both is the DR or the BDR any more")
)

// silent is what happens when a neighbour was not heard for the dead interval.
func (m *Machine) silent(n *neighbor) {
	if !n.helped() { // it may restart for longer
		m.lose(n, InactivityTimer, errSilent)
	}
}

// lose has an event end a neighbour, and says why.
func (m *Machine) lose(n *neighbor, e NeighborEvent, why error) {
	m.why = why
	m.happen(n, e)
	m.why = nil
}

// happen is an event of a neighbour's state machine.
func (m *Machine) happen(n *neighbor, e NeighborEvent) {
	was := n.state
	to, do, ok := was.Next(e, Conditions{Adjacent: m.adjacent(n), Requested: n.requests.len() > 0})
	if !ok {
		return
	}
	if to != was {
		m.enter(n, to)
	}
	if do&ClearLists != 0 {
		m.clearLists(n)
	}
	if do&StartInactivity != 0 {
		m.after(&n.inactivity, n.link.cfg.dead())
	}
	if do&StopInactivity != 0 {
		m.due.Stop(&n.inactivity)
	}
	if do&Greet != 0 {
		m.hail(n.link, n.address)
	}
	if do&Negotiate != 0 {
		m.negotiate(n)
	}
	if do&Summarize != 0 {
		m.summarize(n)
	}
	if do&Request != 0 {
		m.request(n)
	}
	if to == NeighborDown && was != NeighborDown {
		m.gone(n)
	}
}

// enter has a neighbour be in a state, which the router's LSAs may have to say.
func (m *Machine) enter(n *neighbor, to NeighborState) {
	if to == NeighborDown {
		m.endGrace(n, errGraceGone)
	}
	was, l := n.state, n.link
	n.state, n.since = to, m.now
	n.counters.StateChanges++
	if was.exchanging() != to.exchanging() {
		if to.exchanging() {
			m.exchanging++
		} else {
			m.exchanging--
			m.sweepSoon()
		}
	}
	switch to {
	case NeighborDown:
		n.number = 0
	case NeighborFull:
		m.loaded()
	}
	if to < NeighborExStart || to > NeighborExchange {
		m.due.Stop(&n.exchange.repeat)
	}
	if was.Changes(to) {
		l.elect = true
	}
	if (was == NeighborFull) != (to == NeighborFull) && !n.helped() {
		m.dirtyRouter(l.area)
		m.dirtyNetwork(l)
		if l.virtual() {
			m.dirtyRouter(l.transit) // its V bit
		}
		if to == NeighborFull {
			m.event(AdjacencyUp, l, n.address, nil)
		} else {
			m.event(AdjacencyDown, l, n.address, m.why)
		}
	}
	m.watch(n)
	m.expect(n)
}

// exchanging reports a state in which what the neighbour has is not known yet (RFC
// 2328 §14).
func (s NeighborState) exchanging() bool { return s == NeighborExchange || s == NeighborLoading }

// clearLists forgets what was to be said to a neighbour and asked of it.
func (m *Machine) clearLists(n *neighbor) {
	for e := range n.unacked.all {
		e.Release()
	}
	if n.unacked.len() > 0 {
		m.sweepSoon()
	}
	n.unacked.clear()
	n.requests = requests{}
	n.replies.clear()
	n.early.clear()
	m.due.Stop(&n.hurry)
	n.exchange.summary, n.asked, n.backoff = nil, 0, 0
	m.due.Stop(&n.ask)
	m.due.Stop(&n.retransmit)
}

// gone forgets a neighbour in Down, unless it is configured.
func (m *Machine) gone(n *neighbor) {
	l := n.link
	m.unwatch(n)
	n.exchange.said, n.exchange.headers = wire.Description{}, nil
	m.due.Stop(&n.inactivity)
	if n.cfg != nil && l.state > InterfaceLoopback {
		n.router, n.dr, n.bdr = 0, 0, 0
		m.attempt(n)
		return
	}
	n.cfg = nil
	m.expect(n)
	delete(l.index, n.name)
	l.neighbors = slices.DeleteFunc(l.neighbors, func(o *neighbor) bool { return o == n })
}

// adjacent reports whether the router and a neighbour should be adjacent.
func (m *Machine) adjacent(n *neighbor) bool {
	l := n.link
	return Adjacent(l.network, Elected{DR: l.dr, BDR: l.bdr, State: l.state}, Candidate{Name: called(n.address)})
}
