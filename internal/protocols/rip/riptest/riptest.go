// Package riptest is a fake of RIP and RIPng for tests of their nouns: nothing
// runs, and every answer is constant.
package riptest

import (
	"net/netip"
	"slices"
	"time"

	"routerd/internal/protocols/running"
	"routerd/internal/protocols/running/runningtest"
	"routerd/internal/show"
	"routerd/routing"
	"routerd/routing/keys"
	"routerd/routing/rip"
)

var (
	began = runningtest.Began
	now   = runningtest.Now
	pfx   = netip.MustParsePrefix
	addr  = netip.MustParseAddr
)

// New returns RIP or RIPng.
func New(kind rip.Protocol) *runningtest.Protocol { return runningtest.New(core{kind: kind}) }

// Named returns the protocol with a name.
func Named(name string) (running.Protocol, error) {
	for _, k := range []rip.Protocol{rip.RIP, rip.RIPng} {
		if k.String() == name {
			return New(k), nil
		}
	}
	return nil, show.NotFound("%s is not spoken here: the configuration has no [%s]", name, name)
}

// core has the methods of rip.Machine that the nouns use.
type core struct {
	runningtest.Still
	kind rip.Protocol
}

func (c core) routes() []rip.RouteInfo {
	if c.kind == rip.RIPng {
		hop := addr("fe80::2")
		return []rip.RouteInfo{{
			Prefix: pfx("2001:db8:2::/64"), State: "learned", Source: routing.SourceRIP, Metric: 2,
			Paths: []rip.PathInfo{{Neighbor: hop, NextHop: hop, Interface: 2, Heard: now.Add(-7500 * time.Millisecond)}},
			Since: began, Expires: now.Add(172500 * time.Millisecond),
		}}
	}
	return []rip.RouteInfo{
		{Prefix: pfx("0.0.0.0/0"), State: "default", Source: routing.SourceRIP, Metric: 1, Since: began},
		{Prefix: pfx("10.0.1.0/24"), State: "connected", Source: routing.SourceConnected, Metric: 1, Since: began},
		{
			Prefix: pfx("10.0.2.0/24"), State: "learned", Source: routing.SourceRIP, Metric: 3, Tag: 7, Since: began, Expires: now.Add(168250 * time.Millisecond),
			Paths: []rip.PathInfo{
				{Neighbor: addr("10.0.12.2"), NextHop: addr("10.0.12.2"), Interface: 2, Tag: 7, Heard: now.Add(-11750 * time.Millisecond)},
				{Neighbor: addr("10.0.13.3"), NextHop: addr("10.0.13.9"), Interface: 3, Tag: 7, Heard: now.Add(-20 * time.Second)},
			},
		},
		{Prefix: pfx("10.0.9.0/24"), State: "dying", Source: routing.SourceRIP, Metric: 16, Since: began, Expires: now.Add(59 * time.Second)},
		{Prefix: pfx("203.0.113.0/24"), State: "redistributed", Source: routing.SourceStatic, Metric: 5, Tag: 65535, Since: began},
	}
}

// Routes gives up to limit routes behind a prefix.
func (c core) Routes(after netip.Prefix, limit int) []rip.RouteInfo {
	list := slices.DeleteFunc(c.routes(), func(r rip.RouteInfo) bool { return after.IsValid() && r.Prefix.Compare(after) <= 0 })
	return list[:min(limit, len(list))]
}

// Route gives the route to a prefix.
func (c core) Route(p netip.Prefix) (rip.RouteInfo, bool) {
	for _, r := range c.routes() {
		if r.Prefix == p {
			return r, true
		}
	}
	return rip.RouteInfo{}, false
}

// Neighbors gives the neighbours.
func (c core) Neighbors() []rip.NeighborInfo {
	if c.kind == rip.RIPng {
		return []rip.NeighborInfo{{
			Interface: 2, Name: "core0", Address: addr("fe80::2"), Version: 1, Routes: 1, Since: began, Heard: now.Add(-7500 * time.Millisecond), Packets: 20,
		}}
	}
	return []rip.NeighborInfo{
		{
			Interface: 2, Name: "core0", Address: addr("10.0.12.2"), Version: 2, Routes: 1, Since: began, Heard: now.Add(-11750 * time.Millisecond),
			Packets: 12_345, BadEntries: 1, MaximumPrefix: 65536,
		},
		{
			Interface: 3, Name: "core1", Address: addr("10.0.13.3"), Version: 2, Routes: 1, Since: began, Heard: now.Add(-20 * time.Second),
			Packets: 4, BadPackets: 3, MaximumPrefix: 1, Beyond: 41,
		},
	}
}

// Interfaces gives the interfaces, in the order of their numbers.
func (c core) Interfaces() []rip.InterfaceInfo {
	core0 := rip.InterfaceInfo{
		Interface: 2, Name: "core0", Sources: []netip.Addr{addr("fe80::1")}, Neighbors: 1, Routes: 1, NextUpdate: now.Add(12500 * time.Millisecond),
		Config: rip.InterfaceConfig{Metric: 1, MaximumPrefix: 65536, SplitHorizon: rip.PoisonReverse},
	}
	core0.Counters = rip.Counters{Asked: 1, Requests: 1, Responses: 61, Own: 64}
	core0.Counters.Updates = [4]uint64{60, 3, 1, 0}
	if c.kind == rip.RIPng {
		return []rip.InterfaceInfo{core0}
	}
	core0.Sources = []netip.Addr{addr("10.0.12.1")}
	core0.Config.Auth = rip.Auth{Algorithm: keys.HMACSHA256, Keys: keys.Chain{{ID: 1}, {ID: 2}}}
	core0.Config.AllowedNeighbors = []netip.Prefix{pfx("10.0.12.2/32"), pfx("10.0.12.8/29")}
	return []rip.InterfaceInfo{
		{
			Interface: 1, Name: "lan0", Sources: []netip.Addr{addr("10.0.1.1")},
			Config: rip.InterfaceConfig{
				Passive: true, Metric: 2, OffsetOut: 3, MaximumPrefix: 1, SplitHorizon: rip.NoHorizon, Receive: rip.AnyVersion,
			},
			Counters: rip.Counters{Malformed: 4, Unauthentic: 2},
		},
		core0,
	}
}

// Summary returns the totals: seven learned routes, two own, one dying.
func (core) Summary() rip.Summary { return rip.Summary{Routes: 10, Learned: 7, Dying: 1} }
