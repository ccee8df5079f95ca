package dataplane

import (
	"fmt"
	"time"

	"routerd/acl"
	"routerd/internal/origin"
	"routerd/internal/verdict"
)

// zones finds what applies to packets that are forwarded from one zone to
// another, and drops those that no policy is for. Like the other stages of
// the filter it does not look at packets that belong to a session.
func zones(v *View, b *Batch, now time.Time) {
	if !b.filtering || !v.ACL.Zoned() {
		return
	}
	for _, p := range b.work {
		t := p.track
		if p.Verdict != verdict.None || !p.isAsked() || p.stack != noStack {
			continue
		}
		if t.way = v.ACL.Between(p.In, p.Out); t.way != nil && t.way.List == nil {
			b.counters.matched(t.way.Number, int(p.carried), len(p.ip()), now)
			t.asked, t.rule = true, t.way.Number+1
			p.drop(verdict.ZoneNoPolicy)
		}
	}
}

// aclZone has the list of the policy between two zones decide about a packet,
// with the hosts' own addresses: before its source is translated, and behind the
// translation of its destination.
func aclZone(v *View, b *Batch, now time.Time) {
	if !b.filtering || !v.ACL.Zoned() {
		return
	}
	for _, p := range b.work {
		if t := p.track; p.Verdict == verdict.None && t != nil && t.way != nil {
			p.decide(v, b, t.way.List, p.inside(), now)
		}
	}
}

func explainZones(v *View, p *Packet) Finding {
	t := p.track
	if t == nil || v.ACL == nil || t.state == acl.Established || p.stack != noStack {
		return Finding{}
	}
	switch {
	case p.Verdict == verdict.ZoneNoPolicy:
		t.asked = false
		return Finding{"dropped: no policy is for packets " + describeWay(t.way.From, t.way.To), t.way.Origin}
	case p.Verdict != verdict.None:
		return ended(p, origin.None)
	case t.way != nil:
		return Finding{fmt.Sprintf("%s: the policy says acl %s", describeWay(t.way.From, t.way.To), t.way.List.Name), t.way.Origin}
	}
	if zone := v.ACL.Zone(p.In); zone.Name != "" {
		return Finding{fmt.Sprintf("within the zone %s, where packets pass", zone.Name), zone.Origin}
	}
	return Finding{}
}

// describeWay names two zones, of which one may be none.
func describeWay(from, to string) string {
	end := func(zone string) string {
		if zone == "" {
			return "an interface in no zone"
		}
		return "the zone " + zone
	}
	return fmt.Sprintf("from %s to %s", end(from), end(to))
}
