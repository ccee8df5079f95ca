// Package rip joins RIP and RIPng, whose core is routerd/routing/rip, to the
// router.
package rip

import (
	"routerd/internal/router"
	"routerd/routing"
	"routerd/routing/protocol"
	"routerd/routing/rip"
)

// Protocol is RIP or RIPng, as the list of protocols has it.
type Protocol rip.Protocol

// The protocols.
const (
	RIP   = Protocol(rip.RIP)
	RIPng = Protocol(rip.RIPng)
)

// Kind is what the router's driver has to know of the protocol.
func (p Protocol) Kind() router.Kind {
	family := 4
	if p == RIPng {
		family = 6
	}
	return router.Kind{
		Name: rip.Protocol(p).String(), Source: routing.SourceRIP, Family: family,
		New: func(s protocol.Start) protocol.Core { return rip.New(rip.Protocol(p), s) },
	}
}
