// Package protocols lists the routing protocols that routerd speaks. Each is
// joined to the rest of the router in a package below this one; whoever has to
// do something for every protocol ranges over the list.
package protocols

import (
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
	// Nouns are what can be asked of the protocol, Metrics what it counts.
	Nouns   []running.Noun
	Metrics running.Metrics
	// Impacts say what changes of the table mean for traffic.
	Impacts []decode.Impact
}

// All are the protocols in the order in which they are listed to people. The
// list is the caller's.
func All() []Protocol {
	var list []Protocol
	for _, p := range []rip.Protocol{rip.RIP, rip.RIPng} {
		list = append(list, Protocol{Kind: p.Kind(), Title: p.Title(), Decode: p.Decode, Nouns: p.Nouns(), Metrics: p.Metrics(), Impacts: p.Impacts()})
	}
	return list
}

// Kinds are what a router has to know of the protocols.
func Kinds() []router.Kind {
	var list []router.Kind
	for _, p := range All() {
		list = append(list, p.Kind)
	}
	return list
}
