package nat

import (
	"routerd/flow"
	"routerd/internal/verdict"
)

// Inbound says how a packet is translated before the route lookup. It fills all
// of t: t.To differs from p.Key in its destination, and for packets of an
// existing session in its source too, which is to be applied only after the
// lookup.
func (n *NAT) Inbound(p *Packet, now flow.Time, t *Translation) {
	if !p.Error && n.established(p, now, t) {
		return
	}
	*t = Translation{To: p.Key, Inner: p.Inner}
	if p.Error {
		n.inboundError(p, t)
		return
	}
	r := n.active.Load()
	if c := r.inbound(&p.Key, p.In); c != nil {
		t.To.Dst, t.To.DstPort = c.translate(p.Key.Dst, p.Key.DstPort)
		t.Rule = ruleWord(0, c.number)
		return
	}
	s := r.spaces[p.Key.Dst]
	taken := s != nil && !p.Query && s.has(p.Key.Proto, p.Key.DstPort)
	if taken && n.mapped(p, r, t) {
		return
	}
	if r.owns(p.Key.Dst) || s != nil && !taken && r.leads[p.In] && p.unsolicited() {
		t.Verdict = verdict.NATNoMapping
		return
	}
	if r.anywhere || len(r.by) > 0 {
		p.place, p.fresh = n.mappings.place(&p.Key), true
	}
}

// unsolicited reports whether p, which belongs to no session and no mapping, is
// a SYN. A SYN from outside to an address that inside hosts share, and to a
// port that neither they nor the router's own stack uses, is not answered. An
// answer within 6 seconds would end the connection of an inside host that is
// about to send its own SYN to the same endpoint (RFC 5382 REQ-4); a later one
// would only tell scanners which ports are in use (REQ-4a).
func (p *Packet) unsolicited() bool { return p.Key.Proto == protoTCP && p.TCP.Begins() }

// Hash computes the hash by which p's session is looked up, and keeps it in p.
// Key, Inner and Error have to be final.
func (n *NAT) Hash(p *Packet) uint64 {
	var reverse flow.Key
	p.hash, p.hashed = n.sessions.Hash(p.bearing(&reverse)), true
	return p.hash
}

// Touch prefetches the sessions of packets by their hashes. Called for a whole
// batch before the first Inbound, it overlaps the latencies of memory.
func (n *NAT) Touch(hashes []uint64) { n.sessions.Touch(hashes) }

// Fresh appends to places the place where Outbound will look for the mapping of
// a packet for which Inbound has found no session, if there is one.
func (p *Packet) Fresh(places []uint32) []uint32 {
	if p.fresh {
		places = append(places, p.place)
	}
	return places
}

// TouchFresh is Touch for the places of Fresh, before the first Outbound.
func (n *NAT) TouchFresh(places []uint32) { n.mappings.touch(places) }

// bearing is the key by which p's session is found. For an ICMP error that is
// the key of a reply to the packet it quotes, which is written to reverse.
func (p *Packet) bearing(reverse *flow.Key) *flow.Key {
	if p.Error {
		reverse.SetReverse(&p.Inner)
		return reverse
	}
	return &p.Key
}

// find looks for the session of p, and reports whether there is one that goes on.
func (n *NAT) find(p *Packet, hit *flow.Hit) bool {
	var reverse flow.Key
	k := p.bearing(&reverse)
	hash := p.hash
	if !p.hashed {
		hash = n.sessions.Hash(k)
	}
	if !n.sessions.FindHashed(k, hash, hit) {
		return false
	}
	o := n.ending.Load()
	return o == nil || !o.hits(k, hit)
}

// owns reports whether a belongs to translation and not to an interface.
func (r *Rules) owns(a uint32) bool {
	if !r.outside.has(a) {
		return false
	}
	_, own := r.own[a]
	return !own
}

// mapped looks for a mapping whose outside endpoint is p's destination, and
// reports whether an inside host has one.
func (n *NAT) mapped(p *Packet, r *Rules, t *Translation) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	number := n.mappingAt(p.Key.Dst, p.Key.Proto, p.Key.DstPort)
	if number == 0 {
		return false
	}
	m := n.mappings.at(number)
	if m.pool == ownPool {
		return false // the router's own stack does its own filtering
	}
	if !n.admits(number, p, r) {
		// No answer, so that probes learn nothing (RFC 4787 §5; RFC 5382 REQ-4
		// wants no answer to a SYN for 6 seconds at least).
		t.Verdict, t.Rule = verdict.NATFiltered, ruleWord(m.rule, 0)
		return true
	}
	t.To.Dst, t.To.DstPort = m.inside, m.insidePort
	return true
}

// admits reports whether a packet of a remote endpoint without a session may
// open one on the mapping with the number (RFC 4787 §5, RFC 5382 §4.3).
func (n *NAT) admits(number uint32, p *Packet, r *Rules) bool {
	if !p.Begins() {
		return false
	}
	if !r.leads[p.In] {
		if c, _ := r.hairpin(&p.Key, p.In); c != nil {
			// The filter is for packets from outside. With it two inside hosts
			// could never reach each other by their outside endpoints: the
			// first packet of either would be dropped without a session that
			// admits the other's (RFC 4787 REQ-9).
			return !r.cfg.NoHairpin
		}
	}
	// The remote endpoint that the mapping was made for does not matter:
	// mapping and filtering are separate choices (RFC 4787 §4.1, §5).
	switch r.cfg.Filtering {
	case EndpointIndependent:
		return true
	case AddressDependent:
		return n.review.open || n.permitted[permission{number, p.Key.Src}] > 0
	default:
		return false
	}
}

// Begins reports whether a packet may be the first of a session, from either
// side.
func (p *Packet) Begins() bool {
	switch p.Key.Proto {
	case protoTCP:
		return p.TCP.Begins()
	case protoICMP:
		return p.Query
	}
	return true
}

// Resumes reports whether a packet may be of a TCP connection that was opened
// before the router started. If rules alone say how it is translated, it gets a
// session, so that connections survive a restart if they get the same ports.
func (p *Packet) Resumes() bool {
	return p.Key.Proto == protoTCP && p.TCP.Flags&(flow.FlagSYN|flow.FlagRST|flow.FlagFIN|flow.FlagACK) == flow.FlagACK
}

// inboundError finds the session of the packet that an ICMP error quotes. The
// error neither makes nor refreshes nor ends it (RFC 4787 REQ-12, RFC 5382
// REQ-10, RFC 5508 REQ-6).
func (n *NAT) inboundError(p *Packet, t *Translation) {
	var hit flow.Hit
	found := n.find(p, &hit)
	// An error goes to the source of the quoted packet; otherwise it would be
	// translated to a host that it does not concern.
	if !found || p.Key.Dst != p.Inner.Src {
		if n.active.Load().owns(p.Key.Dst) {
			t.Verdict = verdict.NATICMPUnmatched // RFC 5508 REQ-4
		}
		return
	}
	t.Session, t.Direction = hit.Session, hit.Direction
	// The quoted packet had other's form before it was translated.
	other := hit.Other
	t.Inner = other
	t.To.Dst = other.Src // RFC 5508 REQ-4c, REQ-7a
	// If the address of the side that the error comes from is translated,
	// routers on the path there are hidden as well (RFC 5508 REQ-5c).
	if side := p.Inner.Dst; side != other.Dst || p.Key.Src == side {
		t.To.Src = other.Dst
	}
}
