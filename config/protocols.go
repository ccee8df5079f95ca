package config

import (
	"net/netip"

	"routerd/internal/protocols"
	"routerd/internal/protocols/decode"
	"routerd/internal/router"
	"routerd/internal/tomltext"
)

// decodeProtocols has each protocol read its own table. Everything that such a
// table may refer to has been read before.
func (r *reader) decodeProtocols(top *tomltext.Section, c *Config, interfaces []*interfacePlaces) {
	r.context = &decode.Context{Document: r.Document, Policies: c.Policies, Keys: c.Keys, Distance: c.RIB.Distance, Watches: r.watches}
	r.context.RouterID = tomltext.Get(top, "router-id", netip.Addr{}, decode.RouterID)
	for _, i := range interfaces {
		known := decode.Interface{Name: i.name, Kind: i.kind}
		for _, a := range i.addresses {
			known.Addresses = append(known.Addresses, a.Value)
		}
		r.context.Interfaces = append(r.context.Interfaces, known)
	}
	c.Protocols = map[string]router.ProtocolConfig{}
	for _, p := range protocols.All() {
		s := top.Optional(p.Name)
		if s.Table != nil {
			c.Protocols[p.Name] = p.Decode(r.context, s)
		} else if p.Implied != nil { // absent, or not a table, which is reported
			if implied, spoken := p.Implied(r.context); spoken {
				c.Protocols[p.Name] = implied
			}
		}
	}
}
