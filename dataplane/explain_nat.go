package dataplane

import (
	"fmt"

	"routerd/flow"
	"routerd/internal/origin"
	"routerd/internal/verdict"
	"routerd/nat"
)

func explainNATIn(v *View, p *Packet) Finding {
	t := p.nat
	switch {
	case p.Verdict == verdict.FragmentHeld:
		return Finding{p.Verdict.Sentence(), origin.None}
	case t == nil && p.Verdict != verdict.None:
		return ended(p, origin.None)
	case t == nil:
		return Finding{}
	case p.Verdict != verdict.None:
		return t.refused(v, p, t.place(v, true))
	}
	text := ""
	if t.turned {
		k, to := &t.packet.Key, &t.to.To
		text = "destination " + endpoint(k.Dst, k.DstPort) + " becomes " + endpoint(to.Dst, to.DstPort)
	}
	if t.to.Inner != t.packet.Inner {
		text = joined(text, "the packet that the ICMP error quotes becomes "+flowText(&t.to.Inner))
	}
	if text == "" {
		return Finding{}
	}
	by := t.by(v)
	if by == "" {
		by = ", by a mapping that exists" // of an inside host to which this remote endpoint may open a flow
	}
	return Finding{text + by, t.place(v, true)}
}

func explainNATOut(v *View, p *Packet) Finding {
	t := p.nat
	if t == nil {
		return Finding{}
	}
	if p.Verdict != verdict.None {
		return t.refused(v, p, t.place(v, false))
	}
	k, to, text := &t.packet.Key, &t.to.To, ""
	if to.Src != k.Src || to.SrcPort != k.SrcPort {
		text = "source " + endpoint(k.Src, k.SrcPort) + " becomes " + endpoint(to.Src, to.SrcPort) + t.by(v)
	}
	if t.to.Session == nat.NoSession && t.to.Rule != 0 && !t.to.New && t.to.To == *k {
		text = "source " + endpoint(k.Src, k.SrcPort) + " stays" + t.rules(v)
	}
	if t.to.New {
		text = joined(text, "a new session would be made")
	}
	// On one link the inside host would answer the sender directly, from an
	// address that the sender has sent nothing to.
	if t.to.New && t.turned && p.In == p.Out && to.Src == k.Src {
		text = joined(text, "its source stays though it leaves by the link that it came in by: answers may go past the router, see hairpin")
	}
	return Finding{text, t.place(v, false)}
}

// refused is ended with the rules that applied, and with the limit if one was
// hit.
func (t *translation) refused(v *View, p *Packet, o origin.ID) Finding {
	f := ended(p, o)
	table, host := v.NAT.Limits()
	switch p.Verdict {
	case verdict.NATSessionLimit:
		f.Text += fmt.Sprintf(", max-sessions = %d", table)
	case verdict.NATHostLimit:
		f.Text += fmt.Sprintf(", max-sessions-per-host = %d", host)
	}
	f.Text += t.rules(v)
	return f
}

// place is where the rule that decides about the destination (in) or about the
// source stands in the configuration.
func (t *translation) place(v *View, in bool) origin.ID {
	first, second := v.NAT.RuleOrigins(t.to.Rule)
	// A reply has its destination translated by the rule of the flow's source,
	// and its source by the rule of the flow's destination.
	if answers := t.to.Direction == flow.Reply; in == answers {
		first, second = second, first
	}
	if first == origin.None {
		return second
	}
	return first
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// rules names them, in brackets.
func (t *translation) rules(v *View) string {
	if names := v.NAT.RuleNames(t.to.Rule); names != "" {
		return " (" + names + ")"
	}
	return ""
}

// by names the rules, and says whether there is a session.
func (t *translation) by(v *View) string {
	text := t.rules(v)
	if t.to.Session == nat.NoSession {
		return text
	}
	if t.to.Direction == flow.Reply {
		return text + ", by a session that exists, towards the side that began it"
	}
	return text + ", by a session that exists"
}

func flowText(k *flow.Key) string {
	return endpoint(k.Src, k.SrcPort) + " to " + endpoint(k.Dst, k.DstPort)
}
