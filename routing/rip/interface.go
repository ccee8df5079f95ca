package rip

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"routerd/internal/timers"
	"routerd/routing"
	"routerd/routing/protocol"
	"routerd/routing/rip/wire"
)

// iface is an interface of the router, whether it speaks the protocol or not.
type iface struct {
	id        routing.InterfaceID
	name      string
	addresses []netip.Prefix // with host bits; of the protocol's family
	mtu       int
	claim     protocol.Claim // active claim; zero while the interface is not active
	// active: the interface is up and configured, so it receives.
	active bool
	cfg    InterfaceConfig
	// sources are the source addresses: one for each IPv4 subnet, or one
	// link-local address.
	sources []netip.Prefix

	neighbors  map[netip.Addr]*neighbor
	nextUpdate timers.Timer[*iface] // set while it is active
	jobs       []*job
	resume     time.Time // when the jobs send their next burst
	keyExpired bool      // the expiry was reported
	counters   Counters
}

// up processes the new state of an interface.
func (m *Machine) up(x protocol.LinkUp) {
	i := m.interfaces[x.Link]
	if i == nil {
		i = &iface{id: x.Link, neighbors: map[netip.Addr]*neighbor{}}
		i.nextUpdate.Of = i
		m.interfaces[x.Link] = i
		m.order = append(m.order, i)
		slices.SortFunc(m.order, func(a, b *iface) int { return cmp.Compare(a.id, b.id) })
	}
	i.name, i.mtu, i.addresses = x.Name, x.MTU, nil
	for _, a := range x.Addresses {
		if a.Addr().Is4() == (m.cfg.Protocol == RIP) {
			i.addresses = append(i.addresses, a)
		}
	}
	if cfg, configured := m.cfg.Interfaces[i.name]; configured {
		m.activate(i, cfg)
	}
}

// activate starts the protocol on an interface, or applies a new configuration
// to it.
func (m *Machine) activate(i *iface, cfg InterfaceConfig) {
	was, spoke, from := i.active, i.sends(), i.sources
	importChanged := was && !samePolicy(i.cfg.Import, cfg.Import)
	exportChanged := was && (!samePolicy(i.cfg.Export, cfg.Export) || i.cfg.SplitHorizon != cfg.SplitHorizon || i.cfg.OffsetOut != cfg.OffsetOut)
	i.active, i.cfg = true, cfg
	m.listen(i)
	i.chooseSources(m.cfg.Protocol)
	m.restrict(i)
	for _, n := range i.sortedNeighbors() {
		m.watch(n)
	}
	m.reconnect()
	switch {
	case !i.sends():
		i.jobs = nil
		if !i.nextUpdate.IsSet() {
			m.updates.Set(&i.nextUpdate, m.now.Add(m.cfg.Update)) // also to expire its neighbours
		}
	case !spoke:
		// The first update is sent soon: a neighbour that asked before the link
		// was up on our side has had no answer.
		i.jobs = nil // goodbyes still under way
		m.updates.Set(&i.nextUpdate, m.now.Add(m.between(500*time.Millisecond, 1500*time.Millisecond)))
		m.ask(i) // RFC 2453 §3.9.1
	case importChanged, !slices.Equal(i.sources, from): // a new subnet may have other neighbours
		m.ask(i)
	}
	if exportChanged {
		m.queueAll()
	}
}

// down processes the loss of an interface.
func (m *Machine) down(x protocol.LinkDown) {
	i := m.interfaces[x.Link]
	if i == nil {
		return
	}
	m.deactivate(i)
	delete(m.interfaces, i.id)
	m.order = slices.DeleteFunc(m.order, func(o *iface) bool { return o == i })
	if m.asking.wanted {
		m.trigger.urgent = true
	}
}

// listen claims the packets to the protocol's port on an interface and joins
// its multicast group.
func (m *Machine) listen(i *iface) {
	f := &families[m.cfg.Protocol]
	c := protocol.Claim{
		Link: i.id, Family: f.family, Protocol: udp, Port: f.port,
		Broadcast: m.cfg.Protocol == RIP && i.cfg.Receive != Version2, // RFC 1058 §3.4: version 1 is broadcast
	}
	if c == i.claim {
		return
	}
	if i.claim == (protocol.Claim{}) {
		m.emit(protocol.Join{Link: i.id, Group: f.group})
	}
	i.claim = c
	m.emit(c)
}

// deactivate stops the protocol on an interface and loses the routes learned
// there.
func (m *Machine) deactivate(i *iface) {
	for _, n := range i.sortedNeighbors() {
		m.loseNeighbor(n)
	}
	if i.active {
		m.emit(protocol.Release(i.claim))
		m.emit(protocol.Leave{Link: i.id, Group: families[m.cfg.Protocol].group})
		i.claim = protocol.Claim{}
	}
	i.active, i.jobs, i.sources = false, nil, nil
	m.updates.Stop(&i.nextUpdate)
	m.reconnect()
}

// sends reports whether anything is sent on the interface.
func (i *iface) sends() bool {
	return i.active && len(i.sources) > 0 && (!i.cfg.Passive || len(i.cfg.Neighbors) > 0)
}

// chooseSources sets the source addresses.
func (i *iface) chooseSources(p Protocol) {
	had := i.sources
	i.sources = nil
	for _, a := range i.addresses {
		switch {
		case p == RIPng && a.Addr().IsLinkLocalUnicast():
			// RFC 2080 §2.5.2: one link-local address, kept as long as
			// possible, since neighbours know the router by it.
			if len(i.sources) == 0 || slices.Contains(had, a) {
				i.sources = []netip.Prefix{a}
			}
		case p == RIP && a.Addr().IsGlobalUnicast() && !slices.ContainsFunc(i.sources, a.Overlaps):
			// RFC 2453 §3.9.2: a receiver accepts packets only from its own
			// subnet, so each subnet of the link needs a source address in it.
			i.sources = append(i.sources, a)
		}
	}
}

// onLink reports whether a can be the address of a neighbour on the link: it is
// in one of the subnets or, in RIPng, link-local.
func (i *iface) onLink(a netip.Addr) bool {
	if a.IsLinkLocalUnicast() && a.Is6() {
		return true
	}
	if a.Is6() {
		return false
	}
	for _, s := range i.addresses {
		if s.Contains(a) && (s.Bits() > 30 || a != s.Masked().Addr() && a != broadcast(s)) {
			return true
		}
	}
	return false
}

// broadcast returns the last address of an IPv4 subnet.
func broadcast(s netip.Prefix) netip.Addr {
	b := s.Addr().As4()
	for at := range b {
		if host := 8*(at+1) - s.Bits(); host > 0 {
			b[at] |= byte(1<<min(host, 8) - 1)
		}
	}
	return netip.AddrFrom4(b)
}

// ownAddress reports whether a is an address of this router. A link-local
// address counts only on its own link.
func (m *Machine) ownAddress(i *iface, a netip.Addr) bool {
	for _, o := range m.order {
		if o != i && a.IsLinkLocalUnicast() {
			continue
		}
		if slices.ContainsFunc(o.addresses, func(p netip.Prefix) bool { return p.Addr() == a }) {
			return true
		}
	}
	return false
}

// mask finds the prefix of an address that came without a mask. In a classful
// network of which the interface has a subnet it is that subnet's mask, else
// the mask of the class; an address with bits beyond the mask is a host (RFC
// 1058 §3.2).
func (i *iface) mask(a netip.Addr) netip.Prefix {
	net := class(a)
	length := net.Bits()
	for _, s := range i.addresses {
		if class(s.Addr()) == net {
			length = s.Bits()
			break
		}
	}
	if p := netip.PrefixFrom(a, length).Masked(); p.Addr() == a {
		return p
	}
	return netip.PrefixFrom(a, 32)
}

// class returns the class A, B or C network of an address.
func class(a netip.Addr) netip.Prefix {
	length := 24
	switch first := a.As4()[0]; {
	case first < 128:
		length = 8
	case first < 192:
		length = 16
	}
	return netip.PrefixFrom(a, length).Masked()
}

// reconnect updates the machine's own routes to the subnets of its active
// interfaces. Their metric is the interface's (RFC 2453 §3.5), the least if
// several have the subnet.
func (m *Machine) reconnect() {
	now := map[netip.Prefix]*iface{}
	var list []netip.Prefix // sorted, since a map has no order
	for _, i := range m.order {
		if !i.active {
			continue
		}
		for _, a := range i.addresses {
			p := a.Masked()
			best, known := now[p]
			switch {
			case !wire.Destination(p):
			case !known:
				now[p] = i
				list = append(list, p)
			case i.cfg.Metric < best.cfg.Metric:
				now[p] = i
			}
		}
	}
	var gone []netip.Prefix
	for _, p := range m.connected {
		if _, still := now[p]; !still {
			gone = append(gone, p)
		}
	}
	slices.SortFunc(gone, netip.Prefix.Compare)
	for _, p := range gone {
		m.setOwn(p, ownConnected, nil)
	}
	for _, p := range list {
		m.setOwn(p, ownConnected, &own{source: routing.SourceConnected, metric: now[p].cfg.Metric, hop: routing.NextHop{Interface: now[p].id}})
	}
	m.connected = list
}

// configure applies a configuration and touches nothing that is the same in
// both. Without one the protocol is off on all interfaces.
func (m *Machine) configure(x protocol.Configure) {
	cfg, wanted := x.Config.(Config)
	if !wanted {
		cfg = DefaultConfig(m.cfg.Protocol)
	} else if !m.configured {
		m.configured = true
		m.auth.load(x.Saved)
	}
	cfg.Protocol = m.cfg.Protocol
	was := m.cfg
	m.cfg = cfg
	for _, i := range m.order {
		next, configured := cfg.Interfaces[i.name]
		told := m.targets(i)
		switch {
		case configured:
			m.activate(i, next)
		case i.active:
			m.deactivate(i)
		}
		if still := m.targets(i); len(told) > 0 && len(still) == 0 {
			m.goodbye(i, told)
		}
	}
	m.auth.makeRoom(cfg.Interfaces)
	m.originateDefault()
	if cfg.Distance != was.Distance || cfg.MaximumPaths < was.MaximumPaths {
		for r := m.table.all.front(); r != nil; r = r.inAll.next.of {
			m.weigh(r)
		}
	}
}

// weigh decides again whether an own route keeps r from being learned and how
// many paths it may have, and offers the result to the RIB.
func (m *Machine) weigh(r *route) {
	most := m.cfg.MaximumPaths
	if o := r.ours(); o != nil && o.distance <= m.cfg.Distance {
		most = 0
	}
	for len(r.paths) > most {
		m.remove(r.paths[len(r.paths)-1])
	}
	if r.installed || len(r.paths) > 0 {
		m.touch(r)
	}
}

// queueAll puts every route in the next triggered update.
func (m *Machine) queueAll() {
	for r := m.table.all.front(); r != nil; r = r.inAll.next.of {
		if !r.inDying.in() {
			r.since = m.now
			m.queueTriggered(r)
		}
	}
}
