package nat

import (
	"routerd/flow"
	"routerd/internal/verdict"
	"routerd/routing"
)

// Outbound completes t, which Inbound has filled, when the egress interface is
// known: it translates the source of a new flow and makes its session. For a
// packet of the router's own (Own), for which Inbound is not called, it fills
// all of t.
func (n *NAT) Outbound(p *Packet, out routing.InterfaceID, now flow.Time, t *Translation) {
	if p.Own {
		n.outboundOwn(p, now, t)
		return
	}
	if t.Session != NoSession || t.Verdict != verdict.None {
		return
	}
	r := n.active.Load()
	if t.To == p.Key && !r.translated(out) && !r.cfg.Track {
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
		defer func() { n.random = random }() // so that the real packet would get the port that was shown
	}
	n.begin(p, out, now, t)
}

// plan is how the first packet of a flow will be translated.
type plan struct {
	source      *rule   // nil if the source stays
	destination *rule   // nil if the destination stays or was found by a mapping
	pool        *pool   // of source, unless that is static
	paired      pairing // of the inside host and pool, set by place
	to          flow.Key
	exempt      *rule  // the rule that says that the source stays, if one does
	remote      uint32 // number of the mapping by which the destination was found
	host        uint32

	reply     flow.Key // the key of the replies, with its hash; valid if replied is set
	replyHash uint64
	replied   bool
}

// hashReply sets the key of the replies and its hash, which prefetching and
// making the session use.
func (pl *plan) hashReply(sessions *flow.Table) {
	pl.reply.SetReverse(&pl.to)
	pl.replyHash, pl.replied = sessions.Hash(&pl.reply), true
}

// begin translates the first packet of a flow and makes its session.
func (n *NAT) begin(p *Packet, out routing.InterfaceID, now flow.Time, t *Translation) {
	if n.established(p, now, t) { // another worker has made the session meanwhile
		return
	}
	if !p.Dry {
		n.makeWay(&p.Key)
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
		if r.cfg.Track {
			n.track(r, p, &pl, now, t)
		}
		if pl.exempt != nil {
			t.Rule = ruleWord(pl.exempt.number, 0)
		}
		return
	}
	if !p.Begins() && (!p.Resumes() || pl.remote != 0) {
		t.Verdict = verdict.NATInvalidState
		return
	}
	n.make(r, p, &pl, now, t)
}

// confirm finds again the rule or mapping by which Inbound translated the
// destination, and reports whether it still exists.
func (n *NAT) confirm(r *Rules, p *Packet, t *Translation, pl *plan) bool {
	if t.Rule != 0 {
		pl.destination = r.byNumber[destinationOf(t.Rule)]
		pl.host = t.To.Dst
		return pl.destination != nil
	}
	pl.remote = n.mappingAt(p.Key.Dst, p.Key.Proto, p.Key.DstPort)
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
			// No source rule covers the inside host. The server would reply to
			// it directly, so its source becomes a port of the outside address
			// that it sent to.
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

func (pl *plan) use(c *rule, from *pool) {
	if c.method == Exempt {
		pl.exempt = c
		return
	}
	pl.source, pl.pool = c, from
}
