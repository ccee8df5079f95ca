package protocol

import (
	"net/netip"

	"routerd/routing"
)

// LinkUp says that an interface is up, or that something about it changed. A
// core gets this for all interfaces, including those that do not speak the
// protocol, so that a later [Configure] can enable it there.
type LinkUp struct {
	Link routing.InterfaceID
	Name string
	Kind LinkKind
	// Addresses of both families with host bits, those in use: 192.0.2.1/24.
	// The slice is shared and must not be changed.
	Addresses []netip.Prefix
	MTU       int    // of IP packets, octets
	Speed     uint64 // bits a second, 0 = not known
}

// LinkKind says how many neighbours a link may have.
type LinkKind uint8

const (
	Broadcast    LinkKind = iota // any number, and multicast: Ethernet
	PointToPoint                 // one: a TUN
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

// LinkDown says that an interface lost its carrier or was removed.
type LinkDown struct{ Link routing.InterfaceID }

// Received is a packet that matches one of the core's claims. The core may use
// it only during the Step.
type Received struct {
	Link     routing.InterfaceID
	Src, Dst netip.Addr // without a zone
	Protocol uint8      // of IP
	HopLimit uint8      // as it arrived
	// SrcPort and DstPort are those of a UDP datagram.
	SrcPort, DstPort uint16
	// Payload follows the UDP header, or the IP header of another protocol. A
	// UDP checksum was verified, unless it was absent in IPv4.
	Payload []byte
}

// Notices are changes from the RIB, see [routing.Notices].
type Notices struct{ routing.Notices }

// NeighborState says that another part of the router found a next hop on a link
// to be dead, or alive again.
type NeighborState struct {
	Link    routing.InterfaceID
	Address netip.Addr
	Cause   routing.Cause
	Alive   bool
}

// RouterSeen says that another router has advertised itself on a link of which the core
// has asked for these; see [Discover]. It comes with each advertisement.
type RouterSeen struct {
	Link    routing.InterfaceID
	Address netip.Addr // link-local, without a zone
}

// WatchFor and UnwatchFor bring a client's [Watch] and [Unwatch] to the
// protocol that watches paths. Client is the name of the client's protocol.
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

// Configure has the protocol's Config. It is the first input, and comes again
// after each reload that changes it; parts that are the same in both must not
// be disturbed. Config is nil if the protocol is not in the configuration.
// Saved is the data of the last [Save] before a restart, nil if there is none;
// it counts only with the first Config.
type Configure struct {
	Config any
	Saved  []byte
}

// Stop asks the core to say goodbye to its neighbours. When that is done it
// answers with [Stopped], and does nothing after that.
type Stop struct{}

// Tick is the input when only time has passed. It comes no later than Deadline.
type Tick struct{}
