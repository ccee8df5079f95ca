package ospf

import (
	"net/netip"
	"testing"
	"time"

	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// peer is a neighbour that says what the test has it say, to a machine at 10.0.0.2
// on a point-to-point link or an Ethernet.
type peer struct {
	t      testing.TB
	w      *network
	n      *station
	router wire.ID
	addr   netip.Addr
	seq    uint32
	mtu    uint16
	hello  wire.Hello
	option wire.Options // of Descriptions
}

// newPeer has a router ID below the machine's, 5.0.0.5, or above it.
func newPeer(t *testing.T, kind NetworkType, router string, change func(*InterfaceConfig)) *peer {
	w := newNetwork(t, 1)
	n := w.router("5.0.0.5")
	n.port(w.segment(), kind, "10.0.0.2/24", change)
	n.begin()
	x := &peer{t: t, w: w, n: n, router: ip(router), addr: addr("10.0.0.9"), seq: 1000, mtu: 1500, option: wire.OptionE | wire.OptionO}
	x.hello = n.m.greeting(x.link())
	x.hello.Priority = 0
	return x
}

func (x *peer) link() *link { return x.n.m.links[1] }

// neighbor is the peer as the machine sees it, nil if it does not.
func (x *peer) neighbor() *neighbor { return x.link().index[x.link().nameOf(x.router, x.addr)] }

func (x *peer) state() NeighborState {
	if n := x.neighbor(); n != nil {
		return n.state
	}
	return NeighborDown
}

// say sends a packet, of area 0 if it does not say another one.
func (x *peer) say(p wire.Packet) {
	if p.Router == 0 {
		p.Router = x.router
	}
	x.w.step(x.n, protocol.Received{
		Link: 1, Src: x.addr, Dst: allSPFRouters, Protocol: wire.Protocol, HopLimit: 1,
		Payload: p.Append(nil, nil, 0, wire.IDOf(x.addr)),
	})
}

func (x *peer) greet() {
	h := x.hello
	h.Neighbors = []wire.ID{x.n.m.router}
	x.say(wire.Packet{Type: wire.TypeHello, Hello: h})
}

func (x *peer) describe(flags wire.DescriptionFlags, headers ...wire.Header) {
	x.say(wire.Packet{Type: wire.TypeDescription, Description: wire.Description{MTU: x.mtu, Options: x.option, Flags: flags, Sequence: x.seq}, Headers: headers})
}

func (x *peer) update(list ...wire.LSA) {
	p := wire.Packet{Type: wire.TypeUpdate}
	for _, l := range list {
		p.Updates = append(p.Updates, wire.Update{LSA: l, Age: l.Age()})
	}
	x.say(p)
}

func (x *peer) ack(list ...wire.Header) {
	x.say(wire.Packet{Type: wire.TypeAcknowledgement, Headers: list})
}

func (x *peer) ask(list ...wire.Identity) {
	x.say(wire.Packet{Type: wire.TypeRequest, Requests: list})
}

// sent gives the packets of a type that the machine sent since the last call, and
// lets time pass before.
func (x *peer) sent(d time.Duration, t wire.Type) (list []wire.Packet) {
	x.w.run(d, nil)
	for _, p := range x.n.sent {
		if p.Type == t {
			list = append(list, p)
		}
	}
	x.n.sent = nil
	return list
}

// exchange brings the machine to Exchange, as the master if the peer's router ID is
// lower. The peer has headers.
func (x *peer) exchange(headers ...wire.Header) {
	x.t.Helper()
	x.greet()
	if x.state() != NeighborExStart {
		x.t.Fatalf("%v after a Hello, want exstart\n%s", x.state(), x.w)
	}
	if x.router > x.n.m.router {
		x.describe(wire.FlagInit | wire.FlagMore | wire.FlagMaster)
		x.seq++
		x.describe(wire.FlagMaster, headers...)
		return
	}
	x.seq = x.neighbor().exchange.sequence
	x.describe(0, headers...)
	x.seq++
	x.describe(0)
}

// full brings the machine to Full, with a peer that has nothing.
func (x *peer) full() {
	x.t.Helper()
	x.exchange()
	if x.state() != NeighborFull {
		x.t.Fatalf("%v after an exchange, want full\n%s", x.state(), x.w)
	}
	x.ackAll()
	x.n.sent = nil
}

// ackAll acknowledges all that waits for it.
func (x *peer) ackAll() {
	var list []wire.Header
	for e := range x.neighbor().unacked.all {
		list = append(list, e.Header(x.w.now))
	}
	if len(list) > 0 {
		x.ack(list...)
	}
}

// lsa makes a Router-LSA of a router with a stub network.
func lsa(router string, seq int32, age uint16, cost uint16) wire.LSA {
	h := wire.Header{
		Identity: wire.Identity{Type: wire.RouterLSA, ID: ip(router), Router: ip(router)},
		Age:      age, Options: wire.OptionE, Sequence: wire.InitialSequence + seq,
	}
	return wire.AppendLSA(nil, &h, &wire.Router{Links: []wire.Link{{ID: ip("192.0.2.0"), Data: 0xffffff00, Type: wire.LinkStub, Cost: cost}}})
}

func (x *peer) refusals(r wire.Reason) uint64 { return x.link().counters.Refused[r] }
