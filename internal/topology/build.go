package topology

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// selfID is the ID of the router that is asked.
const selfID = "self"

// builder makes a map.
type builder struct {
	in    *Input
	m     Map
	nodes map[string]int // by ID
	links map[string]int // how many have an ID, but for a number at its end
	// distant counts the links that only a link-state protocol knows of.
	distant int
	// routerIDs are what is known of the router at an address: see where.
	routerIDs map[string]netip.Addr
	attached  map[string][]string // IDs of the routers on an interface, in order
	// costs are those of a router towards the network of an interface, by both.
	costs map[[2]string]uint32
	// pending are the links of a link-state protocol with the router itself, for which
	// an interface has yet to be found.
	pending map[string][]pair
}

// pair is the costs of a link in both directions; nil where it has none.
type pair struct{ from, to *uint32 }

// Map makes the map, whose nodes have no places yet. Known are router IDs that earlier
// maps have seen at an address, and gets those that this one sees: a neighbour whose
// session has ended stays the same node. It may be nil.
func (in *Input) Map(known map[string]netip.Addr) *Map {
	b := builder{
		in: in, nodes: map[string]int{}, links: map[string]int{}, routerIDs: map[string]netip.Addr{}, attached: map[string][]string{},
		costs: map[[2]string]uint32{}, pending: map[string][]pair{},
	}
	b.m = Map{Router: in.Router, Nodes: []Node{}, Links: []Link{}}
	b.add(Node{ID: selfID, Kind: KindSelf, Name: in.Router})
	b.identify(known)
	b.sessions()
	for i := range in.Graphs {
		b.graph(&in.Graphs[i])
	}
	for i := range in.Interfaces {
		b.iface(&in.Interfaces[i])
	}
	b.rest()
	slices.SortStableFunc(b.m.Links, func(x, y Link) int { return cmp.Compare(rank(x.Kind), rank(y.Kind)) })
	return &b.m
}

// rank puts the router's own links first.
func rank(kind string) int {
	switch kind {
	case LinkInterface, LinkAttached:
		return 0
	case LinkSession:
		return 1
	}
	return 2
}

// add adds a node unless it is there, and returns it; nil if there is no room.
func (b *builder) add(n Node) *Node {
	if i, there := b.nodes[n.ID]; there {
		return &b.m.Nodes[i]
	}
	if len(b.m.Nodes) >= MaxNodes {
		b.m.LeftOut++
		return nil
	}
	b.nodes[n.ID] = len(b.m.Nodes)
	b.m.Nodes = append(b.m.Nodes, n)
	return &b.m.Nodes[len(b.m.Nodes)-1]
}

// where names an address, which only means something on its link if it is link-local.
func where(a netip.Addr, iface string) string {
	if a.IsLinkLocalUnicast() && iface != "" {
		return a.WithZone("").String() + " on " + iface
	}
	return a.String()
}

// identify finds out which routers are at the addresses of sessions.
func (b *builder) identify(known map[string]netip.Addr) {
	for _, s := range b.in.Sessions {
		at := where(s.Address, s.Interface)
		if s.RouterID.IsValid() && !s.RouterID.IsUnspecified() {
			b.routerIDs[at] = s.RouterID
			if known != nil {
				known[at] = s.RouterID
			}
		} else if id, ok := known[at]; ok && !b.routerIDs[at].IsValid() {
			b.routerIDs[at] = id
		}
	}
}

// on finds the interface that an address is on, "" if there is none.
func (b *builder) on(a netip.Addr) string {
	best, name := -1, ""
	for _, i := range b.in.Interfaces {
		for _, p := range i.Addresses {
			if p.Contains(a) && p.Bits() > best && !a.IsLinkLocalUnicast() {
				best, name = p.Bits(), i.Name
			}
		}
	}
	return name
}

// router adds the router with an ID, or else at an address.
func (b *builder) router(id netip.Addr, at string) *Node {
	if id.IsValid() {
		return b.add(Node{ID: "router:" + id.String(), Kind: KindRouter, Name: id.String(), RouterID: id})
	}
	return b.add(Node{ID: "address:" + at, Kind: KindRouter, Name: at})
}

// sessions adds the neighbours.
func (b *builder) sessions() {
	for _, s := range b.in.Sessions {
		if s.Interface == "" {
			s.Interface = b.on(s.Address)
		}
		at := where(s.Address, s.Interface)
		n := b.router(b.routerIDs[at], at)
		if n == nil {
			continue
		}
		n.Sessions = append(n.Sessions, s)
		n.AS = cmp.Or(n.AS, s.AS)
		if n.Health != Up {
			if n.Health == "" || s.Health == Up || n.Health == Down {
				n.Health = s.Health
			}
		}
		if s.Interface != "" && !slices.Contains(b.attached[s.Interface], n.ID) {
			b.attached[s.Interface] = append(b.attached[s.Interface], n.ID)
		}
	}
}

// iface adds the link of an interface: to the one router on it, or to its network.
func (b *builder) iface(i *Interface) {
	l := Link{From: selfID, Kind: LinkInterface, Interface: i.Name, Health: Down, State: i.State, Why: i.Why, Rates: i.Rates}
	if i.Up {
		l.Health = Up
	}
	prefix := i.prefix()
	stations := b.stations(i)
	cost := func(of string) *uint32 {
		if c, ok := b.costs[[2]string{of, i.Name}]; ok {
			return &c
		}
		return nil
	}
	l.CostFrom = cost(selfID)
	routers := b.attached[i.Name]
	if len(routers) == 1 {
		l.To, l.CostTo, l.Stations = routers[0], cost(routers[0]), stations
		if prefix.IsValid() {
			l.Prefix = prefix.String()
		}
		if waiting := b.pending[l.To]; l.CostFrom == nil && len(waiting) > 0 {
			l.CostFrom, l.CostTo = waiting[0].from, waiting[0].to
			b.pending[l.To] = waiting[1:]
		}
		b.link(l)
		return
	}
	n := b.add(Node{ID: "interface:" + i.Name, Kind: KindNetwork, Name: i.Name, Prefix: prefix, Stations: stations})
	if n == nil {
		return
	}
	l.To = n.ID
	b.link(l)
	for _, r := range routers {
		to := Link{From: n.ID, To: r, Kind: LinkAttached, Interface: i.Name, Health: l.Health, CostTo: cost(r)}
		if h := b.m.Nodes[b.nodes[r]].Health; h != "" && l.Health == Up {
			to.Health = h
		}
		b.link(to)
	}
}

// prefix is that of the interface's first address.
func (i *Interface) prefix() netip.Prefix {
	for _, p := range i.Addresses {
		if !p.Addr().IsLinkLocalUnicast() {
			return p.Masked()
		}
	}
	return netip.Prefix{}
}

// stations counts the neighbours of an interface that are none of the routers on it.
func (b *builder) stations(i *Interface) int {
	routers := map[netip.Addr]bool{}
	for _, id := range b.attached[i.Name] {
		for _, s := range b.m.Nodes[b.nodes[id]].Sessions {
			routers[s.Address.WithZone("")] = true
		}
	}
	count := 0
	for _, a := range i.Stations {
		if !routers[a.WithZone("")] {
			count++
		}
	}
	return count
}

// link adds a link. It leaves out a link of a link-state protocol if there is no room.
func (b *builder) link(l Link) {
	if l.Kind == LinkGraph {
		if b.distant >= MaxLinks {
			b.m.LinksLeftOut++
			return
		}
		b.distant++
	}
	l.ID = strings.Join([]string{l.From, l.To, cmp.Or(l.Interface, l.Prefix)}, "|")
	// Parallel links that nothing tells apart are numbered.
	if b.links[l.ID]++; b.links[l.ID] > 1 {
		l.ID += "|+" + strconv.Itoa(b.links[l.ID])
	}
	b.m.Links = append(b.m.Links, l)
}

// rest adds the links of routers that are on no interface.
func (b *builder) rest() {
	for i := range b.m.Nodes {
		n := &b.m.Nodes[i]
		for _, p := range b.pending[n.ID] {
			b.link(Link{From: selfID, To: n.ID, Kind: LinkGraph, Health: Up, CostFrom: p.from, CostTo: p.to})
		}
		if len(n.Sessions) > 0 && !slices.ContainsFunc(b.m.Links, func(l Link) bool { return l.From == n.ID || l.To == n.ID }) {
			b.link(Link{From: selfID, To: n.ID, Kind: LinkSession, Health: n.Health})
		}
	}
}
