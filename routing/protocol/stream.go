package protocol

import (
	"net/netip"
	"time"

	"routerd/routing"
)

// StreamID is a number that a core gives a TCP connection or listener of its
// own. Numbers are never used twice, those of accepted connections are given
// by the driver and have the top bit set.
type StreamID uint64

// AcceptedStream is the bit of the numbers that the driver gives.
const AcceptedStream StreamID = 1 << 63

// StreamOptions holds what is set on a connection before its first packet.
type StreamOptions struct {
	// TTL is what packets leave with, 0 = 64. MinTTL drops packets that arrive
	// with less (RFC 5082), 0 = none.
	TTL, MinTTL uint8
	// Secret signs every segment (RFC 2385); empty = none.
	Secret string
}

// Dial opens a connection. It ends with [Connected] or [Closed].
type Dial struct {
	ID     StreamID
	Local  netip.Addr // invalid: any that leads to Remote
	Remote netip.AddrPort
	// Link is that of a link-local Remote, else NoInterface.
	Link    routing.InterfaceID
	Timeout time.Duration // 0 = one minute
	StreamOptions
}

// Listen accepts connections at an address, all of the router's where it is
// invalid, until the core closes the ID. Each begins with [Connected] and a
// number with AcceptedStream set.
type Listen struct {
	ID    StreamID
	Local netip.AddrPort
	StreamOptions
}

// ListenSecret signs segments to and from one remote prefix at a listener. It
// has to be said before that remote's first packet comes, and an empty Secret
// takes it back.
type ListenSecret struct {
	ID     StreamID
	Remote netip.Prefix
	Secret string
}

// Write queues data on a connection, which belongs to the receiver from now
// on. How much waits, [Written] tells.
type Write struct {
	ID   StreamID
	Data []byte
}

// Close ends a connection or listener. What was written before is still sent;
// with Reset it is not, and the other side is told so. No input about the ID
// comes after it.
type Close struct {
	ID    StreamID
	Reset bool
}

// Connected says that a Dial has succeeded or a Listen has accepted.
type Connected struct {
	ID            StreamID
	Listener      StreamID // that accepted it; 0 of one that was dialled
	Local, Remote netip.AddrPort
	Link          routing.InterfaceID // of link-local addresses, else NoInterface
}

// Read is what came on a connection, in order. Data is read during the Step and
// not kept.
type Read struct {
	ID   StreamID
	Data []byte
}

// Written says that the kernel has taken what a connection was given: Waiting
// octets are still queued. It comes when the queue shrinks to nothing, and each
// time that it halves.
type Written struct {
	ID      StreamID
	Waiting int
}

// Closed says that a connection or listener has ended, or that a Dial or Listen
// has failed: by Err, nil where the other side has said all that it had to.
type Closed struct {
	ID  StreamID
	Err error
}
