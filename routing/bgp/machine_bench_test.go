package bgp

import (
	"net/netip"
	"testing"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// BenchmarkMachine has a machine learn a full table from a neighbour, and send it to
// another.
func BenchmarkMachine(b *testing.B) {
	stream, prefixes := feed(b)
	for _, export := range []bool{false, true} {
		name := "learn"
		if export {
			name = "learn and export"
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				learn(b, stream, prefixes, export)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(prefixes), "ns/prefix")
		})
	}
}

// learn feeds a machine, and drains what it offers.
func learn(b *testing.B, stream []byte, prefixes int, export bool) {
	var slots routing.Slots
	m := New(protocol.Start{Seed: 1, Slots: &slots})
	c := Config{AS: 4200000000, RouterID: 9} // in none of the paths
	for i := range 2 {
		n := NeighborConfig{Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)}), Link: routing.NoInterface, AS: 65001 + uint32(i), HoldTime: 90, Passive: true}
		n.Families[wire.IPv4Unicast] = FamilyConfig{Enabled: true, Import: Policy{Given: true}, Export: Policy{Given: true}}
		c.Neighbors = append(c.Neighbors, n)
	}
	c.Listen[wire.IPv4Unicast] = netip.MustParseAddrPort("0.0.0.0:179")
	now := epoch
	var out []protocol.Effect
	step := func(in protocol.Input) {
		for queue := []protocol.Input{in}; len(queue) > 0; queue = queue[1:] {
			out = m.Step(now, queue[0], out[:0])
			for _, e := range out {
				switch e := e.(type) {
				case protocol.Write:
					queue = append(queue, protocol.Written{ID: e.ID, Room: protocol.StreamRoom})
				case protocol.Track:
					queue = append(queue, protocol.Notices{Notices: routing.Notices{NextHops: []routing.NextHopState{
						{Address: e.Address, Interface: e.Link, Reachable: true, Source: routing.SourceConnected},
					}}})
				case protocol.Mark:
					queue = append(queue, protocol.Notices{Notices: routing.Notices{Installed: e.Number}})
				}
			}
			slots.Publish()
		}
	}
	step(protocol.LinkUp{Link: 1, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.9/24")}})
	step(protocol.Configure{Config: c})
	for i := range 2 {
		if i == 1 && !export {
			break
		}
		id := protocol.AcceptedStream | protocol.StreamID(i)
		step(protocol.Connected{ID: id, Listener: 1, Local: netip.MustParseAddrPort("192.0.2.9:179"), Remote: netip.AddrPortFrom(c.Neighbors[i].Address, 1000), Link: routing.NoInterface, Room: protocol.StreamRoom})
		open := wire.Open{AS: c.Neighbors[i].AS, ID: wire.RouterID(1 + i), HoldTime: 90, Capabilities: wire.Capabilities{Families: wire.Of(wire.IPv4Unicast), FourOctetAS: true}}
		step(protocol.Read{ID: id, Data: wire.AppendKeepalive(open.Append(nil))})
	}
	for rest := stream; len(rest) > 0; {
		n := min(64<<10, len(rest))
		step(protocol.Read{ID: protocol.AcceptedStream, Data: rest[:n]})
		rest = rest[n:]
	}
	if got := m.ribs[wire.IPv4Unicast].table.Len(); got != prefixes {
		b.Fatalf("%d prefixes, want %d", got, prefixes)
	}
	if export && m.order[1].out[wire.IPv4Unicast].count != prefixes {
		b.Fatalf("%d prefixes were sent, want %d", m.order[1].out[wire.IPv4Unicast].count, prefixes)
	}
}
