package ospf

import (
	"net/netip"
	"testing"
	"time"

	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// crowd is a machine on an Ethernet with so many neighbours, which name it, and what
// each of them says.
func crowd(b *testing.B, neighbors int) (*station, []protocol.Received) {
	w := newNetwork(b, 1)
	n := w.router("5.0.0.5")
	n.port(w.segment(), Broadcast, "10.0.0.1/16", nil)
	n.begin()
	var list []protocol.Received
	for i := range neighbors {
		src := netip.AddrFrom4([4]byte{10, 0, 1 + byte(i>>8), byte(i)})
		p := wire.Packet{Type: wire.TypeHello, Router: wire.ID(0x08000000 + i), Hello: n.m.greeting(n.m.links[1])}
		p.Hello.Neighbors = []wire.ID{n.m.router}
		list = append(list, protocol.Received{
			Link: 1, Src: src, Dst: allSPFRouters, Protocol: wire.Protocol, HopLimit: 1, Payload: p.Append(nil, nil, 0, wire.IDOf(src)),
		})
	}
	for _, in := range list {
		n.m.Step(w.now, in, nil)
	}
	return n, list
}

// A Hello that changes nothing, of one of 200 neighbours on the link.
func BenchmarkHello(b *testing.B) {
	n, list := crowd(b, 200)
	b.ReportAllocs()
	var out []protocol.Effect
	i := 0
	for b.Loop() {
		i++
		out = n.m.Step(n.w.now, list[i%len(list)], out[:0])
	}
}

// A Hello of somebody else each time, as a flood of forgeries is: 65,536 of them.
func BenchmarkForgedHello(b *testing.B) {
	n, list := crowd(b, 200)
	forged := list[0]
	b.ReportAllocs()
	var out []protocol.Effect
	i := 0
	for b.Loop() {
		i++
		p := wire.Packet{Type: wire.TypeHello, Router: wire.ID(0x0a000000 + i), Hello: n.m.greeting(n.m.links[1])}
		forged.Src = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		forged.Payload = p.Append(forged.Payload[:0], nil, 0, 0)
		out = n.m.Step(n.w.now, forged, out[:0])
	}
}

// An Update with one LSA that is newer: it is installed, and acknowledged later.
func BenchmarkUpdate(b *testing.B) {
	w := newNetwork(b, 1)
	n := w.router("5.0.0.5")
	n.port(w.segment(), PointToPoint, "10.0.0.2/24", nil)
	n.begin()
	x := &peer{w: w, n: n, router: ip("9.0.0.9"), addr: addr("10.0.0.9"), seq: 1000, mtu: 1500, option: wire.OptionE | wire.OptionO}
	x.hello = n.m.greeting(x.link())
	x.greet()
	x.describe(wire.FlagInit | wire.FlagMore | wire.FlagMaster)
	x.seq++
	x.describe(wire.FlagMaster)
	if x.state() != NeighborFull {
		b.Fatal(x.state())
	}
	b.ReportAllocs()
	var out []protocol.Effect
	now, seq := w.now, int32(0)
	var payload []byte
	for b.Loop() {
		seq++
		now = now.Add(2 * time.Second)
		x.neighbor().inactivity.Of = func() {}
		l := lsa("9.0.0.9", seq, 1, 10)
		p := wire.Packet{Type: wire.TypeUpdate, Router: x.router, Updates: []wire.Update{{LSA: l, Age: 1}}}
		payload = p.Append(payload[:0], nil, 0, 0)
		out = n.m.Step(now, protocol.Received{Link: 1, Src: x.addr, Dst: allSPFRouters, Protocol: wire.Protocol, HopLimit: 1, Payload: payload}, out[:0])
	}
}

// A router learns the database of a neighbour, 10,000 routers in a grid, from the
// first Hello to Full; the calculations of routes are among it. Both are counted.
func BenchmarkExchange(b *testing.B) {
	const side = 100
	name := func(x, y int) wire.ID { return wire.ID(0x0a000000 + (y+side)%side<<8 + (x+side)%side) }
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		w := newNetwork(b, 1)
		l := w.segment()
		for _, id := range []string{"5.0.0.5", "9.0.0.9"} {
			w.router(id).port(l, PointToPoint, id+"/8", func(i *InterfaceConfig) { i.HelloInterval = time.Second })
		}
		w.begin()
		w.run(time.Millisecond, nil)
		m := w.nodes[1].m
		for x := range side {
			for y := range side {
				h := wire.Header{Identity: wire.Identity{Type: wire.RouterLSA, ID: name(x, y), Router: name(x, y)}, Sequence: wire.InitialSequence}
				body := wire.Router{Links: []wire.Link{
					{ID: name(x+1, y), Data: name(x, y), Type: wire.LinkPointToPoint, Cost: 1},
					{ID: name(x-1, y), Data: name(x, y), Type: wire.LinkPointToPoint, Cost: 1},
					{ID: name(x, y+1), Data: name(x, y), Type: wire.LinkPointToPoint, Cost: 1},
					{ID: name(x, y-1), Data: name(x, y), Type: wire.LinkPointToPoint, Cost: 1},
					{ID: name(x, y), Data: 0xffffffff, Type: wire.LinkStub, Cost: 0},
				}}
				e, _ := m.area(0).db.Install(w.now, wire.AppendLSA(nil, &h, &body))
				m.area(0).Graph.Update(e)
			}
		}
		b.StartTimer()
		w.want(time.Minute, "full", func() bool { return w.adjacent() && w.nodes[0].m.area(0).db.Len(wire.RouterLSA) == side*side+2 })
	}
}
