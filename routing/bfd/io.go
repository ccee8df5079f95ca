package bfd

import (
	"net/netip"

	"routerd/routing"
)

// Clear is an input of this protocol's own: it sets the counters of sessions with
// an address to zero, or of all; an invalid Address and NoInterface stand for any.
// No session changes its state.
type Clear struct {
	Link    routing.InterfaceID
	Address netip.Addr
}

// Reason is why a packet was not used.
type Reason uint8

// The reasons, in the order in which they are looked for (RFC 5880 §6.8.6).
const (
	Malformed    Reason = iota
	NoSession           // nobody asked for a session with its sender, or not any more
	WrongLink           // over one hop, by another link than the session's
	WrongPort           // of the other of single hop and multihop
	HopLimit            // it came too far: RFC 5881 §5, or below the minimum TTL
	Unauthentic         // no such key, or another type, or made with another secret
	Replayed            // its sequence number is not among the next ones
	SessionAdmin        // the session is AdminDown here
	NumReasons
)

var reasons = [NumReasons]string{
	"malformed", "no_session", "interface", "port", "hop_limit", "authentication", "sequence", "admin_down",
}

// String gives the name used in metrics and JSON.
func (r Reason) String() string {
	if r >= NumReasons {
		return "unknown"
	}
	return reasons[r]
}

// Refusals count packets that were not used.
type Refusals [NumReasons]uint64
