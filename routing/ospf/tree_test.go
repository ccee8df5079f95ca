package ospf

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"routerd/routing"
	"routerd/routing/ospf/wire"
)

// areaBed is an area under test: what is installed reaches its graph too.
type areaBed struct {
	db    *Database
	limit Limit
	graph *Graph
	seq   int32
	// follow, if not nil, is in the place of the graph.
	follow func(*Entry)
}

func newArea(prefixes *Prefixes) *areaBed {
	a := &areaBed{seq: wire.InitialSequence}
	a.db = NewDatabase(self, &a.limit, prefixes)
	a.graph = NewGraph(a.db, prefixes)
	return a
}

func (a *areaBed) install(t wire.LSType, id, router wire.ID, age uint16, body wire.Body) {
	a.seq++
	h := wire.Header{Identity: wire.Identity{Type: t, ID: id, Router: router}, Age: age, Sequence: a.seq}
	e, _ := a.db.Install(at(float64(a.seq-wire.InitialSequence)), wire.AppendLSA(nil, &h, body))
	if a.follow != nil {
		a.follow(e)
		return
	}
	a.graph.Update(e)
}

func (a *areaBed) router(id wire.ID, flags wire.RouterFlags, links ...wire.Link) {
	a.install(wire.RouterLSA, id, id, 0, &wire.Router{Flags: flags, Links: links})
}

func (a *areaBed) network(dr, router wire.ID, routers ...wire.ID) {
	a.install(wire.NetworkLSA, dr, router, 0, &wire.Network{Mask: 0xffffff00, Routers: routers})
}

func p2p(to, data wire.ID, cost uint16) wire.Link {
	return wire.Link{ID: to, Data: data, Type: wire.LinkPointToPoint, Cost: cost}
}

func lan(dr, data wire.ID, cost uint16) wire.Link {
	return wire.Link{ID: dr, Data: data, Type: wire.LinkTransit, Cost: cost}
}

func stubNet(network, mask wire.ID, cost uint16) wire.Link {
	return wire.Link{ID: network, Data: mask, Type: wire.LinkStub, Cost: cost}
}

func ip(text string) wire.ID { return wire.IDOf(netip.MustParseAddr(text)) }

// paths writes all paths of the area, sorted.
func paths(tree *Tree, hops *Hops) (lines []string) {
	for p := range tree.Paths {
		lines = append(lines, fmt.Sprintf("%v cost %d by %v of %v", p.Prefix, p.Cost, ways(hops, p.Ways), p.Origin))
	}
	slices.Sort(lines)
	return lines
}

func ways(hops *Hops, set int32) (list []string) {
	for _, h := range hops.Append(nil, set, 0) {
		if h.Address.IsValid() {
			list = append(list, fmt.Sprintf("%d:%v", h.Interface, h.Address))
		} else {
			list = append(list, fmt.Sprintf("%d", h.Interface))
		}
	}
	return list
}

// One router on a network with two others, one of which is the way to a third by
// a point-to-point link; a second, unnumbered link leads there at the same cost.
func TestTree(t *testing.T) {
	a := newArea(NewPrefixes())
	dr := ip("10.0.0.2")
	a.router(1, 0, lan(dr, ip("10.0.0.1"), 10), p2p(4, 7, 15), stubNet(ip("192.0.2.1"), 0xffffffff, 0))
	a.router(2, wire.RouterV, lan(dr, dr, 10), stubNet(ip("192.0.2.2"), 0xffffffff, 0))
	a.router(3, 0, lan(dr, ip("10.0.0.3"), 10), p2p(4, ip("10.0.1.3"), 5), stubNet(ip("10.0.1.0"), 0xffffff00, 5))
	a.router(4, 0, p2p(1, 9, 15), p2p(3, ip("10.0.1.4"), 5), stubNet(ip("10.0.1.0"), 0xffffff00, 5), stubNet(ip("10.9.0.0"), 0xffff00ff, 5))
	a.network(dr, 2, 2, 1, 3)
	attached := []Attachment{
		{Data: ip("10.0.0.1"), Interface: 1},
		{Data: 7, Interface: 2, Neighbors: []Adjacency{{4, netip.MustParseAddr("172.16.0.4")}}},
	}
	var hops Hops
	var tree Tree
	calculate := func() []string {
		hops.reset()
		tree.Calculate(a.graph, self, attached, &hops, nil)
		return paths(&tree, &hops)
	}
	want := []string{
		"10.0.0.0/24 cost 10 by [1] of 10.0.0.2",
		"10.0.1.0/24 cost 15 by [1:10.0.0.3] of 0.0.0.3",
		"192.0.2.1/32 cost 0 by [] of 0.0.0.1",
		"192.0.2.2/32 cost 10 by [1:10.0.0.2] of 0.0.0.2",
	}
	if got := calculate(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if d, w := tree.Router(4); d != 15 || fmt.Sprint(ways(&hops, w)) != "[1:10.0.0.3 2:172.16.0.4]" || !tree.Transit {
		t.Errorf("router 4 at %d by %v, transit %v", d, ways(&hops, w), tree.Transit)
	}
	if list := hops.Append(nil, tree.ways[a.graph.vertex(false, 4)], 1); len(list) != 1 || list[0].Interface != 1 {
		t.Errorf("at most one way: %v", list)
	}
	// The neighbour is gone, the link is still said to be there: it is no way.
	attached[1].Neighbors = nil
	calculate()
	if d, w := tree.Router(4); d != 15 || fmt.Sprint(ways(&hops, w)) != "[1:10.0.0.3]" {
		t.Errorf("router 4 at %d by %v", d, ways(&hops, w))
	}
	// A router that does not say its link back cannot be reached by it.
	a.router(3, 0, p2p(4, ip("10.0.1.3"), 5))
	calculate()
	if d, _ := tree.Router(4); d != Unreachable {
		t.Errorf("router 4 at %d", d)
	}
	if d, _ := tree.Router(99); d != Unreachable {
		t.Error("reached who is not there")
	}
	// Without an LSA of the root there is nothing.
	a.install(wire.RouterLSA, 1, 1, wire.MaxAge, &wire.Router{})
	if got := calculate(); len(got) > 0 {
		t.Errorf("got %q without a root", got)
	}
}

// Two routers say to be the DR with the same address: the last one that said so is,
// and when its LSA goes the other is again.
func TestTwoOfOneNetwork(t *testing.T) {
	a := newArea(NewPrefixes())
	dr := ip("10.0.0.2")
	a.router(1, 0, lan(dr, 7, 10))
	a.router(2, 0, lan(dr, dr, 10))
	a.router(3, 0, lan(dr, dr, 10))
	attached := []Attachment{{Data: 7, Interface: 1}}
	reached := func() string {
		var hops Hops
		var tree Tree
		hops.reset()
		tree.Calculate(a.graph, self, attached, &hops, nil)
		x, _ := tree.Router(2)
		y, _ := tree.Router(3)
		return fmt.Sprint(x != Unreachable, y != Unreachable)
	}
	a.network(dr, 2, 1, 2)
	a.network(dr, 3, 1, 3)
	if got := reached(); got != "false true" {
		t.Errorf("reached %s", got)
	}
	a.install(wire.NetworkLSA, dr, 3, wire.MaxAge, &wire.Network{Mask: 0xffffff00, Routers: []wire.ID{1, 3}})
	if got := reached(); got != "true false" {
		t.Errorf("reached %s", got)
	}
	if again := NewGraph(a.db, NewPrefixes()); again.vertices.at(again.vertex(true, dr)).entry == nil || again.vertices.at(again.vertex(true, dr)).entry != a.graph.vertices.at(a.graph.vertex(true, dr)).entry {
		t.Error("another one in a graph made anew")
	}
}

// Whatever LSAs come, change and go, the tree is the one that a plain reading of
// the database gives.
func TestTreeIsTheNaiveOne(t *testing.T) { compareTrees(t, 1) }

// With links that cost nothing the distances are.
func TestTreeWithoutCosts(t *testing.T) { compareTrees(t, 0) }

func compareTrees(t *testing.T, least uint16) {
	rapid.Check(t, func(t *rapid.T) {
		a := newArea(NewPrefixes())
		cost := rapid.OneOf(rapid.Uint16Range(least, 4), rapid.SampledFrom([]uint16{100, 1000, 65535}))
		attached := make([]Attachment, 4)
		for i := range attached {
			attached[i] = Attachment{Data: wire.ID(100 + i), Interface: routing.InterfaceID(i)}
			for range rapid.IntRange(1, 4).Draw(t, "neighbours") {
				n := drawID(t)
				attached[i].Neighbors = append(attached[i].Neighbors, Adjacency{n, (n + 1000).Addr()})
			}
		}
		var hops Hops
		var tree Tree
		for range rapid.IntRange(1, 12).Draw(t, "changes") {
			if rapid.IntRange(0, 2).Draw(t, "whole network, or one LSA") > 0 {
				a.drawNetwork(t, cost)
			} else {
				a.drawLSA(t, cost)
			}
			if rapid.Bool().Draw(t, "sweep") {
				a.db.Sweep(start, false, func(*Entry) {})
			}
			hops.reset()
			tree.Calculate(a.graph, self, attached, &hops, nil)
			want := newOracle(a.db, attached)
			for r := wire.ID(1); r <= 6; r++ {
				d, w := tree.Router(r)
				if wd := want.distance(vertexName{false, r}); d != wd {
					t.Fatalf("router %d at %d, want %d", r, d, wd)
				}
				if least == 0 {
					continue // the oracle finds no way out of a circle without costs
				}
				if got, want := fmt.Sprint(ways(&hops, w)), fmt.Sprint(want.ways(vertexName{false, r})); got != want {
					t.Fatalf("router %d by %v, want %v", r, got, want)
				}
			}
			if least == 0 {
				continue
			}
			if got, want := paths(&tree, &hops), want.paths(); !slices.Equal(got, want) {
				t.Fatalf("paths\n%q, want\n%q", got, want)
			}
		}
		// What nobody names any more is forgotten.
		for _, kind := range []wire.LSType{wire.RouterLSA, wire.NetworkLSA} {
			for _, e := range slices.Collect(a.db.All(kind)) {
				a.db.end(e)
				a.graph.Update(e)
			}
		}
		if a.graph.numbers.len()+a.graph.prefixes.numbers.len() > 0 || len(a.graph.free) != a.graph.vertices.n {
			t.Fatalf("left: %d vertices, %d prefixes, %d of %d vertices free", a.graph.numbers.len(), a.graph.prefixes.numbers.len(), len(a.graph.free), a.graph.vertices.n)
		}
	})
}

func drawID(t *rapid.T) wire.ID { return wire.ID(rapid.Uint32Range(1, 5).Draw(t, "id")) }

// drawNetwork installs the LSAs of a network of five routers, point-to-point links
// and two shared networks, but for some routers that have not heard of it.
func (a *areaBed) drawNetwork(t *rapid.T, cost *rapid.Generator[uint16]) {
	links := map[wire.ID][]wire.Link{}
	data := rapid.Uint32Range(100, 104)
	link := func(from, to wire.ID, kind wire.LinkType) {
		links[from] = append(links[from], wire.Link{ID: to, Type: kind, Data: wire.ID(data.Draw(t, "data")), Cost: cost.Draw(t, "cost")})
	}
	for x := wire.ID(1); x <= 5; x++ {
		for y := x + 1; y <= 5; y++ {
			for range rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "links") {
				link(x, y, wire.LinkPointToPoint)
				link(y, x, wire.LinkPointToPoint)
			}
		}
		for range rapid.IntRange(0, 2).Draw(t, "stubs") {
			network := wire.ID(rapid.Uint32Range(1, 3).Draw(t, "network"))
			links[x] = append(links[x], stubNet(network, rapid.SampledFrom([]wire.ID{0xffffffff, 0xfffffffe, 0}).Draw(t, "mask"), cost.Draw(t, "cost")))
		}
	}
	for dr := wire.ID(2); dr <= 3; dr++ { // of one prefix
		routers := rapid.SliceOfNDistinct(rapid.Custom(drawID), 1, 5, func(r wire.ID) wire.ID { return r }).Draw(t, "attached")
		for _, r := range routers {
			link(r, dr, wire.LinkTransit)
		}
		a.install(wire.NetworkLSA, dr, routers[0], 0, &wire.Network{Mask: 0xfffffffe, Routers: routers})
	}
	for r := wire.ID(1); r <= 5; r++ {
		if rapid.IntRange(0, 9).Draw(t, "has not heard of it") > 0 {
			a.router(r, rapid.SampledFrom([]wire.RouterFlags{bitBE, bitBE, bitBE | wire.RouterV, bitB, bitE, 0}).Draw(t, "flags"), links[r]...)
		}
	}
}

// drawLinks has a router or a network that there is come with other links.
func (a *areaBed) drawLinks(t *rapid.T, cost *rapid.Generator[uint16]) {
	if e := a.anyOf(t, wire.NetworkLSA); e != nil && e.Usable() && rapid.IntRange(0, 4).Draw(t, "a network") == 0 {
		l := e.LSA()
		routers := rapid.SliceOfNDistinct(rapid.Custom(drawID), 1, 5, func(r wire.ID) wire.ID { return r }).Draw(t, "attached")
		a.install(wire.NetworkLSA, l.ID(), l.Router(), 0, &wire.Network{Mask: wire.NetworkBody(l.Body()).Mask(), Routers: routers})
		return
	}
	e := a.anyOf(t, wire.RouterLSA)
	if e == nil || !e.Usable() || e.LSA().Router() == self {
		return
	}
	l := e.LSA()
	var links []wire.Link
	for x := range wire.RouterBody(l.Body()).Links {
		switch rapid.SampledFrom([]string{"", "", "", "cost", "goes", "data", "twice"}).Draw(t, "link") {
		case "cost":
			x.Cost = cost.Draw(t, "cost")
		case "goes":
			continue
		case "data":
			if x.Type != wire.LinkStub {
				x.Data = wire.ID(rapid.Uint32Range(100, 104).Draw(t, "data"))
			}
		case "twice":
			links = append(links, x)
		}
		links = append(links, x)
	}
	if rapid.Bool().Draw(t, "one more") {
		links = append(links, p2p(drawID(t), wire.ID(rapid.Uint32Range(100, 104).Draw(t, "data")), cost.Draw(t, "cost")))
	}
	a.router(l.Router(), wire.RouterBody(l.Body()).Flags(), links...)
}

// drawLSA installs any LSA.
func (a *areaBed) drawLSA(t *rapid.T, cost *rapid.Generator[uint16]) {
	age := rapid.SampledFrom([]uint16{0, wire.MaxAge}).Draw(t, "age")
	if rapid.Bool().Draw(t, "network") {
		mask := rapid.SampledFrom([]wire.ID{0xffffffff, 0xfffffffe, 0xff00ff00}).Draw(t, "mask")
		routers := rapid.SliceOfN(rapid.Custom(drawID), 1, 5).Draw(t, "routers")
		a.install(wire.NetworkLSA, drawID(t), drawID(t), age, &wire.Network{Mask: mask, Routers: routers})
		return
	}
	router := drawID(t)
	lsID := router
	if rapid.IntRange(0, 9).Draw(t, "wrong link state ID") == 0 {
		lsID++
	}
	links := make([]wire.Link, rapid.IntRange(0, 6).Draw(t, "links"))
	for i := range links {
		links[i] = wire.Link{
			Type: wire.LinkType(rapid.SampledFrom([]uint8{1, 1, 2, 2, 3, 4, 9}).Draw(t, "type of link")),
			ID:   drawID(t), Data: wire.ID(rapid.Uint32Range(100, 104).Draw(t, "data")), Cost: cost.Draw(t, "cost"),
		}
		if links[i].Type == wire.LinkStub {
			links[i].Data = rapid.SampledFrom([]wire.ID{0xffffffff, 0xfffffffe, 0, 5}).Draw(t, "mask")
		}
	}
	a.install(wire.RouterLSA, lsID, router, age, &wire.Router{Links: links})
}

// oracle is the shortest paths by reading LSAs: distances are lowered until none
// gets lower, ways are gathered backwards.
type oracle struct {
	lsas  map[vertexName]*Entry
	costs map[vertexName]uint32
	at    []Attachment
}

type vertexName struct {
	network bool
	id      wire.ID
}

type oracleEdge struct {
	to   vertexName
	link wire.Link
}

func newOracle(db *Database, at []Attachment) *oracle {
	o := &oracle{map[vertexName]*Entry{}, map[vertexName]uint32{}, at}
	for e := range db.All(wire.RouterLSA) {
		if e.Usable() && e.LSA().ID() == e.LSA().Router() {
			o.lsas[vertexName{false, e.LSA().ID()}] = e
		}
	}
	for e := range db.All(wire.NetworkLSA) {
		name := vertexName{true, e.LSA().ID()}
		if last := o.lsas[name]; e.Usable() && (last == nil || e.installed.After(last.installed)) {
			o.lsas[name] = e
		}
	}
	root := vertexName{false, self}
	if o.lsas[root] == nil {
		return o
	}
	o.costs[root] = 0
	for again := true; again; {
		again = false
		for v, d := range maps.Clone(o.costs) {
			for _, e := range o.usable(v) {
				if old, known := o.costs[e.to]; !known || d+uint32(e.link.Cost) < old {
					o.costs[e.to], again = d+uint32(e.link.Cost), true
				}
			}
		}
	}
	return o
}

func (o *oracle) edges(v vertexName) (list []oracleEdge) {
	e := o.lsas[v]
	if e == nil {
		return nil
	}
	if v.network {
		for r := range wire.NetworkBody(e.LSA().Body()).Routers {
			list = append(list, oracleEdge{vertexName{false, r}, wire.Link{}})
		}
		return list
	}
	for l := range wire.RouterBody(e.LSA().Body()).Links {
		if l.Type == 1 || l.Type == 2 || l.Type == 4 {
			list = append(list, oracleEdge{vertexName{l.Type == 2, l.ID}, l})
		}
	}
	return list
}

func (o *oracle) usable(v vertexName) (list []oracleEdge) {
	for _, e := range o.edges(v) {
		back := slices.ContainsFunc(o.edges(e.to), func(b oracleEdge) bool { return b.to == v })
		if back && (v != vertexName{false, self} || len(o.first(e)) > 0) {
			list = append(list, e)
		}
	}
	return list
}

func (o *oracle) first(e oracleEdge) (list []Hop) {
	for _, a := range o.at {
		if a.Data != e.link.Data || e.link.Type == 4 {
			continue
		}
		if e.to.network {
			list = append(list, Hop{Interface: a.Interface})
			continue
		}
		for _, n := range a.Neighbors {
			if n.Router == e.to.id {
				list = append(list, Hop{a.Interface, n.Address})
			}
		}
	}
	return list
}

func (o *oracle) distance(v vertexName) uint32 {
	if d, known := o.costs[v]; known {
		return d
	}
	return Unreachable
}

func (o *oracle) hops(v vertexName) map[Hop]bool {
	set := map[Hop]bool{}
	if v == (vertexName{false, self}) {
		return set
	}
	for u, d := range o.costs {
		for _, e := range o.usable(u) {
			if e.to != v || d+uint32(e.link.Cost) != o.costs[v] {
				continue
			}
			if u == (vertexName{false, self}) {
				for _, h := range o.first(e) {
					set[h] = true
				}
				continue
			}
			for h := range o.hops(u) {
				if h.Address.IsValid() {
					set[h] = true
					continue
				}
				for _, b := range o.edges(v) { // the addresses of v on the network u
					if b.to == u {
						set[Hop{h.Interface, b.link.Data.Addr()}] = true
					}
				}
			}
		}
	}
	return set
}

func (o *oracle) ways(v vertexName) []string { return hopNames(o.hops(v)) }

func hopNames(set map[Hop]bool) (list []string) {
	for _, h := range slices.SortedFunc(maps.Keys(set), compareHops) {
		if h.Address.IsValid() {
			list = append(list, fmt.Sprintf("%d:%v", h.Interface, h.Address))
		} else {
			list = append(list, fmt.Sprintf("%d", h.Interface))
		}
	}
	return list
}

func (o *oracle) paths() (lines []string) {
	type best struct {
		cost    uint32
		set     map[Hop]bool
		origin  wire.ID
		network bool
	}
	table := map[netip.Prefix]*best{}
	for v, d := range o.costs {
		if p := o.lsas[v].LSA(); v.network && p.Prefix().IsValid() && p.Prefix().Bits() < 32 { // RFC 6860 hides others
			b := table[p.Prefix()]
			if b == nil || d < b.cost || d == b.cost && v.id > b.origin {
				table[p.Prefix()] = &best{d, o.hops(v), v.id, true}
			}
		}
	}
	for v, d := range o.costs {
		if v.network {
			continue
		}
		for l := range wire.RouterBody(o.lsas[v].LSA().Body()).Links {
			if l.Type != wire.LinkStub || !l.Prefix().IsValid() {
				continue
			}
			b, cost := table[l.Prefix()], d+uint32(l.Cost)
			switch {
			case b == nil || cost < b.cost:
				table[l.Prefix()] = &best{cost, o.hops(v), v.id, false}
			case cost == b.cost:
				b.set = maps.Clone(b.set)
				maps.Copy(b.set, o.hops(v))
				if !b.network {
					b.origin = max(b.origin, v.id)
				}
			}
		}
	}
	for p, b := range table {
		lines = append(lines, fmt.Sprintf("%v cost %d by %v of %v", p, b.cost, hopNames(b.set), b.origin))
	}
	slices.Sort(lines)
	return lines
}
