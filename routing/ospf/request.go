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
	for id, w := range n.requests.all {
		w.asked = true
		n.requests.set(id, w)
		if p.Requests = append(p.Requests, id); len(p.Requests) == room {
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
	w, _ := n.requests.get(id)
	if n.requests.remove(id) && w.asked {
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
