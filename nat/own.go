package nat

import "routerd/flow"

// outboundOwn is Outbound for packets of the router's own. On an address that
// mappings use too, its flows reserve their ports by mappings and sessions like
// those of inside hosts; if an inside host has the port, the router's flow gets
// another one. The router's packets are never refused: without room for a
// session they go out untranslated.
func (n *NAT) outboundOwn(p *Packet, now flow.Time, t *Translation) {
	*t = Translation{To: p.Key, Inner: p.Inner}
	if p.Error {
		return
	}
	r := n.active.Load()
	if r.spaces[p.Key.Src] == nil && !r.cfg.Track || n.established(p, now, t) || !p.Begins() && !p.Resumes() {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	r = n.active.Load() // the configuration may have changed meanwhile
	s := r.spaces[p.Key.Src]
	if s == nil && !r.cfg.Track || n.established(p, now, t) {
		return
	}
	if !p.Dry {
		n.makeWay(&p.Key)
	}
	if s == nil {
		n.trackOwn(r, p, p.Key.Src, now, t)
		return
	}
	to := p.Key
	m, ok := n.ownMapping(s, p.Key.Src, p.Key.SrcPort, p.Key.Proto, true)
	if !ok {
		return
	}
	to.SrcPort = m.outsidePort
	n.insertOwn(p, s, m, p.Key, to.Reverse(), now, t)
}

// Delivered records that a packet without a session goes to the router's own
// TCP/IP stack, so that its flow reserves its port until the stack has replied.
// It gives the number of the session that it has made, or NoSession.
func (n *NAT) Delivered(p *Packet, now flow.Time) uint32 {
	r := n.active.Load()
	if r.spaces[p.Key.Dst] == nil && !r.cfg.Track || p.Error || p.Own || p.Dry || p.Key.Proto == protoICMP || p.NoSession || !p.Begins() && !p.Loose {
		return NoSession
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	r = n.active.Load()
	n.makeWay(&p.Key)
	s := r.spaces[p.Key.Dst]
	if s == nil && !r.cfg.Track || n.sessions.Find(p.Key).Session != NoSession {
		return NoSession
	}
	var t Translation
	if s == nil {
		n.trackOwn(r, p, p.Key.Dst, now, &t)
		return t.Session
	}
	m, ok := n.ownMapping(s, p.Key.Dst, p.Key.DstPort, p.Key.Proto, false)
	if !ok {
		return NoSession
	}
	n.insertOwn(p, s, m, p.Key, p.Key.Reverse(), now, &t)
	return t.Session
}

// ownMapping gives the mapping, existing or new, of an endpoint of the router's
// own: with its own port if that is free, else, if move is set, with another
// one.
func (n *NAT) ownMapping(s *space, address uint32, number uint16, proto uint8, move bool) (mapping, bool) {
	x := mapping{inside: address, insidePort: number, outside: address, outsidePort: number, proto: proto, pool: ownPool}
	i, ok := slot(proto)
	if !ok {
		return x, true
	}
	if old := n.mappings.find(&x, n.mappings.insideHash(&x)); old != 0 {
		x.outsidePort = n.mappings.at(old).outsidePort
		return x, true
	}
	if !s.has(proto, number) || s.held[port{i, number}] == forListener && n.mappings.outside(address, proto, number) == 0 {
		return x, true
	}
	if !move {
		return x, false
	}
	x.outsidePort, ok = n.choose(s.set(i), wanted(&pool{first: 1, last: 65535}, proto, number, true), uint32(n.random.Uint64()))
	return x, ok
}

// insertOwn makes the session of a flow of the router's own.
func (n *NAT) insertOwn(p *Packet, s *space, x mapping, forward, reply flow.Key, now flow.Time, t *Translation) {
	t.To, t.New = reply.Reverse(), true
	if p.Dry {
		return
	}
	i, ported := slot(x.proto)
	owner, fresh := uint32(0), false
	h := n.mappings.hashes(&x)
	if ported {
		owner = n.mappings.find(&x, h.inside)
		if fresh = owner == 0; fresh {
			if inside, outside := n.mappings.room(h); !inside || !outside {
				t.To, t.New = p.Key, false
				return
			}
			owner = n.mappings.next()
		}
	}
	session, refusal := n.sessions.Insert(forward, reply, 0, owner, x.inside, p.segment(), now)
	if refusal != flow.Accepted {
		t.To, t.New = p.Key, false
		return
	}
	t.Session, t.Direction = session, flow.Forward
	n.sessions.Count(session, p.Packets, p.Bytes)
	n.count(0, +1)
	if !ported {
		return
	}
	if fresh {
		s.set(i).Take(x.outsidePort)
		n.mappings.add(&x, h)
	}
	m := n.mappings.at(owner)
	m.sessions++
	m.session = session
}
