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
	// What the packet counts for in its session: itself, or the packets that a
	// super-packet carries, and its bytes from the IP header on.
	Packets, Bytes uint32
	Own            bool // made by the router itself or its own TCP/IP stack
	Dry            bool // nothing is to be made or moved on: only what would become of it is asked

	hash   uint64 // of the key that its session is found by, once Hash has been asked
	hashed bool
	place  uint32 // of the index of mappings, where a new flow's is looked for; see Fresh
	fresh  bool
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
	New       bool            // the session was made by this packet, or would have been if it is dry
	// Rule is what the session knows of its rules, see RuleNames; before the
	// session is made, of the one that the destination was translated by. Where
	// none is made it is of the rules that the flow was for: when it is refused,
	// and when a rule says that its source stays.
	Rule uint32
}

// NoSession is the number of no session.
const NoSession uint32 = 0
