package ospf

import (
	"fmt"
	"runtime"
	"testing"

	"routerd/routing"
	"routerd/routing/ospf/wire"
)

// grid is an area of side x side routers, each with point-to-point links to those
// beside it, a stub for each link and one of its own. The root is in a corner.
func grid(side int) (a *areaBed, attached []Attachment) {
	a = newArea(NewPrefixes())
	id := func(x, y int) wire.ID { return wire.ID(y*side + x + 1) }
	for y := range side {
		for x := range side {
			var links []wire.Link
			for _, d := range [][2]int{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
				nx, ny := x+d[0], y+d[1]
				if nx < 0 || ny < 0 || nx >= side || ny >= side {
					continue
				}
				to, from := id(nx, ny), id(x, y)
				cost := uint16(10 + (x+y+nx+ny)%7)
				network := 0x0a000000 + 2*(min(to, from)*2+wire.ID(min(max(to, from)-min(to, from), 2)-1))
				data := network + wire.ID(min(max(int(from)-int(to), 0), 1))
				links = append(links, p2p(to, data, cost), stubNet(network, 0xfffffffe, cost))
				if from == self {
					attached = append(attached, Attachment{Data: data, Interface: routing.InterfaceID(len(attached)), Neighbors: []Adjacency{{to, (data ^ 1).Addr()}}})
				}
			}
			a.router(id(x, y), 0, append(links, stubNet(0xc0000000+id(x, y), 0xffffffff, 1))...)
		}
	}
	return a, attached
}

func TestGrid(t *testing.T) {
	a, attached := grid(4)
	var hops Hops
	hops.reset()
	var tree Tree
	tree.Calculate(a.graph, self, attached, &hops, nil)
	want := newOracle(a.db, attached)
	if got, want := paths(&tree, &hops), want.paths(); fmt.Sprint(got) != fmt.Sprint(want) || len(got) != 16+24 {
		t.Errorf("%d paths\n%q, want\n%q", len(got), got, want)
	}
	// Once its slices are there, a calculation allocates for sets of hops alone.
	if n := testing.AllocsPerRun(10, func() {
		hops.reset()
		tree.Calculate(a.graph, self, attached, &hops, nil)
	}); n > 20 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkTree is one calculation: the shortest paths, with all equal ways, to
// routers and prefixes.
func BenchmarkTree(b *testing.B) {
	for _, side := range []int{31, 100} {
		b.Run(fmt.Sprintf("routers=%d", side*side), func(b *testing.B) {
			a, attached := grid(side)
			var hops Hops
			var tree Tree
			b.ReportAllocs()
			for b.Loop() {
				hops.reset()
				tree.Calculate(a.graph, self, attached, &hops, nil)
			}
			if len(tree.order) != side*side {
				b.Fatalf("%d routers reached", len(tree.order))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(side*side), "ns/router")
		})
	}
}

// BenchmarkLoad is taking in all LSAs of an area, to the database and the graph. The
// bytes are what then stays, the octets of the LSA among them.
func BenchmarkLoad(b *testing.B) {
	for _, side := range []int{31, 100} {
		b.Run(fmt.Sprintf("routers=%d", side*side), func(b *testing.B) {
			from, _ := grid(side)
			var before, after runtime.MemStats
			var graph *Graph
			b.ReportAllocs()
			runtime.GC()
			runtime.ReadMemStats(&before)
			for b.Loop() {
				limit := Limit{}
				prefixes := NewPrefixes()
				db := NewDatabase(self, &limit, prefixes)
				graph = NewGraph(db, prefixes)
				for e := range from.db.All(wire.RouterLSA) {
					if s, _ := db.Judge(start, e.LSA(), false); s != Newer {
						b.Fatal(s)
					}
					e, _ := db.Install(start, e.LSA())
					graph.Update(e)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(side*side), "ns/LSA")
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(side*side), "bytes/LSA")
			runtime.KeepAlive(from)
			runtime.KeepAlive(graph)
		})
	}
}

// BenchmarkTable is a calculation of all routes: an area and as many external
// routes as it has routers.
func BenchmarkTable(b *testing.B) {
	for _, side := range []int{31, 100} {
		b.Run(fmt.Sprintf("routers=%d", side*side), func(b *testing.B) {
			a, attached := grid(side)
			last := wire.ID(side * side)
			a.router(last, wire.RouterE, p2p(last-1, 1, 10), p2p(last-wire.ID(side), 2, 10))
			a.router(last-1, 0, p2p(last, 1, 10), p2p(last-2, 2, 10))
			as := newArea(a.graph.prefixes)
			for i := range side * side {
				h := wire.Header{Identity: wire.Identity{Type: wire.ExternalLSA, ID: 0x14000000 + wire.ID(i)<<8, Router: last}, Sequence: 1}
				as.db.Install(start, wire.AppendLSA(nil, &h, &wire.External{Mask: 0xffffff00, Metric: 20, Type2: true}))
			}
			s := State{Router: self, AS: as.db, Prefixes: a.graph.prefixes, Areas: []*AreaState{{Graph: a.graph, Attachments: attached}}}
			var table Table
			b.ReportAllocs()
			for b.Loop() {
				table.Calculate(&s)
			}
			n := 0
			for r := range table.All {
				if r.Type == External2 {
					n++
				}
			}
			if n != side*side {
				b.Fatalf("%d external routes", n)
			}
		})
	}
}

// BenchmarkAlternates is a calculation of the loop-free alternates of all routes, by
// two neighbours.
func BenchmarkAlternates(b *testing.B) {
	for _, side := range []int{31, 100} {
		b.Run(fmt.Sprintf("routers=%d", side*side), func(b *testing.B) {
			a, attached := grid(side)
			s := State{Router: self, AS: newArea(a.graph.prefixes).db, Prefixes: a.graph.prefixes, Areas: []*AreaState{{Graph: a.graph, Attachments: attached}}}
			var table Table
			var x Alternates
			table.Calculate(&s)
			b.ReportAllocs()
			for b.Loop() {
				x.all(&table, nil)
			}
			n := 0
			for i := range x.found {
				if x.found[i].Why == Protected && x.found[i].Protection != 0 {
					n++
				}
			}
			if n == 0 {
				b.Fatal("no alternates")
			}
		})
	}
}
