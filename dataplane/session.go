package dataplane

import (
	"encoding/binary"
	"slices"
	"time"

	"routerd/acl"
	"routerd/flow"
	"routerd/icmp"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/nat"
	"routerd/nat/rewrite"
)

// tracking is what the filter knows of one packet of the batch.
type tracking struct {
	state   acl.State // Established once it belongs to a session
	session uint32
	key     flow.Key // as it arrived; of IPv6 with digests
	wide    flow.Wide
	hash    uint64 // of key or, of an ICMPv6 error, of what it quotes
	segment flow.Segment
	icmp    uint16 // type and code

	unread  bool // its flow cannot be told
	begins  bool // it may be the first packet of a flow
	resumes bool // it may be of a TCP connection that the router has forgotten
	loose   bool // a loose list takes it for the first packet of a flow
	error   bool // an ICMP error
	inner   flow.Key
	quoted  flow.Wide

	stray  bool         // a list has accepted it although it is invalid
	asked  bool         // the latest stage has asked one; for explain alone
	rule   uint32       // 1 + the number of the rule that decided last
	admit  uint32       // the same, of the last list that accepted it
	way    *acl.Passage // between zones; nil where no policy is asked about it
	held   *admission   // nil unless a rule with limits has let it in
	excess acl.Excess   // the limit that it was dropped by
	made   bool         // this packet makes its session, or would if it is dry
}

// findSessions finds the sessions of packets, and what translation has in store
// for those that have none. Fragments are put together first, since only the
// first one has ports.
//
// The memory of the sessions of all packets of the batch is prefetched before
// it is needed, and of several packets of one flow in a row mostly one is looked up.
func findSessions(v *View, b *Batch, now time.Time) {
	if v.NAT == nil {
		return
	}
	b.flowNow = v.Flows.At(now)
	var rows, rows6 row
	for _, p := range b.work {
		if p.Verdict != verdict.None || p.stack == fromOwnStack {
			continue
		}
		if p.Family != 4 || p.Way != nil {
			if v.ACL != nil {
				p.untranslated(b, &rows6, now)
			}
			continue
		}
		if p.Fragment && !p.gather(b, now) || rows.follow(p, b) {
			continue
		}
		b.hashes = append(b.hashes, v.NAT.Hash(&b.translate(p).packet))
	}
	v.NAT.Touch(b.hashes)
	b.findSessions4(v, &rows)
	v.NAT.TouchFresh(b.places)
	if v.ACL != nil {
		b.findSessions6(v, &rows6)
		b.filtering = slices.ContainsFunc(b.work, (*Packet).isAsked)
	}
}

// findSessions4 looks for the sessions of the batch's IPv4 packets.
func (b *Batch) findSessions4(v *View, r *row) {
	for _, p := range b.work {
		if p.inRow && p.Family == 4 {
			if r.record(p, v.NAT.Sessions(), b) {
				continue
			}
			b.translate(p)
		}
		t := p.nat
		if t == nil {
			continue
		}
		v.NAT.Inbound(&t.packet, b.flowNow, &t.to)
		r.hit.Session = flow.NoSession
		if t.still = t.to.Session != flow.NoSession && !t.packet.Error && t.to.To.Is(&t.packet.Key); t.still {
			t.to.Found(&r.hit)
		}
		b.places = t.packet.Fresh(b.places)
		if v.ACL != nil && (t.to.Session == flow.NoSession || b.trace != nil) {
			p.observe4(b)
		}
	}
	v.NAT.Sessions().Settle(&r.tally)
}

// isAsked reports whether lists are asked about p, or may be.
func (p *Packet) isAsked() bool { return p.track != nil && p.track.state != acl.Established }

// untranslated begins to track a packet that is not looked up in the table of
// translation: one of IPv6, or for a group of hosts.
func (p *Packet) untranslated(b *Batch, rows6 *row, now time.Time) {
	if p.keepsLink() {
		return
	}
	if p.Fragment && p.Way == nil && !p.gather(b, now) {
		return
	}
	if p.Family == 6 && p.Way == nil && rows6.follow(p, b) {
		return
	}
	t := b.track(p)
	if p.Family == 6 {
		p.parse6(t)
		return
	}
	var q nat.Packet
	t.unread = rewrite.Parse(p.ip4(), &q) != nil
	t.key, t.segment, t.begins = q.Key, q.TCP, true
	if t.unread {
		t.state = acl.Invalid
	}
}

// track gives p its tracking. The slice has room for all packets of a batch,
// each of which comes here at most once, so it never moves.
func (b *Batch) track(p *Packet) *tracking {
	b.trackings = b.trackings[:len(b.trackings)+1]
	t := &b.trackings[len(b.trackings)-1]
	*t = tracking{}
	if ip := p.ip(); (p.Proto == packet.ProtoICMP || p.Proto == packet.ProtoICMPv6) && len(ip) >= p.l4+2 && !p.Fragment {
		t.icmp = binary.BigEndian.Uint16(ip[p.l4:])
	}
	p.track = t
	return t
}

// keepsLink reports whether p is one of the messages by which the stations of a
// link find each other and its groups: neighbour discovery, IGMP and MLD. Like
// ARP they are not filtered: without them nothing else would pass either (RFC
// 4890 §4.4.1). All but IGMP are told from forgeries by their hop limit.
func (p *Packet) keepsLink() bool {
	ip := p.ip()
	if p.Family == 4 {
		return p.Proto == packet.ProtoIGMP && p.Way != nil
	}
	if p.Proto != packet.ProtoICMPv6 || len(ip) <= p.l4 || p.Fragment {
		return false
	}
	switch t := ip[p.l4]; {
	case t >= firstDiscovery && t <= lastDiscovery:
		return ip[7] == 255 // RFC 4861 §7.1
	case t >= icmp.ListenerQuery6 && t <= icmp.ListenerDone6 || t == icmp.ListenerReport6v2:
		return ip[7] == 1 && p.Src.IsLinkLocalUnicast() // RFC 3810 §5
	}
	return false
}

// observe4 takes over what translation has found out about the flow.
func (p *Packet) observe4(b *Batch) {
	n := p.nat
	t := b.track(p)
	t.key, t.segment, t.session = n.packet.Key, n.packet.TCP, n.to.Session
	t.unread = n.unmatched != verdict.None
	t.error = n.packet.Error
	t.begins, t.resumes = !t.unread && !t.error && n.packet.Begins(), !t.unread && n.packet.Resumes()
	switch {
	case t.session != flow.NoSession:
		t.state = acl.Established
	case !t.begins:
		t.state = acl.Invalid
	case n.to.Verdict == verdict.None && n.to.Rule == 0 && n.to.To != n.packet.Key:
		t.state = acl.Related // a mapping of an inside host lets it in
	}
}

// stateFor is the state of the packet for a list.
func (t *tracking) stateFor(l *acl.Compiled) acl.State {
	if t.state == acl.Invalid && l.Loose && !t.unread && !t.error && t.segment.Flags&flow.FlagRST == 0 {
		t.loose = true
		return acl.New
	}
	return t.state
}

// note is what its session keeps of p.
func (p *Packet) note() flow.Note {
	n := flow.Note{Out: uint16(p.Out) + 1}
	if p.track != nil {
		n.Rule = p.track.admit
	}
	if p.stack != fromOwnStack && !p.Made {
		n.In = uint16(p.In) + 1
	}
	return n
}
