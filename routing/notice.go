package routing

import "net/netip"

// Notices is what the RIB has to tell one of its subscribers: for each thing
// only how it is now, however often it changed since the last time.
type Notices struct {
	// Installed is the number that the subscriber gave the last of its
	// offers that packets are now forwarded by; 0 = nothing new. It does not
	// say that an offer won.
	Installed uint64
	NextHops  []NextHopState
	// Routes are those of other sources that the subscriber is to pass on, or
	// no longer. A route's next hops are where packets go: each has an
	// interface. They are shared and only to be read.
	Routes []Delta
}

// NextHopState is what the table says of a next hop that a protocol tracks.
type NextHopState struct {
	Address netip.Addr
	// Interface is as it was asked for: NoInterface where the address is
	// resolved through the table.
	Interface InterfaceID

	Reachable bool // the rest counts only if it is
	// Action is other than Forward where the way there discards.
	Action Action
	// Via is the route that answers for the address, invalid where Interface
	// says it all; Source, Distance and Metric are that route's.
	Via      netip.Prefix
	Source   Source
	Distance uint8
	Metric   uint32
	// Gateway and Out are the neighbour that packets go to and the interface
	// they leave by, the first of several; with action Forward.
	Gateway netip.Addr
	Out     InterfaceID
}
