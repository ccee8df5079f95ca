package rip

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"routerd/routing"
)

// Counters count the packets of an interface since it came up. A dropped packet
// is counted once.
type Counters struct {
	// Updates are packets sent: regular, triggered, answers and goodbyes.
	Updates [4]uint64
	Asked   uint64 // requests sent

	Requests, Responses uint64 // received and accepted
	BadEntries          uint64 // in packets that were otherwise accepted

	Own         uint64 // sent by the router itself
	Malformed   uint64
	Version     uint64 // version not accepted
	SourcePort  uint64 // responses from another source port
	OffLink     uint64 // source address not on the link
	HopLimit    uint64 // sent from off the link
	Unauthentic uint64
	Unanswered  uint64 // requests beyond the number answered at a time
	TableFull   uint64 // routes beyond MaxRoutes
	NotAllowed  uint64 // source not among the allowed neighbours

	MaximumPrefix uint64 // routes beyond a neighbour's maximum
	Dead          uint64 // from a neighbor whose BFD session is down
}

// RouteInfo is a route for the show commands.
type RouteInfo struct {
	Prefix netip.Prefix
	State  string // learned, connected, default, redistributed, dying
	Source routing.Source
	Metric uint8
	Tag    uint16
	Paths  []PathInfo
	Since  time.Time // of the last change
	// Expires is when the route dies unless it is refreshed, or when a dying
	// one is deleted; zero for own routes.
	Expires time.Time
}

// PathInfo is a neighbour through which a route is reachable.
type PathInfo struct {
	Neighbor  netip.Addr
	NextHop   netip.Addr
	Interface routing.InterfaceID
	Tag       uint16
	Heard     time.Time
}

// NeighborInfo is a neighbour for the show commands.
type NeighborInfo struct {
	Interface                       routing.InterfaceID
	Name                            string // of the interface
	Address                         netip.Addr
	Version                         uint8
	Routes                          int
	Since, Heard                    time.Time
	Packets, BadPackets, BadEntries uint64

	Watched bool // by BFD
	Dead    bool // which says so

	MaximumPrefix int    // routes that it may announce
	Beyond        uint64 // announcements beyond that
}

// InterfaceInfo is an interface that speaks the protocol, for the show
// commands.
type InterfaceInfo struct {
	Interface  routing.InterfaceID
	Name       string
	Config     InterfaceConfig // shared, only to be read
	Sources    []netip.Addr
	Neighbors  int
	Routes     int
	NextUpdate time.Time // zero where none is sent
	Sending    int       // updates and answers under way
	Counters   Counters
}

// Summary describes the machine as a whole.
type Summary struct {
	Routes, Learned, Dying  int
	Neighbors, Interfaces   int
	PendingTriggered        int // routes waiting for the next triggered update
	NextTriggered, NextAsks time.Time
}

// Summary returns the totals.
func (m *Machine) Summary() Summary {
	s := Summary{Routes: len(m.table.routes), Learned: m.table.learned, PendingTriggered: len(m.table.changed) + len(m.table.again), NextAsks: m.asking.at}
	for r := m.table.dying.front(); r != nil; r = r.inDying.next.of {
		s.Dying++
	}
	for _, i := range m.order {
		if i.active {
			s.Interfaces++
			s.Neighbors += len(i.neighbors)
		}
	}
	if s.PendingTriggered > 0 {
		s.NextTriggered = m.trigger.due()
	}
	return s
}

// Routes returns copies of up to limit routes, in order, beginning with the
// first prefix greater than after; the zero Prefix is before all.
func (m *Machine) Routes(after netip.Prefix, limit int) []RouteInfo {
	var list []*route
	for r := m.table.all.front(); r != nil; r = r.inAll.next.of {
		if !after.IsValid() || after.Compare(r.prefix) < 0 {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b *route) int { return a.prefix.Compare(b.prefix) })
	list = list[:min(len(list), max(limit, 0))]
	infos := make([]RouteInfo, len(list))
	for at, r := range list {
		infos[at] = m.info(r)
	}
	return infos
}

// Route returns a copy of the route to a prefix.
func (m *Machine) Route(p netip.Prefix) (RouteInfo, bool) {
	r := m.table.routes[p]
	if r == nil {
		return RouteInfo{}, false
	}
	return m.info(r), true
}

func (m *Machine) info(r *route) RouteInfo {
	x := RouteInfo{Prefix: r.prefix, Source: routing.SourceRIP, Since: r.since}
	x.Metric, x.Tag = r.best()
	switch o := r.ours(); {
	case len(r.paths) > 0:
		x.State = "learned"
	case o == nil:
		x.State, x.Expires = "dying", r.since.Add(m.garbage())
	default:
		x.Source = o.source
		for kind, name := range [...]string{ownConnected: "connected", ownDefault: "default", ownRedistributed: "redistributed"} {
			if r.own[kind] == o {
				x.State = name
			}
		}
	}
	for _, p := range r.paths {
		x.Paths = append(x.Paths, PathInfo{p.neighbor.addr, p.nextHop, p.neighbor.iface.id, p.tag, p.heard})
		if at := p.heard.Add(m.cfg.Invalid); at.After(x.Expires) {
			x.Expires = at
		}
	}
	return x
}

// Neighbors returns copies of the neighbours by interface and address.
func (m *Machine) Neighbors() []NeighborInfo {
	var infos []NeighborInfo
	for _, i := range m.order {
		for _, n := range i.sortedNeighbors() {
			infos = append(infos, NeighborInfo{
				Interface: i.id, Name: i.name, Address: n.addr, Version: n.version, Routes: n.paths,
				Since: n.since, Heard: n.heard, Packets: n.packets, BadPackets: n.badPackets, BadEntries: n.badEntries,
				MaximumPrefix: i.cfg.MaximumPrefix, Beyond: n.beyond, Watched: n.watched != nil, Dead: n.dead,
			})
		}
	}
	return infos
}

// Interfaces returns copies of the active interfaces, by number.
func (m *Machine) Interfaces() []InterfaceInfo {
	var infos []InterfaceInfo
	for _, i := range m.order {
		if !i.active {
			continue
		}
		x := InterfaceInfo{
			Interface: i.id, Name: i.name, Config: i.cfg, Neighbors: len(i.neighbors),
			Sending: len(i.jobs), Counters: i.counters,
		}
		if i.sends() {
			x.NextUpdate = i.nextUpdate.At()
		}
		for _, s := range i.sources {
			x.Sources = append(x.Sources, s.Addr())
		}
		for _, n := range i.neighbors {
			x.Routes += n.paths
		}
		infos = append(infos, x)
	}
	slices.SortFunc(infos, func(a, b InterfaceInfo) int { return cmp.Compare(a.Interface, b.Interface) })
	return infos
}
