package protocol

import (
	"net/netip"

	"routerd/routing"
)

// LinkUp says that an interface is up, or that something about it changed. A
// core is told of all interfaces, those that do not speak the protocol
// included, so that a later [Configure] can have them speak.
type LinkUp struct {
	Link routing.InterfaceID
	Name string
	Kind LinkKind
	// Addresses of both families with host bits, those in use: 192.0.2.1/24.
	// The slice is shared and only to be read.
	Addresses []netip.Prefix
	MTU       int    // of IP packets, octets
	Speed     uint64 // bits a second, 0 = not known
}

// LinkKind says what stations there are on a link.
type LinkKind uint8

const (
	Broadcast    LinkKind = iota // any number, with groups that all can hear: Ethernet
	PointToPoint                 // one other: a TUN
	Loopback                     // none
)

var linkKinds = [...]string{"broadcast", "point-to-point", "loopback"}

// String gives the kind in words.
func (k LinkKind) String() string {
	if int(k) >= len(linkKinds) {
		return "unknown"
	}
	return linkKinds[k]
}

// LinkDown says that an interface lost its carrier, or is gone.
type LinkDown struct{ Link routing.InterfaceID }

// Received is a packet that one of the core's claims is for. It is read during
// the Step and not kept.
type Received struct {
	Link     routing.InterfaceID
	Src, Dst netip.Addr // without a zone
	Protocol uint8      // of IP
	HopLimit uint8      // as it arrived
	// SrcPort and DstPort are those of a UDP datagram.
	SrcPort, DstPort uint16
	// Payload is what is behind the UDP header, or behind the IP header of
	// another protocol. Of UDP the checksum is right, or absent in IPv4.
	Payload []byte
}

// Notices is what the RIB has to tell, see [routing.Notices].
type Notices struct{ routing.Notices }

// NeighborState says that somebody else found out about a next hop on a link:
// that it does not answer any more, or does again.
type NeighborState struct {
	Link    routing.InterfaceID
	Address netip.Addr
	Cause   routing.Cause
	Alive   bool
}

// WatchFor and UnwatchFor are what a client asked for by [Watch] and [Unwatch],
// for the protocol that watches paths. The client's name is that of its protocol.
type (
	WatchFor struct {
		Client string
		Watch  Watch
	}
	UnwatchFor struct {
		Client string
		Path   Path
	}
)

// Configure gives the protocol's own Config: the first input, and again after
// each reload that changes it. What is the same in both is not touched. A
// protocol that is taken out of the configuration, or was never in it, has none:
// nil. Saved is what the last [Save] of an earlier life said, nil without one;
// it counts with the first Configure that brings a Config.
type Configure struct {
	Config any
	Saved  []byte
}

// Stop has the core say goodbye to its neighbours. When all is said it answers
// with [Stopped], and does nothing after that.
type Stop struct{}

// Tick says that time has passed, at the latest at Deadline.
type Tick struct{}
