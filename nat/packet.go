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
	Query bool     // an ICMP query's request, which may open a session; a reply may not
	TCP   flow.Segment
	In    routing.InterfaceID
	// How much the packet adds to its session: one, or the packets that a
	// super-packet carries, and its bytes from the IP header on.
	Packets, Bytes uint32
	Own            bool // made by the router itself or its own TCP/IP stack
	Loose          bool // of a flow that is not translated: it may make a session although its beginning was not seen
	NoSession      bool // of a flow that is not translated: it makes none
	Dry            bool // only ask how it would be translated: make and change nothing

	hash   uint64 // set by Hash
	hashed bool
	place  uint32 // in the index of mappings, set by Fresh
	fresh  bool
}

// Translation is how a packet is translated. The destination is to be
// translated before the route lookup, the source after it.
type Translation struct {
	// To is the key that the packet leaves with; the packet's own Key where
	// nothing is translated.
	To flow.Key
	// Inner is, for an ICMP error, the key that the quoted packet gets.
	Inner flow.Key
	// Session is the number of the session that the packet belongs to, or
	// NoSession while there is none yet.
	Session   uint32
	Direction flow.Direction
	life      uint32          // the generation of Session
	Verdict   verdict.Verdict // None unless translation drops the packet
	New       bool            // the session was made by this packet, or would have been if it is dry
	// Rule is the session's rules, for RuleNames; before the session is made,
	// the rule of the destination. If none is made it is the rules that the
	// flow matched: when it is refused, and when a rule exempts it.
	Rule uint32
}

// Found sets the parts of hit by which another packet of the same direction is
// recorded in the session that t's packet was found to belong to.
func (t *Translation) Found(hit *flow.Hit) {
	hit.Session, hit.Generation, hit.Direction = t.Session, t.life, t.Direction
}

// NoSession is the number of no session.
const NoSession uint32 = 0
