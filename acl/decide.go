package acl

import (
	"encoding/binary"
	"math/bits"

	"routerd/routing"
)

// Packet is what a list asks of a packet. The caller fills it field by field.
type Packet struct {
	In, Out  routing.InterfaceID // Out may not be known yet, and then is NoInterface
	Family   uint8               // 4 or 6
	Protocol uint8               // of the upper layer
	State    State
	TCPFlags uint8
	DSCP     uint8
	Fragment bool // it arrived in fragments
	SrcPort  uint16
	DstPort  uint16 // of ICMP: type << 8 | code
	Length   uint32 // in bytes, from the IP header on
	// Review asks about a flow of which the first packet is gone: Fragment, DSCP
	// and Length are not known, and taken to be as an accept rule wants them and
	// not as another rule does.
	Review bool

	src, dst address
}

// Addresses4 sets IPv4 addresses, most significant byte first.
func (p *Packet) Addresses4(src, dst uint32) {
	p.src, p.dst = address{lo: uint64(src)}, address{lo: uint64(dst)}
}

// Addresses6 sets IPv6 addresses from the 32 bytes where a header has them.
func (p *Packet) Addresses6(b []byte) {
	_ = b[31]
	p.src = address{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
	p.dst = address{binary.BigEndian.Uint64(b[16:]), binary.BigEndian.Uint64(b[24:])}
}

// AddressesWide sets IPv6 addresses, two words each.
func (p *Packet) AddressesWide(w [4]uint64) {
	p.src, p.dst = address{w[0], w[1]}, address{w[2], w[3]}
}

// Decision is what a list says of a packet.
type Decision struct {
	Action Action // Accept, Drop or Reject
	Number uint32 // of the rule that decided, or of the list's default action
	Limit  *Limit // what the flow has to be within that the packet begins; nil without limits
}

// Hit is a rule, or the default action of a list, that a packet matched.
type Hit struct {
	Number uint32
	Log    uint32 // 1 + its place among those that log, see Rules.Logged; 0 = it does not log
}

// Decide gives the decision of the list l about p. It appends to hits all rules
// that p matched on the way, the deciding one last.
func (l *Compiled) Decide(p *Packet, hits []Hit) (Decision, []Hit) {
	program := &l.v4
	if p.Family == 6 {
		program = &l.v6
	}
	words := program.words
	if words > 0 {
		state := program.states[p.State&3][:words]
		protocol := program.protocols.of(uint64(p.Protocol), words)[:words]
		source := program.sources.of128(p.src, words)[:words]
		destination := program.destinations.of128(p.dst, words)[:words]
		from := program.fromPorts.of(uint64(p.SrcPort), words)[:words]
		to := program.toPorts.of(uint64(p.DstPort), words)[:words]
		for w := range words {
			m := state[w] & protocol[w] & source[w] & destination[w] & from[w] & to[w]
			for ; m != 0; m &= m - 1 {
				r := program.rules[w<<6+bits.TrailingZeros64(m)]
				if r.asks && !r.rest.has(p, r.action) {
					continue
				}
				hits = append(hits, Hit{r.number, r.log})
				if r.action.decides() {
					return Decision{r.action, r.number, r.limit}, hits
				}
			}
		}
	}
	return Decision{l.fallback, l.number, nil}, append(hits, Hit{l.number, l.log})
}

// rest is the conditions that are compared after the bitmaps.
type rest struct {
	flags    Flags
	fragment bool
	in, out  []routing.InterfaceID
	dscps    uint64 // 0 = all
	lengths  []LengthRange
}

func (r *rest) has(p *Packet, a Action) bool {
	switch {
	case r.flags.Of != 0 && p.TCPFlags&r.flags.Of != r.flags.Set:
	case len(r.in) > 0 && !contains(r.in, p.In):
	case len(r.out) > 0 && !contains(r.out, p.Out):
	case p.Review:
		return a == Accept || !r.fragment && r.dscps == 0 && len(r.lengths) == 0
	case r.fragment && !p.Fragment:
	case r.dscps != 0 && r.dscps>>(p.DSCP&63)&1 == 0:
	default:
		return r.hasLength(p.Length)
	}
	return false
}

func (r *rest) hasLength(n uint32) bool {
	for _, l := range r.lengths {
		if l.First <= n && n <= l.Last {
			return true
		}
	}
	return len(r.lengths) == 0
}

func contains(list []routing.InterfaceID, id routing.InterfaceID) bool {
	for _, i := range list {
		if i == id {
			return true
		}
	}
	return false
}
