package nat

import (
	"routerd/flow"
	"routerd/internal/verdict"
	"routerd/routing"
)

// Packet is what translation has to know of one packet.
type Packet struct {
	Key   flow.Key
	Inner flow.Key // of an ICMP error: the packet it quotes, as it is quoted
	Error bool     // an ICMP error; Key has no ports
	Query bool     // an ICMP query's request, which may begin a session; a reply may not
	TCP   flow.Segment
	In    routing.InterfaceID
	Own   bool // made by the router itself or its own TCP/IP stack
}

// Translation is what becomes of a packet. The destination's part is for
// before the lookup, the source's part for after it.
type Translation struct {
	// To is the key that the packet leaves with; the packet's own Key where
	// nothing is translated.
	To flow.Key
	// Inner is, for an ICMP error, what the quoted packet is to read.
	Inner flow.Key
	// Session is the number of the session that the packet belongs to, or
	// NoSession while there is none yet.
	Session   uint32
	Direction flow.Direction
	Verdict   verdict.Verdict // None unless translation is the packet's end
	// Rule is the number of the rule that a destination was translated by,
	// until the session that it leads to is made.
	Rule uint32
}

// NoSession is the number of no session.
const NoSession uint32 = 0
