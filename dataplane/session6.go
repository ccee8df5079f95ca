package dataplane

import (
	"encoding/binary"
	"time"

	"routerd/acl"
	"routerd/flow"
	"routerd/icmp"
	"routerd/internal/packet"
	"routerd/internal/verdict"
	"routerd/nat/rewrite"
	"routerd/routing"
)

// parse6 reads the flow of an IPv6 packet.
func (p *Packet) parse6(t *tracking) {
	ip := p.ip()
	t.key = flow.Key{Proto: p.Proto}
	t.wide = wideOf(ip[8:40])
	t.begins = true
	switch {
	case p.Fragment || p.l4 > len(ip):
		t.unread = true
	case p.Proto == packet.ProtoICMPv6:
		p.parseICMP6(t, ip[p.l4:])
	default:
		t.unread = rewrite.Transport(ip[p.l4:], &t.key, &t.segment) != nil
		if p.Proto == packet.ProtoTCP {
			t.begins = t.segment.Begins()
			t.resumes = t.segment.Flags&(flow.FlagSYN|flow.FlagRST|flow.FlagFIN|flow.FlagACK) == flow.FlagACK
		}
	}
	t.begins = t.begins && !t.unread
	if !t.begins {
		t.state = acl.Invalid
	}
}

func wideOf(b []byte) flow.Wide {
	_ = b[31]
	return flow.Wide{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:]), binary.BigEndian.Uint64(b[24:])}
}

// parseICMP6 reads an ICMPv6 message: a query has its identifier as the port of
// the side that asks, and an error is of the flow that it quotes.
func (p *Packet) parseICMP6(t *tracking, m []byte) {
	if len(m) < packet.ICMPHeader {
		t.unread = true
		return
	}
	switch kind := m[0]; {
	case kind == icmp.EchoRequest6:
		t.key.SrcPort = binary.BigEndian.Uint16(m[4:])
	case kind == icmp.EchoReply6Type:
		t.key.DstPort, t.begins = binary.BigEndian.Uint16(m[4:]), false
	case kind < icmp.EchoRequest6:
		t.begins, t.error = false, true
		t.unread = !icmp.ChecksumOK6(p.ip6(), p.l4) || !t.quote6(m[packet.ICMPHeader:])
	}
}

// quote6 reads the flow of the packet that an ICMPv6 error quotes, and reports
// whether it can be told.
func (t *tracking) quote6(q []byte) bool {
	if len(q) < packet.IPv6Header || q[0]>>4 != 6 {
		return false
	}
	t.quoted = wideOf(q[8:40])
	next, b := q[6], q[packet.IPv6Header:]
	for range packet.MaxExtensions {
		if !packet.IsExtension(next) {
			break
		}
		n, ok := packet.ExtensionLen(next, b)
		if !ok || next == packet.ProtoFragment && packet.FragmentHeader(b).Offset() != 0 {
			return false
		}
		next, b = b[0], b[n:]
	}
	t.inner = flow.Key{Proto: next}
	switch {
	case next != packet.ProtoTCP && next != packet.ProtoUDP && next != packet.ProtoICMPv6:
		return true
	case len(b) < 8:
		return false
	case next != packet.ProtoICMPv6:
		t.inner.SrcPort, t.inner.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	case b[0] == icmp.EchoRequest6:
		t.inner.SrcPort = binary.BigEndian.Uint16(b[4:])
	case b[0] == icmp.EchoReply6Type:
		t.inner.DstPort = binary.BigEndian.Uint16(b[4:])
	default:
		return false
	}
	return true
}

// findSessions6 looks for the sessions of the batch's IPv6 packets.
func (b *Batch) findSessions6(v *View, r *row) {
	b.hashes = b.hashes[:0]
	var before *tracking
	for _, p := range b.work {
		t := p.track
		if t == nil || p.Family != 6 || p.Way != nil || t.unread {
			continue
		}
		if before == nil {
			v.Sessions6.Fold(&t.key, &t.wide)
		} else {
			v.Sessions6.FoldAfter(&t.key, &t.wide, &before.key, &before.wide)
		}
		before = t
		b.hashes = append(b.hashes, t.hash6(v.Sessions6))
	}
	v.Sessions6.Touch(b.hashes)
	for _, p := range b.work {
		if p.inRow && p.Family == 6 {
			if r.record(p, v.Sessions6, b) {
				continue
			}
			t := b.track(p)
			p.parse6(t)
			v.Sessions6.Fold(&t.key, &t.wide)
			t.hash6(v.Sessions6)
		}
		if t := p.track; t != nil && p.Family == 6 && p.Way == nil {
			r.hit.Session = flow.NoSession
			if !t.unread {
				p.join6(v, b, &r.hit)
			}
		}
	}
	v.Sessions6.Settle(&r.tally)
}

// hash6 computes the hash by which the session of a packet is looked up whose
// addresses have been folded. The session of an ICMPv6 error is found by a reply to
// the packet it quotes.
func (t *tracking) hash6(sessions *flow.Table) uint64 {
	if !t.error {
		t.hash = sessions.Hash(&t.key)
		return t.hash
	}
	sessions.Fold(&t.inner, &t.quoted)
	reverse := t.inner.Reverse()
	t.hash = sessions.Hash(&reverse)
	return t.hash
}

// join6 finds p's session and records p in it. An ICMPv6 error neither refreshes
// nor ends its session, and has to go to the sender of what it quotes. Hit becomes
// the session, if there is one that still exists.
func (p *Packet) join6(v *View, b *Batch, hit *flow.Hit) {
	t := p.track
	if t.error {
		reverse, back := t.inner.Reverse(), t.quoted.Reverse()
		if t.quoted[0] == t.wide[2] && t.quoted[1] == t.wide[3] && v.Sessions6.FindWide(&reverse, &back, t.hash, hit) {
			t.state, t.session = acl.Established, hit.Session
		}
		return
	}
	if !v.Sessions6.FindWide(&t.key, &t.wide, t.hash, hit) {
		return
	}
	if !b.dry {
		if !v.Sessions6.Packet(hit, t.tcp(), b.flowNow) {
			hit.Session = flow.NoSession
			return
		}
		v.Sessions6.Count(hit.Session, uint32(p.carried), uint32(len(p.ip())))
	}
	t.state, t.session = acl.Established, hit.Session
}

// tcp is the packet's segment, where it has one.
func (t *tracking) tcp() *flow.Segment {
	if t.key.Proto != packet.ProtoTCP {
		return nil
	}
	return &t.segment
}

// track6 makes the sessions of IPv6 flows, as natOut makes those of IPv4: of
// packets that go on or go to the router's own stack, and of what the router
// itself sends.
func track6(v *View, b *Batch, now time.Time) {
	if v.ACL == nil {
		return
	}
	b.flowNow = v.Flows.At(now)
	for _, p := range b.work {
		if p.Verdict != verdict.None || p.Family != 6 {
			continue
		}
		if (p.Made || p.stack == fromOwnStack) && p.stack != toOwnStack {
			p.trackOwn6(v, b)
			continue
		}
		if t := p.track; t != nil && t.state != acl.Established && p.Way != nil && !p.forMany(v) {
			p.begin6(v, b)
		}
	}
}

// trackOwn6 tracks what the router itself sends, so that the answers are known.
func (p *Packet) trackOwn6(v *View, b *Batch) {
	if p.Fragment || p.Dst.IsMulticast() || p.Way == nil || p.Way.Action == routing.Local {
		return
	}
	t := b.track(p)
	p.parse6(t)
	if t.unread || t.error {
		return
	}
	v.Sessions6.Fold(&t.key, &t.wide)
	t.hash6(v.Sessions6)
	var hit flow.Hit
	if p.join6(v, b, &hit); t.state != acl.Established {
		p.begin6(v, b)
	}
}

// begin6 makes the session of p, which has none, if it may. A packet that a list
// has accepted although it is of no flow makes none.
func (p *Packet) begin6(v *View, b *Batch) {
	t := p.track
	if t.unread || t.error || t.stray || !t.begins && !t.resumes && !t.loose {
		return
	}
	refusal := t.insert6(v, b)
	if refusal == flow.TableFull && v.Sessions6.Evict(t.key.Src, b.flowNow, b.dry, nil) {
		if refusal = flow.Accepted; !b.dry {
			refusal = t.insert6(v, b)
		}
	}
	switch refusal {
	case flow.Accepted:
		if t.made = true; !b.dry {
			v.Sessions6.Count(t.session, uint32(p.carried), uint32(len(p.ip())))
			v.Sessions6.Annotate(t.session, p.note())
			p.hold(v.Sessions6, t.session, b.flowNow)
		}
	case flow.KeyTaken: // another worker has made it meanwhile
	default:
		switch {
		case p.Made || p.stack != noStack: // what the router sends and gets is never refused
		case refusal == flow.HostFull:
			p.drop(verdict.NATHostLimit)
		default:
			p.drop(verdict.NATSessionLimit)
		}
	}
}

// insert6 makes the packet's session, or says of a dry one whether there is room
// for it.
func (t *tracking) insert6(v *View, b *Batch) (refusal flow.Refusal) {
	if b.dry {
		return v.Sessions6.Room(t.key.Src)
	}
	t.session, refusal = v.Sessions6.InsertWide(&t.key, &t.wide, t.hash, t.tcp(), b.flowNow)
	return refusal
}
