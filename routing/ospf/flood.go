package ospf

import (
	"routerd/routing/ospf/wire"
)

// scope is where the LSAs of a database are flooded: on the links of an area, on
// one link, or on all of areas that take the AS's.
type scope struct {
	db   *Database
	area *area
	link *link
}

// scopeOf gives the scope of a type of LSA in an area and on a link. LinkOpaque
// alone needs the link; what has the AS's scope needs neither.
func (m *Machine) scopeOf(t wire.LSType, a *area, l *link) scope {
	switch t {
	case wire.ExternalLSA, wire.ASOpaque:
		return scope{db: m.as}
	case wire.LinkOpaque:
		if l.db == nil && !l.virtual() {
			l.db = NewDatabase(m.router, &m.limit, m.prefixes)
		}
		return scope{db: l.db, link: l}
	}
	return scope{db: a.db, area: a}
}

// inScope calls yield with each active link of the scope (RFC 2328 §13.3).
func (m *Machine) inScope(s scope, yield func(*link)) {
	for _, l := range m.order {
		switch {
		case !l.active():
		case s.link != nil && l != s.link:
		case s.area != nil && l.area != s.area:
		// RFC 2328 §3.6: nor over virtual links.
		case s.link == nil && s.area == nil && (l.area.stub() || l.virtual()):
		default:
			yield(l)
		}
	}
}

// say has the router originate an LSA in the area, which counts for nothing where
// the type has the AS's scope: at once, or as soon as MinLSInterval allows.
func (m *Machine) say(a *area, id wire.Identity, o wire.Options, body wire.Body) {
	id.Router = m.router
	s := m.scopeOf(id.Type, a, nil)
	if e, flood := s.db.Originate(m.now, id, o, body); flood {
		m.spread(s, e, nil)
	}
}

// unsay has the router flush an LSA that it has originated; there may be none.
func (m *Machine) unsay(a *area, id wire.Identity) {
	id.Router = m.router
	s := m.scopeOf(id.Type, a, nil)
	if e, flood := s.db.Withdraw(id); flood {
		m.spread(s, e, nil)
	}
}

// spread floods what has a new instance in the database and has routes follow it.
func (m *Machine) spread(s scope, e *Entry, from *neighbor) {
	m.flood(s, e, from)
	m.changed(e, s.area)
	if !e.Usable() {
		m.sweepSoon() // there may be nobody to acknowledge it
	}
}

// flood has an LSA that was installed sent to the neighbours of its scope (RFC
// 2328 §13.3). From is the neighbour that it came from, nil if it is the router's
// own or has expired. It reports whether it goes back out of the link that it came
// by.
func (m *Machine) flood(s scope, e *Entry, from *neighbor) (back bool) {
	m.inScope(s, func(l *link) {
		if m.floodOn(l, e, from) && from != nil && l == from.link {
			back = true
		}
	})
	return back
}

// floodOn is steps (1) to (5) of RFC 2328 §13.3 for one link.
func (m *Machine) floodOn(l *link, e *Entry, from *neighbor) bool {
	added := false
	for _, n := range l.neighbors {
		if n.state < NeighborExchange || opaque(e.lsa.Type()) && n.exchange.heard.Options&wire.OptionO == 0 {
			m.unlist(n, e) // an older instance
			continue
		}
		if w := n.requests.get(e.lsa.Identity()); w != nil { // (1)(b)
			ours := e.Header(m.now)
			c := Compare(&ours, &w.Header)
			if c >= 0 {
				m.unrequest(n, e.lsa.Identity())
			}
			if c <= 0 {
				m.unlist(n, e)
				continue
			}
		}
		if n == from { // (1)(c)
			m.unlist(n, e)
			continue
		}
		m.list(n, e)
		m.hurry(n, e)
		added = true
	}
	switch {
	case !added: // (2)
		return false
	// (3), (4): the DR, or as the BDR it, floods to the others of the network.
	case from != nil && l == from.link && l.network.Elects() &&
		(from.name == l.dr || from.name == l.bdr || l.state == InterfaceBackup):
		return false
	}
	l.updates.put(e, struct{}{})
	m.transmitSoon(l)
	return true
}

func opaque(t wire.LSType) bool { return t >= wire.LinkOpaque && t <= wire.ASOpaque }

// list puts an LSA on a neighbour's retransmission list.
func (m *Machine) list(n *neighbor, e *Entry) {
	if n.unacked.put(e, m.now) {
		e.Hold()
	}
	if !n.retransmit.IsSet() {
		m.after(&n.retransmit, m.patience(n))
	}
}

// hurry has an LSA sent to a neighbour again as soon as it lets it in, where it may
// refuse it since it got the instance before less than MinLSArrival ago.
func (m *Machine) hurry(n *neighbor, e *Entry) {
	if e.before < 0 || m.now.Sub(e.installed)+e.before >= arrival || n.link.cfg.RetransmitInterval <= arrival {
		return
	}
	n.early.put(e, struct{}{})
	if !n.hurry.IsSet() {
		m.after(&n.hurry, arrival)
	}
}

// resendEarly does that.
func (m *Machine) resendEarly(n *neighbor) {
	for e := range n.early.all {
		if _, listed := n.unacked.get(e); listed {
			n.replies.put(e, struct{}{})
			n.link.counters.Retransmitted++
			n.counters.Retransmitted++
		}
	}
	n.early.clear()
	m.transmitSoon(n.link)
}

// unlist takes it off.
func (m *Machine) unlist(n *neighbor, e *Entry) bool {
	if !n.unacked.remove(e) {
		return false
	}
	e.Release()
	if n.unacked.len() == 0 {
		m.due.Stop(&n.retransmit)
	}
	return true
}
