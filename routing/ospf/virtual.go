package ospf

import (
	"maps"
	"net/netip"
	"slices"

	"routerd/routing"
	"routerd/routing/ospf/wire"
)

// configureVirtual makes the virtual links those of the configuration (RFC 2328
// §15).
func (m *Machine) configureVirtual() {
	m.state.Virtual = m.state.Virtual[:0]
	wanted := map[VirtualLink]bool{}
	for _, a := range m.areas {
		for _, peer := range slices.Sorted(maps.Keys(a.cfg.Virtual)) {
			if peer == m.router || m.area(backbone) == nil {
				continue
			}
			wanted[VirtualLink{peer, a.ID}] = true
			m.state.Virtual = append(m.state.Virtual, VirtualLink{peer, a.ID})
			m.configureOne(a, peer)
		}
	}
	for _, l := range slices.Clone(m.order) {
		if l.virtual() && (!wanted[VirtualLink{l.peer, l.transit.ID}] || m.area(l.transit.ID) != l.transit) {
			m.deactivate(l)
			m.order = slices.DeleteFunc(m.order, func(o *link) bool { return o == l })
		}
	}
	m.following = true
}

// configureOne makes a virtual link what its configuration says.
func (m *Machine) configureOne(a *area, peer wire.ID) {
	v := a.cfg.Virtual[peer]
	i := slices.IndexFunc(m.order, func(l *link) bool { return l.transit == a && l.peer == peer })
	if i < 0 {
		l := m.newLink(routing.NoInterface)
		l.transit, l.peer, l.network = a, peer, Virtual
		m.order = append(m.order, l)
		sortLinks(m.order)
		i = slices.Index(m.order, l)
	}
	l := m.order[i]
	l.name = l.describe()
	was := l.cfg
	l.cfg = InterfaceConfig{Area: backbone, Network: Virtual, Timers: v.Timers, Auth: v.Auth}
	m.equip(l, &was.Auth)
	if l.active() {
		m.adjust(l, &was)
	}
}

// followVirtual has virtual links be up while their transit area has a route to the
// other end (RFC 2328 §15), and know where that is.
func (m *Machine) followVirtual() {
	if !m.following {
		return
	}
	m.following = false
	for _, l := range slices.Clone(m.order) {
		if !l.virtual() {
			continue
		}
		cost, from, to, ok := m.virtualPath(l)
		if !ok {
			m.deactivate(l)
			continue
		}
		if l.path != cost {
			l.path = cost
			m.dirtyRouter(m.area(backbone))
		}
		if l.address != from {
			m.dirtyRouter(m.area(backbone))
		}
		l.address = from
		if !l.active() {
			l.area = m.area(backbone)
			l.area.links = append(l.area.links, l)
			sortLinks(l.area.links)
			n := m.newNeighbor(l, l.peer, to)
			n.router, n.cfg = l.peer, &NeighborConfig{}
			m.expect(n)
			m.begin(l)
			continue
		}
		for _, n := range l.neighbors {
			n.address = to
			m.expect(n)
		}
	}
}

// virtualPath gives the cost of the way to the other end of a virtual link, the
// address that it is sent to from, and the one that it is sent to.
func (m *Machine) virtualPath(l *link) (cost uint16, from netip.Prefix, to netip.Addr, ok bool) {
	t := &l.transit.tree
	if t.graph != l.transit.Graph || l.transit.Type != Normal || m.area(backbone) == nil {
		return
	}
	d, ways := t.Router(l.peer)
	if m.ours.role.stub && d != Unreachable {
		d -= min(d, wire.MaxLinkCost) // its own link says that alone; the way is there
	}
	if d > wire.MaxLinkCost {
		return
	}
	for _, hop := range m.table.Hops.Append(nil, ways, 0) {
		if out := m.links[hop.Interface]; out != nil && out.active() {
			from = netip.PrefixFrom(out.address.Addr(), 32)
			break
		}
	}
	to = t.addressOf(l.peer)
	return uint16(d), from, to, from.IsValid() && to.IsValid()
}

// addressOf is an address of a router on the shortest path to it: that of its
// interface at which the path arrives, the lowest of several (RFC 2328 §16.1).
func (t *Tree) addressOf(router wire.ID) (a netip.Addr) {
	v, known := t.graph.router(router)
	if !known || int(v) >= len(t.distance) {
		return a
	}
	edges := t.graph.vertices.at(v).edges
	for i := range edges {
		e := &edges[i]
		if !e.back || e.kind == wire.LinkVirtual || int(e.to) >= len(t.distance) || t.distance[e.to] == Unreachable {
			continue
		}
		data := e.data.Addr()
		if e.data>>24 == 0 || a.IsValid() && !data.Less(a) { // unnumbered, or not the lowest
			continue
		}
		for _, b := range t.graph.vertices.at(e.to).edges {
			if b.to == v && t.distance[e.to]+uint32(b.cost) == t.distance[v] {
				a = data
				break
			}
		}
	}
	return a
}

// virtualFrom gives the virtual link that packets of a router come by from an area.
func (m *Machine) virtualFrom(l *link, router wire.ID) *link {
	for _, v := range m.order {
		if v.virtual() && v.active() && v.transit == l.area && v.peer == router {
			return v
		}
	}
	return nil
}
