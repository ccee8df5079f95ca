package ospf

import (
	"cmp"
	"slices"

	"routerd/routing"
	"routerd/routing/ospf/wire"
)

// side is an area with the neighbours of the root in it.
type side struct {
	area     *AreaState
	hops     []candidateHop
	vantages []vantage
	borders  int // area border routers that are reached, the root too
}

// candidateHop is a next hop that the root has in an area (RFC 5286 §3.6).
type candidateHop struct {
	Hop
	vertex  int32 // the neighbour
	network int32 // vertex that the link is; -1 of one between two routers
	cost    uint32
	vantage int32 // -1: not to be used as an alternate
}

// look finds the neighbours in each area, and what they see.
func (x *Alternates) look(leaveOut func(routing.InterfaceID) bool) {
	areas := x.table.state.Areas
	for len(x.sides) < len(areas) {
		x.sides = append(x.sides, side{})
	}
	x.sides = x.sides[:len(areas)]
	for i, a := range areas {
		s := &x.sides[i]
		s.area, s.hops, s.borders = a, s.hops[:0], 0
		for _, v := range a.tree.order {
			if w := a.Graph.vertices.at(v); !w.network && w.flags&wire.RouterB != 0 {
				s.borders++
			}
		}
		n := 0
		if len(a.tree.order) > 0 {
			s.candidates()
			n = s.usable(leaveOut)
		}
		if len(s.hops) < 2 {
			n = 0
		}
		for len(s.vantages) < n {
			s.vantages = append(s.vantages, vantage{})
		}
		s.vantages = s.vantages[:n]
		for i := range s.hops {
			if c := &s.hops[i]; int(c.vantage) < n && c.vantage >= 0 {
				s.vantages[c.vantage].vertex = c.vertex
			}
		}
	}
}

// candidates lists the next hops of the root, in their order.
func (s *side) candidates() {
	tree, g := &s.area.tree, s.area.Graph
	for _, e := range g.vertices.at(tree.root).edges {
		if !e.back {
			continue
		}
		for i := range tree.at {
			a := &tree.at[i]
			if a.Data != e.data {
				continue
			}
			switch e.kind {
			case wire.LinkPointToPoint:
				for _, n := range a.Neighbors {
					if n.Router == g.vertices.at(e.to).id {
						s.hops = append(s.hops, candidateHop{Hop{a.Interface, n.Address}, e.to, -1, uint32(e.cost), 0})
					}
				}
			case wire.LinkTransit:
				for _, back := range g.vertices.at(e.to).edges {
					if !back.back || back.to == tree.root {
						continue
					}
					for _, address := range tree.addresses(back.to, e.to) {
						s.hops = append(s.hops, candidateHop{Hop{a.Interface, address}, back.to, e.to, uint32(e.cost), 0})
					}
				}
			}
		}
	}
	slices.SortFunc(s.hops, func(a, b candidateHop) int {
		return cmp.Or(compareHops(a.Hop, b.Hop), cmp.Compare(a.cost, b.cost))
	})
	s.hops = slices.CompactFunc(s.hops, func(a, b candidateHop) bool { return a.Hop == b.Hop })
}

// usable gives each neighbour that may be an alternate a vantage. It gives how many
// there are.
func (s *side) usable(leaveOut func(routing.InterfaceID) bool) int {
	of := map[int32]int32{}
	for i := range s.hops {
		c := &s.hops[i]
		c.vantage = -1
		if c.cost == wire.MaxLinkCost || s.reverse(c) == wire.MaxLinkCost || leaveOut != nil && leaveOut(c.Interface) {
			continue
		}
		n, known := of[c.vertex]
		if !known {
			if len(of) == mostVantages {
				continue
			}
			n = int32(len(of))
			of[c.vertex] = n
		}
		c.vantage = n
	}
	return len(of)
}

// reverse is the cost of the link seen from the neighbour: of several the lowest
// (RFC 5286 §3.5).
func (s *side) reverse(c *candidateHop) uint16 {
	to := c.network
	if to < 0 {
		to = s.area.tree.root
	}
	cost := uint16(wire.MaxLinkCost)
	for _, e := range s.area.Graph.vertices.at(c.vertex).edges {
		if e.to == to {
			cost = min(cost, e.cost)
		}
	}
	return cost
}
