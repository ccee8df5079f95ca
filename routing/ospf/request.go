package ospf

import (
	"errors"

	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// wanted is an instance that a neighbour is asked for.
type wanted struct {
	wire.Header
	asked bool // in the last Request
	gone  bool // from the list
}

// requests is a list of requests (RFC 2328 §10), in the order in which the neighbour
// has described them. The zero value is empty.
type requests struct {
	list   pages[wanted]
	first  int                       // those before are gone, and their pages
	n      int                       // that are not gone
	places [wire.ASOpaque + 1]*index // in the list
}

// len is how many there are.
func (q *requests) len() int { return q.n }

// get gives one that is there, nil if it is not. It is valid until another is added or
// removed.
func (q *requests) get(id wire.Identity) *wanted {
	if q.n == 0 || int(id.Type) >= len(q.places) || q.places[id.Type] == nil {
		return nil
	}
	at, known := q.places[id.Type].find(key(id))
	if !known {
		return nil
	}
	return q.list.at(at)
}

// put adds one, of a type that is known, as the last one. Where it is there already it
// stays where it is, and asked for if it is.
func (q *requests) put(h wire.Header) {
	if w := q.get(h.Identity); w != nil {
		w.Header = h
		return
	}
	x := q.places[h.Type]
	if x == nil {
		x = &index{}
		q.places[h.Type] = x
	}
	at := q.list.add()
	*q.list.at(at) = wanted{Header: h}
	x.add(key(h.Identity), at)
	q.n++
}

// remove removes one, and reports whether the last Request has asked for it.
func (q *requests) remove(id wire.Identity) (asked bool) {
	w := q.get(id)
	if w == nil {
		return false
	}
	asked, w.gone = w.asked, true
	q.places[id.Type].remove(key(id))
	q.n--
	for q.first < q.list.n && q.list.at(int32(q.first)).gone {
		if q.first++; q.first%pageSize == 0 {
			q.list.list[q.first/pageSize-1] = nil
		}
	}
	if q.n == 0 || q.list.n > 64 && q.list.n > 4*q.n {
		q.compact()
	}
	return asked
}

// compact takes out what is gone.
func (q *requests) compact() {
	was := *q
	*q = requests{}
	for w := range was.all {
		q.put(w.Header)
		q.get(w.Identity).asked = w.asked
	}
}

// all calls yield with each, in order. Nothing may be added or removed meanwhile.
func (q *requests) all(yield func(*wanted) bool) {
	for i := q.first; i < q.list.n; i++ {
		if w := q.list.at(int32(i)); !w.gone && !yield(w) {
			return
		}
	}
}

var errRequest = errors.New("it asks for an LSA that is not there")

// request asks a neighbour for what it has newer, unless it has not answered yet
// (RFC 2328 §10.9).
func (m *Machine) request(n *neighbor) {
	if !n.state.exchanging() {
		return
	}
	if n.requests.len() == 0 {
		m.due.Stop(&n.ask)
		if n.state == NeighborLoading {
			m.happen(n, LoadingDone)
		}
		return
	}
	if n.asked == 0 {
		m.sendRequest(n)
	}
}

// sendRequest sends a Request, again after RxmtInterval while it is not answered.
func (m *Machine) sendRequest(n *neighbor) {
	p := m.build(wire.TypeRequest)
	room := max(n.link.room(0)/wire.RequestSize, 1)
	p.Requests = p.Requests[:0]
	for w := range n.requests.all {
		w.asked = true
		if p.Requests = append(p.Requests, w.Identity); len(p.Requests) == room {
			break
		}
	}
	n.asked = len(p.Requests)
	m.send(n.link, m.unicast(n), p)
	m.after(&n.ask, n.link.cfg.RetransmitInterval)
}

// unrequest takes an LSA off the list of those that a neighbour is asked for, and
// goes on when it has answered.
func (m *Machine) unrequest(n *neighbor, id wire.Identity) {
	if n.requests.remove(id) {
		n.asked--
	}
	if n.asked == 0 {
		m.request(n)
	}
}

// hearRequest answers the Request in m.packet (RFC 2328 §10.7).
func (m *Machine) hearRequest(n *neighbor, r protocol.Received) {
	for _, id := range m.packet.Requests {
		s, ok := m.admits(n.link, id.Type)
		var e *Entry
		if ok {
			e = s.db.Find(id)
		}
		if e == nil {
			m.refuse(n.link, r.Src, wire.Refusal{Reason: wire.RequestUnknown, Theirs: uint64(id.Type)})
			m.lose(n, BadLSReq, errRequest)
			return
		}
		n.replies.put(e, struct{}{})
	}
	m.transmitSoon(n.link)
}
