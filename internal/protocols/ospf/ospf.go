// Package ospf joins OSPF, whose core is routerd/routing/ospf, to the router.
package ospf

import (
	"routerd/internal/router"
	"routerd/routing"
	"routerd/routing/ospf"
	"routerd/routing/protocol"
)

const name = "ospf"

// Title is the protocol's name as people write it.
const Title = "OSPF"

// Kind is what the router's driver has to know of the protocol.
func Kind() router.Kind {
	return router.Kind{
		Name: name, Source: routing.SourceOSPF, Family: 4,
		New: func(s protocol.Start) protocol.Core { return ospf.New(s) },
	}
}
