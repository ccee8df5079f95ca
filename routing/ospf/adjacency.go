package ospf

import (
	"net/netip"
	"time"

	"routerd/routing/ospf/wire"
)

// neighbor is a router that was heard on a link, or that is configured there (RFC
// 2328 §10).
type neighbor struct {
	link *link
	// name is what it is found by: the address on networks, the router ID on
	// point-to-point and virtual links (RFC 2328 §10, §8.2).
	name     wire.ID
	router   wire.ID
	address  netip.Addr // that it sends from
	priority uint8
	dr, bdr  wire.ID // as its Hellos name them
	options  wire.Options
	cfg      *NeighborConfig // nil unless it is configured

	state    NeighborState
	since    time.Time // of state
	heard    time.Time // its last Hello
	watched  *BFD      // as BFD was asked
	dead     bool      // by BFD
	exchange exchange
	requests ordered[wire.Identity, wire.Header]
	unacked  ordered[*Entry, time.Time] // the retransmission list, by when they were sent

	inactivity timer
	retransmit timer

	counters NeighborCounters
}

// NeighborCounters count what happened with a neighbour.
type NeighborCounters struct {
	StateChanges  uint64
	Retransmitted uint64 // LSAs
}

// exchange is the exchange of Database Descriptions with a neighbour (RFC 2328
// §10.6, §10.8).
type exchange struct {
	master   bool // this router is
	sequence uint32
	heard    wire.Description // the last one received
	said     wire.Description // the last one sent, with its headers
	headers  []wire.Header
	summary  []*Entry // what is still to be described
	repeat   timer
}
