package rip

import (
	"net/netip"
	"time"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing/rip"
)

// RoutePage is a page of a protocol's table. It may have fewer routes than
// asked for, even none: only a page without Next is the last.
type RoutePage struct {
	Routes []Route      `json:"routes" show:",rows"`
	Next   netip.Prefix `json:"next,omitzero"`
}

// Route is the protocol's route to a prefix.
type Route struct {
	Prefix netip.Prefix `json:"prefix" show:"prefix"`
	State  string       `json:"state" show:"state,good=learned,bad=dying"` // learned | connected | default | redistributed | dying
	Source string       `json:"source"`                                    // rip, or the source of a redistributed route
	Metric int          `json:"metric" show:"metric,right"`                // 1 to 16; 16 = unreachable
	Tag    int          `json:"tag" show:"tag,right"`
	Paths  []Path       `json:"paths" show:",lines"`                   // of a learned route; all have its metric
	Since  time.Time    `json:"since" show:"since,wide,after=expires"` // of its last change
	// Expires is the seconds until the route dies unless it is refreshed, or
	// until a dying one is deleted; absent for the router's own routes.
	Expires float64 `json:"expires,omitzero" show:"expires,seconds,blank"`
}

// Path is a neighbour from which a route was learned.
type Path struct {
	Neighbor  netip.Addr `json:"neighbor" show:"from,wide,after=interface"`
	NextHop   netip.Addr `json:"next_hop" show:"next hop,optional"`
	Interface string     `json:"interface" show:"interface,optional"`
	Tag       int        `json:"tag"`
	Age       float64    `json:"age" show:"age,wide,seconds"` // seconds since the last refresh
}

// Drawn implements show.Drawn: it shows the source of a redistributed route
// instead of "redistributed".
func (r *Route) Drawn(*show.Screen) any {
	d := *r
	if d.State == "redistributed" {
		d.State = d.Source
	}
	return &d
}

func routeOf(x *rip.RouteInfo, p running.Protocol, now time.Time) Route {
	r := Route{
		Prefix: x.Prefix, State: x.State, Source: x.Source.String(), Metric: int(x.Metric), Tag: int(x.Tag), Since: x.Since.UTC(),
	}
	if !x.Expires.IsZero() {
		r.Expires = max(x.Expires.Sub(now), 0).Seconds()
	}
	for _, by := range x.Paths {
		r.Paths = append(r.Paths, Path{
			Neighbor: by.Neighbor, NextHop: by.NextHop, Interface: p.InterfaceName(by.Interface), Tag: int(by.Tag), Age: now.Sub(by.Heard).Seconds(),
		})
	}
	return r
}

// NeighborList is the protocol's neighbours, by interface and address.
type NeighborList struct {
	Neighbors []Neighbor `json:"neighbors" show:",rows"`
}

// Neighbor is a router that speaks the protocol on a link.
type Neighbor struct {
	Address    netip.Addr `json:"address" show:"neighbor"`
	Interface  string     `json:"interface" show:"interface"`
	Version    int        `json:"version" show:"version,right,blank"`
	Routes     int        `json:"routes" show:"routes,amount"`                  // paths through it
	Since      time.Time  `json:"since" show:"since,wide,after=beyond maximum"` // time of its first packet
	Age        float64    `json:"age" show:"age,seconds"`                       // seconds since its last accepted update, or since its first packet if there was none
	Packets    uint64     `json:"packets" show:"packets,amount"`
	BadPackets uint64     `json:"bad_packets" show:"bad packets,amount,bad"`
	BadEntries uint64     `json:"bad_entries" show:"bad entries,amount"`
	// MaximumPrefix is how many routes are accepted from it, BeyondMaximum how
	// often one beyond that was refused.
	MaximumPrefix int `json:"maximum_prefix" show:"maximum,amount,wide"`
	// BFD is watched, or down where what it says is not used since its session is
	// down; absent where BFD does not watch it.
	BFD           string `json:"bfd,omitempty" show:"bfd,optional,bad=down,after=interface"`
	BeyondMaximum uint64 `json:"beyond_maximum" show:"beyond maximum,amount,blank,bad,optional"`
}

func neighborOf(n *rip.NeighborInfo, now time.Time) Neighbor {
	heard := n.Heard
	if heard.IsZero() {
		heard = n.Since
	}
	bfd := ""
	switch {
	case n.Dead:
		bfd = "down"
	case n.Watched:
		bfd = "watched"
	}
	return Neighbor{
		BFD: bfd, Address: n.Address, Interface: n.Name, Version: int(n.Version), Routes: n.Routes,
		Since: n.Since.UTC(), Age: now.Sub(heard).Seconds(),
		Packets: n.Packets, BadPackets: n.BadPackets, BadEntries: n.BadEntries,
		MaximumPrefix: n.MaximumPrefix, BeyondMaximum: n.Beyond,
	}
}

// InterfaceList is the interfaces that speak the protocol, by name.
type InterfaceList struct {
	Interfaces []Interface `json:"interfaces" show:",rows"`
}

// Interface is an interface that speaks the protocol.
type Interface struct {
	Name           string       `json:"name" show:"interface"`
	Addresses      []netip.Addr `json:"addresses" show:"address,wide"` // that updates come from
	Passive        bool         `json:"passive" show:"mode,yes=passive,no=active"`
	Metric         int          `json:"metric" show:"metric,right"`
	OffsetOut      int          `json:"offset_out" show:"offset out,right,wide"`
	SplitHorizon   string       `json:"split_horizon" show:"horizon,wide"`                      // poison-reverse | simple | none
	ReceiveVersion string       `json:"receive_version,omitempty" show:"version,optional,wide"` // "1" | "2" | "1 2"; absent in RIPng
	Auth           string       `json:"auth,omitempty" show:"auth,optional"`                    // absent without
	Keys           []int        `json:"keys,omitempty" show:"keys,optional,wide"`               // ids, never secrets
	// AllowedNeighbors are the accepted sources; absent if all are.
	AllowedNeighbors []netip.Prefix `json:"allowed_neighbors,omitempty" show:"allowed,optional,wide"`
	MaximumPrefix    int            `json:"maximum_prefix"` // maximum of each neighbour

	Neighbors  int      `json:"neighbors" show:"neighbors,right"`
	Routes     int      `json:"routes" show:"routes,amount"`                       // paths learned here
	NextUpdate float64  `json:"next_update,omitempty" show:"update,seconds,blank"` // seconds; absent if none is sent
	Sending    int      `json:"sending"`                                           // updates and answers under way
	Sent       Counts   `json:"sent" show:"sent,right"`                            // packets, by kind
	Received   Counts   `json:"received" show:"received,right"`                    // accepted packets, by kind
	Refused    Refusals `json:"refused" show:"refused,right"`                      // refused packets and entries, by reason
}

// Count is how often something happened since the interface came up. All kinds
// are listed, also those that never happened.
type Count struct {
	Kind  string `json:"kind"`
	Count uint64 `json:"count"`
}

// Counts are the counts of all kinds. A table shows their sum.
type Counts []Count

// Cell implements show.Celled.
func (c Counts) Cell(s *show.Screen) show.Cell { return show.Cell{Text: s.Amount(c.sum())} }

// Refusals are counts of refused packets and entries.
type Refusals Counts

// Cell implements show.Celled.
func (r Refusals) Cell(s *show.Screen) show.Cell {
	c := Counts(r).Cell(s)
	if Counts(r).sum() > 0 {
		c.Style = show.Bad
	}
	return c
}

// sum does not count the router's own packets, which it always receives.
func (c Counts) sum() (sum uint64) {
	for _, n := range c {
		if n.Kind != "own" {
			sum += n.Count
		}
	}
	return sum
}

func interfaceOf(p Protocol, i *rip.InterfaceInfo, now time.Time) Interface {
	c := Interface{
		Name: i.Name, Addresses: i.Sources, Passive: i.Config.Passive,
		Metric: int(i.Config.Metric), OffsetOut: int(i.Config.OffsetOut), SplitHorizon: i.Config.SplitHorizon.String(),
		AllowedNeighbors: i.Config.AllowedNeighbors, MaximumPrefix: i.Config.MaximumPrefix,
		Neighbors: i.Neighbors, Routes: i.Routes, Sending: i.Sending,
	}
	if p == RIP {
		c.ReceiveVersion = i.Config.Receive.String()
	}
	if len(i.Config.Auth.Keys) > 0 {
		c.Auth = i.Config.Auth.Algorithm.String()
		for _, k := range i.Config.Auth.Keys {
			c.Keys = append(c.Keys, int(k.ID))
		}
	}
	if !i.NextUpdate.IsZero() {
		c.NextUpdate = max(i.NextUpdate.Sub(now), 0).Seconds()
	}
	c.Sent, c.Received, c.Refused = countsOf(&i.Counters)
	return c
}

// ClearResult is what a clear has done.
type ClearResult struct {
	Cleared int `json:"cleared"` // learned paths
}
