package ospf

import (
	"net/netip"
	"slices"

	"routerd/routing"
	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// imported is a route of another source that the router says to the others.
type imported struct {
	source routing.Source
	metric uint32
	tag    uint32
	hop    routing.NextHop // the first one
}

// externals are the ExternalLSAs of the router, or its NSSALSAs in one area.
type externals struct {
	said map[netip.Prefix]saidExternal
	ids  lsids
}

type saidExternal struct {
	wire.External
	options wire.Options
}

// outward is what the router knows of outside of the AS.
type outward struct {
	imported map[netip.Prefix]imported
	dirty    ordered[netip.Prefix, struct{}] // what is said of it may be another thing
	timer    timer                           // dirty is gone on with
	as       externals
	// translated are the networks of NSSAs that the router says to the AS.
	translated map[netip.Prefix]wire.External
	// shared are those that are said with a forwarding address, which another router
	// may say too.
	shared map[netip.Prefix]bool
	// situation is what forwarding addresses depend on.
	situation []situation
}

// situation is a link, or with in set what [Machine.inside] gives of an NSSA, as
// forwarding addresses depend on it.
type situation struct {
	link    routing.InterfaceID
	area    wire.ID
	network netip.Prefix
	in      wire.ID
}

// situate has what is said of the outside be found out anew where forwarding
// addresses may be others.
func (m *Machine) situate() {
	var now []situation
	for _, l := range m.order {
		if l.active() && !l.virtual() && l.state > InterfaceLoopback && !m.suppresses(l) {
			now = append(now, situation{l.id, l.area.ID, l.address, 0})
		}
	}
	for _, a := range m.areas {
		if a.Type == NSSA {
			now = append(now, situation{routing.NoInterface, a.ID, netip.Prefix{}, m.inside(a)})
		}
	}
	if !slices.Equal(now, m.outward.situation) {
		m.outward.situation = now
		m.reviewExternals()
	}
}

// reconsider has what another router may say too be found out anew.
func (m *Machine) reconsider() {
	o := &m.outward
	for _, p := range sortedPrefixes(o.shared) {
		o.dirty.put(p, struct{}{})
	}
	clear(o.shared)
}

// notice takes in routes of other sources.
func (m *Machine) notice(x protocol.Notices) {
	for _, d := range x.Routes {
		p := d.Route.Prefix
		switch {
		case !p.Addr().Is4():
			continue
		case d.Withdraw:
			delete(m.outward.imported, p)
		case d.Route.Source == routing.SourceOSPF:
			continue
		default:
			i := imported{source: d.Route.Source, metric: d.Route.Metric, tag: d.Route.Tag, hop: routing.NextHop{Interface: routing.NoInterface}}
			if len(d.Route.NextHops) > 0 {
				i.hop = d.Route.NextHops[0]
			}
			if m.outward.imported == nil {
				m.outward.imported = map[netip.Prefix]imported{}
			}
			m.outward.imported[p] = i
		}
		m.outward.dirty.put(p, struct{}{})
	}
}

// reviewExternals has everything that is said of the outside be found out anew.
func (m *Machine) reviewExternals() {
	o := &m.outward
	o.dirty.put(anywhere, struct{}{})
	list := sortedPrefixes(o.imported)
	for _, a := range m.areas {
		list = append(list, sortedPrefixes(a.externals.said)...)
	}
	for _, p := range append(list, sortedPrefixes(o.as.said)...) {
		o.dirty.put(p, struct{}{})
	}
}

// externalsAtOnce bounds how many networks outside one step says something of, so that
// a whole table that is redistributed holds up nothing else.
const externalsAtOnce = 1000

// originateExternals says of the outside what is so now, where that may have
// changed.
func (m *Machine) originateExternals() {
	o := &m.outward
	before := m.saysExternals()
	left := externalsAtOnce
	for p, _, ok := o.dirty.front(); ok; p, _, ok = o.dirty.front() {
		if left--; left < 0 {
			m.due.Set(&o.timer, m.now)
			break
		}
		o.dirty.remove(p)
		e, said := m.wantExternal(p)
		m.sayExternal(nil, &o.as, p, e, said)
		for _, a := range m.areas {
			if a.Type == NSSA {
				e, said := m.wantNSSA(a, p)
				m.sayExternal(a, &a.externals, p, e, said)
			}
		}
	}
	if before != m.saysExternals() {
		m.ours.dirty = true
	}
}

// saysExternals reports whether the router is an AS boundary router.
func (m *Machine) saysExternals() bool {
	for _, a := range m.areas {
		if len(a.externals.said) > 0 {
			return true
		}
	}
	return len(m.outward.as.said) > 0
}

// takesExternals reports whether the router is attached to an area that takes
// ExternalLSAs.
func (m *Machine) takesExternals() bool {
	for _, a := range m.areas {
		if a.Type == Normal {
			return true
		}
	}
	return false
}

// wantExternal decides what the router says to the AS of a network: what it knows
// itself, or if that is preferred what an NSSA says (RFC 3101 §3.2).
func (m *Machine) wantExternal(p netip.Prefix) (e saidExternal, said bool) {
	e.options = wire.OptionE
	if !m.takesExternals() {
		return e, false
	}
	e.External, said = m.external(p)
	if said {
		e.Forwarding = m.forwarding(p, nil)
		said = !m.saidByAnother(nil, p, &e)
	}
	if t, translated := m.outward.translated[p]; translated && (!said || preferredExternal(&t, &e.External)) {
		e.External = t
		said = !m.saidByAnother(nil, p, &e) // RFC 3101 §3.2 (2)
	}
	return e, said
}

// preferredExternal reports whether a is preferred to b by type and metric (RFC 2328
// §16.4 (6)).
func preferredExternal(a, b *wire.External) bool {
	if a.Type2 != b.Type2 {
		return b.Type2
	}
	return a.Metric < b.Metric
}

// external is what the router itself knows of a network outside, without the
// forwarding address.
func (m *Machine) external(p netip.Prefix) (e wire.External, known bool) {
	e.Mask = wire.MaskOf(p.Bits())
	i, known := m.outward.imported[p]
	if p == anywhere && (m.cfg.DefaultInformation != nil || !known || !m.cfg.Default[i.source]) {
		return m.defaultRoute(m.cfg.DefaultInformation, e)
	}
	if !known || i.metric >= wire.Infinity || m.speaksOn(i.source, p) {
		return e, false
	}
	e.Type2, e.Metric, e.Tag = !m.cfg.Type1[i.source], i.metric, i.tag
	return e, true
}

// defaultRoute is the default route that is originated.
func (m *Machine) defaultRoute(d *Origination, e wire.External) (wire.External, bool) {
	if d == nil {
		return e, false
	}
	if _, known := m.outward.imported[anywhere]; !known && !d.Always {
		return e, false
	}
	e.Type2, e.Metric, e.Tag = !d.Type1, d.Metric, d.Tag
	return e, true
}

// speaksOn reports whether a network is that of an interface in an area, and is no
// network outside.
func (m *Machine) speaksOn(source routing.Source, p netip.Prefix) bool {
	if source != routing.SourceConnected {
		return false
	}
	for _, l := range m.order {
		if !l.active() {
			continue
		}
		for _, a := range l.addresses {
			if a.Masked() == p {
				return true
			}
		}
	}
	return false
}

// forwarding is the address that packets to an imported network are sent to: that of
// the next hop, where other routers have a way to it too (RFC 2328 §12.4.4.1); 0 is
// this router. In is the NSSA that says it, nil is the AS.
func (m *Machine) forwarding(p netip.Prefix, in *area) wire.ID {
	i, known := m.outward.imported[p]
	l := m.links[i.hop.Interface]
	if !known || l == nil || !l.active() || !l.network.Elects() || l.state <= InterfaceLoopback || m.suppresses(l) || !i.hop.Address.IsValid() {
		return 0
	}
	if in == nil && l.area.Type != Normal || in != nil && l.area != in {
		return 0
	}
	if !l.address.Masked().Contains(i.hop.Address) || i.hop.Address == l.address.Addr() {
		return 0
	}
	return wire.IDOf(i.hop.Address)
}

// saidByAnother reports whether another AS boundary router that is reached says the
// same with the same forwarding address, and is preferred: then this one says
// nothing (RFC 2328 §12.4.4.1; RFC 3101 §2.4).
func (m *Machine) saidByAnother(in *area, p netip.Prefix, e *saidExternal) bool {
	if e.Forwarding == 0 {
		return false
	}
	if m.outward.shared == nil {
		m.outward.shared = map[netip.Prefix]bool{}
	}
	m.outward.shared[p] = true
	db, t := m.as, wire.ExternalLSA
	var state *AreaState
	if in != nil {
		db, t, state = in.db, wire.NSSALSA, &in.AreaState
	}
	n, known := m.prefixes.find(p)
	if !known || m.table.state == nil {
		return false
	}
	for o := range db.of(n) {
		l := o.LSA()
		b := wire.ExternalBody(l.Body())
		if l.Type() != t || !o.Usable() || o.Self() || b.Forwarding() != e.Forwarding || b.Type2() != e.Type2 || b.Metric() != e.Metric {
			continue
		}
		if _, reached := m.table.exit(l.Router(), state); !reached {
			continue
		}
		theirs, ours := l.Options()&wire.OptionNP, e.options&wire.OptionNP
		if theirs > ours || theirs == ours && l.Router() > m.router {
			return true
		}
	}
	return false
}

// sayExternal says of a network what is wanted, in an NSSA or where that is nil to
// the AS.
func (m *Machine) sayExternal(in *area, x *externals, p netip.Prefix, e saidExternal, wanted bool) {
	was, said := x.said[p]
	t := wire.ExternalLSA
	if in != nil {
		t = wire.NSSALSA
	}
	if !wanted {
		if said {
			delete(x.said, p)
			if id, ok := x.ids.drop(p); ok {
				m.unsay(in, wire.Identity{Type: t, ID: id})
			}
		}
		return
	}
	if said && was == e {
		return
	}
	id, moved, ok := x.ids.give(p)
	if !ok {
		return // no link state ID is left for it
	}
	if x.said == nil {
		x.said = map[netip.Prefix]saidExternal{}
	}
	x.said[p] = e
	m.say(in, wire.Identity{Type: t, ID: id}, e.options, &e.External)
	if moved.IsValid() {
		other := x.said[moved]
		m.say(in, wire.Identity{Type: t, ID: x.ids.of[moved]}, other.options, &other.External)
	}
}
