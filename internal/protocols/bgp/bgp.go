// Package bgp joins BGP, whose core is routerd/routing/bgp, to the router.
package bgp

import (
	"routerd/internal/router"
	"routerd/routing"
	"routerd/routing/bgp"
	"routerd/routing/policy"
	"routerd/routing/protocol"
)

const name = "bgp"

// Title is the protocol's name as people write it.
const Title = "BGP"

// Kind is what the router's driver has to know of the protocol.
func Kind() router.Kind {
	return router.Kind{
		Name: name, Source: routing.SourceEBGP, Streams: true,
		New: func(s protocol.Start) protocol.Core { return bgp.New(s) },
	}
}

func init() { policy.Register(bgp.Extensions()...) }
