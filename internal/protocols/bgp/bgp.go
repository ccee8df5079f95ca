// Package bgp joins BGP, whose core is routerd/routing/bgp, to the router: it reads [bgp],
// and answers what is asked of the protocol that runs.
//
//	decode.go      the table; decode_neighbor.go, decode_range.go, decode_family.go and
//	               decode_paths.go its parts, readings.go values that several have
//	impacts.go     what a change of each key means for traffic
//	effects.go     what another configuration would do to the sessions that there are
//	nouns.go       the list of nouns, and what they share; pages.go long answers, part by part
//	summary.go     show bgp
//	neighbors.go   show bgp neighbor
//	routes.go      show bgp route; routes_draw.go its table, attributes.go attributes in words
//	attributesets.go  show bgp attributes
//	exchanged.go   what a neighbour has sent, and what it was sent
//	clear.go       clear bgp neighbor
//	derive.go      the part of explain route that is about BGP
//	metrics.go     metrics
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
