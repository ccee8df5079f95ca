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

// StreamRoom is how many octets a connection takes in advance of what the
// network takes. [Connected] and [Written] say how much of that is left. A core
// that goes on for as much again finds the connection closed.
const StreamRoom = 256 << 10

// CS6 is the DiffServ code point of what routing protocols send (RFC 4594 §3.1).
const CS6 = 48

// StreamOptions is what holds for the segments of a connection, from its first
// one on.
type StreamOptions struct {
	// TTL is the TTL or hop limit of what is sent, 0 = 64. What arrives with
	// less than MinTTL is as if it had never arrived (RFC 5082), 0 = anything.
	TTL, MinTTL uint8
	// DSCP is the DiffServ code point of what is sent, 0 to 63.
	DSCP uint8
	// Secret signs every segment in both directions, up to 80 octets
	// (RFC 2385); empty = nothing is signed.
	Secret string
}

// Dial opens a connection. It ends with [Connected] or [Closed]: some two
// minutes later where nobody answers, so a core that has less patience closes it.
type Dial struct {
	ID StreamID
	// Local may have no address, for one that leads to Remote, and port 0 for
	// any: the zero AddrPort leaves both to the stack.
	Local, Remote netip.AddrPort
	// Link is that of a link-local Remote, else NoInterface.
	Link routing.InterfaceID
	StreamOptions
}

// Listen accepts connections until the core closes ID: at one address, or at
// all of a family where Local is 0.0.0.0 or [::]. Each begins with a
// [Connected]. When the stack is made anew the listener is put up in it again;
// where that cannot be, it ends with [Closed].
type Listen struct {
	ID    StreamID
	Local netip.AddrPort
	// Link is that of a link-local Local, else NoInterface.
	Link routing.InterfaceID
	// StreamOptions hold for all connections but those of Peers. TTL, DSCP and
	// Secret are those of the answer to a first segment too.
	StreamOptions
	Peers []StreamPeer
}

// StreamPeer is what holds at a listener for connections from a prefix, in
// place of the listener's own options. Of several prefixes the longest counts;
// an empty Secret leaves that of a shorter one in force. A listener at all
// addresses hears link-local peers on the links of its own link-local prefixes
// alone, and a secret there is that of an address whatever its link.
type StreamPeer struct {
	Remote netip.Prefix
	Link   routing.InterfaceID // of a link-local Remote; otherwise it does not count
	StreamOptions
}

// SetPeer adds a peer to a listener, or changes the one of that prefix: what
// arrives after the Step is judged by it. ForgetPeer takes one away.
// Connections that there are go on as they are.
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

// Write sends octets by a connection. They belong to the receiver from now on.
type Write struct {
	ID   StreamID
	Data []byte
}

// CloseStream ends a connection or listener. What was written before is still
// sent, for some seconds at most; with Reset it is not, and the other side is
// told so. No input about ID comes after it.
type CloseStream struct {
	ID    StreamID
	Reset bool
}

// Connected says that a [Dial] has succeeded, or that a [Listen] has accepted.
type Connected struct {
	ID            StreamID
	Listener      StreamID            // that accepted it; 0 of one that was dialled
	Local, Remote netip.AddrPort      // without zones
	Link          routing.InterfaceID // of link-local addresses, else NoInterface
	Room          int                 // octets that the connection takes now
}

// Read is what arrived by a connection, in order. Data is read during the Step
// and not kept. The next Read of the same connection comes after all other
// inputs that wait.
type Read struct {
	ID   StreamID
	Data []byte
}

// Written says that what was written is on its way, and how many octets the
// connection takes now. It comes when half of StreamRoom is free again and when
// all of it is.
type Written struct {
	ID   StreamID
	Room int
}

// Closed says why a connection or a listener has ended, or why there is none.
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
