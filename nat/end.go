package nat

import (
	"routerd/flow"
	"routerd/internal/verdict"
)

// Tick ends the sessions that have timed out. It looks at no more than budget
// of them and reports how many it looked at: if that is budget there are more,
// and it should be called again soon. Call it four times a second.
func (n *NAT) Tick(now flow.Time, budget int) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sessions.Tick(now, budget, n.release)
}

// release frees the mappings and ports of a session that has ended, and updates
// the counts of its rules.
func (n *NAT) release(s *flow.Session) {
	forward, reply := &s.Forward, &s.Reply
	n.count(s.Rule, -1)
	if s.Owner != 0 {
		n.forbid(s.Owner, reply.Src, s.Number)
		n.unmap(s.Owner)
	}
	// A destination that was translated without a rule was found by a mapping.
	if (forward.Dst != reply.Src || forward.DstPort != reply.SrcPort) && destinationOf(s.Rule) == 0 {
		if remote := n.mappings.outside(forward.Dst, forward.Proto, forward.DstPort); remote != 0 {
			n.forbid(remote, reply.Dst, s.Number)
			n.unmap(remote)
		}
	}
}

// unmap removes a session from a mapping, which ends with its last one.
func (n *NAT) unmap(number uint32) {
	m := n.mappings.at(number)
	if m.sessions--; m.sessions > 0 {
		return
	}
	i, _ := slot(m.proto)
	n.spaces[m.outside].release(i, m.outsidePort)
	if p := n.poolByID[m.pool]; p != nil {
		p.mappings--
		n.untie(p, m.inside)
	}
	n.mappings.remove(number)
}

// permit records that an inside endpoint has a session with a remote address.
func (n *NAT) permit(r *Rules, mapping, remote, session uint32) {
	if r.cfg.Filtering == AddressDependent && !n.review.behind(session) {
		n.permitted[permission{mapping, remote}]++
	}
}

// forbid undoes one permit.
func (n *NAT) forbid(mapping, remote, session uint32) {
	if n.review.behind(session) {
		return
	}
	key := permission{mapping, remote}
	switch c := n.permitted[key]; c {
	case 0:
	case 1:
		delete(n.permitted, key)
	default:
		n.permitted[key] = c - 1
	}
}

// count adds to the active sessions of the rules of a session.
func (n *NAT) count(word uint32, by int) {
	n.totals.add(by)
	for _, number := range [...]uint16{sourceOf(word), destinationOf(word)} {
		if number != 0 && n.counts[number] != nil {
			n.counts[number].add(by)
		}
	}
}

func (c *counts) add(by int) {
	c.active += by
	if by > 0 {
		c.made++
	}
}

// refused counts a new flow that got no session.
func (n *NAT) refused(v verdict.Verdict, source, destination uint16, p *pool) {
	n.totals.refuse(v)
	for _, number := range [...]uint16{source, destination} {
		if number != 0 && n.counts[number] != nil {
			n.counts[number].refuse(v)
		}
	}
	if p != nil && v == verdict.NATPoolExhausted {
		p.refused++
	}
}

func (c *counts) refuse(v verdict.Verdict) {
	switch v {
	case verdict.NATPoolExhausted, verdict.NATPortless:
		c.exhausted++
	case verdict.NATSessionLimit:
		c.full++
	case verdict.NATHostLimit:
		c.host++
	}
}

// each calls f with every session.
func (n *NAT) each(f func(*flow.Session)) { n.sessions.Each(f) }

// end ends the sessions for which match is true. It releases the mutex between
// parts of the table.
func (n *NAT) end(match func(*flow.Session) bool) int {
	ended := 0
	for cursor, part := uint32(0), 0; ; {
		part, cursor = n.EndSome(cursor, match)
		if ended += part; cursor == 0 {
			return ended
		}
	}
}

// EndSome ends the sessions for which match is true among a part of the table,
// at most 256 of them, from the number after cursor on. It gives how many, and
// the cursor to go on with, 0 at the end. Sessions made meanwhile may be missed.
func (n *NAT) EndSome(cursor uint32, match func(*flow.Session) bool) (ended int, next uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list [256]flow.Session
	got, next := n.sessions.Walk(cursor, list[:])
	for i := range list[:got] {
		if s := &list[i]; match(s) && n.sessions.Delete(s.Number, n.release) {
			ended++
		}
	}
	return ended, next
}
