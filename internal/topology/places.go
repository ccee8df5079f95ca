package topology

import (
	"math"
	"net/netip"
	"sync"
)

// The size of a drawing, in pixels.
const (
	unitWide = 340.0 // of a unit of the layout
	unitTall = 150.0
	nodeWide = 148.0
	nodeTall = 50.0
	border   = 40.0
)

// Places remembers where the nodes of a map are. The zero Places knows none. It is
// safe for concurrent use.
type Places struct {
	mu sync.Mutex
	at map[string]Point // by the ID of a node
	// routers are the router IDs that were seen at addresses: see Input.Map.
	routers map[string]netip.Addr
}

// mostRemembered bounds what is remembered.
const mostRemembered = 4 * MaxNodes

// Map makes the map of what a router says, and gives its nodes places. A node that has
// one keeps it, and so does one that went and comes back, until a router comes that was
// not there before: then all are arranged anew.
func (p *Places) Map(in *Input) *Map {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.routers == nil || len(p.routers) > mostRemembered {
		p.routers = map[string]netip.Addr{}
	}
	m := in.Map(p.routers)
	ids, links := m.graph()
	anew := len(p.at) > mostRemembered
	for _, n := range m.Nodes {
		_, there := p.at[n.ID]
		anew = anew || !there && n.Kind != KindNetwork
	}
	if anew {
		p.at = map[string]Point{}
		for i, at := range spread(Arrange(len(ids), links)) {
			p.at[ids[i]] = at
		}
	}
	for i, id := range ids {
		if _, there := p.at[id]; !there {
			p.at[id] = p.free(i, ids, links)
		}
	}
	m.put(p.at)
	return m
}

// graph returns the IDs of the nodes, and the links as pairs of their numbers.
func (m *Map) graph() (ids []string, links [][2]int) {
	number := map[string]int{}
	for i, n := range m.Nodes {
		ids, number[n.ID] = append(ids, n.ID), i
	}
	for _, l := range m.Links {
		links = append(links, [2]int{number[l.From], number[l.To]})
	}
	return ids, links
}

// free finds a place for one more node: around the first of its neighbours that has one,
// as far as can be from all other nodes, and not much farther than a link is long.
func (p *Places) free(node int, ids []string, links [][2]int) Point {
	around := p.at[ids[0]]
	for _, l := range links {
		if other := l[0] + l[1] - node; l[0] == node || l[1] == node {
			if at, there := p.at[ids[other]]; there {
				around = at
				break
			}
		}
	}
	best, most := around, -1.0
	const angles = 16
	for _, radius := range []float64{1, 1.4, 1.9} {
		for k := range angles {
			try := around.Plus(onCircle(radius, 2*math.Pi*float64(k)/angles))
			least := math.Inf(1)
			for _, id := range ids {
				if at, there := p.at[id]; there {
					least = min(least, room(at, try))
				}
			}
			if least > most+1e-9 {
				best, most = try, least
			}
		}
		if most >= 1 {
			break
		}
	}
	return best
}

// How far apart the middles of two nodes have to be in one of the directions, in units
// of the layout.
const (
	apartWide = (nodeWide + 190) / unitWide
	apartTall = (nodeTall + 72) / unitTall
)

// room says how much room two nodes have: they overlap below 1.
func room(p, q Point) float64 {
	return max(math.Abs(p.X-q.X)/apartWide, math.Abs(p.Y-q.Y)/apartTall)
}

// spread moves nodes that overlap apart, and enlarges the whole when that does not do.
func spread(at []Point) []Point {
	const rounds, enlargements = 40, 8
	for range enlargements {
		for range rounds {
			if !pushApart(at) {
				return at
			}
		}
		for i := range at {
			at[i] = at[i].Times(1.2)
		}
	}
	return at
}

// pushApart moves nodes that overlap away from each other, in the direction in which it
// takes less. It reports whether there were any.
func pushApart(at []Point) (any bool) {
	for i := range at {
		for k := range at[:i] {
			if room(at[i], at[k]) >= 1-1e-6 {
				continue
			}
			any = true
			way := at[i].Minus(at[k])
			wide, tall := apartWide-math.Abs(way.X), apartTall-math.Abs(way.Y)
			push := Point{0, math.Copysign(tall/2, way.Y)}
			if wide*unitWide < tall*unitTall {
				push = Point{math.Copysign(wide/2, way.X), 0}
			}
			at[i], at[k] = at[i].Plus(push), at[k].Minus(push)
		}
	}
	return any
}

// put puts the nodes at their places, in pixels.
func (m *Map) put(at map[string]Point) {
	left, top, right, bottom := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, n := range m.Nodes {
		p := at[n.ID]
		left, top, right, bottom = min(left, p.X), min(top, p.Y), max(right, p.X), max(bottom, p.Y)
	}
	for i := range m.Nodes {
		n := &m.Nodes[i]
		p := at[n.ID]
		n.X, n.Y = rounded((p.X-left)*unitWide+nodeWide/2+border), rounded((p.Y-top)*unitTall+nodeTall/2+border)
	}
	m.Wide, m.Tall = rounded((right-left)*unitWide+nodeWide+2*border), rounded((bottom-top)*unitTall+nodeTall+2*border)
}

// rounded is a number with one digit behind the point.
func rounded(x float64) float64 { return math.Round(10*x) / 10 }
