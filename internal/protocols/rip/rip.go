// Package rip joins RIP and RIPng, whose core is routerd/routing/rip, to the
// router.
package rip

import (
	"routerd/internal/router"
	"routerd/routing"
	"routerd/routing/protocol"
	"routerd/routing/rib"
	"routerd/routing/rip"
)

// Kinds are RIP and RIPng.
func Kinds() []router.Kind { return []router.Kind{kind(rip.RIP, 4), kind(rip.RIPng, 6)} }

func kind(p rip.Protocol, family int) router.Kind {
	return router.Kind{
		Name: p.String(), Source: routing.SourceRIP, Family: family,
		New: func(s protocol.Start) protocol.Core { return rip.New(p, s) },
	}
}

// Config is what the configuration says of RIP or RIPng.
type Config struct {
	rip.Config
	Redistribute []rib.Redistribution
}

// Add puts the configuration, nil for none, among those of a router's
// protocols. Saved is what an earlier life of the protocol has saved, distance
// that of its routes unless it is 0.
func (c *Config) Add(all map[string]router.ProtocolConfig, saved []byte, distance uint8) {
	if c == nil {
		return
	}
	core := c.Config
	if distance != 0 {
		core.Distance = distance
	}
	all[core.Protocol.String()] = router.ProtocolConfig{Config: core, Saved: saved, Redistribute: c.Redistribute}
}
