package nat

import (
	"slices"

	"routerd/flow"
	"routerd/internal/verdict"
)

// ownPool is the pool number of the mappings of the router's own endpoints.
const ownPool = ^uint16(0)

// permission says that an inside endpoint and a remote address have a session,
// whichever side began it (RFC 4787 §5, address-dependent filtering).
type permission struct{ mapping, remote uint32 }

// ruleWord packs the rules of a session.
func ruleWord(source, destination uint16) uint32 {
	return uint32(source) | uint32(destination)<<16
}

func sourceOf(word uint32) uint16      { return uint16(word) }
func destinationOf(word uint32) uint16 { return uint16(word >> 16) }

// make gives the flow its outside endpoint and its session, or refuses it.
func (n *NAT) make(r *Rules, p *Packet, pl *plan, now flow.Time, t *Translation) {
	var source, destination uint16
	if pl.source != nil {
		source = pl.source.number
	}
	if pl.destination != nil {
		destination = pl.destination.number
	}
	if pl.remote != 0 && source == 0 {
		// A session on an existing mapping belongs to the rule that made the
		// mapping.
		if source = n.mappings.at(pl.remote).rule; r.byNumber[source] == nil {
			source = 0
		}
	}
	word := ruleWord(source, destination)
	v := n.attempt(r, p, pl, word, now, t)
	if (v == verdict.NATSessionLimit || v == verdict.NATPoolExhausted) && r.fair && n.makeRoom(v, p, pl, now) {
		// The mappings found so far may have ended with the session that made
		// room.
		switch {
		case p.Dry:
			t.To, t.New, t.Rule, v = pl.to, true, word, verdict.None
		case pl.remote != 0 && n.mappings.outside(p.Key.Dst, p.Key.Proto, p.Key.DstPort) != pl.remote:
			v = verdict.NATNoMapping
		default:
			v = n.attempt(r, p, pl, word, now, t)
		}
	}
	if v == verdict.None {
		return
	}
	t.Verdict, t.Rule = v, word
	if !p.Dry {
		n.refused(v, source, destination, pl.pool)
	}
}

// attempt is make without evicting another session.
func (n *NAT) attempt(r *Rules, p *Packet, pl *plan, word uint32, now flow.Time, t *Translation) (v verdict.Verdict) {
	switch {
	case pl.source != nil && pl.source.kind == KindStatic:
		pl.to.Src, _ = pl.source.translate(p.Key.Src, 0)
		v = n.insert(r, p, pl, word, 0, now, t)
	case pl.source == nil && pl.pool == nil:
		if v = n.insert(r, p, pl, word, 0, now, t); v == verdict.NATPoolExhausted && pl.remote != 0 {
			// The inside endpoint has a session with this remote one by another
			// of its mappings, and its replies can leave by only one.
			v = verdict.NATFiltered
		}
	case pl.pool == nil: // masquerade by an interface without an address
		v = verdict.NATPoolExhausted
	default:
		v = n.makeMapped(r, p, pl, word, now, t)
	}
	return v
}

// tries is how many ports are tried for a mapping if the session's replies
// would collide with those of another session.
const tries = 4

// makeMapped is make for a source that gets a port of a pool.
func (n *NAT) makeMapped(r *Rules, p *Packet, pl *plan, word uint32, now flow.Time, t *Translation) verdict.Verdict {
	if _, ok := slot(p.Key.Proto); !ok {
		return n.makePortless(r, p, pl, word, now, t)
	}
	key := pl.to
	key.Src, key.SrcPort = p.Key.Src, p.Key.SrcPort
	x := insideOf(&key, pl.pool.id, r.cfg.Mapping)
	h := hashes{inside: p.place}
	if !p.fresh || r.cfg.Mapping != EndpointIndependent {
		h.inside = n.mappings.insideHash(&x)
	}
	if old := n.mappings.find(&x, h.inside); old != 0 {
		m := n.mappings.at(old)
		pl.to.Src, pl.to.SrcPort = m.outside, m.outsidePort
		v := n.insert(r, p, pl, word, old, now, t)
		if v == verdict.None && !p.Dry {
			m.rule = sourceOf(word)
			m.sessions++
			m.session = t.Session
		}
		return v
	}
	x.rule, x.sessions = sourceOf(word), 1
	for try := range tries {
		s, number, ok := n.place(pl, &key, try > 0)
		if !ok {
			return verdict.NATPoolExhausted
		}
		x.outside, x.outsidePort = s.addr, number
		pl.to.Src, pl.to.SrcPort = s.addr, number
		// Prefetch all the places before reading the first.
		pl.hashReply(n.sessions)
		n.sessions.TouchIndex(pl.replyHash)
		h.outside = n.mappings.outsideHash(s.addr, x.proto, number)
		switch inside, outside := n.mappings.room(h); {
		case !inside:
			return verdict.NATSessionLimit
		case !outside:
			continue
		}
		v := n.insert(r, p, pl, word, n.mappings.next(), now, t)
		if v == verdict.None && !p.Dry {
			at, _ := slot(x.proto)
			s.set(at).Take(number)
			x.session = t.Session
			n.mappings.add(&x, h)
			pl.pool.mappings++
			n.tie(pl, s, x.inside)
		}
		if v != verdict.NATPoolExhausted {
			return v
		}
	}
	return verdict.NATPoolExhausted
}

// makePortless is make for a protocol without ports: the outside address
// belongs to one inside host for each remote address, since nothing else tells
// the replies apart.
func (n *NAT) makePortless(r *Rules, p *Packet, pl *plan, word uint32, now flow.Time, t *Translation) verdict.Verdict {
	spaces := pl.pool.spaces
	at := int(p.Key.Src) % max(len(spaces), 1)
	if paired, ok := n.pairs[pair{p.Key.Src, pl.pool.id}]; ok {
		at = slices.IndexFunc(spaces, func(s *space) bool { return s.addr == paired.space })
	}
	for try := range min(tries, len(spaces)) {
		pl.to.Src = spaces[(at+try)%len(spaces)].addr
		if v := n.insert(r, p, pl, word, 0, now, t); v != verdict.NATPoolExhausted {
			return v
		}
	}
	return verdict.NATPortless
}

// insert makes the session of a plan whose endpoints are all known.
func (n *NAT) insert(r *Rules, p *Packet, pl *plan, word, owner uint32, now flow.Time, t *Translation) verdict.Verdict {
	reply := &pl.reply
	if !pl.replied {
		pl.hashReply(n.sessions)
	}
	pl.replied = false // the next try has another one
	if p.Dry {
		t.To, t.New, t.Rule = pl.to, true, word
		return n.room(&p.Key, reply, pl.host)
	}
	h := flow.Hashes{Forward: p.hash, Reply: pl.replyHash}
	if !p.hashed {
		h.Forward = n.sessions.Hash(&p.Key)
	}
	session, refusal := n.sessions.InsertHashed(&p.Key, reply, h, word, owner, pl.host, p.segment(), now)
	if refusal != flow.Accepted {
		return verdictOf(refusal)
	}
	t.To, t.Session, t.Direction, t.New, t.Rule = pl.to, session, flow.Forward, true, word
	if pl.remote != 0 {
		n.mappings.at(pl.remote).sessions++
		n.permit(r, pl.remote, reply.Dst, session)
	}
	if owner != 0 {
		n.permit(r, owner, reply.Src, session)
	}
	n.sessions.Count(session, p.Packets, p.Bytes)
	n.count(word, +1)
	return verdict.None
}

// room reports whether a session could be made, for a dry packet.
func (n *NAT) room(k, reply *flow.Key, host uint32) verdict.Verdict {
	if why := n.sessions.Room(host); why != flow.Accepted {
		return verdictOf(why)
	}
	if n.taken(k) || n.taken(reply) {
		return verdictOf(flow.KeyTaken)
	}
	return verdict.None
}

func verdictOf(r flow.Refusal) verdict.Verdict {
	switch r {
	case flow.Accepted:
		return verdict.None
	case flow.TableFull:
		return verdict.NATSessionLimit
	case flow.HostFull:
		return verdict.NATHostLimit
	default: // the replies would collide with another session's
		return verdict.NATPoolExhausted
	}
}

// established finds p's session, records the packet in it, and reports whether
// there is one. Only then it fills t.
func (n *NAT) established(p *Packet, now flow.Time, t *Translation) bool {
	var hit flow.Hit
	if !n.find(p, &hit) {
		return false
	}
	if !p.Dry {
		if !n.sessions.Packet(&hit, p.segment(), now) {
			return false
		}
		n.sessions.Count(hit.Session, p.Packets, p.Bytes)
	}
	// Field by field: copying what was just written would wait for the writes.
	t.To.SetReverse(&hit.Other)
	t.Inner = flow.Key{}
	t.Session, t.life, t.Direction, t.Rule = hit.Session, hit.Generation, hit.Direction, hit.Rule
	t.Verdict, t.New = verdict.None, false
	return true
}

// segment is the packet's TCP header, where it has one.
func (p *Packet) segment() *flow.Segment {
	if p.Key.Proto != protoTCP {
		return nil
	}
	return &p.TCP
}
