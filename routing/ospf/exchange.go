package ospf

import (
	"errors"
	"fmt"
	"net/netip"

	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// exchange is the exchange of Database Descriptions with a neighbour (RFC 2328
// §10.6, §10.8).
type exchange struct {
	master   bool // this router is
	sequence uint32
	heard    wire.Description // the last one received
	said     wire.Description // the last one sent, with headers
	headers  []wire.Header
	summary  []*Entry // what is still to be described
	repeat   timer
	mtu      uint16 // of the neighbour, that was spoken of
}

var errMismatch = errors.New("its Database Descriptions do not follow each other")

// negotiate begins an exchange as the master (RFC 2328 §10.3).
func (m *Machine) negotiate(n *neighbor) {
	x := &n.exchange
	x.sequence++
	x.master = true
	x.heard, x.headers = wire.Description{}, x.headers[:0]
	m.describe(n, wire.FlagInit|wire.FlagMore|wire.FlagMaster)
}

// summarize lists the databases for a neighbour; what has MaxAge is flooded to it
// instead (RFC 2328 §10.3).
func (m *Machine) summarize(n *neighbor) {
	l := n.link
	n.exchange.summary = nil
	takes := n.exchange.heard.Options&wire.OptionO != 0
	types := [...]wire.LSType{
		wire.RouterLSA, wire.NetworkLSA, wire.SummaryLSA, wire.ASBRSummary, wire.NSSALSA,
		wire.LinkOpaque, wire.AreaOpaque, wire.ASOpaque, wire.ExternalLSA,
	}
	for _, t := range types {
		if t == wire.LinkOpaque && l.db == nil {
			continue // there never was one
		}
		s := m.scopeOf(t, l.area, l)
		switch {
		case s.db == nil || opaque(t) && !takes: // RFC 5250 §3.1
			continue
		case s.area == nil && s.link == nil && (l.area.stub() || l.virtual()): // RFC 2328 §10.3
			continue
		}
		for e := range s.db.All(t) {
			if e.maxAge {
				m.list(n, e)
				n.replies.put(e, struct{}{})
			} else {
				n.exchange.summary = append(n.exchange.summary, e)
			}
		}
	}
}

// nextDescription describes as much of what is left as a packet takes.
func (m *Machine) nextDescription(n *neighbor) {
	x := &n.exchange
	x.headers = x.headers[:0]
	room := n.link.room(wire.DescriptionSize) / wire.LSAHeaderSize
	for len(x.summary) > 0 && len(x.headers) < room {
		e := x.summary[0]
		x.summary = x.summary[1:]
		// What has MaxAge by now was flooded to it.
		if !e.maxAge {
			x.headers = append(x.headers, e.Header(m.now))
		}
	}
	var flags wire.DescriptionFlags
	if x.master {
		flags |= wire.FlagMaster
	}
	if len(x.summary) > 0 {
		flags |= wire.FlagMore
	}
	m.describe(n, flags)
}

// describe sends a Description (RFC 2328 §10.8). The master repeats it until it is
// answered.
func (m *Machine) describe(n *neighbor, flags wire.DescriptionFlags) {
	l := n.link
	n.exchange.said = wire.Description{
		MTU: uint16(min(l.mtu, 0xffff)), Options: l.area.options() &^ wire.OptionNP, Flags: flags, Sequence: n.exchange.sequence,
	}
	if l.virtual() {
		n.exchange.said.MTU = 0
	}
	m.repeatDescription(n)
}

// repeatDescription sends the last Description once more.
func (m *Machine) repeatDescription(n *neighbor) {
	x := &n.exchange
	p := m.build(wire.TypeDescription)
	p.Description = x.said
	p.Headers = append(p.Headers[:0], x.headers...)
	m.send(n.link, m.unicast(n), p)
	if n.state == NeighborExStart || n.state == NeighborExchange && x.master {
		m.after(&x.repeat, n.link.cfg.RetransmitInterval)
	}
}

// hearDescription takes in the Description in m.packet (RFC 2328 §10.6).
func (m *Machine) hearDescription(n *neighbor, r protocol.Received) {
	d, x := &m.packet.Description, &n.exchange
	if !m.checkMTU(n, r.Src) {
		return
	}
	if n.state == NeighborInit && !n.held() {
		m.happen(n, TwoWayReceived)
	}
	switch n.state {
	case NeighborExStart:
		m.negotiated(n)
		return
	case NeighborExchange, NeighborLoading, NeighborFull:
	default:
		m.refuse(n.link, r.Src, wire.Refusal{Reason: wire.NeighborState, Theirs: uint64(n.state)})
		return
	}
	if d.Flags == x.heard.Flags && d.Options == x.heard.Options && d.Sequence == x.heard.Sequence {
		if !x.master {
			m.repeatDescription(n)
		}
		return
	}
	want := x.sequence
	if !x.master {
		want++
	}
	switch {
	case n.state != NeighborExchange, (d.Flags&wire.FlagMaster != 0) == x.master, d.Flags&wire.FlagInit != 0,
		d.Options != x.heard.Options, d.Sequence != want:
		m.mismatch(n, r.Src)
		return
	}
	m.accept(n, r.Src)
}

func (m *Machine) mismatch(n *neighbor, from netip.Addr) {
	m.refuse(n.link, from, wire.Refusal{
		Reason: wire.DescriptionSequence, Theirs: uint64(m.packet.Description.Sequence), Ours: uint64(n.exchange.sequence),
	})
	m.lose(n, SeqNumberMismatch, errMismatch)
}

// checkMTU refuses a neighbour whose packets this interface may not take (RFC 2328
// §10.6), and says so once where the two differ in any way, since a larger one of
// ours is what the neighbour does not answer to.
func (m *Machine) checkMTU(n *neighbor, from netip.Addr) bool {
	l, theirs := n.link, m.packet.Description.MTU
	ours := uint16(min(l.mtu, 0xffff))
	if l.virtual() || l.cfg.MTUIgnore || theirs == ours || theirs == 0 {
		return true
	}
	if n.exchange.mtu != theirs {
		n.exchange.mtu = theirs
		m.event(MTUDiffers, l, n.address, fmt.Errorf("neighbour %v at %v has %d, %s has %d: set both alike, or mtu-ignore", n.router, n.address, theirs, l.describe(), ours))
	}
	if theirs > ours {
		m.refuse(l, from, wire.Refusal{Reason: wire.MTU, Theirs: uint64(theirs), Ours: uint64(ours)})
		return false
	}
	return true
}

// negotiated finds out who of both is the master.
func (m *Machine) negotiated(n *neighbor) {
	d, x := &m.packet.Description, &n.exchange
	const first = wire.FlagInit | wire.FlagMore | wire.FlagMaster
	switch {
	case d.Flags == first && len(m.packet.Headers) == 0 && n.router > m.router:
		x.master, x.sequence = false, d.Sequence
	case d.Flags&(wire.FlagInit|wire.FlagMaster) == 0 && d.Sequence == x.sequence && n.router < m.router:
		x.master = true
	default:
		return
	}
	x.heard = *d
	n.options |= d.Options & wire.OptionO
	m.happen(n, NegotiationDone)
	m.accept(n, n.address)
}

// accept takes in a Description that is the next one, and answers or goes on.
func (m *Machine) accept(n *neighbor, from netip.Addr) {
	x, d := &n.exchange, m.packet.Description
	x.heard = d
	if !m.wantDescribed(n, from) {
		return
	}
	more := d.Flags&wire.FlagMore != 0
	if x.master {
		x.sequence++
		if more || x.said.Flags&wire.FlagMore != 0 {
			m.nextDescription(n)
		} else {
			m.happen(n, ExchangeDone)
		}
	} else {
		x.sequence = d.Sequence
		m.nextDescription(n)
		if !more && x.said.Flags&wire.FlagMore == 0 {
			m.happen(n, ExchangeDone)
		}
	}
	m.request(n)
}

// wantDescribed puts on the list of requests what a neighbour has newer than the
// databases.
func (m *Machine) wantDescribed(n *neighbor, from netip.Addr) bool {
	l := n.link
	for i := range m.packet.Headers {
		h := m.packet.Headers[i]
		s, ok := m.admits(l, h.Type)
		switch {
		case !h.Type.Known() || h.Type == wire.ExternalLSA && l.area.stub():
			m.refuse(l, from, wire.Refusal{Reason: wire.LSAType, Theirs: uint64(h.Type)})
			m.lose(n, SeqNumberMismatch, errMismatch)
			return false
		case !ok:
			continue
		}
		if e := s.db.Find(h.Identity); e != nil {
			if ours := e.Header(m.now); Compare(&h, &ours) <= 0 {
				continue
			}
		}
		if m.limit.Max > 0 && n.requests.len() >= m.limit.Max {
			m.countRefusal(l, from, wire.Refusal{Reason: wire.DatabaseFull, Theirs: uint64(n.requests.len()) + 1, Ours: uint64(m.limit.Max)})
			m.overflow(n)
			continue
		}
		n.requests.put(h)
	}
	return true
}

// admits gives the scope of LSAs of a type that come by a link, and whether they
// may.
func (m *Machine) admits(l *link, t wire.LSType) (scope, bool) {
	if !t.Known() {
		return scope{}, false
	}
	s := m.scopeOf(t, l.area, l)
	switch {
	case s.db == nil:
		return s, false
	case t == wire.NSSALSA:
		return s, l.area.Type == NSSA // RFC 3101 §2.2
	case s.area == nil && s.link == nil: // RFC 2328 §13 (3); RFC 5250 §3
		return s, !l.area.stub() && !l.virtual()
	}
	return s, true
}
