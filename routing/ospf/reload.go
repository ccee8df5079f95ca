package ospf

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// settling is how long the choice of a router ID waits for further interfaces, so
// that it does not depend on which of them was there first.
const settling = 500 * time.Millisecond

// configure applies a configuration and touches nothing that is the same in both.
// Without one the protocol is off on all interfaces.
func (m *Machine) configure(x protocol.Configure) {
	cfg, wanted := x.Config.(Config)
	if !wanted {
		cfg = DefaultConfig()
	} else if !m.configured {
		m.configured = true
		if err := m.numbers.load(x.Saved, m.now); err != nil {
			m.event(StateLost, nil, netip.Addr{}, err)
		}
	}
	was := m.cfg
	m.cfg = cfg
	m.numbers.forget(&cfg)
	m.limit.Max = cfg.MaxLSA
	m.makeUp()
	switch {
	case cfg.RouterID != 0 && cfg.RouterID != m.router:
		m.chosen = false
		m.identify(cfg.RouterID)
	case cfg.RouterID == 0:
		m.chosen = true
		m.considerRouter()
	}
	m.attach()
	m.refresh()
	m.review(&was)
}

// considerRouter has a router ID chosen soon, if none is known.
func (m *Machine) considerRouter() {
	if m.router == 0 && m.chosen && !m.choose.IsSet() {
		m.after(&m.choose, settling)
	}
}

// chooseRouter chooses the router ID: the highest address of a loopback interface,
// else the highest of all.
func (m *Machine) chooseRouter() {
	if best := m.highest(); best.IsValid() && m.router == 0 && m.chosen {
		m.event(RouterChosen, nil, best, nil)
		m.identify(ownNumber(best))
		m.attach()
		m.refresh()
	}
}

// highest is the highest address of a loopback interface, else the highest of all.
func (m *Machine) highest() (best netip.Addr) {
	loopback := false
	for _, l := range m.order {
		for _, p := range l.addresses {
			loops := l.kind == protocol.Loopback
			if a := p.Addr(); !best.IsValid() || loops && !loopback || loops == loopback && best.Less(a) {
				best, loopback = a, loops
			}
		}
	}
	return best
}

// identify gives the router its ID, and with it empty databases.
func (m *Machine) identify(id wire.ID) {
	if m.as != nil {
		m.withdrawAll(scope{db: m.as})
	}
	for _, a := range slices.Clone(m.areas) {
		m.detach(a)
	}
	m.router = id
	m.limit = Limit{Max: m.cfg.MaxLSA}
	m.prefixes = NewPrefixes()
	m.as = NewDatabase(id, &m.limit, m.prefixes)
	m.state = State{Router: id, AS: m.as, Prefixes: m.prefixes}
	m.forgetRoutes()
}

// attach makes the areas those of the configuration.
func (m *Machine) attach() {
	if m.router == 0 {
		return
	}
	wanted := map[wire.ID]bool{}
	for _, i := range m.cfg.Interfaces {
		wanted[i.Area] = true
	}
	for id := range wanted {
		if len(m.cfg.area(id).Virtual) > 0 {
			wanted[backbone] = true // RFC 2328 §15: a virtual link belongs to it
		}
	}
	for _, a := range slices.Clone(m.areas) {
		if cfg := m.cfg.area(a.ID); !wanted[a.ID] || cfg.Type != a.Type {
			m.detach(a)
		}
	}
	for id := range wanted {
		a := m.area(id)
		if a == nil {
			a = &area{AreaState: AreaState{ID: id}, db: NewDatabase(m.router, &m.limit, m.prefixes)}
			a.Graph = NewGraph(a.db, m.prefixes)
			m.areas = append(m.areas, a)
			slices.SortFunc(m.areas, func(a, b *area) int { return cmp.Compare(a.ID, b.ID) })
		}
		a.cfg = m.cfg.area(id)
		a.Type, a.NoSummaries = a.cfg.Type, a.cfg.NoSummaries
		m.setRanges(a)
		m.dirtyRouter(a)
	}
	m.state.Areas = m.state.Areas[:0]
	for _, a := range m.areas {
		m.state.Areas = append(m.state.Areas, &a.AreaState)
	}
	m.state.RFC1583 = m.cfg.RFC1583
	m.ours.dirty = true
	m.reviewExternals()
	for _, a := range m.areas {
		a.stale = OtherPaths
	}
	m.recalculate("the configuration")
}

// area gives the settings of an area.
func (c *Config) area(id wire.ID) AreaConfig {
	if a, known := c.Areas[id]; known {
		return a
	}
	return DefaultArea()
}

// detach forgets an area with all that was known of it. Its routers are told what
// they need not keep.
func (m *Machine) detach(a *area) {
	m.withdrawAll(scope{db: a.db, area: a})
	m.transmit()
	for _, l := range a.links {
		m.part(l)
	}
	for _, l := range slices.Clone(a.links) {
		m.deactivate(l)
	}
	m.due.Stop(&a.translation.timer)
	a.cfg.Ranges = nil
	m.setRanges(a)
	a.Graph.forget()
	a.db.forget()
	m.areas = slices.DeleteFunc(m.areas, func(o *area) bool { return o == a })
	m.state.Areas = slices.DeleteFunc(m.state.Areas, func(o *AreaState) bool { return o == &a.AreaState })
}

// refresh has each interface be what the configuration and its own state make it.
func (m *Machine) refresh() {
	for _, l := range slices.Clone(m.order) {
		m.activate(l)
	}
	if m.router != 0 {
		m.configureVirtual()
	}
}

// plan is what an interface is to be; what is the same needs no adjacency to be
// dropped.
type plan struct {
	area       *area
	network    NetworkType
	address    netip.Prefix
	unnumbered bool
	passive    bool
}

// plan finds out what an interface is to be; without an area it is not active.
func (m *Machine) plan(l *link) (p plan, cfg InterfaceConfig) {
	cfg, configured := m.cfg.Interfaces[l.name]
	if !configured || m.router == 0 {
		return plan{}, cfg
	}
	p = plan{network: cfg.Network, passive: cfg.Passive}
	if p.network == NetworkByKind {
		p.network = Broadcast
		if l.kind == protocol.PointToPoint {
			p.network = PointToPoint
		}
	}
	p.address, p.unnumbered = m.source(l, p.network)
	if p.address.IsValid() {
		p.area = m.area(cfg.Area)
	}
	return p, cfg
}

// source finds the address that a router sends from on a link. A point-to-point
// link without an address of its own, or with one that another interface has too,
// borrows one (RFC 2328 §A.4.2: unnumbered).
func (m *Machine) source(l *link, t NetworkType) (p netip.Prefix, unnumbered bool) {
	if len(l.addresses) > 0 {
		p = l.addresses[0]
		if l.address.IsValid() && !l.unnumbered && slices.Contains(l.addresses, l.address) {
			p = l.address // it stays
		}
		shared := p.Bits() == 32 && slices.ContainsFunc(m.order, func(o *link) bool {
			return o != l && slices.ContainsFunc(o.addresses, func(q netip.Prefix) bool { return q.Addr() == p.Addr() })
		})
		return p, shared && t == PointToPoint && l.kind != protocol.Loopback
	}
	if t != PointToPoint {
		return netip.Prefix{}, false
	}
	if a := m.highest(); a.IsValid() {
		return netip.PrefixFrom(a, 32), true
	}
	return netip.Prefix{}, false
}

// same reports whether an active link is as planned, or is not active and is not
// to be.
func (l *link) same(p plan) bool {
	if l.area != p.area {
		return false
	}
	return l.area == nil || l.network == p.network && l.unnumbered == p.unnumbered && l.cfg.Passive == p.passive &&
		(l.address == p.address || l.unnumbered)
}

func (l *link) describe() string {
	if l.virtual() {
		return fmt.Sprintf("virtual link to %v through area %v", l.peer, l.transit.ID)
	}
	return l.name
}
