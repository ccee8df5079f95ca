package nat

import (
	"net/netip"
	"slices"
	"strings"

	"routerd/flow"
	"routerd/internal/origin"
)

// Endpoints are the endpoints of a session, whichever side opened it. The port
// of an ICMP query's initiator is the identifier; 0 if there is no port.
type Endpoints struct {
	Inside  netip.AddrPort // of the host that the session counts for
	Outside netip.AddrPort // what Inside is translated to
	Remote  netip.AddrPort // the other end
	// Seen is the address by which Inside sees Remote. It differs if both
	// addresses are translated, as when an inside host is reached by its
	// outside address.
	Seen netip.AddrPort
}

// EndpointsOf gives the endpoints of s.
func EndpointsOf(s *flow.Session) Endpoints {
	f, r := &s.Forward, &s.Reply
	e := Endpoints{addrPort(f.Src, f.SrcPort), addrPort(r.Dst, r.DstPort), addrPort(r.Src, r.SrcPort), addrPort(f.Dst, f.DstPort)}
	if s.InsideReply {
		return Endpoints{Inside: e.Remote, Outside: e.Seen, Remote: e.Inside, Seen: e.Outside}
	}
	return e
}

func addrPort(a uint32, port uint16) netip.AddrPort { return netip.AddrPortFrom(addr(a), port) }

// EndpointFilter says which endpoints match.
type EndpointFilter struct {
	Addresses netip.Prefix // the zero Prefix = any
	Port      uint16       // 0 = any
}

// has reports whether one of the endpoints matches f.
func (f *EndpointFilter) has(list ...netip.AddrPort) bool {
	return slices.ContainsFunc(list, func(e netip.AddrPort) bool {
		return (!f.Addresses.IsValid() || f.Addresses.Contains(e.Addr())) && (f.Port == 0 || f.Port == e.Port())
	})
}

// Filter says which sessions are shown or cleared: those that match all of it.
// The zero Filter matches every session.
type Filter struct {
	Protocol uint8          // 0 = any
	Inside   EndpointFilter // see Endpoints
	Outside  EndpointFilter // also Seen, if that is translated
	Remote   EndpointFilter // or Seen
	Port     uint16         // of either side, before or after translation; 0 = any
	Rule     string         // the name of a rule of any kind
}

// has reports whether s, whose rules are r's, matches.
func (f *Filter) has(r *Rules, s *flow.Session) bool {
	forward, reply := &s.Forward, &s.Reply
	if f.Protocol != 0 && forward.Proto != f.Protocol {
		return false
	}
	if f.Port != 0 && !slices.Contains([]uint16{forward.SrcPort, forward.DstPort, reply.SrcPort, reply.DstPort}, f.Port) {
		return false
	}
	e := EndpointsOf(s)
	outside := []netip.AddrPort{e.Outside, e.Seen}
	if e.Seen == e.Remote {
		outside = outside[:1]
	}
	if !f.Inside.has(e.Inside) || !f.Outside.has(outside...) || !f.Remote.has(e.Remote, e.Seen) {
		return false
	}
	return f.Rule == "" || slices.ContainsFunc(r.ruleIDs(s.Rule), func(id ruleID) bool { return id.name == f.Rule })
}

func (r *Rules) ruleIDs(word uint32) []ruleID {
	var ids []ruleID
	for _, number := range []uint16{destinationOf(word), sourceOf(word)} {
		if c := r.byNumber[number]; c != nil && !slices.Contains(ids, c.id()) {
			ids = append(ids, c.id())
		}
	}
	return ids
}

// RuleNames gives the rules of a session or translation, as "destination web,
// source lan-out"; "" for none, as for the router's own.
func (n *NAT) RuleNames(word uint32) string {
	var names []string
	for _, id := range n.active.Load().ruleIDs(word) {
		names = append(names, id.String())
	}
	return strings.Join(names, ", ")
}

// RuleOrigins gives the places of the destination rule and the source rule of a
// session or translation; origin.None if there is none.
func (n *NAT) RuleOrigins(word uint32) (destination, source origin.ID) {
	r := n.active.Load()
	place := func(number uint16) origin.ID {
		if c := r.byNumber[number]; c != nil {
			return c.origin
		}
		return origin.None
	}
	return place(destinationOf(word)), place(sourceOf(word))
}

// RulesOf gives the names of the rules of a session, that of its destination
// first; none for the router's own.
func (n *NAT) RulesOf(s *flow.Session) []string {
	var names []string
	for _, id := range n.active.Load().ruleIDs(s.Rule) {
		names = append(names, id.name)
	}
	return names
}

// Clear ends the sessions that f matches and gives their number.
func (n *NAT) Clear(f Filter) int {
	r := n.active.Load()
	return n.end(func(s *flow.Session) bool { return f.has(r, s) })
}

// Walk copies sessions that f matches into a slice, from the number after
// cursor on, and gives how many and the cursor to go on with; that is 0 at the
// end. A call looks at a bounded part of the table, so it may give none and
// yet not be the last.
func (n *NAT) Walk(f Filter, cursor uint32, into []flow.Session) (int, uint32) {
	got, next := n.sessions.Walk(cursor, into)
	r, kept := n.active.Load(), 0
	for i := range into[:got] {
		if f.has(r, &into[i]) {
			into[kept] = into[i]
			kept++
		}
	}
	return kept, next
}

// RuleState is one rule as `show nat rule` has it.
type RuleState struct {
	Kind   Kind
	Name   string
	Origin origin.ID
	// Sessions are the present ones, Made all since the rule was last changed.
	// Exhausted, TableFull and HostFull are new flows refused for lack of a
	// port, because of max-sessions, and because of max-sessions-per-host.
	Sessions                             int
	Made, Exhausted, TableFull, HostFull uint64
}

// RuleStates lists the rules in the order in which they are tried.
func (n *NAT) RuleStates() []RuleState {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []RuleState
	for _, c := range n.active.Load().all {
		s := n.counts[c.number].state()
		s.Kind, s.Name, s.Origin = c.kind, c.name, c.origin
		list = append(list, s)
	}
	return list
}

func (c *counts) state() RuleState {
	return RuleState{Sessions: c.active, Made: c.made, Exhausted: c.exhausted, TableFull: c.full, HostFull: c.host}
}

// Totals are the sums over all rules and the router's own flows; Kind and Name
// are not set.
func (n *NAT) Totals() RuleState {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.totals.state()
}

// Evicted counts unanswered sessions that were ended to make room in the table,
// and to free their ports.
func (n *NAT) Evicted() (table, ports uint64) {
	n.mu.Lock()
	ports = n.evicted
	n.mu.Unlock()
	return n.sessions.Stats().Evicted, ports
}

// Limits gives the sessions that the table and one inside host may have.
func (n *NAT) Limits() (table, host int) {
	r := n.active.Load()
	return r.limit, r.perHost
}

// PoolState is one pool as `show nat pool` shows it: a configured pool, a
// rule's fixed address, or the address of an interface.
type PoolState struct {
	Kind      PoolKind
	Name      string // of the pool or interface; a fixed address itself
	Addresses []flow.AddressRange
	Size      int // addresses
	Ports     flow.PortRange
	// Ports in use of each protocol, by mappings, the router's own flows, and
	// reservations of rules and listeners; and how many there are in all.
	TCP, UDP, ICMP, Capacity int
	Mappings                 int
	Refused                  uint64  // new flows, for lack of a port
	Empty                    []uint8 // protocols in which the pool has no port left
}

// PoolStates lists the pools that rules take addresses from. The ports in use
// are counted without the mutex, since that takes a while for a large pool.
func (n *NAT) PoolStates() []PoolState {
	pools, list := n.poolStates()
	for i, p := range pools {
		s := &list[i]
		for slot, used := range []*int{&s.TCP, &s.UDP, &s.ICMP} {
			*used = p.used(slot)
		}
	}
	return list
}

// PoolRefusals is PoolStates without the ports in use, which it leaves at 0:
// cheap enough for every second.
func (n *NAT) PoolRefusals() []PoolState {
	_, list := n.poolStates()
	return list
}

func (n *NAT) poolStates() (pools []*pool, list []PoolState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	pools = n.active.Load().pools
	for _, p := range pools {
		list = append(list, p.state())
	}
	return pools, list
}

// state is p's state without the ports in use.
func (p *pool) state() PoolState {
	s := PoolState{
		Kind: p.kind, Name: p.name, Size: len(p.spaces), Ports: flow.PortRange{First: p.first, Last: p.last},
		Mappings: p.mappings, Refused: p.refused,
	}
	s.Capacity = s.Size * s.Ports.Size()
	for _, i := range p.ranges {
		s.Addresses = append(s.Addresses, flow.AddressRange{First: addr(i.lo), Last: addr(i.hi)})
	}
	for i, empty := range p.empty {
		if empty {
			s.Empty = append(s.Empty, slotProtocols[i])
		}
	}
	return s
}

// used counts ports of one protocol.
func (p *pool) used(slot int) int {
	n := 0
	for _, sp := range p.spaces {
		if set := sp.sets[slot].Load(); set != nil {
			n += set.Used(p.first, p.last)
		}
	}
	return n
}
