package rip

import (
	"net/netip"

	"routerd/routing"
)

// Input is what can happen to the machine.
type Input interface{ input() }

// InterfaceUp says that an interface is up, or that something about it
// changed. It is told of all interfaces, those that do not speak the protocol
// included, so that a later configuration can have them speak.
type InterfaceUp struct {
	Interface routing.InterfaceID
	Name      string
	// Addresses of both families with host bits, those in use: 192.0.2.1/24.
	Addresses []netip.Prefix
	MTU       int // of IP packets, octets
}

// InterfaceDown says that an interface lost its carrier or is gone.
type InterfaceDown struct{ Interface routing.InterfaceID }

// NeighborLost says that a next hop on an interface does not answer any more,
// for whoever finds that out sooner than the protocol's own timeout.
type NeighborLost struct {
	Interface routing.InterfaceID
	Address   netip.Addr
}

// Received is a datagram that came for the protocol's port. It is read and
// not kept.
type Received struct {
	Interface routing.InterfaceID
	Src, Dst  netip.Addr // without a zone
	SrcPort   uint16
	HopLimit  uint8
	Payload   []byte // behind the UDP header
}

// Notices is what the RIB has to tell. Routes are those to pass on: metrics
// and tags are what the RIB's redistribution made them, a metric above 15 or a
// tag above 65535 cannot be said in RIP, so the route is not, and the tag is 0.
// Next hops on an interface that are not reachable count as NeighborLost.
type Notices struct{ routing.Notices }

// Reconfigure changes the configuration; what is the same in both is not
// touched. Protocol and Saved are those of New.
type Reconfigure struct{ Config Config }

// Clear forgets what was learned from a neighbour, or from all of an
// interface, or of all: an invalid Address and NoInterface stand for any. The
// neighbours are asked at once for what they have.
type Clear struct {
	Interface routing.InterfaceID
	Address   netip.Addr
}

// Stop has the machine say goodbye: all that it announces is announced as
// unreachable, once, and nothing after that. See Machine.Stopped.
type Stop struct{}

// Tick says that time has passed, at the latest at Deadline.
type Tick struct{}

func (InterfaceUp) input()   {}
func (InterfaceDown) input() {}
func (NeighborLost) input()  {}
func (Received) input()      {}
func (Notices) input()       {}
func (Reconfigure) input()   {}
func (Clear) input()         {}
func (Stop) input()          {}
func (Tick) input()          {}

// Effect is what the machine wants done, in this order.
type Effect interface{ effect() }

// Send sends a datagram from the protocol's own port. Dst is a group or a host
// on the interface's link, but a host beyond a router where a request came
// from there. Payload belongs to the receiver.
type Send struct {
	Interface routing.InterfaceID
	Src, Dst  netip.Addr // without a zone
	DstPort   uint16
	HopLimit  uint8
	Payload   []byte
}

// Deltas are changes for the RIB, at most one for each prefix. The next hops
// belong to the receiver, the slice only until the next Step.
type Deltas struct{ Deltas []routing.Delta }

// Save keeps what has to survive a restart, in place of what was kept before;
// see Config.Saved.
type Save struct{ Data []byte }

// Event is something to log; its owner limits the rate.
type Event struct {
	Kind      EventKind
	Interface routing.InterfaceID
	Neighbor  netip.Addr // invalid where it is about none
	Err       error      // why; nil where Kind says it all
}

func (Send) effect()   {}
func (Deltas) effect() {}
func (Save) effect()   {}
func (Event) effect()  {}

// EventKind is what an Event is about.
type EventKind uint8

const (
	NeighborSeen EventKind = iota // for the first time, or again
	NeighborGone                  // silent until its last route timed out
	PacketRefused
	EntryRefused
	AuthFailed
	KeyExpired // no key is valid any more: the last one goes on (RFC 4822 §5.1)
	TableFull
	NeighborFull // it has as many routes as it may
	NeighborsFull
	StateLost // what was saved cannot be read
)

var eventKinds = [...]string{
	NeighborSeen: "neighbour seen", NeighborGone: "neighbour gone", PacketRefused: "packet refused",
	EntryRefused: "entry refused", AuthFailed: "authentication failed", KeyExpired: "last key expired",
	TableFull: "too many routes", NeighborFull: "too many routes of one neighbor", NeighborsFull: "too many neighbours", StateLost: "what was saved is lost",
}

// String gives the kind in words.
func (k EventKind) String() string {
	if int(k) >= len(eventKinds) {
		return "unknown"
	}
	return eventKinds[k]
}
