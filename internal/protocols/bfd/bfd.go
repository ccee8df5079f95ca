// Package bfd joins BFD, whose core is routerd/routing/bfd, to the router.
package bfd

import (
	"routerd/internal/protocols/decode"
	"routerd/internal/router"
	"routerd/routing/bfd"
	"routerd/routing/protocol"
)

const name = "bfd"

// Title is the protocol's name as people write it.
const Title = "BFD"

// Kind is what the router's driver has to know of the protocol.
func Kind() router.Kind {
	return router.Kind{Name: name, Watches: true, New: func(s protocol.Start) protocol.Core { return bfd.New(s) }}
}

// Impacts say what changes of the protocol's table mean for traffic.
func Impacts() []decode.Impact {
	const agreed = "a session whose neighbor does not authenticate alike goes down"
	return []decode.Impact{
		{Pattern: name, Kind: "removed", Means: "sessions that nobody else asks for end, which their neighbors are told is no failure"},
		{Pattern: name + ".peer.*", Kind: "removed", Means: "its session ends, if nobody else asks for it; its neighbor is told that this is no failure"},
		{Pattern: name + ".peer.*.shutdown", Means: "its session goes down, which nobody takes for a failure, or begins anew"},
		{Pattern: name + ".profile.*.auth", Means: agreed},
	}
}
