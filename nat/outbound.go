package nat

import (
	"routerd/flow"
	"routerd/internal/verdict"
	"routerd/routing"
)

// Outbound completes t, which Inbound has filled, when the way out is known:
// it translates the source of a new flow and makes its session. Of a packet
// that the router made itself (Own), for which Inbound is not asked, it fills t
// whole.
func (n *NAT) Outbound(p *Packet, out routing.InterfaceID, now flow.Time, t *Translation) {
	if p.Own {
		n.outboundOwn(p, now, t)
		return
	}
	if t.Session != NoSession || t.Verdict != verdict.None {
		return
	}
	r := n.active.Load()
	if t.To == p.Key && !r.translated(out) {
		return
	}
	if p.Error {
		if c := r.outbound(&p.Key, p.In, out); c != nil && c.method != Exempt {
			t.Verdict = verdict.NATICMPUnmatched // RFC 5508 REQ-5
		}
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if p.Dry {
		random := n.random
		defer func() { n.random = random }() // so that the packet itself would get the port that was told
	}
	n.begin(p, out, now, t)
}

// plan is what is to become of the first packet of a flow.
type plan struct {
	source      *rule   // nil where the source stays
	destination *rule   // nil where the destination stays or a mapping decides
	pool        *pool   // of source, unless that is static
	paired      pairing // of the inside host and pool, once place has found it
	to          flow.Key
	exempt      *rule  // the rule that says that the source stays, if one does
	remote      uint32 // number of the mapping that the destination was found by
	host        uint32

	reply     flow.Key // of the answers, with its hash; what replied says is so
	replyHash uint64
	replied   bool
}

// hashReply sets the key of the answers, and its hash, by which both the index is
// asked for and the session is made.
func (pl *plan) hashReply(sessions *flow.Table) {
	pl.reply.SetReverse(&pl.to)
	pl.replyHash, pl.replied = sessions.Hash(&pl.reply), true
}

// begin translates the first packet of a flow and makes its session.
func (n *NAT) begin(p *Packet, out routing.InterfaceID, now flow.Time, t *Translation) {
	if n.established(p, now, t) { // another worker was here first
		return
	}
	// The configuration may have changed since Inbound looked.
	r := n.active.Load()
	pl := plan{to: t.To, host: p.Key.Src}
	if t.To != p.Key {
		if !n.confirm(r, p, t, &pl) {
			t.Verdict = verdict.NATNoMapping
			return
		}
	}
	n.chooseRule(r, p, out, &pl)
	if pl.source == nil && pl.destination == nil && pl.remote == 0 {
		if pl.exempt != nil {
			t.Rule = ruleWord(pl.exempt.number, 0)
		}
		return
	}
	if !p.begins() && (!p.resumes() || pl.remote != 0) {
		t.Verdict = verdict.NATInvalidState
		return
	}
	n.make(r, p, &pl, now, t)
}

// confirm finds again what Inbound translated the destination by, and reports
// whether it is still there.
func (n *NAT) confirm(r *Rules, p *Packet, t *Translation, pl *plan) bool {
	if t.Rule != 0 {
		pl.destination = r.byNumber[destinationOf(t.Rule)]
		pl.host = t.To.Dst
		return pl.destination != nil
	}
	pl.remote = n.mappings.outside(p.Key.Dst, p.Key.Proto, p.Key.DstPort)
	pl.host = t.To.Dst
	if pl.remote == 0 {
		return false
	}
	m := n.mappings.at(pl.remote)
	return m.inside == t.To.Dst && m.insidePort == t.To.DstPort
}

// chooseRule finds the rule for the source of a new flow.
func (n *NAT) chooseRule(r *Rules, p *Packet, out routing.InterfaceID, pl *plan) {
	if pl.hairpins(r, p.In) {
		c, owner := r.hairpin(&p.Key, p.In)
		if c != nil {
			pl.use(c, r.from(c, owner))
			pl.host = p.Key.Src
			return
		}
		if pl.destination != nil {
			// An inside host that no source rule covers. Its server would
			// answer it directly, so it is given a port of the outside
			// address that it asked for.
			pl.pool = r.alias(pl.destination, p.Key.Dst)
			pl.host = p.Key.Src
			return
		}
	}
	key := pl.to
	key.Src, key.SrcPort = p.Key.Src, p.Key.SrcPort
	if c := r.outbound(&key, p.In, out); c != nil {
		pl.use(c, r.from(c, out))
		if c.method != Exempt {
			pl.host = p.Key.Src
		}
	}
}

// hairpins reports whether the source is to be an outside endpoint although
// the packet stays inside (RFC 4787 REQ-9a).
func (pl *plan) hairpins(r *Rules, in routing.InterfaceID) bool {
	switch c := pl.destination; {
	case r.leads[in]:
		return false
	case c != nil:
		return c.hairpin && (len(c.match.in) == 0 || !c.match.in.has(in))
	default:
		return pl.remote != 0
	}
}

func (pl *plan) use(c *rule, from *pool) {
	if c.method == Exempt {
		pl.exempt = c
		return
	}
	pl.source, pl.pool = c, from
}

// alias gives a pool for an inside host that uses the outside address of rule
// c and that no source rule covers: of the interface with the address, or one
// that the rule or anything masquerades by.
func (r *Rules) alias(c *rule, address uint32) *pool {
	if owner, ok := r.own[address]; ok && r.masks[owner] != nil {
		return r.masks[owner]
	}
	for _, id := range c.match.in {
		if r.masks[id] != nil {
			return r.masks[id]
		}
	}
	return nil
}
