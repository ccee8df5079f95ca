// Package protocols lists the routing protocols of routerd. A package below
// this one connects each to the rest of the router. Code that does something
// for every protocol goes through the list.
package protocols

import (
	"routerd/internal/protocols/bfd"
	"routerd/internal/protocols/bgp"
	"routerd/internal/protocols/decode"
	"routerd/internal/protocols/ospf"
	"routerd/internal/protocols/rip"
	"routerd/internal/protocols/running"
	"routerd/internal/router"
	"routerd/internal/tomltext"
)

// Protocol is a routing protocol with everything that connects it to the
// router.
type Protocol struct {
	router.Kind
	Title string // its usual spelling: "RIPng"
	// Decode reads the protocol's table in the configuration, which has the
	// protocol's name.
	Decode func(*decode.Context, *tomltext.Section) router.ProtocolConfig
	// Implied, where not nil, gives its configuration without such a table, if
	// the tables of others want the protocol spoken.
	Implied func(*decode.Context) (router.ProtocolConfig, bool)
	// Nouns are the protocol's nouns, Metrics its metrics.
	Nouns   []running.Noun
	Metrics running.Metrics
	// Sessions is the path of the noun whose rows are what the events of the protocol
	// are about: its neighbours, or what it has with them. A row has the JSON fields
	// address or peer, and interface, which identify it.
	Sessions string
	// Derive, where not nil, says what a route of its own follows from.
	Derive running.Derive
	// Effects, where not nil, says what another configuration would do to it.
	Effects running.Effects
	// Impacts are the effects of changes of the table on traffic.
	Impacts []decode.Impact
}

// All are the protocols in the order in which they are listed to people, and in
// which their tables are read: BFD, which looks at what the others ask it for, is
// the last. The list is the caller's.
func All() []Protocol {
	var list []Protocol
	for _, p := range []rip.Protocol{rip.RIP, rip.RIPng} {
		list = append(list, Protocol{Kind: p.Kind(), Title: p.Title(), Decode: p.Decode, Nouns: p.Nouns(), Metrics: p.Metrics(), Sessions: p.Kind().Name + "/neighbor", Impacts: p.Impacts()})
	}
	list = append(list, Protocol{
		Kind: ospf.Kind(), Title: ospf.Title, Decode: ospf.Decode,
		Nouns: ospf.Nouns(), Metrics: ospf.Metrics(), Sessions: "ospf/neighbor", Derive: ospf.Derive, Impacts: ospf.Impacts(),
	})
	list = append(list, Protocol{
		Kind: bgp.Kind(), Title: bgp.Title, Decode: bgp.Decode,
		Nouns: bgp.Nouns(), Metrics: bgp.Metrics(), Sessions: "bgp/neighbor", Derive: bgp.Derive, Effects: bgp.Effects, Impacts: bgp.Impacts(),
	})
	return append(list, Protocol{
		Kind: bfd.Kind(), Title: bfd.Title, Decode: bfd.Decode, Implied: bfd.Implied,
		Nouns: bfd.Nouns(), Metrics: bfd.Metrics(), Sessions: "bfd", Impacts: bfd.Impacts(),
	})
}

// Kinds returns the router.Kind of every protocol.
func Kinds() []router.Kind {
	var list []router.Kind
	for _, p := range All() {
		list = append(list, p.Kind)
	}
	return list
}
