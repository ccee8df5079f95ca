package bgp

import (
	"fmt"
	"net/netip"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/policy"
)

// Peering is what a page of routes of a neighbour says of itself.
type Peering struct {
	Known bool // there is such a neighbour
	Up    bool // its session is up, and has the family
	// Kept: what it sends is kept before policies. Whole: since the session is up, so that
	// nothing is missing.
	Kept, Whole bool
	// Next is where the next page begins, invalid after the last one.
	Next netip.Prefix
}

// ReceivedStatus is a route as a neighbour has sent it, before policies. Its attributes must
// not be changed.
type ReceivedStatus struct {
	Prefix     netip.Prefix
	PathID     uint32
	Attributes wire.Attributes
	// Accepted: it is in the table, with the attributes that policies have given it. Else
	// Why says what keeps it out, and Policy and Statement are what has rejected it, if
	// they have.
	Accepted          bool
	Why               string
	Policy, Statement string
}

// ReceivedPage is a page of up to most routes of a family as a neighbour has sent them, in
// the order of prefixes behind after, within the prefix of that name if it is valid; with
// filtered, those that are not accepted.
func (m *Machine) ReceivedPage(of netip.Addr, link routing.InterfaceID, f wire.Family, filtered bool, within, after netip.Prefix, most int) (list []ReceivedStatus, p Peering) {
	n := m.neighbor(of, link)
	p = n.peering(f)
	r := m.ribs[f]
	if !p.Up || !p.Kept || r.received == nil {
		return nil, p
	}
	p.Next = m.page(r.received, after, within, func(number uint32) bool {
		prefix := r.received.Prefix(number)
		for c := range r.received.Routes(number) {
			if c.Source != n.source.number {
				continue
			}
			s := ReceivedStatus{Prefix: prefix, PathID: c.Path, Accepted: r.table.Has(prefix, c.Source, c.Path)}
			if filtered && s.Accepted {
				continue
			}
			c.Attributes.octets.Read(&s.Attributes)
			if !s.Accepted {
				m.refusal(n, f, &s)
			}
			list = append(list, s)
		}
		return len(list) >= min(most, pageMost)
	})
	return list, p
}

// peering is what there is to be said of a neighbour, which may be nil, and a family.
func (n *neighbor) peering(f wire.Family) (p Peering) {
	if n == nil {
		return p
	}
	p.Known, p.Kept = true, n.cfg.Families[f].KeepReceived
	if n.source != nil {
		p.Up, p.Whole = n.out[f].open(), n.source.whole[f]
	}
	return p
}

// refusal says why a route that has come is not in the table.
func (m *Machine) refusal(n *neighbor, f wire.Family, s *ReceivedStatus) {
	m.given = s.Attributes
	if why := m.admit(n, f); why != Permitted {
		s.Why = why.Words()
		return
	}
	m.seen = PolicyAttributes{Attributes: m.given, Neighbor: n.cfg.Address}
	m.policies = policy.Route{
		Prefix: s.Prefix, Source: sourceOf(n.terms.External), NextHop: hopAddress(m.given.NextHop), Attributes: &m.seen,
	}
	chain := n.cfg.Families[f].Import.Chain
	steps, accepted := chain.Explain(&m.policies)
	switch last := len(steps) - 1; {
	case accepted && !m.policies.Attributes.(*PolicyAttributes).Fits():
		s.Why = "its AS path or its communities have become too long for a message"
	case accepted && n.full(f):
		s.Why = fmt.Sprintf("the neighbour has %d routes, and no more are taken", n.cfg.Families[f].MaximumPrefixes)
	case accepted:
		s.Why = "it has not been through the import policy yet"
	case last >= 0 && steps[last].Decision == policy.Rejected:
		s.Policy, s.Statement = steps[last].Policy, steps[last].Statement
		s.Why = fmt.Sprintf("statement %s of policy %s rejects it", s.Statement, s.Policy)
	default:
		s.Policy = chain[len(chain)-1].Name
		s.Why = fmt.Sprintf("no statement accepts it, to the end of policy %s", s.Policy)
	}
}

// AdvertisedStatus is a route as a neighbour was sent it.
type AdvertisedStatus struct {
	Prefix     netip.Prefix
	PathID     uint32          // 0 where the neighbour is sent the best route alone
	Attributes wire.Attributes // must not be changed
	From       netip.Addr      // that it came from; invalid: it is the router's own
	// Pending: it has changed since, and is about to be sent again or withdrawn; the
	// attributes are those that it will be sent with, none if it is withdrawn.
	Pending, Withdrawn bool
	Originated         bool // a default route for this neighbour alone, see [DefaultOriginate]
}

// AdvertisedPage is a page of up to most routes of a family that a neighbour was sent, in
// the order of prefixes behind after, within the prefix of that name if it is valid.
func (m *Machine) AdvertisedPage(to netip.Addr, link routing.InterfaceID, f wire.Family, within, after netip.Prefix, most int) (list []AdvertisedStatus, p Peering) {
	n := m.neighbor(to, link)
	p = n.peering(f)
	if !p.Up {
		return nil, p
	}
	if d := defaultPrefixes[f]; n.defaults[f].sent && !after.IsValid() && (!within.IsValid() || within == d) {
		s := AdvertisedStatus{Prefix: d, Originated: true, Pending: n.defaults[f].due}
		if m.prepareDefault(n, f) {
			wire.Set(m.given.AppendSet(nil)).Read(&s.Attributes)
		} else {
			s.Pending, s.Withdrawn = true, true
		}
		list = append(list, s)
	}
	r, o := m.ribs[f], &n.out[f]
	p.Next = m.page(r.table, after, within, func(number uint32) bool {
		if o.has(number) {
			list = m.advertised(list, n, r, o, number)
		}
		return len(list) >= min(most, pageMost)
	})
	return list, p
}

// advertised appends what a neighbour was sent of a prefix: what follows from what was
// chosen, and of several paths from their routes.
func (m *Machine) advertised(list []AdvertisedStatus, n *neighbor, r *rib, o *outgoing, number uint32) []AdvertisedStatus {
	c := r.at(number)
	waits := o.pending(number) || c.attributes != 0 && c.source != 0 && r.waits(number)
	one := func(it item, sent bool) {
		s := AdvertisedStatus{Prefix: r.table.Prefix(number), PathID: it.path, Pending: waits}
		if sent {
			hops := n.hops
			hops.Peer = n.cfg.Address
			_, sent = m.prepare(o.lane.group, r, &it, &hops)
		}
		if sent {
			s.From = m.sources[it.source].address
			wire.Set(m.given.AppendSet(nil)).Read(&s.Attributes)
		} else {
			s.Pending, s.Withdrawn = true, true
		}
		list = append(list, s)
	}
	if o.lane.paths == nil {
		it := item{number: number, source: c.source, attributes: c.attributes - 1}
		one(it, c.attributes != 0 && m.sources[c.source].neighbor != n)
		return list
	}
	for p := range o.lane.paths.all(number) {
		if p.from == n {
			continue
		}
		it := item{number: number, path: p.id}
		found := false
		for x := range r.table.Routes(number) {
			if x.ID == p.id && m.sources[x.Source].neighbor != n {
				it.source, it.attributes, found = x.Source, x.Attributes.number, true
			}
		}
		one(it, found)
	}
	return list
}
