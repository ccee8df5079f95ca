package dataplane

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/dataplane/port"
	"routerd/dataplane/port/memory"
	"routerd/dataplane/reassembly"
	"routerd/icmp"
	"routerd/internal/packet"
	"routerd/routing"
	"routerd/routing/fib"
)

// The network of most tests:
//
//	h1 10.0.1.2 -- lan0 [ router ] lan1 (MTU 1400) -- h2 10.0.2.2
//	                    [   lo 10.255.0.1   ]
//	                    [ lan2 (down) 10.0.3.1/24, bare0 no offloads 10.0.4.1/24 ]
//
// with 2001:db8:N::/64 beside 10.0.N.0/24.
const (
	lan0 routing.InterfaceID = iota
	lan1
	lan2
	bare0
	lo
)

type network struct {
	view  *View
	ports map[routing.InterfaceID]*memory.Port
	table *Table
	// mirror, if there is one, gets the same packets, one at a time, and has to
	// do the same with them.
	mirror *mirror
}

var testNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func newNetwork(tb testing.TB) *network {
	tb.Helper()
	n := &network{ports: map[routing.InterfaceID]*memory.Port{}, table: &Table{Name: "main", FIB: fib.Empty()}}
	n.view = &View{
		Generation: 1,
		Tables:     []*Table{n.table},
		Martians:   NewMartians(DefaultMartianSources, DefaultMartianDestinations),
		Limits:     Limits{ICMP: icmp.Config{ErrorRate: 1000, ErrorBurst: 1000}, Reassembly: reassembly.Default},
	}
	n.add(tb, lan0, "lan0", 1500, port.OffloadAll, "10.0.1.1/24", "2001:db8:1::1/64", "fe80::1/64")
	n.add(tb, lan1, "lan1", 1400, port.OffloadAll, "10.0.2.1/24", "2001:db8:2::1/64", "fe80::1/64")
	n.add(tb, lan2, "lan2", 1500, port.OffloadAll, "10.0.3.1/24", "2001:db8:3::1/64")
	n.add(tb, bare0, "bare0", 1500, 0, "10.0.4.1/24", "2001:db8:4::1/64")
	n.view.Interfaces = append(n.view.Interfaces, &Interface{
		ID: lo, Name: "lo", Kind: KindLoopback, Up: true, MTU: 65535,
		Addresses: []netip.Prefix{prefix("10.255.0.1/32"), prefix("2001:db8:ff::1/128")},
	})
	n.view.Interfaces[lan2].Up = false
	n.view.Own = NewOwnAddresses(n.view.Interfaces)
	n.routes()
	return n
}

func (n *network) add(tb testing.TB, id routing.InterfaceID, name string, mtu int, o port.Offloads, addresses ...string) {
	p := memory.New(name, mtu, memory.WithOffloads(o))
	tb.Cleanup(func() { p.Close() })
	n.ports[id] = p
	i := &Interface{
		ID: id, Name: name, Kind: KindTUN, MTU: mtu, Up: true, PointToPoint: true,
		Output: p.Queues()[0], Offloads: o,
	}
	for _, a := range addresses {
		i.Addresses = append(i.Addresses, prefix(a))
	}
	n.view.Interfaces = append(n.view.Interfaces, i)
}

// routes fills the table as the RIB would.
func (n *network) routes() {
	for _, i := range n.view.Interfaces {
		for _, a := range i.Addresses {
			if a.Addr().IsLinkLocalUnicast() {
				continue
			}
			if !a.IsSingleIP() {
				n.forward(a.Masked().String(), routing.SourceConnected, fib.NextHop{Interface: i.ID})
			}
			if a.Addr().Is4() && a.Bits() < 31 {
				b := a.Addr().As4()
				b[3] = 255
				n.set(netip.AddrFrom4(b).String()+"/32", &fib.Entry{Action: routing.Broadcast, Interface: i.ID})
			}
			n.set(netip.PrefixFrom(a.Addr(), a.Addr().BitLen()).String(), &fib.Entry{Action: routing.Local, Interface: i.ID})
		}
	}
	for p, a := range map[string]routing.Action{
		"10.9.0.0/16": routing.Blackhole, "10.10.0.0/16": routing.Unreachable, "10.11.0.0/16": routing.Prohibit,
		"2001:db8:9::/48": routing.Blackhole, "2001:db8:10::/48": routing.Unreachable, "2001:db8:11::/48": routing.Prohibit,
	} {
		n.set(p, &fib.Entry{Action: a, Source: routing.SourceStatic})
	}
	n.forward("10.20.0.0/16", routing.SourceStatic,
		fib.NextHop{Address: addr("10.0.2.2"), Interface: lan1, Weight: 1},
		fib.NextHop{Address: addr("10.0.4.2"), Interface: bare0, Weight: 3})
}

func (n *network) forward(p string, s routing.Source, hops ...fib.NextHop) {
	n.set(p, &fib.Entry{Action: routing.Forward, Source: s, Group: fib.NewGroup(hops)})
}

func (n *network) set(p string, e *fib.Entry) {
	e.Prefix = prefix(p)
	n.table.FIB = n.table.FIB.Apply([]fib.Change{{Prefix: e.Prefix, Entry: e}})
}

// run sends the frames through one batch and gives it back, with everything
// written to the ports.
func (n *network) run(tb rapid.TB, in routing.InterfaceID, packets ...memory.Packet) *Batch {
	tb.Helper()
	b := NewBatch(BatchSize, &Counters{}, &DropRing{})
	n.runIn(tb, b, in, packets...)
	return b
}

func (n *network) runIn(tb rapid.TB, b *Batch, in routing.InterfaceID, packets ...memory.Packet) {
	tb.Helper()
	if n.mirror != nil {
		n.mirror.compare(tb, n, b, in, packets)
		return
	}
	n.process(b, in, packets...)
}

func (n *network) process(b *Batch, in routing.InterfaceID, packets ...memory.Packet) {
	fill(b, in, packets...)
	Process(n.view, b, testNow)
	b.Transmit(testNow)
}

func fill(b *Batch, in routing.InterfaceID, packets ...memory.Packet) {
	for i, p := range packets {
		f := &b.Frames()[i]
		f.Reset()
		f.End = f.Start + copy(f.Buf[f.Start:], p.Data)
		f.Offload = p.Offload
	}
	b.Received(len(packets), in)
}

// raw is a packet without offloads.
func raw(b []byte) memory.Packet { return memory.Packet{Data: b} }

func build(tb rapid.TB, p Probe) []byte {
	tb.Helper()
	b, err := p.Build()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// udp4 and udp6 are what most tests send: h1 to somewhere.
func udp4(dst string) Probe {
	return Probe{Src: addr("10.0.1.2"), Dst: addr(dst), Proto: packet.ProtoUDP, SrcPort: 4000, DstPort: 5000, Size: 100}
}

func udp6(dst string) Probe {
	return Probe{Src: addr("2001:db8:1::2"), Dst: addr(dst), Proto: packet.ProtoUDP, SrcPort: 4000, DstPort: 5000, Size: 100}
}

func ping4(dst string) Probe {
	return Probe{Src: addr("10.0.1.2"), Dst: addr(dst), Proto: packet.ProtoICMP, Size: 84}
}

func ping6(dst string) Probe {
	return Probe{Src: addr("2001:db8:1::2"), Dst: addr(dst), Proto: packet.ProtoICMPv6, Size: 104}
}

func hopVia(gateway string, out routing.InterfaceID) fib.NextHop {
	return fib.NextHop{Address: addr(gateway), Interface: out, Weight: 1}
}
