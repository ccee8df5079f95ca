package dataplane

import (
	"bytes"

	"routerd/flow"
	"routerd/internal/packet"
	"routerd/nat/rewrite"
)

// row is packets of one session that come one behind the other in a batch. Where
// the session translates nothing only the first of them is looked up, and the others
// are recorded in its session and go on without a translation and a tracking.
type row struct {
	ahead *Packet  // the latest that was not found to follow another one
	hit   flow.Hit // its session; NoSession where those behind it have to be looked up too
	tally flow.Tally
}

// follow has p follow the packet ahead of it if both are of one flow, and be
// the one ahead of the next if not. What is explained is never in a row.
func (r *row) follow(p *Packet, b *Batch) bool {
	if r.ahead != nil && b.trace == nil && p.follows(r.ahead) {
		p.inRow = true
		return true
	}
	r.ahead = p
	return false
}

// follows reports whether p and o are whole packets of TCP or UDP with the same
// addresses and ports, and no options or extension headers.
func (p *Packet) follows(o *Packet) bool {
	if p.Proto != o.Proto || p.l4 != o.l4 || p.Proto != packet.ProtoUDP && p.Proto != packet.ProtoTCP || p.Fragment || o.Fragment || p.joined {
		return false
	}
	// The ports lie right behind the addresses.
	const first4, end4, first6, end6 = 12, packet.IPv4MinHeader + 4, 8, packet.IPv6Header + 4
	ip, its := p.ip(), o.ip()
	switch {
	case p.l4 == packet.IPv4MinHeader && len(ip) >= end4 && len(its) >= end4:
		return [end4 - first4]byte(ip[first4:end4]) == [end4 - first4]byte(its[first4:end4])
	case p.l4 == packet.IPv6Header && p.Family == 6 && len(ip) >= end6 && len(its) >= end6:
		return bytes.Equal(ip[first6:end6], its[first6:end6])
	}
	return false
}

// record records p, which follows the packet ahead, in that one's session. It
// reports false if there is none that still exists, or if p's transport header
// is not sound.
func (r *row) record(p *Packet, sessions *flow.Table, b *Batch) bool {
	if r.hit.Session == flow.NoSession {
		return false
	}
	var k flow.Key
	var s flow.Segment
	k.Proto = p.Proto
	if rewrite.Transport(p.ip()[p.l4:], &k, &s) != nil {
		return false
	}
	if b.dry {
		return true
	}
	segment := &s
	if p.Proto != packet.ProtoTCP {
		segment = nil
	}
	if !sessions.Packet(&r.hit, segment, b.flowNow) {
		return false
	}
	sessions.Tally(&r.tally, r.hit.Session, uint32(p.carried), uint32(len(p.ip())))
	return true
}
