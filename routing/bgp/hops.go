package bgp

import (
	"net/netip"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// hopKey is an address, on a link if it is link-local.
type hopKey struct {
	address netip.Addr
	link    routing.InterfaceID
}

// hop is a next hop that routes have, and what the RIB says of it.
type hop struct {
	key   hopKey
	state routing.NextHopState
	uses  int    // sets of attributes
	place uint32 // in the list of hops, and one
}

// hop is the next hop of a set of attributes, nil if it is link-local: then the link says
// whether it can be reached.
func (m *Machine) hop(a *AttributeSet) *hop {
	if more := int(m.attributes.Numbers()) - len(m.hopOf); more > 0 {
		m.hopOf = append(m.hopOf, make([]uint32, more)...)
	}
	if i := m.hopOf[a.number]; i != 0 {
		return m.hopList[i-1]
	}
	address := a.octets.NextHop().Address
	if !address.IsValid() {
		return nil
	}
	key := hopKey{address, routing.NoInterface}
	h := m.lastHop
	if h == nil || h.key != key { // sets of a neighbour often have the same one
		if h = m.hops[key]; h == nil {
			h = &hop{key: key}
			m.hops[key] = h
			m.listHop(h)
			m.emit(protocol.Track{Address: address, Link: routing.NoInterface})
		}
		m.lastHop = h
	}
	h.uses++
	m.hopOf[a.number] = h.place
	return h
}

// isOwn reports whether an address is the router's own. Most routes that come one after the
// other have the same next hop.
func (m *Machine) isOwn(a netip.Addr) bool {
	if a == m.notOwn {
		return false
	}
	if m.addresses[a] {
		return true
	}
	m.notOwn = a
	return false
}

// listHop gives a hop a place in the list.
func (m *Machine) listHop(h *hop) {
	if k := len(m.freeHops); k > 0 {
		h.place, m.freeHops = m.freeHops[k-1], m.freeHops[:k-1]
		m.hopList[h.place-1] = h
		return
	}
	m.hopList = append(m.hopList, h)
	h.place = uint32(len(m.hopList))
}

// attributesGone is told of a set that nothing uses any more.
func (m *Machine) attributesGone(a *AttributeSet) {
	if int(a.number) >= len(m.hopOf) || m.hopOf[a.number] == 0 {
		return
	}
	h := m.hopList[m.hopOf[a.number]-1]
	m.hopOf[a.number] = 0
	if h.uses--; h.uses == 0 {
		m.hopList[h.place-1] = nil
		m.freeHops = append(m.freeHops, h.place)
		if m.lastHop == h {
			m.lastHop = nil
		}
		delete(m.hops, h.key)
		m.emit(protocol.Untrack{Address: h.key.address, Link: h.key.link})
	}
}

// view adds to a route what is of its neighbour and of its next hop.
func (m *Machine) view(f wire.Family, c Candidate, r *Route) {
	m.from = append(m.from, c.Source)
	s := m.sources[c.Source]
	if s.neighbor == nil {
		return
	}
	r.From, r.RouterID, r.External = s.address, s.id, s.terms.External
	if s.lost {
		r.Unreachable = true
		return
	}
	r.LongLived = s.longLived.Has(f)
	h := m.hop(c.Attributes)
	if h == nil {
		_, up := m.links[s.link]
		r.Unreachable = !up
		return
	}
	x := &h.state
	r.Metric = x.Metric
	// RFC 4271 §6.3: the next hop of a neighbour on a link is on the link too.
	r.Unreachable = !x.Reachable || s.terms.External && !s.multihop && x.Source != routing.SourceConnected
}

// notice takes what the RIB says.
func (m *Machine) notice(in protocol.Notices) {
	m.forwarded(in.Installed)
	moved := false
	for i := range in.NextHops {
		s := in.NextHops[i]
		if m.probed(&s) {
			continue
		}
		h := m.hops[hopKey{s.Address, s.Interface}]
		if h == nil {
			continue
		}
		was := h.state
		h.state = s
		moved = moved || was.Reachable != s.Reachable || was.Metric != s.Metric || was.Source != s.Source
	}
	if moved {
		for f := range wire.Family(wire.NumFamilies) {
			m.again(f)
		}
	}
	for _, d := range in.Routes {
		p := d.Route.Prefix
		if d.Withdraw {
			delete(m.heard, p)
		} else {
			m.heard[p] = d.Route
		}
		m.originate(p)
	}
}
