package bgp

import (
	"net/netip"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/policy"
	"routerd/routing/protocol"
)

// DefaultOriginate has a neighbour sent a default route of the router's own, which is in
// no table, in place of the one that is.
type DefaultOriginate struct {
	Enabled bool
	// Always sends it also while the RIB has no default route, of any source.
	Always bool
	// Policy is asked for it in place of the export policy, and may set its attributes;
	// empty = as it is.
	Policy policy.Chain
}

func (d *DefaultOriginate) same(as *DefaultOriginate) bool {
	return d.Enabled == as.Enabled && d.Always == as.Always && d.Policy.Same(as.Policy)
}

// originated is what a neighbour was sent of a default route of the router's own.
type originated struct {
	due  bool // it has to be looked at
	late bool // after everything else, as the one of the table may still be withdrawn
	sent bool
}

var defaultPrefixes = [wire.NumFamilies]netip.Prefix{
	wire.IPv4Unicast: netip.PrefixFrom(netip.IPv4Unspecified(), 0),
	wire.IPv6Unicast: netip.PrefixFrom(netip.IPv6Unspecified(), 0),
}

// defaultProbes are addresses that no route leads to but a default one. The RIB says by
// them whether it has one.
var defaultProbes = [wire.NumFamilies]netip.Addr{
	wire.IPv4Unicast: netip.AddrFrom4([4]byte{0, 0, 0, 1}),
	wire.IPv6Unicast: netip.AddrFrom16([16]byte{15: 2}),
}

// probeDefaults asks the RIB about default routes, as far as that matters to a neighbour.
func (m *Machine) probeDefaults() {
	for f := range wire.Family(wire.NumFamilies) {
		wanted := false
		for _, n := range m.order {
			d := &n.cfg.Families[f].Default
			wanted = wanted || d.Enabled && !d.Always
		}
		if wanted == m.probing[f] {
			continue
		}
		m.probing[f] = wanted
		if wanted {
			m.emit(protocol.Track{Address: defaultProbes[f], Link: routing.NoInterface})
		} else {
			m.hasDefault[f] = false
			m.emit(protocol.Untrack{Address: defaultProbes[f], Link: routing.NoInterface})
		}
	}
}

// probed takes what the RIB says of a probe, and reports whether it is one.
func (m *Machine) probed(s *routing.NextHopState) bool {
	for f, a := range defaultProbes {
		if s.Address != a || !m.probing[f] {
			continue
		}
		if has := s.Reachable && s.Via == defaultPrefixes[f]; has != m.hasDefault[f] {
			m.hasDefault[f] = has
			for _, n := range m.order {
				n.defaults[f].due = true
			}
		}
		return true
	}
	return false
}

// ownDefault reports whether the default route of the table is not for the neighbour.
func (n *neighbor) ownDefault(f wire.Family) bool { return n.cfg.Families[f].Default.Enabled }

// sendDefaults sends a neighbour a default route of the router's own, or withdraws it.
func (m *Machine) sendDefaults(n *neighbor) {
	if n.source == nil {
		return
	}
	for f := range n.defaults {
		d, o := &n.defaults[f], &n.out[f]
		if !d.due || !o.open() || d.late && !o.idle() || n.session.Room() < protocol.StreamRoom/2 {
			continue
		}
		*d = originated{sent: d.sent}
		m.sendDefault(n, wire.Family(f), d)
	}
}

func (m *Machine) sendDefault(n *neighbor, f wire.Family, d *originated) {
	k, p := &m.encoder.extra, defaultPrefixes[f]
	k.Begin(nil, n.session.Agreed())
	switch {
	case m.prepareDefault(n, f) && k.Announce(f, &m.given):
		k.Add(0, p)
		n.messages.Sent++
		d.sent = true
	case !d.sent:
		return
	default:
		k.Withdraw(f)
		k.Add(0, p)
		n.messages.Withdrawn++
		d.sent = false
	}
	data := k.Bytes()
	m.session(n.session, func() []protocol.Effect { return n.session.Send(m.now, data, m.out) })
}

// appendDefaults appends the default routes of their own that those who ride on a lane have,
// which are part of a refresh too.
func (m *Machine) appendDefaults(data []byte, l *lane) []byte {
	f := l.group.family
	for _, o := range l.riders { // with one of its own, it is alone
		if k := &m.encoder.extra; o.neighbor.defaults[f].sent && m.prepareDefault(o.neighbor, f) {
			k.Begin(data, &l.group.key.session)
			if k.Announce(f, &m.given) {
				k.Add(0, defaultPrefixes[f])
			}
			data = k.Bytes()
		}
	}
	return data
}

// prepareDefault makes in given the attributes of the default route that a neighbour is
// sent, and reports false if it is sent none.
func (m *Machine) prepareDefault(n *neighbor, f wire.Family) bool {
	c := &n.cfg.Families[f].Default
	if !c.Enabled || !c.Always && !m.hasDefault[f] {
		return false
	}
	m.given = wire.Attributes{Origin: wire.OriginIGP}
	m.given.Set(wire.AttrOrigin)
	m.given.Set(wire.AttrASPath)
	sent, self := Sent{}, false
	m.policies = policy.Route{}
	if len(c.Policy) > 0 {
		m.seen = PolicyAttributes{Attributes: m.given, Neighbor: n.cfg.Address}
		m.policies = policy.Route{Prefix: defaultPrefixes[f], Attributes: &m.seen}
		if !c.Policy.Accepts(&m.policies) {
			return false
		}
		after := m.policies.Attributes.(*PolicyAttributes)
		m.given = after.Attributes
		sent.MEDSet, self = after.MEDSet, after.NextHopSelf
	}
	hop, ok := n.terms.NextHop(f, wire.NextHop{}, &n.hops, false, self)
	if m.policies.NextHopSet {
		hop, ok = wire.NextHop{Address: m.policies.NextHop}, true
	}
	if !ok {
		return false
	}
	m.room = n.terms.Give(&m.given, sent, m.room[:0])
	m.given.NextHop = hop
	m.given.Set(wire.AttrNextHop)
	return true
}
