// Package rip connects RIP and RIPng, whose core is routerd/routing/rip, to the
// router.
package rip

import (
	"routerd/internal/router"
	"routerd/routing"
	"routerd/routing/protocol"
	"routerd/routing/rip"
)

// Protocol is RIP or RIPng, for the list of protocols.
type Protocol rip.Protocol

// The protocols.
const (
	RIP   = Protocol(rip.RIP)
	RIPng = Protocol(rip.RIPng)
)

// Kind returns the protocol's router.Kind.
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
