package dataplane

import (
	"routerd/flow"
	"routerd/internal/origin"
	"routerd/internal/verdict"
	"routerd/nat"
)

func tellNATIn(v *View, p *Packet) Finding {
	t := p.nat
	switch {
	case p.Verdict == verdict.FragmentHeld:
		return Finding{p.Verdict.Sentence(), origin.None}
	case p.Verdict != verdict.None:
		return ended(p, origin.None)
	case t == nil:
		return Finding{}
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
	return Finding{text + t.by(v), origin.None}
}

func tellNATOut(v *View, p *Packet) Finding {
	t := p.nat
	if t == nil {
		return Finding{}
	}
	if p.Verdict != verdict.None {
		return ended(p, origin.None)
	}
	k, to, text := &t.packet.Key, &t.to.To, ""
	if to.Src != k.Src || to.SrcPort != k.SrcPort {
		text = "source " + endpoint(k.Src, k.SrcPort) + " becomes " + endpoint(to.Src, to.SrcPort) + t.by(v)
	}
	if t.to.New {
		text = joined(text, "a new session would be made")
	}
	return Finding{text, origin.None}
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// by names the rules, and says whether there is a session.
func (t *translation) by(v *View) string {
	text := ""
	if names := v.NAT.RuleNames(t.to.Rule); names != "" {
		text = " (" + names + ")"
	}
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
