package arp

import (
	"net/netip"
	"time"

	"routerd/routing"
)

// Input is an input of the machine.
type Input interface{ input() }

// InterfaceUp says that an Ethernet interface is up, or that something about
// it changed.
type InterfaceUp struct {
	Interface routing.InterfaceID
	Config    InterfaceConfig
}

// InterfaceDown says that an interface is gone. With Announce it is about to
// go, frames can still be sent, and hosts are told to forget the router.
type InterfaceDown struct {
	Interface routing.InterfaceID
	Announce  bool
}

// Received is a whole Ethernet frame of type ARP, or of type IPv6 with a
// neighbour discovery message. The machine does not keep it.
type Received struct {
	Interface routing.InterfaceID
	Frame     []byte
}

// Resolve asks for the neighbour that a packet goes to.
type Resolve struct {
	Interface routing.InterfaceID
	Addr      netip.Addr // of the neighbour; without a zone
	Index     uint32     // its dense number, 0 without one
	// Own: the router itself sends the packet. Such requests have priority,
	// like next hops with a number (RFC 6583 §7.1).
	Own bool
	// Packet is the IP packet, which belongs to the machine from now on; with
	// nil the neighbour is only resolved. Tag is returned with the packet.
	Packet []byte
	Tag    any
}

// Used says that a packet was sent by a stale entry; see Entry.Use.
type Used struct{ Entry *Entry }

// Clear forgets learned neighbours: of one interface unless that is
// NoInterface, of one address unless that is invalid. Static neighbours stay,
// as do those being resolved; failed next hops are requested again at once.
type Clear struct {
	Interface routing.InterfaceID
	Addr      netip.Addr
}

// Tick has the machine do what is due. It comes at Deadline at the latest.
type Tick struct{}

func (InterfaceUp) input()   {}
func (InterfaceDown) input() {}
func (Received) input()      {}
func (Resolve) input()       {}
func (Used) input()          {}
func (Clear) input()         {}
func (Tick) input()          {}

// Effect is something that the machine's owner has to do. The order matters.
type Effect interface{ effect() }

// SendFrame sends a whole Ethernet frame, which belongs to the receiver.
type SendFrame struct {
	Interface routing.InterfaceID
	Frame     []byte
}

// Release sends a packet that was held to the neighbour's MAC.
type Release struct {
	Interface routing.InterfaceID
	MAC       MAC
	Packet    []byte
	Tag       any
}

// Publish publishes an entry, replacing an earlier one of the same neighbour;
// see Table.Apply.
type Publish struct {
	Entry *Entry
	Index uint32 // 0 without a dense number
}

// Unpublish removes a neighbour from the table.
type Unpublish struct {
	Interface routing.InterfaceID
	Addr      netip.Addr
	Index     uint32
}

// HopState says that a next hop of routes does not answer, or no longer so: it
// answers, or it is not requested any more.
type HopState struct {
	Interface routing.InterfaceID
	Addr      netip.Addr
	Alive     bool
}

// Lost says that a neighbour no longer answers, or that the next hop of a route
// does not answer at all: protocols that have it as their neighbour may know
// another path.
type Lost struct {
	Interface routing.InterfaceID
	Addr      netip.Addr
}

// Unreachable returns a held packet whose neighbour did not answer: its sender
// is to be told, by ICMP host unreachable or ICMPv6 address unreachable (RFC
// 1812 §3.3.2, RFC 4861 §7.2.2).
type Unreachable struct {
	Interface routing.InterfaceID
	Neighbor  netip.Addr
	Packet    []byte
	Tag       any
}

// Dropped returns a packet that will not be sent, although its neighbour may
// exist. Whether its sender is told depends on the reason.
type Dropped struct {
	Interface routing.InterfaceID
	Reason    Reason
	Packet    []byte
	Tag       any
}

// Reason is why a packet is Dropped.
type Reason uint8

const (
	// HoldFull: newer packets wait for the same neighbour, or too many bytes
	// are held in all.
	HoldFull Reason = iota
	// Throttled: too many unknown neighbours are being requested.
	Throttled
	// TableFull: no neighbour could be evicted for this one.
	TableFull
	// Evicted: the neighbour was evicted for another one.
	Evicted
	// NotNeighbor: no neighbour can have this address.
	NotNeighbor
	// NoInterface: the interface is not up, or went down.
	NoInterface
	numReasons
)

var reasons = [numReasons]string{"hold full", "throttled", "table full", "evicted", "not a neighbour", "no interface"}

// String gives the reason in words.
func (r Reason) String() string {
	if r >= numReasons {
		return "unknown"
	}
	return reasons[r]
}

// AddressUsable says that one of the router's own addresses may be used from
// now on: an IPv4 address at once, an IPv6 address after duplicate address
// detection. The link-local address that the machine formed is reported so too.
type AddressUsable struct {
	Interface routing.InterfaceID
	Prefix    netip.Prefix
}

// AddressDuplicate says that somebody else on the link has an IPv6 address of
// the router's, which therefore must not be used (RFC 4862 §5.4.5). Disabled is
// set if it is the link-local address formed from the port's MAC: IPv6 stays
// off on the interface until it comes up again.
type AddressDuplicate struct {
	Interface routing.InterfaceID
	Prefix    netip.Prefix
	MAC       MAC // of the other, if its message has it
	Disabled  bool
}

// Conflict says that somebody else uses an address that the router is using.
// It is reported, and answered, at most once in 10 s for an address.
type Conflict struct {
	Interface routing.InterfaceID
	Addr      netip.Addr
	MAC       MAC
	At        time.Time
}

// LoopedBack says that the link loops the router's own solicitations back (RFC
// 7527 §4.2).
type LoopedBack struct {
	Interface routing.InterfaceID
	Addr      netip.Addr
}

func (SendFrame) effect()        {}
func (Release) effect()          {}
func (Publish) effect()          {}
func (Unpublish) effect()        {}
func (HopState) effect()         {}
func (Lost) effect()             {}
func (Unreachable) effect()      {}
func (Dropped) effect()          {}
func (AddressUsable) effect()    {}
func (AddressDuplicate) effect() {}
func (Conflict) effect()         {}
func (LoopedBack) effect()       {}
