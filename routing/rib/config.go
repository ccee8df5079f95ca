package rib

import (
	"net/netip"

	"routerd/internal/origin"
	"routerd/routing"
)

// Config is what the configuration says of the routing table.
type Config struct {
	// Distance holds the administrative distance of each source; zero means
	// the source's default, except for connected routes, where it is zero.
	Distance [routing.NumSources]uint8
	Static   []StaticRoute
	// List holds further static routes, as many as somebody likes; nil for none.
	// A prefix should have no route of the same distance among the others.
	List *RouteList
}

// StaticRoute is one [[static.route]]. Several of one prefix may exist with
// different distances.
type StaticRoute struct {
	Prefix   netip.Prefix
	Action   routing.Action // Forward, Blackhole, Unreachable or Prohibit
	NextHops []StaticNextHop
	Distance uint8  // 0 = the distance of static routes
	Metric   uint32 // the lower one of routes of the same distance is used
	Tag      uint32
	Origin   origin.ID
}

// StaticNextHop is a next hop of a static route; the RIB turns the interface's
// name into its number. Without an address the destination is on the
// interface's link; without an interface the address is resolved through the
// table.
type StaticNextHop struct {
	Address   netip.Addr
	Interface string
	Weight    uint8 // 1 to 255; 0 counts as 1
	// Watch, where not nil, asks for the hop to be watched: it is used as long as
	// nothing speaks against it, see [Watched].
	Watch *Watch
}

// Watch is how a next hop is watched. It is for who watches: the RIB only hears
// of it.
type Watch struct {
	Profile string
	Strict  bool // it is dead until something speaks for it
	// Source, where valid, is the router's address from which the hop is watched
	// over several hops, by the routing table.
	Source netip.Addr
}
