package protocol

import (
	"errors"
	"net/netip"

	"routerd/routing"
)

// StreamID is the number of a TCP connection or of a listener. A core numbers
// what it dials and what it listens at, the driver what is accepted; no number
// is ever used twice.
type StreamID uint64

// AcceptedStream is the bit that is set in the numbers that the driver gives,
// and clear in those of the core.
const AcceptedStream StreamID = 1 << 63

// StreamRoom is how many octets a connection buffers ahead of the network.
// [Connected] and [Written] say how much room is left. The connection is closed
// if the core writes that much again without room.
const StreamRoom = 256 << 10

// CS6 is the DiffServ code point of routing protocols (RFC 4594 §3.1).
const CS6 = 48

// StreamOptions apply to all segments of a connection, from the first one on.
type StreamOptions struct {
	// TTL is the TTL or hop limit of segments sent, 0 = 64. Segments that
	// arrive with less than MinTTL are ignored (RFC 5082); 0 = accept any.
	TTL, MinTTL uint8
	// DSCP is the DiffServ code point of segments sent, 0 to 63.
	DSCP uint8
	// Secret signs every segment in both directions, up to 80 octets
	// (RFC 2385); empty = nothing is signed.
	Secret string
}

// Dial opens a connection. The answer is [Connected] or [Closed], the latter
// after some two minutes if nobody answers; a core that cannot wait so long
// closes it before.
type Dial struct {
	ID StreamID
	// Local may be without an address, and its port may be 0: the stack then
	// chooses an address by the route to Remote, and any port.
	Local, Remote netip.AddrPort
	// Link is the link of a link-local Remote, else NoInterface.
	Link routing.InterfaceID
	StreamOptions
}

// Listen accepts connections until the core closes ID: at one address, or at
// all of a family if Local is 0.0.0.0 or [::]. Each connection begins with a
// [Connected]. When the stack is restarted the listener is opened in it again;
// if that fails, it ends with [Closed].
type Listen struct {
	ID    StreamID
	Local netip.AddrPort
	// Link is the link of a link-local Local, else NoInterface.
	Link routing.InterfaceID
	// StreamOptions apply to all connections but those of Peers. TTL, DSCP and
	// Secret also apply to the answer to a first segment.
	StreamOptions
	Peers []StreamPeer
}

// StreamPeer has the options of a listener for connections from a prefix, in
// place of the listener's own. Of several prefixes the longest counts; an empty
// Secret leaves that of a shorter one in force. A listener at all addresses
// hears link-local peers on the links of its own link-local prefixes alone, and
// a secret there is that of an address whatever its link.
type StreamPeer struct {
	Remote netip.Prefix
	Link   routing.InterfaceID // of a link-local Remote; otherwise it does not count
	StreamOptions
}

// SetPeer adds a peer to a listener, or replaces the one of that prefix. It
// applies to connections that arrive after the Step. ForgetPeer removes a peer.
// Existing connections are not changed.
type (
	SetPeer struct {
		ID StreamID
		StreamPeer
	}
	ForgetPeer struct {
		ID     StreamID
		Remote netip.Prefix
		Link   routing.InterfaceID
	}
)

// Write sends octets on a connection. Nobody changes them afterwards; the core may
// write them on other connections too.
type Write struct {
	ID   StreamID
	Data []byte
}

// CloseStream ends a connection or listener. Octets written before are still
// sent, for some seconds at most. With Reset they are not, and the other side
// gets a reset. No input about ID comes after it.
type CloseStream struct {
	ID    StreamID
	Reset bool
}

// Connected says that a [Dial] has succeeded, or that a [Listen] has accepted.
type Connected struct {
	ID            StreamID
	Listener      StreamID            // that accepted it; 0 if it was dialled
	Local, Remote netip.AddrPort      // without zones
	Link          routing.InterfaceID // of link-local addresses, else NoInterface
	Room          int                 // octets that may be written now
}

// Read has octets that arrived on a connection, in order. The core may use Data
// only during the Step. No more than two Reads of one connection wait at once.
type Read struct {
	ID   StreamID
	Data []byte
}

// Written says that earlier writes were sent, and how many octets may be
// written now. It comes when half of StreamRoom is free again and when all of
// it is.
type Written struct {
	ID   StreamID
	Room int
}

// Late is an input that is not known before the core has its turn with it, as the room that
// a [Written] tells of: the core may write while it waits for that. Those who carry out
// streams give it to the driver, which calls it; no core gets it.
type Late func() Input

// Closed says why a connection or a listener has ended or could not be opened.
type Closed struct {
	ID  StreamID
	Err error // never nil; one of the errors below where the reason is one of these
}

// Why a connection ends.
var (
	ErrStreamEnd     = errors.New("the other side has closed the connection")
	ErrStreamReset   = errors.New("the other side has reset the connection")
	ErrStreamRefused = errors.New("the connection was refused: nobody listens there")
	ErrStreamTimeout = errors.New("the other side does not answer")
	// ErrNoStack: the router has no TCP/IP stack of its own, or not now.
	ErrNoStack = errors.New("the router has no TCP/IP stack of its own, see [local-stack]")
)
