package protocol

import (
	"log/slog"
	"net/netip"

	"routerd/routing"
)

// Send sends a packet. Dst is a group or a host on the link's own subnets;
// with NoInterface as Link, or where Dst is none of these, it is sent by the
// table. Consecutive Sends of a Step leave in as few writes as the ports allow.
// Payload belongs to the receiver.
type Send struct {
	Link     routing.InterfaceID
	Src, Dst netip.Addr // without a zone
	Protocol uint8      // of IP; packet.ProtoUDP takes the ports
	SrcPort  uint16
	DstPort  uint16
	HopLimit uint8
	Payload  []byte
}

// Claim asks for packets that are for the router itself or for a group that was
// joined: those of an IP protocol, and of UDP those to one port. They arrive as
// [Received] from now on. With NoInterface they are heard on every link.
type Claim struct {
	Link     routing.InterfaceID
	Family   int // 4 or 6
	Protocol uint8
	Port     uint16 // of UDP
	// Broadcast also takes what is sent to everybody on the link, in IPv4.
	Broadcast bool
}

// Release ends a Claim of the same fields.
type Release Claim

// Join takes part in a multicast group on a link, Leave no longer. Several
// protocols may join one group; the last to leave ends it.
type (
	Join struct {
		Link  routing.InterfaceID
		Group netip.Addr
	}
	Leave Join
)

// Track asks for what becomes of a next hop, as [routing.Notices] tell; Untrack
// ends it. With NoInterface the address is resolved through the table.
type (
	Track struct {
		Address netip.Addr
		Link    routing.InterfaceID
	}
	Untrack Track
)

// Mark numbers what the core has offered up to here: Notices.Installed tells
// when packets are forwarded by it. The number grows, from 1.
type Mark struct{ Number uint64 }

// Stale says that everything offered for a family so far, by an earlier life
// of the protocol too, is out of date: it goes on forwarding until it is offered
// again or [Sweep] takes the rest back. Family is 4, 6, or 0 for both.
type (
	Stale struct{ Family int }
	Sweep struct{ Family int }
)

// HopState says that a next hop on a link is dead or alive, as far as the cause
// goes that the core stands for. Packets leave by another hop of their group
// before any route has changed.
type HopState struct {
	Link    routing.InterfaceID
	Address netip.Addr
	Cause   routing.Cause
	Alive   bool
}

// Watch asks the protocol that watches paths, BFD, to say whether a neighbour can
// be reached: its answers are [NeighborState] inputs with routing.CauseBFD. They
// speak of the link as the Path does. A Watch of the same Path replaces the one
// before it, Unwatch ends it. All who watch one path share one session (RFC 5882
// §4.4), whose parameters are those of the profile that detects fastest.
//
// The first answer may be long in coming, or never come: nothing speaks against
// a neighbour whose session was never up, unless the Watch is Strict.
type (
	Watch struct {
		Path
		Profile string // "" = the one for all
		// Strict holds a neighbour for dead until its session is up.
		Strict bool
	}
	Unwatch struct{ Path }
)

// Path is a way to a neighbour. With NoInterface as Link it is by the link whose
// subnet the address is of. A Multihop one goes by the table, from Source.
type Path struct {
	Link     routing.InterfaceID
	Address  netip.Addr // without a zone
	Source   netip.Addr // invalid unless Multihop
	Multihop bool
}

// Tell is an effect of the protocol that watches paths: a client hears of what
// it asked for by [WatchFor].
type Tell struct {
	Client string
	State  NeighborState
}

// Save keeps what has to survive a restart, in place of what was kept before;
// see [Start]. It is written to a file elsewhere, and never waited for.
type Save struct{ Data []byte }

// Event is something for people to know. Its owner limits the rate of those
// below slog.LevelError.
type Event struct {
	Level slog.Level
	What  string // what happened, a few words that never vary: "neighbor seen"
	// Link and Neighbor say where; NoInterface and an invalid address where it
	// is about none.
	Link     routing.InterfaceID
	Neighbor netip.Addr
	Err      error // why; nil where What says it all
}

// Stopped says that all goodbyes that [Stop] asked for are said.
type Stopped struct{}
