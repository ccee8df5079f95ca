package protocol

import (
	"log/slog"
	"net/netip"
	"time"

	"routerd/routing"
)

// Send sends a packet. Dst is a group or a host on the link's own subnets, or
// anybody on a point-to-point link; with NoInterface as Link, or any other Dst, it
// is sent by the routing table. Consecutive Sends of a Step leave in as few writes
// as the ports allow. The core must not use Payload afterwards.
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
// [Received] from now on. With NoInterface they are received on every link.
type Claim struct {
	Link     routing.InterfaceID
	Family   int // 4 or 6
	Protocol uint8
	Port     uint16 // of UDP
	// Broadcast also claims IPv4 broadcasts.
	Broadcast bool
}

// Release ends the Claim with the same fields.
type Release Claim

// Expect says that packets of a neighbour are awaited. When more packets arrive
// than the core can process, each sender that is expected has room of its own in
// its inbox, and the others have a small rate in all. A core that has never
// expected anybody has no such rate. Unexpect ends the Expect with the same
// fields.
type (
	Expect struct {
		Link   routing.InterfaceID // NoInterface = by any link
		Source netip.Addr          // without a zone; invalid = everybody on the link
		// HopLimit is the least TTL or hop limit that its packets arrive with.
		HopLimit uint8
	}
	Unexpect Expect
)

// Join joins a multicast group on a link, Leave leaves it. If several protocols
// have joined a group, the router leaves it with the last of them.
type (
	Join struct {
		Link  routing.InterfaceID
		Group netip.Addr
	}
	Leave Join
)

// Discover asks for other routers on a link, by their router advertisements (RFC 4861
// §6.2), which arrive as [RouterSeen], and has the router advertise itself there every
// ten seconds, so that they find it too; to hosts it is no default router by that.
// Undiscover ends it with the same Link. Only Ethernet has such neighbours.
type (
	Discover   struct{ Link routing.InterfaceID }
	Undiscover Discover
)

// Track asks for the changes of a next hop, which arrive in [routing.Notices];
// Untrack ends that. With NoInterface the address is resolved through the
// routing table.
type (
	Track struct {
		Address netip.Addr
		Link    routing.InterfaceID
	}
	Untrack Track
)

// Mark numbers the routes that the core has offered so far: Notices.Installed
// reports when packets are forwarded by them. Numbers grow, from 1.
type Mark struct{ Number uint64 }

// Stale marks all routes that the protocol has offered for a family, also
// before a restart, as out of date. They stay in use until they are offered
// again or until [Sweep] removes the rest. Family is 4, 6, or 0 for both.
type (
	Stale struct{ Family int }
	Sweep struct{ Family int }
)

// HopState says that a next hop on a link is dead or alive, by the cause that
// the core may report. Packets leave by another hop of their group before any
// route changes.
type HopState struct {
	Link    routing.InterfaceID
	Address netip.Addr
	Cause   routing.Cause
	Alive   bool
}

// Watch asks BFD, the protocol that watches paths, whether a neighbour is
// reachable. Its answers are [NeighborState] inputs with routing.CauseBFD and
// the Link of the Path. A Watch replaces an earlier one of the same Path,
// Unwatch ends it. All clients that watch one path share one session (RFC 5882
// §4.4), with the parameters of the profile that detects a failure fastest.
//
// The first answer may take long or never come: a neighbour whose session was
// never up is not held dead, unless the Watch is Strict.
type (
	Watch struct {
		Path
		Profile string // "" = the default profile
		// Strict treats a neighbour as dead until its session is up.
		Strict bool
	}
	Unwatch struct{ Path }
)

// Path is a path to a neighbour. With NoInterface as Link, the link is the one
// whose subnet has the address. A Multihop path goes from Source by the routing
// table.
type Path struct {
	Link     routing.InterfaceID
	Address  netip.Addr // without a zone
	Source   netip.Addr // invalid unless Multihop
	Multihop bool
}

// Tell is an effect of the protocol that watches paths: it answers a client's
// [WatchFor].
type Tell struct {
	Client string
	State  NeighborState
}

// Save saves data that has to survive a restart, in place of what was saved
// before; see [Configure]. The owner writes it to a file; the core does not
// wait for that.
type Save struct{ Data []byte }

// Event is an entry for the log. The owner limits the rate of events below
// slog.LevelError.
type Event struct {
	Level slog.Level
	What  string // what happened, in constant words: "neighbor seen"
	// Link and Neighbor are what it is about; NoInterface and an invalid
	// address if none.
	Link     routing.InterfaceID
	Neighbor netip.Addr
	Err      error // why; nil if What says it all
	// Configured: Neighbor is one of the configuration, and nobody else can have made it
	// up. Its events are logged however many others there are.
	Configured bool
}

// Leaving says after [Stop] that the goodbyes may take so long from now, where
// that is longer than a second.
type Leaving struct{ Within time.Duration }

// Stopped says that the core has sent all goodbyes after [Stop].
type Stopped struct{}
