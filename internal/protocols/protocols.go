// Package protocols lists the routing protocols that routerd speaks. Each is
// joined to the rest of the router in a package below this one; whoever has to
// do something for every protocol ranges over the list.
package protocols

import (
	"routerd/internal/protocols/decode"
	"routerd/internal/protocols/rip"
	"routerd/internal/router"
	"routerd/internal/tomltext"
)

// Protocol is a routing protocol, with all that joins it to the router.
type Protocol struct {
	router.Kind
	Title string // as people write it: "RIPng"
	// Decode reads the protocol's table, which stands under its name.
	Decode func(*decode.Context, *tomltext.Section) router.ProtocolConfig
}

// All are the protocols in the order in which they are listed to people. The
// list is the caller's.
func All() []Protocol {
	return []Protocol{
		{Kind: rip.RIP.Kind(), Title: "RIP", Decode: rip.RIP.Decode},
		{Kind: rip.RIPng.Kind(), Title: "RIPng", Decode: rip.RIPng.Decode},
	}
}

// Kinds are what a router has to know of the protocols.
func Kinds() []router.Kind {
	var list []router.Kind
	for _, p := range All() {
		list = append(list, p.Kind)
	}
	return list
}
