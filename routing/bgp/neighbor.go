package bgp

import (
	"net/netip"
	"time"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// neighbor is a neighbour of the configuration.
type neighbor struct {
	machine *Machine
	cfg     NeighborConfig
	terms   Terms
	hops    HopTerms
	session *Session
	link    routing.InterfaceID // that it is on, NoInterface if it is on none
	since   time.Time           // it is up, or down, since

	// source is what its routes have come from since it is up, nil while it is not;
	// stale is that of the session before, while a restart is waited for.
	source, stale *source
	forget        *task                   // drops what is stale
	refreshing    [wire.NumFamilies]*task // ends refreshes that the neighbour does not
	lapse         [wire.NumFamilies]*task // drops long-lived routes
	begin         *task                   // has the session begin again after too many prefixes
	watched       *BFD                    // as it is watched, nil if it is not
	path          protocol.Path           // of watched
	reachable     bool                    // BFD has found it
	dynamic       netip.Prefix            // the range that it has connected from; invalid: it is configured
	arrived       time.Time               // of dynamic: when it has come
	over          bool                    // it has too many prefixes
	held          bool                    // down until it is cleared, because it had
	limits        [wire.NumFamilies]limited

	out      [wire.NumFamilies]outgoing
	defaults [wire.NumFamilies]originated
	messages NeighborCounts
}

// NeighborCounts count what came from a neighbour and what it was sent.
type NeighborCounts struct {
	Updates, Withdrawals, Announcements uint64 // that came
	Refused                             uint64 // announcements, with a fault or by the terms
	NoPolicy                            uint64 // announcements, since there is no import policy (RFC 8212)
	Filtered                            uint64 // announcements, by the import policy
	OverLimit                           uint64 // announcements, above the limit of prefixes (LimitBlock)
	Sent, Withdrawn                     uint64 // prefixes
}

// source is what routes have come from: a session with a neighbour, as long as it is up.
// The next session is another source, so that the routes of the last one can be dropped
// while those of the new one come.
type source struct {
	neighbor *neighbor // nil: the router itself
	number   uint16
	address  netip.Addr
	id       wire.RouterID
	terms    Terms
	multihop bool
	link     routing.InterfaceID
	// lost: its routes are not used, and are about to be dropped.
	lost bool
	// keep is for how long its routes are kept when the restart time is over, longLived the
	// families of which they are (RFC 9494).
	keep      [wire.NumFamilies]time.Duration
	longLived wire.Families
	sweeps    int
	routes    [wire.NumFamilies]int // accepted
	// kept are routes as they came; whole says that these are all.
	kept  [wire.NumFamilies]int
	whole [wire.NumFamilies]bool
	// rejected are routes that came and were not accepted, where these count for a limit,
	// each with the refresh that it came in.
	rejected [wire.NumFamilies]map[pathPrefix]uint16
	// ended are the families of which all has come (RFC 4724 §2).
	ended wire.Families
	// refreshing are those that are sent again, from a beginning to an end (RFC 7313).
	refreshing wire.Families
	// filling are those of refreshing whose routes have been kept from the beginning on, so
	// that all are in the end.
	filling wire.Families
	// announced counts the announcements that came, whatever became of them.
	announced [wire.NumFamilies]uint64
}

func (m *Machine) newNeighbor(c NeighborConfig) *neighbor {
	n := &neighbor{machine: m, cfg: c, link: routing.NoInterface, since: m.now}
	n.terms = c.terms(&m.cfg)
	n.session = NewSession(c.session(&m.cfg), n, &m.alarms, m.random, &m.update)
	n.forget = newTask(n, 0, func(m *Machine, t *task) { m.forgetStale(t.neighbor) })
	for f := range n.refreshing {
		n.lapse[f] = newTask(n, wire.Family(f), func(m *Machine, t *task) { m.endLongLived(t.neighbor, t.family) })
		n.refreshing[f] = newTask(n, wire.Family(f), func(m *Machine, t *task) { m.refreshed(t.neighbor, t.family) })
	}
	n.begin = newTask(n, 0, func(m *Machine, t *task) { m.start(t.neighbor) })
	return n
}

// start has the session begin, unless it is shut down or has no link.
func (m *Machine) start(n *neighbor) {
	n.held = false
	m.tasks.Stop(&n.begin.timer)
	if !n.cfg.Shutdown && !n.unlinked() {
		m.session(n.session, func() []protocol.Effect { return n.session.Start(m.now, m.out) })
	}
}

// unlinked reports whether the link that the neighbour is to be on is not there, or its
// address there is not known yet.
func (n *neighbor) unlinked() bool {
	return n.cfg.unlinked() || n.cfg.Unnumbered && !n.cfg.Address.IsValid()
}

// halt ends the session until it is started.
func (m *Machine) halt(n *neighbor, why wire.Notification) {
	m.session(n.session, func() []protocol.Effect { return n.session.Stop(m.now, why, m.out) })
	m.dropStale(n)
}

// NextStream numbers a connection that is dialled.
func (n *neighbor) NextStream() protocol.StreamID {
	m := n.machine
	m.number++
	m.streams[m.number] = stream{neighbor: n, link: routing.NoInterface}
	return m.number
}

// Established: a new source of routes begins, and the neighbour is sent all.
func (n *neighbor) Established(s *Session) {
	m := n.machine
	theirs, agreed := s.Theirs(), s.Agreed()
	n.since, n.over, n.limits = m.now, false, [wire.NumFamilies]limited{}
	n.terms.LongLived = theirs.Capabilities.LongLived.Present
	if n.cfg.AnyExternal {
		n.terms.AS = theirs.AS
	}
	at := m.streams[s.main.stream]
	n.place(at.local, agreed)
	n.source = m.newSource(n, theirs.ID)
	n.keeps(nil)
	if n.stale != nil {
		m.returns(n, &theirs.Capabilities, agreed.Families)
	}
	for f := range wire.Family(wire.NumFamilies) {
		n.defaults[f] = originated{due: true}
		if agreed.Families.Has(f) {
			m.join(n, f)
		}
	}
	n.event(SessionUp, nil)
}

// Ended: the routes are dropped, or kept for a restart.
func (n *neighbor) Ended(s *Session, keep bool) {
	m := n.machine
	n.since = m.now
	gone := n.source
	n.source = nil
	for f := range n.out {
		m.leave(&n.out[f])
		m.tasks.Stop(&n.refreshing[f].timer)
	}
	m.dropStale(n) // RFC 4724 §4.2: what was stale before is not kept once more
	if gone != nil {
		for f := range wire.Family(wire.NumFamilies) {
			m.dropReceived(gone, f)
		}
		if !keep || n.over || n.held {
			m.drop(gone)
		} else {
			m.keepStale(n, gone, &s.Theirs().Capabilities)
		}
	}
	n.event(SessionDown, s.ending)
}

// dropStale drops what the session before has left.
func (m *Machine) dropStale(n *neighbor) {
	m.tasks.Stop(&n.forget.timer)
	for f := range n.lapse {
		m.tasks.Stop(&n.lapse[f].timer)
	}
	if n.stale != nil {
		m.drop(n.stale)
		n.stale = nil
	}
}

// Refresh has the family sent once more (RFC 2918 §4), or is about the neighbour sending it.
func (n *neighbor) Refresh(_ *Session, r wire.Refresh) {
	switch r.Subtype {
	case wire.RefreshRequest:
		n.defaults[r.Family].due = true
		n.machine.resend(&n.out[r.Family])
	case wire.RefreshBegin:
		n.machine.refreshBegins(n, r.Family)
	case wire.RefreshEnd:
		n.machine.refreshed(n, r.Family)
	}
}

// place finds out which of the router's links the neighbour is on, and what next hops it
// is given.
func (n *neighbor) place(local netip.Addr, agreed *wire.Session) {
	m := n.machine
	n.link = n.cfg.Link
	n.hops = HopTerms{
		Peer: n.cfg.Address, Self: n.cfg.NextHopSelf, SelfReflected: n.cfg.NextHopSelf && n.cfg.NextHopSelfReflected,
		Unchanged: n.cfg.NextHopUnchanged,
		Extended:  agreed.ExtendedNextHop.Has(wire.IPv4Unicast), OverIPv6: local.Is6(),
	}
	if local.Is4() {
		n.hops.Own[wire.IPv4Unicast] = local
	} else if local.IsValid() && !local.IsLinkLocalUnicast() {
		n.hops.Own[wire.IPv6Unicast] = local
	}
	for id, l := range m.links {
		has, shared := id == n.cfg.Link, id == n.cfg.Link
		for _, p := range l.Addresses {
			has = has || p.Addr() == local
			shared = shared || p.Addr() == local && p.Contains(n.cfg.Address)
		}
		if !has {
			continue
		}
		for _, p := range l.Addresses {
			a := p.Addr()
			f := wire.FamilyFor(p)
			switch {
			case a.IsLinkLocalUnicast() && a.Is6():
				if shared {
					n.hops.LinkLocal = a
				}
			case !n.hops.Own[f].IsValid():
				n.hops.Own[f] = a
			}
			if shared {
				n.link = id
				n.hops.Subnets = append(n.hops.Subnets, p.Masked())
			}
		}
	}
}

func (m *Machine) newSource(n *neighbor, id wire.RouterID) *source {
	s := &source{
		neighbor: n, address: n.cfg.Address, id: id, terms: n.terms, link: n.link,
		multihop: n.cfg.Multihop > 1,
	}
	if k := len(m.freed); k > 0 {
		s.number, m.freed = m.freed[k-1], m.freed[:k-1]
		m.sources[s.number] = s
		return s
	}
	s.number = uint16(len(m.sources))
	m.sources = append(m.sources, s)
	return s
}

// drop drops all routes of a source.
func (m *Machine) drop(s *source) {
	s.lost = true
	for f := range wire.Family(wire.NumFamilies) {
		m.dropFamily(s, f)
	}
}
