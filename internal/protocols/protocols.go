// Package protocols lists the routing protocols that routerd speaks. Each is
// joined to the rest of the router in a package below this one; whoever has to
// do something for every protocol ranges over the list.
package protocols

import (
	"routerd/internal/protocols/bfd"
	"routerd/internal/protocols/decode"
	"routerd/internal/protocols/rip"
	"routerd/internal/protocols/running"
	"routerd/internal/router"
	"routerd/internal/tomltext"
)

// Protocol is a routing protocol, with all that joins it to the router.
type Protocol struct {
	router.Kind
	Title string // as people write it: "RIPng"
	// Decode reads the protocol's table, which stands under its name.
	Decode func(*decode.Context, *tomltext.Section) router.ProtocolConfig
	// Implied, where not nil, gives its configuration without such a table, if
	// the tables of others want the protocol spoken.
	Implied func(*decode.Context) (router.ProtocolConfig, bool)
	// Nouns are what can be asked of the protocol, Metrics what it counts.
	Nouns   []running.Noun
	Metrics running.Metrics
	// Impacts say what changes of the table mean for traffic.
	Impacts []decode.Impact
}

// All are the protocols in the order in which they are listed to people, and in
// which their tables are read: BFD, which looks at what the others ask it for, is
// the last. The list is the caller's.
func All() []Protocol {
	var list []Protocol
	for _, p := range []rip.Protocol{rip.RIP, rip.RIPng} {
		list = append(list, Protocol{Kind: p.Kind(), Title: p.Title(), Decode: p.Decode, Nouns: p.Nouns(), Metrics: p.Metrics(), Impacts: p.Impacts()})
	}
	return append(list, Protocol{
		Kind: bfd.Kind(), Title: bfd.Title, Decode: bfd.Decode, Implied: bfd.Implied,
		Nouns: bfd.Nouns(), Metrics: bfd.Metrics(), Impacts: bfd.Impacts(),
	})
}

// Kinds are what a router has to know of the protocols.
func Kinds() []router.Kind {
	var list []router.Kind
	for _, p := range All() {
		list = append(list, p.Kind)
	}
	return list
}
