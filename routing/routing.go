// Package routing has the types that all routing protocols, the RIB and the FIB
// share: the source of a route, its next hops, its changes.
//
// With these types protocols never need to import each other or the RIB.
package routing

import (
	"net/netip"

	"routerd/internal/origin"
)

// InterfaceID is the dense number of an interface. Each interface name gets one
// number, which is never reused while the router runs, so counters and tables
// can be arrays.
type InterfaceID uint16

// NoInterface is the InterfaceID of no interface.
const NoInterface InterfaceID = 0xffff

// Source says which part of the router a route comes from.
type Source uint8

// The sources. DefaultDistance gives their administrative distances. EBGP and
// IBGP are two kinds of routes of one source, see [SourceBGP].
const (
	SourceNone Source = iota
	SourceConnected
	SourceStatic
	SourceEBGP
	SourceOSPF
	SourceRIP
	SourceIBGP
	numSources
)

// NumSources is the length of an array indexed by Source.
const NumSources = int(numSources)

// SourceBGP is the source that BGP offers its routes as, all of them: for each
// prefix there is one, and [Slot.Internal] tells the two kinds apart, which have
// a distance and a name of their own.
const SourceBGP = SourceEBGP

// Offerer is the source that offers the routes of s: SourceBGP of both its
// kinds, and s itself of all others.
func (s Source) Offerer() Source {
	if s == SourceIBGP {
		return SourceBGP
	}
	return s
}

var sources = [NumSources]struct {
	name     string
	distance uint8
}{
	SourceNone:      {"none", 255},
	SourceConnected: {"connected", 0},
	SourceStatic:    {"static", 1},
	SourceEBGP:      {"ebgp", 20},
	SourceOSPF:      {"ospf", 110},
	SourceRIP:       {"rip", 120},
	SourceIBGP:      {"ibgp", 200},
}

// String gives the name used in configuration, tables and JSON.
func (s Source) String() string {
	if s >= numSources {
		return "unknown"
	}
	return sources[s].name
}

// DefaultDistance is the default administrative distance of a source, the same
// as in FRR.
func (s Source) DefaultDistance() uint8 {
	if s >= numSources {
		return 255
	}
	return sources[s].distance
}

// Action says what a route does with a packet.
type Action uint8

const (
	Forward     Action = iota // send to one of the next hops
	Blackhole                 // drop silently
	Unreachable               // drop, answer host unreachable
	Prohibit                  // drop, answer administratively prohibited
	Local                     // the address is the router's own (FIB only)
	Broadcast                 // the address is a subnet's broadcast address (FIB only)
)

var actions = [...]string{"forward", "blackhole", "unreachable", "prohibit", "local", "broadcast"}

// String gives the name used in configuration, tables and JSON.
func (a Action) String() string {
	if int(a) >= len(actions) {
		return "unknown"
	}
	return actions[a]
}

// MaxNextHops is the most next hops that a route can have (ECMP). The FIB ignores
// further ones.
const MaxNextHops = 64

// NextHop is one next hop of a route. An invalid Address means that the
// destination is on the interface's link; NoInterface means that the address
// has to be resolved through another route.
type NextHop struct {
	Address   netip.Addr
	Interface InterfaceID
	Weight    uint8 // share of the flows among equal routes; 0 counts as 1
	// Backup is set of a hop that serves only while none of the route's other hops
	// lives, as a loop-free alternate does (RFC 5286), or the second best path of
	// BGP. It says nothing where all hops have it.
	Backup bool
}

// Route is what a source offers for a prefix. Prefix is masked. The slice of
// next hops belongs to the route and must not be changed once the route is
// handed over.
type Route struct {
	Prefix   netip.Prefix
	Source   Source
	Action   Action
	Distance uint8
	Metric   uint32
	Tag      uint32
	NextHops []NextHop
	Origin   origin.ID
}

// Delta is one change of a source's routes: Route replaces the source's route
// for the prefix, or withdraws it.
type Delta struct {
	Withdraw bool
	Route    Route // of a withdrawal, only Prefix and Source are used
}
