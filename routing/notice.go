package routing

import "net/netip"

// Notices are the RIB's notices to one subscriber: for each route and next hop
// the present state, however often it changed since the last time.
type Notices struct {
	// Installed is the number of the subscriber's last Mark whose routes have
	// been decided and published; 0 = no new one. It does not say that a route
	// was chosen.
	Installed uint64
	NextHops  []NextHopState
	// Routes are routes of other sources that the subscriber redistributes, or
	// no longer does. A route's next hops are resolved: each has an interface.
	// They are shared and must not be written to.
	Routes []Delta
}

// NextHopState is the state of a next hop that a protocol tracks.
type NextHopState struct {
	Address netip.Addr
	// Interface is the interface in Track: NoInterface if the address is
	// resolved through the table.
	Interface InterfaceID

	Reachable bool // the rest is valid only if it is
	// Action is not Forward if the route to it discards.
	Action Action
	// Via is the route to the address, invalid if Interface is set; Source,
	// Distance and Metric are that route's.
	Via      netip.Prefix
	Source   Source
	Distance uint8
	Metric   uint32
	// Gateway and Out are the neighbour that packets go to and the interface
	// they leave by, the first of several; with action Forward.
	Gateway netip.Addr
	Out     InterfaceID
}
