package topology

import (
	"cmp"
	"net/netip"
	"slices"
)

// area is an area of a link-state protocol in the making.
type area struct {
	*builder
	name  string
	graph *Graph
	nodes []GraphNode
}

// graph adds what a link-state protocol knows.
func (b *builder) graph(g *Graph) {
	if self := &b.m.Nodes[0]; !self.RouterID.IsValid() {
		self.RouterID = g.RouterID
	}
	for first := 0; first < len(g.Nodes); {
		last := first
		for last < len(g.Nodes) && g.Nodes[last].Area == g.Nodes[first].Area {
			last++
		}
		a := area{b, g.Nodes[first].Area.String(), g, g.Nodes[first:min(last, first+MaxNodes)]}
		b.m.LeftOut += last - first - len(a.nodes)
		a.routers()
		a.networks()
		a.pointToPoint()
		first = last
	}
}

// id is the ID of the node of a router.
func (a *area) id(router netip.Addr) string {
	if router == a.graph.RouterID {
		return selfID
	}
	return "router:" + router.String()
}

// there reports whether a router has a node, which it may lack since there was no room.
func (a *area) there(router netip.Addr) bool {
	_, there := a.builder.nodes[a.id(router)]
	return there
}

// routers adds the routers of the area.
func (a *area) routers() {
	for _, n := range a.nodes {
		if n.Kind != "router" {
			continue
		}
		node := &a.m.Nodes[0]
		if n.ID != a.graph.RouterID {
			if node = a.router(n.ID, ""); node == nil {
				continue
			}
		}
		node.Areas = append(node.Areas, a.name)
		for _, r := range n.Roles {
			if !slices.Contains(node.Roles, r) {
				node.Roles = append(node.Roles, r)
			}
		}
	}
}

// costs are those of a node's links to another one, in order.
func costs(n *GraphNode, kind string, to netip.Addr) (list []uint32) {
	for _, l := range n.Links {
		if l.Kind == kind && l.ID == to {
			list = append(list, l.Cost)
		}
	}
	slices.Sort(list)
	return list
}

// member is a router of a network, and its cost towards it.
type member struct {
	id   string
	cost uint32
}

// networks adds the networks: as the network of an interface, as a link if two routers
// are on it, else as a node.
func (a *area) networks() {
	for i := range a.nodes {
		n := &a.nodes[i]
		if n.Kind != "network" {
			continue
		}
		var members []member
		for k := range a.nodes {
			r := &a.nodes[k]
			if c := costs(r, "network", n.ID); r.Kind == "router" && len(c) > 0 && a.there(r.ID) && len(costs(n, "router", r.ID)) > 0 {
				members = append(members, member{a.id(r.ID), c[0]})
			}
		}
		if iface := a.ifaceOf(n.Prefix); iface != "" {
			for _, m := range members {
				a.builder.costs[[2]string{m.id, iface}] = m.cost
				if m.id != selfID && !slices.Contains(a.attached[iface], m.id) {
					a.attached[iface] = append(a.attached[iface], m.id)
				}
			}
			continue
		}
		a.network(n, members)
	}
}

// network adds a network that this router is not on.
func (a *area) network(n *GraphNode, members []member) {
	prefix := ""
	if n.Prefix.IsValid() {
		prefix = n.Prefix.String()
	}
	switch {
	case len(members) < 2:
		return
	case len(members) == 2:
		x, y := members[0], members[1]
		a.link(Link{From: x.id, To: y.id, Kind: LinkGraph, Prefix: prefix, Health: Up, CostFrom: &x.cost, CostTo: &y.cost})
		return
	}
	node := a.add(Node{ID: "network:" + a.name + ":" + n.ID.String(), Kind: KindNetwork, Name: cmp.Or(prefix, n.ID.String()), Prefix: n.Prefix, Areas: []string{a.name}})
	if node == nil {
		return
	}
	id := node.ID
	for _, m := range members {
		a.link(Link{From: id, To: m.id, Kind: LinkGraph, Health: Up, CostTo: &m.cost})
	}
}

// ifaceOf finds the interface with a prefix, "" if there is none.
func (a *area) ifaceOf(p netip.Prefix) string {
	for _, i := range a.in.Interfaces {
		if i.Up && slices.ContainsFunc(i.Addresses, func(own netip.Prefix) bool { return own.Masked() == p }) {
			return i.Name
		}
	}
	return ""
}

// pointToPoint adds the links between two routers.
func (a *area) pointToPoint() {
	for i := range a.nodes {
		for k := range a.nodes[:i] {
			x, y := &a.nodes[k], &a.nodes[i]
			if x.Kind != "router" || y.Kind != "router" || !a.there(x.ID) || !a.there(y.ID) {
				continue
			}
			if y.ID == a.graph.RouterID {
				x, y = y, x
			}
			there, back := costs(x, "router", y.ID), costs(y, "router", x.ID)
			for n := range max(len(there), len(back)) {
				p := pair{nth(there, n), nth(back, n)}
				if x.ID == a.graph.RouterID {
					a.pending[a.id(y.ID)] = append(a.pending[a.id(y.ID)], p)
				} else {
					a.link(Link{From: a.id(x.ID), To: a.id(y.ID), Kind: LinkGraph, Health: Up, CostFrom: p.from, CostTo: p.to})
				}
			}
		}
	}
}

// nth is an element of a list, nil if there are not so many.
func nth(list []uint32, n int) *uint32 {
	if n >= len(list) {
		return nil
	}
	return &list[n]
}
