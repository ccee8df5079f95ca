package ospf

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// gridMachine is a machine in a corner of a grid of side x side routers, with all LSAs
// of the others in its database, and two neighbours that are full.
func gridMachine(side int, fast bool) (m *Machine, from *areaBed, now time.Time) {
	from, attached := grid(side)
	now = start
	m = New(protocol.Start{Slots: &routing.Slots{}})
	cfg := DefaultConfig()
	cfg.RouterID, cfg.FastReroute = self, fast
	cfg.SPF = Throttle{HoldDown: time.Nanosecond}
	for i := range attached {
		cfg.Interfaces[fmt.Sprintf("eth%d", i)] = InterfaceConfig{Network: PointToPoint, Cost: 10, Priority: 1, Timers: DefaultTimers(PointToPoint)}
	}
	m.Step(now, protocol.Configure{Config: cfg}, nil)
	for i, at := range attached {
		m.Step(now, protocol.LinkUp{
			Link: at.Interface, Name: fmt.Sprintf("eth%d", i), Kind: protocol.PointToPoint, MTU: 1500,
			Addresses: []netip.Prefix{netip.PrefixFrom(at.Data.Addr(), 31)},
		}, nil)
		l := m.links[at.Interface]
		n := m.newNeighbor(l, at.Neighbors[0].Router, at.Neighbors[0].Address)
		n.router = at.Neighbors[0].Router
		m.now = now
		m.enter(n, NeighborFull)
	}
	a := m.area(backbone)
	for e := range from.db.All(wire.RouterLSA) {
		if id := e.LSA().Router(); id != self {
			o, _ := a.db.Install(now, e.LSA())
			m.changed(o, a)
		}
	}
	for range 3 { // of its own Router-LSA
		now = now.Add(minLSInterval)
		m.Step(now, protocol.Tick{}, nil)
	}
	m.protected(now)
	return m, from, now
}

// protected has the alternates be calculated, and gives how many steps that takes.
func (m *Machine) protected(now time.Time) (steps int) {
	for ; m.calc.protect.IsSet(); steps++ {
		now = now.Add(time.Microsecond)
		m.Step(now, protocol.Tick{}, nil)
	}
	return steps
}

// BenchmarkEvent is one LSA of another router that changes the topology, or a prefix
// alone: installing it, routes, and what the RIB is told.
func BenchmarkEvent(b *testing.B) {
	for _, side := range []int{31, 100} {
		for _, what := range []string{"cost", "link", "prefix"} {
			for _, fast := range []bool{false, true} {
				b.Run(fmt.Sprintf("routers=%d/%s/fast-reroute=%v", side*side, what, fast), func(b *testing.B) {
					benchmarkEvent(b, side, what, fast)
				})
			}
		}
	}
}

func benchmarkEvent(b *testing.B, side int, what string, fast bool) {
	m, _, now := gridMachine(side, fast)
	a := m.area(backbone)
	id := wire.ID(side*side/2 + side/2)
	e := a.db.Find(wire.Identity{Type: wire.RouterLSA, ID: id, Router: id})
	var links []wire.Link
	for l := range wire.RouterBody(e.LSA().Body()).Links {
		links = append(links, l)
	}
	lsas := [2]wire.LSA{}
	for i := range lsas {
		body := wire.Router{Links: append([]wire.Link(nil), links...)}
		switch {
		case i == 0:
		case what == "cost":
			body.Links[0].Cost++
		case what == "link":
			body.Links = body.Links[1:]
		case what == "prefix":
			body.Links = append(body.Links, stubNet(0xcb007100, 0xffffff00, 1))
		}
		h := e.LSA().Header()
		h.Sequence += int32(i)
		lsas[i] = wire.AppendLSA(nil, &h, &body)
	}
	m.slots.Drain(func(routing.Change) {})
	runs, told := m.calc.count, 0
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now = now.Add(time.Millisecond) // so that nothing ages
		m.now = now
		o, _ := a.db.Install(now, lsas[(i+1)%2])
		m.changed(o, a)
		m.Step(now, protocol.Tick{}, nil)
		m.protected(now)
		m.slots.Drain(func(routing.Change) { told++ })
	}
	if m.calc.count == runs || len(a.tree.order) != side*side {
		b.Fatalf("%d calculations, %d routers", m.calc.count-runs, len(a.tree.order))
	}
	b.ReportMetric(float64(told)/float64(b.N), "changes/op")
}
