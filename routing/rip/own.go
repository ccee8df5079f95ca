package rip

import (
	"net/netip"

	"routerd/routing"
	"routerd/routing/protocol"
	"routerd/routing/rip/wire"
)

// notice processes the RIB's notices.
func (m *Machine) notice(x protocol.Notices) {
	for _, s := range x.NextHops {
		if !s.Reachable && s.Interface != routing.NoInterface {
			m.lose(s.Interface, s.Address)
		}
	}
	for _, d := range x.Routes {
		m.redistribute(d)
	}
}

// redistribute adds, changes or removes a redistributed route.
func (m *Machine) redistribute(d routing.Delta) {
	p := d.Route.Prefix
	if p.Addr().Is4() != (m.cfg.Protocol == RIP) || !wire.Destination(p) || d.Route.Source == routing.SourceRIP {
		return
	}
	if d.Withdraw || d.Route.Metric >= Infinity {
		m.setOwn(p, ownRedistributed, nil)
		return
	}
	o := &own{source: d.Route.Source, distance: d.Route.Distance, metric: uint8(max(d.Route.Metric, 1))}
	if d.Route.Tag <= 0xffff {
		o.tag = uint16(d.Route.Tag)
	}
	if len(d.Route.NextHops) > 0 {
		o.hop = d.Route.NextHops[0]
	}
	m.setOwn(p, ownRedistributed, o)
}

// originateDefault makes the originated default route what the configuration
// says.
func (m *Machine) originateDefault() {
	prefix := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if m.cfg.Protocol == RIPng {
		prefix = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	if d := m.cfg.DefaultInformation; d != nil {
		m.setOwn(prefix, ownDefault, &own{
			source: routing.SourceRIP, metric: d.Metric, tag: d.Tag, hop: routing.NextHop{Interface: routing.NoInterface},
		})
		return
	}
	m.setOwn(prefix, ownDefault, nil)
}
