package bgp

import (
	"net/netip"
	"slices"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// Clear ends the session with a neighbour, which begins again at once; with Soft it has
// the routes sent again instead, those of the neighbour by asking for them.
type Clear struct {
	Address netip.Addr
	Link    routing.InterfaceID // of a link-local Address, else NoInterface
	Soft    bool
	// Message is what the neighbour is told besides, unless Soft (RFC 9003).
	Message string
	In, Out bool // of Soft
}

func (m *Machine) clear(in Clear) {
	n := m.neighbor(in.Address, in.Link)
	if n == nil {
		return
	}
	if in.Soft {
		if in.In {
			m.importAgain(n, n.cfg.families())
		}
		if in.Out {
			m.sendAgain(n)
		}
		return
	}
	m.halt(n, wire.Shutdown(wire.CeaseAdminReset, in.Message))
	m.start(n)
}

// sendAgain has a neighbour sent all routes again.
func (m *Machine) sendAgain(n *neighbor) {
	for f := range n.out {
		n.defaults[f].due = true
		m.resend(&n.out[f])
	}
}

// configure takes a configuration. Sessions of neighbours that are the same in both are
// not disturbed.
func (m *Machine) configure(in protocol.Configure) {
	c, _ := in.Config.(Config)
	before := m.cfg
	m.adopt(&c)
	m.cfg = c
	wanted := map[neighborKey]bool{}
	for i := range c.Neighbors {
		wanted[c.Neighbors[i].key()] = true
	}
	dynamic, of := m.dynamics(wanted)
	for i := range dynamic {
		wanted[dynamic[i].key()] = true
	}
	for _, n := range m.order {
		if !wanted[n.cfg.key()] {
			m.forget(n, wire.Notification{Code: wire.CodeCease, Subcode: wire.CeaseDeconfigured})
		}
	}
	m.order = m.order[:0]
	var begin []*neighbor
	for i, nc := range slices.Concat(c.Neighbors, dynamic) {
		n := m.neighbors[nc.key()]
		if n == nil {
			n = m.newNeighbor(nc)
			m.neighbors[nc.key()] = n
			begin = append(begin, n)
		} else if m.reconfigure(n, nc, &before) {
			begin = append(begin, n)
		}
		n.dynamic = netip.Prefix{}
		if k := i - len(c.Neighbors); k >= 0 {
			n.dynamic = of[k]
		}
		m.order = append(m.order, n)
		m.watch(n, nc.BFD)
	}
	m.listeningChanged(&before)
	for _, n := range begin {
		m.start(n)
	}
	if before.Rules != c.Rules || before.Distance != c.Distance || before.InternalDistance != c.InternalDistance {
		for f := range wire.Family(wire.NumFamilies) {
			m.again(f)
		}
	}
	m.rediscover()
	m.networks()
	m.reconfigureAggregates(&before)
	m.probeDefaults()
}

// adopt completes a configuration by what the machine knows: where links are, and which
// router ID it has chosen. The list of neighbours is another one then.
func (m *Machine) adopt(c *Config) {
	c.Neighbors = slices.Clone(c.Neighbors)
	for i := range c.Neighbors {
		m.locate(&c.Neighbors[i])
		m.met(&c.Neighbors[i])
	}
	if c.RouterIDChosen && m.cfg.RouterIDChosen {
		c.RouterID = m.cfg.RouterID
	}
}

// forget ends a neighbour that is no longer there.
func (m *Machine) forget(n *neighbor, why wire.Notification) {
	m.halt(n, why)
	m.watch(n, nil)
	m.tasks.Stop(&n.begin.timer)
	delete(m.neighbors, n.cfg.key())
	for id, s := range m.streams {
		if s.neighbor == n {
			delete(m.streams, id)
		}
	}
}

// reconfigure gives a neighbour another configuration, and reports whether its session has
// to begin again.
func (m *Machine) reconfigure(n *neighbor, c NeighborConfig, before *Config) bool {
	was := n.cfg
	d := n.contrast(&c, &m.cfg, before)
	n.terms.leaving = d.terms.leaving
	n.cfg = c
	if d.session {
		why := wire.Notification{Code: wire.CodeCease, Subcode: wire.CeaseOtherChange}
		if c.Shutdown {
			why = wire.Shutdown(wire.CeaseAdminShutdown, c.ShutdownMessage)
		}
		m.halt(n, why)
		n.terms = d.terms
		n.session = NewSession(c.session(&m.cfg), n, &m.alarms, m.random, &m.update)
		m.reachable(n, n.reachable)
		return true
	}
	for f := range wire.Family(wire.NumFamilies) {
		x, y := &was.Families[f].Default, &c.Families[f].Default
		n.over = n.over || n.source != nil && n.tooMany(f)
		if !x.same(y) {
			n.defaults[f].due = true
			if x.Enabled != y.Enabled { // the one of the table comes or goes
				n.defaults[f].late = y.Enabled
			}
		}
	}
	if missing := n.keeps(&was.Families) &^ d.in; missing != 0 {
		m.refresh(n, missing)
	}
	m.importAgain(n, d.in)
	if d.out {
		m.sendAgain(n)
	}
	for f := range n.out {
		if o := &n.out[f]; o.lane != nil {
			m.regroup(o, false)
		}
	}
	return false
}

// listeningChanged opens, closes and tells the listeners.
func (m *Machine) listeningChanged(before *Config) {
	for f := range wire.Family(wire.NumFamilies) {
		l := &m.listeners[f]
		if l.id != 0 && m.cfg.Listen[f] != before.Listen[f] {
			m.emit(protocol.CloseStream{ID: l.id})
			l.id = 0
		}
		if l.id == 0 {
			m.listen(f)
			continue
		}
		var peers []protocol.StreamPeer
		for _, n := range m.order {
			if p, ok := n.peer(m, f); ok {
				peers = append(peers, p)
				m.emit(protocol.SetPeer{ID: l.id, StreamPeer: p})
			}
		}
		for _, p := range m.rangePeers(&m.cfg, f) {
			peers = append(peers, p)
			m.emit(protocol.SetPeer{ID: l.id, StreamPeer: p})
		}
		former := m.rangePeers(before, f)
		for i := range before.Neighbors {
			if p, ok := before.Neighbors[i].peer(before, f); ok {
				former = append(former, p)
			}
		}
		for _, p := range former {
			if !slices.ContainsFunc(peers, func(s protocol.StreamPeer) bool { return s.Remote == p.Remote && s.Link == p.Link }) {
				m.emit(protocol.ForgetPeer{ID: l.id, Remote: p.Remote, Link: p.Link})
			}
		}
	}
}

// networks takes the networks of the configuration.
func (m *Machine) networks() {
	before := m.own
	m.own = map[netip.Prefix]Network{}
	for _, n := range m.cfg.Networks {
		m.own[n.Prefix] = n
	}
	for _, n := range m.cfg.Networks {
		if before[n.Prefix] != n {
			m.originate(n.Prefix)
		}
	}
	for p := range before {
		if _, ok := m.own[p]; !ok {
			m.originate(p)
		}
	}
}
