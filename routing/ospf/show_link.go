package ospf

import (
	"net/netip"
	"time"

	"routerd/routing"
	"routerd/routing/ospf/wire"
)

// InterfaceInfo is an interface that speaks the protocol or is passive, or a
// virtual link, for the show commands.
type InterfaceInfo struct {
	Interface routing.InterfaceID // NoInterface of a virtual link
	Name      string              // of a virtual link: what it is in words
	Area      wire.ID
	Config    InterfaceConfig // shared, only to be read
	Network   NetworkType
	State     InterfaceState
	Since     time.Time // of State
	Address   netip.Prefix
	// Unnumbered: Address is that of another interface.
	Unnumbered bool
	Cost       uint16
	MTU        int
	// DR and BDR are what they are called on the network, RouterDR and RouterBDR
	// their router IDs where these are known; 0 where there is none.
	DR, BDR, RouterDR, RouterBDR wire.ID
	Neighbors, Full              int
	NextHello                    time.Time // zero: none is sent
	WaitUntil                    time.Time // for the first election; zero: no longer
	LSAs                         int       // of the link's scope
	ToFlood, ToAcknowledge       int       // LSAs
	Counters                     Counters
	Refused                      LastRefusal
	// Peer and Transit are of a virtual link: the router at the other end, and the
	// area between.
	Peer, Transit wire.ID
	Virtual       bool
}

// Interfaces returns copies of the interfaces that are active, by number, and of
// virtual links behind them.
func (m *Machine) Interfaces() []InterfaceInfo {
	var list []InterfaceInfo
	for _, l := range m.order {
		if l.active() {
			list = append(list, m.interfaceInfo(l))
		}
	}
	return list
}

func (m *Machine) interfaceInfo(l *link) InterfaceInfo {
	x := InterfaceInfo{
		Interface: l.id, Name: l.describe(), Area: l.area.ID, Config: l.cfg, Network: l.network, State: l.state, Since: l.since,
		Address: l.address, Unnumbered: l.unnumbered, Cost: m.cost(l), MTU: l.mtu,
		DR: l.dr, BDR: l.bdr, RouterDR: m.called(l, l.dr), RouterBDR: m.called(l, l.bdr),
		Neighbors: len(l.neighbors), Full: l.full(), NextHello: remains(&l.hello), WaitUntil: remains(&l.wait),
		ToFlood: l.updates.len(), ToAcknowledge: len(l.acks), Counters: l.counters, Refused: l.refused,
		Peer: l.peer, Virtual: l.virtual(),
	}
	if l.virtual() {
		x.Transit = l.transit.ID
	}
	if l.db != nil {
		var n LSACounts
		n.count(l.db)
		x.LSAs = n.Sum()
	}
	return x
}

// called gives the router of a name on a link, 0 if it is not known.
func (m *Machine) called(l *link, name wire.ID) wire.ID {
	if name != 0 && name == l.self() {
		return m.router
	}
	if n := l.index[name]; n != nil && name != 0 {
		return n.router
	}
	return 0
}

// Role is what a neighbour is on its network.
type Role uint8

const (
	NoRole Role = iota // the network elects nobody
	RoleDR
	RoleBDR
	RoleOther
)

var roles = [...]string{"", "dr", "bdr", "other"}

// String gives the name used in tables and JSON, "" for NoRole.
func (r Role) String() string {
	if int(r) >= len(roles) {
		return "unknown"
	}
	return roles[r]
}

// NeighborInfo is a neighbour for the show commands.
type NeighborInfo struct {
	Interface  routing.InterfaceID // NoInterface over a virtual link
	Name       string              // of the interface
	Area       wire.ID
	Router     wire.ID // 0 until it is heard
	Address    netip.Addr
	Priority   uint8
	Role       Role
	DR, BDR    wire.ID // as its Hellos name them
	Options    wire.Options
	Configured bool
	State      NeighborState
	Since      time.Time // of State
	Heard      time.Time // its last Hello; zero: none
	DeadAt     time.Time // unless it is heard; zero: nothing is awaited
	// Master: this router leads the exchange. Described counts the LSAs that it
	// does not know of yet, Requested those that it is asked for, Unacknowledged
	// those that it has not acknowledged.
	Master                               bool
	Sequence                             uint32 // of the exchange
	Described, Requested, Unacknowledged int
	BFD                                  *BFD // as it is watched; nil: not
	Dead                                 bool // by BFD
	Counters                             NeighborCounters
	// GraceUntil is until when the router helps it with a restart; zero: it does
	// not. GraceReason is why it restarts, GraceEnded why the last time ended or
	// was refused; nil if there was none.
	GraceUntil  time.Time
	GraceReason RestartReason
	GraceEnded  error
}

// Neighbors returns copies of the neighbours by interface and name.
func (m *Machine) Neighbors() []NeighborInfo {
	var list []NeighborInfo
	for _, l := range m.order {
		if !l.active() {
			continue
		}
		for _, n := range l.neighbors {
			list = append(list, n.info())
		}
	}
	return list
}

func (n *neighbor) info() NeighborInfo {
	l := n.link
	return NeighborInfo{
		Interface: l.id, Name: l.describe(), Area: l.area.ID, Router: n.router, Address: n.address, Priority: n.priority,
		Role: l.role(called(n.address)), DR: n.dr, BDR: n.bdr, Options: n.options, Configured: n.cfg != nil,
		State: n.state, Since: n.since, Heard: n.heard, DeadAt: remains(&n.inactivity),
		Master: n.exchange.master, Sequence: n.exchange.sequence,
		Described: len(n.exchange.summary), Requested: n.requests.len(), Unacknowledged: n.unacked.len(),
		BFD: n.watching(), Dead: n.dead, Counters: n.counters,
		GraceUntil: n.grace.until, GraceReason: n.grace.reason, GraceEnded: n.grace.ended,
	}
}

// role is that of who is called name on the link.
func (l *link) role(name wire.ID) Role {
	switch {
	case !l.network.Elects():
		return NoRole
	case name == l.dr:
		return RoleDR
	case name == l.bdr:
		return RoleBDR
	}
	return RoleOther
}
