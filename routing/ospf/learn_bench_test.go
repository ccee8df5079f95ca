package ospf

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// teaching is what a neighbour that leads the exchange says to a machine that learns
// the database of a grid from it: a Hello, Descriptions, and full Updates.
func teaching(side int) (list []protocol.Received) {
	const router, port, room = 2, 0x0a000009, 1400 // beside the corner, which is the machine
	say := func(p wire.Packet) {
		p.Router = router
		src := wire.ID(port).Addr()
		list = append(list, protocol.Received{
			Link: 1, Src: src, Dst: allSPFRouters, Protocol: wire.Protocol, HopLimit: 1, Payload: p.Append(nil, nil, 0, wire.IDOf(src)),
		})
	}
	describe := func(sequence uint32, flags wire.DescriptionFlags, headers []wire.Header) {
		say(wire.Packet{Type: wire.TypeDescription, Description: wire.Description{
			MTU: 1500, Options: wire.OptionE, Flags: flags, Sequence: sequence,
		}, Headers: headers})
	}
	greeting := DefaultInterface(PointToPoint)
	say(wire.Packet{Type: wire.TypeHello, Hello: wire.Hello{
		Mask: wire.MaskOf(24), HelloInterval: uint16(greeting.HelloInterval / time.Second), Options: wire.OptionE,
		DeadInterval: uint32(greeting.dead() / time.Second), Neighbors: []wire.ID{self},
	}})
	var headers []wire.Header
	var updates []wire.Update
	from, _ := grid(side)
	for e := range from.db.All(wire.RouterLSA) {
		if l := e.LSA(); l.Router() != self {
			headers, updates = append(headers, l.Header()), append(updates, wire.Update{LSA: l, Age: 1})
		}
	}
	sequence := uint32(1000)
	describe(sequence, wire.FlagInit|wire.FlagMore|wire.FlagMaster, nil)
	for len(headers) > 0 {
		sequence++
		n := min(room/wire.LSAHeaderSize, len(headers))
		flags := wire.FlagMaster
		if n < len(headers) {
			flags |= wire.FlagMore
		}
		describe(sequence, flags, headers[:n])
		headers = headers[n:]
	}
	for len(updates) > 0 {
		n, size := 0, 0
		for ; n < len(updates) && size+len(updates[n].LSA) <= room; n++ {
			size += len(updates[n].LSA)
		}
		say(wire.Packet{Type: wire.TypeUpdate, Updates: updates[:n]})
		updates = updates[n:]
	}
	return list
}

// BenchmarkLearn is what a router takes to learn the database of a neighbour and to
// calculate its routes, from the first Hello on. The bytes are what then stays in use.
func BenchmarkLearn(b *testing.B) {
	const side = 100
	list := teaching(side)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ReportAllocs()
	var m *Machine
	var slots *routing.Slots
	var out []protocol.Effect
	for b.Loop() {
		now := bedStart
		slots = &routing.Slots{}
		m = New(protocol.Start{Slots: slots})
		cfg := DefaultConfig()
		cfg.RouterID = self
		cfg.Interfaces["eth0"] = DefaultInterface(PointToPoint)
		m.Step(now, protocol.Configure{Config: cfg}, nil)
		m.Step(now, protocol.LinkUp{
			Link: 1, Name: "eth0", Kind: protocol.PointToPoint, MTU: 1500,
			Addresses: []netip.Prefix{netip.PrefixFrom(wire.ID(0x0a000001).Addr(), 24)},
		}, nil)
		for _, in := range list {
			out = m.Step(now, in, out[:0])
			now = now.Add(20 * time.Microsecond)
		}
		for end := now.Add(20 * time.Second); now.Before(end); now = now.Add(time.Second) {
			out = m.Step(now, protocol.Tick{}, out[:0])
		}
		slots.Publish()
	}
	if n := m.area(backbone).db.Len(wire.RouterLSA); n != side*side || len(m.area(backbone).tree.order) < side*side {
		b.Fatalf("%d LSAs, %d routers reached", n, len(m.area(backbone).tree.order))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(side*side), "ns/LSA")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(side*side), "bytes/LSA")
	runtime.KeepAlive(m)
	runtime.KeepAlive(slots)
}
