package nat

import (
	"slices"

	"routerd/flow"
	"routerd/internal/verdict"
	"routerd/nat/ports"
)

// leaves reports whether a host that has mine mappings of p may take a port of
// s and leave enough for others, by the same share as flow's sessions. Counting
// exactly what is left takes a while, so it is only done if it may matter.
func (r *Rules) leaves(p *pool, s *space, i int, want *ports.Want, mine uint32) bool {
	if !r.fair || mine == 0 {
		return true
	}
	first, last := want.Range()
	size, spaces := int(last)-int(first)+1, 1
	if r.cfg.Pairing == Arbitrary {
		spaces = len(p.spaces)
	}
	if set := s.set(i); int(mine) >= flow.Share*spaces*(size-set.Len()) {
		return int(mine) < flow.Share*spaces*(size-set.Used(first, last))
	}
	return true
}

// makeRoom ends an unanswered session to make room for the flow that was
// refused with v, and reports whether there was one. For a dry packet it ends
// none, and sets pl.to to the port that would become free.
func (n *NAT) makeRoom(v verdict.Verdict, p *Packet, pl *plan, now flow.Time) bool {
	if v == verdict.NATSessionLimit {
		return n.sessions.Evict(pl.host, now, p.Dry, n.release)
	}
	return pl.pool != nil && len(pl.pool.spaces) > 0 && n.evict(p, pl, now)
}

// evictLooks is how many ports evict looks at: each is three places in memory.
const evictLooks = 8

// evict frees a port for a new flow of an inside host, at the address that the
// host has to use. It goes round the ports of that and ends a session that is
// the only one of its mapping. Of those that may be ended it chooses one of the
// host with the most mappings of the pool.
func (n *NAT) evict(p *Packet, pl *plan, now flow.Time) bool {
	i, ok := slot(p.Key.Proto)
	if !ok {
		return false
	}
	mine := n.pairs[pair{p.Key.Src, pl.pool.id}]
	at := int(uint64(uint32(n.random.Uint64())) * uint64(len(pl.pool.spaces)) >> 32)
	if len(pl.pool.spaces) > 1 && mine.mappings > 0 && n.active.Load().cfg.Pairing == Paired {
		at = slices.IndexFunc(pl.pool.spaces, func(s *space) bool { return s.addr == mine.space })
	}
	s := pl.pool.spaces[max(at, 0)]
	want := wanted(pl.pool, p.Key.Proto, p.Key.SrcPort, false)
	first, last := want.Range()
	hand := s.hand[i]
	var victim *mapping
	most := uint32(0)
	for range evictLooks {
		if hand++; hand < first || hand > last {
			hand = first
		}
		number := n.mappings.outside(s.addr, p.Key.Proto, hand)
		if number == 0 {
			continue
		}
		m := n.mappings.at(number)
		has := n.pairs[pair{m.inside, m.pool}].mappings
		if m.pool != pl.pool.id || m.sessions != 1 || has <= most {
			continue
		}
		x, ok := n.sessions.Session(m.session)
		if ok && x.Owner == number && x.Evictable(now, has, mine.mappings) {
			victim, most = m, has
		}
	}
	if victim == nil || p.Dry {
		if victim != nil {
			pl.to.Src, pl.to.SrcPort = victim.outside, victim.outsidePort
		} else if !p.Dry {
			s.hand[i] = hand
		}
		return victim != nil
	}
	s.hand[i] = hand
	n.evicted++
	return n.sessions.Delete(victim.session, n.release)
}
