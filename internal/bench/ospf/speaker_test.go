package main

import (
	"testing"
	"time"

	"routerd/routing/ospf/wire"
)

const (
	testPeer    wire.ID = 0x0aff0001
	testAddress wire.ID = 0x0a000101
)

// bed is a speaker and what it has sent, with a network of 12 x 12 routers: more
// headers than a Description holds.
type bed struct {
	t    *testing.T
	s    *speaker
	n    *network
	sent []wire.Packet
	now  time.Time
}

func newBed(t *testing.T) *bed {
	b := &bed{t: t, n: newNetwork(12, testPeer, testAddress+1), now: time.Unix(1700000000, 0)}
	b.s = &speaker{
		router: firstRouter, address: testAddress + 1, mask: wire.MaskOf(24), hello: time.Second, dead: 4 * time.Second, db: b.n,
		send: func(_ *speaker, _ wire.ID, p *wire.Packet) { // as it is on the wire
			var decoded wire.Packet
			if r := wire.Decode(p.Append(nil, nil, 0, 0), &decoded); !r.OK() {
				t.Fatalf("a %v that is refused: %v", p.Type, r)
			}
			b.sent = append(b.sent, decoded)
		},
	}
	return b
}

// hear has the speaker receive a packet of the peer's, and gives its answers.
func (b *bed) hear(p wire.Packet) []wire.Packet {
	p.Router, b.sent = testPeer, nil
	b.s.receive(b.now, testAddress, &p)
	return b.sent
}

func (b *bed) greet(listed ...wire.ID) []wire.Packet {
	return b.hear(wire.Packet{Type: wire.TypeHello, Hello: wire.Hello{Priority: 1, Neighbors: listed}})
}

// describe answers as a slave until the speaker has told all, and gives the headers
// that it told of.
func (b *bed) describe() (told int) {
	b.t.Helper()
	for range 10 {
		sequence, before := b.s.sequence, b.s.phase
		list := b.hear(wire.Packet{Type: wire.TypeDescription, Description: wire.Description{MTU: 1500, Sequence: sequence}})
		if b.s.phase == described && before == describing {
			return told
		}
		if len(list) != 1 || list[0].Type != wire.TypeDescription || list[0].Description.Sequence != sequence+1 {
			b.t.Fatalf("after Description %d: %+v", sequence, list)
		}
		told += len(list[0].Headers)
	}
	b.t.Fatal("the exchange has no end")
	return 0
}

// The whole way to an adjacency, and a database that arrives complete.
func TestAdjacency(t *testing.T) {
	b := newBed(t)
	if list := b.greet(); len(list) != 1 || list[0].Type != wire.TypeHello || list[0].Hello.Neighbors[0] != testPeer {
		t.Fatalf("to a Hello that does not list it: %+v, want a Hello that lists the peer", list)
	}
	list := b.greet(firstRouter)
	if len(list) != 1 || list[0].Description.Flags != wire.FlagInit|wire.FlagMore|wire.FlagMaster {
		t.Fatalf("to a Hello that lists it: %+v, want the first Description", list)
	}
	// The peer has begun as well, and gives way.
	if list := b.hear(wire.Packet{Type: wire.TypeDescription, Description: wire.Description{Sequence: 9, Flags: wire.FlagInit | wire.FlagMore | wire.FlagMaster}}); len(list) != 0 {
		t.Errorf("to a Description of a peer with a lower router ID: %+v, want nothing", list)
	}
	b.now = b.now.Add(describedFor)
	b.sent = nil
	if b.s.tick(b.now); len(b.sent) < 1 || b.sent[len(b.sent)-1].Type != wire.TypeDescription {
		t.Errorf("without an answer: %+v, want the Description again", b.sent)
	}
	if told := b.describe(); told != 144 {
		t.Errorf("%d headers, want 144", told)
	}
	// All LSAs, once each, in Updates that fit the link.
	request := wire.Packet{Type: wire.TypeRequest}
	for _, h := range b.n.headers() {
		request.Requests = append(request.Requests, h.Identity)
	}
	request.Requests = append(request.Requests, wire.Identity{Type: wire.RouterLSA, ID: 1, Router: 1}) // of nobody
	given := 0
	for _, p := range b.hear(request) {
		given += len(p.Updates)
		if n := len(p.Append(nil, nil, 0, 0)); n > linkMTU-20 || len(p.Refused) > 0 {
			t.Errorf("an Update of %d octets, %d LSAs refused", n, len(p.Refused))
		}
	}
	if given != 144 {
		t.Errorf("%d LSAs, want 144", given)
	}
	own := wire.AppendLSA(nil, &wire.Header{Identity: wire.Identity{Type: wire.RouterLSA, ID: testPeer, Router: testPeer}, Sequence: 1},
		&wire.Router{Links: []wire.Link{{ID: firstRouter, Type: wire.LinkPointToPoint}}})
	list = b.hear(wire.Packet{Type: wire.TypeUpdate, Updates: []wire.Update{{LSA: own}}})
	if len(list) != 1 || list[0].Type != wire.TypeAcknowledgement || len(list[0].Headers) != 1 || !b.s.full {
		t.Errorf("to the peer's LSA: %+v, full %v, want an acknowledgement, and full", list, b.s.full)
	}
	b.greet() // lists nobody
	if b.s.full || b.s.lost != 1 {
		t.Errorf("full %v, lost %d, after a Hello that does not list it, want one loss", b.s.full, b.s.lost)
	}
}

// An LSA is sent until that instance is acknowledged.
func TestFlooded(t *testing.T) {
	b := newBed(t)
	b.greet(firstRouter)
	b.describe()
	first := b.n.change()
	b.s.flood(b.now, first)
	b.hear(wire.Packet{Type: wire.TypeAcknowledgement, Headers: []wire.Header{{Identity: first.Identity(), Sequence: first.Sequence() - 1}}})
	b.s.tick(b.now.Add(againAfter))
	if len(b.sent) == 0 || b.s.repeats != 1 {
		t.Errorf("%d repeats, and sent %d packets, want one", b.s.repeats, len(b.sent))
	}
	b.hear(wire.Packet{Type: wire.TypeAcknowledgement, Headers: []wire.Header{first.Header()}})
	if b.s.tick(b.now.Add(2 * againAfter)); b.s.repeats != 1 {
		t.Errorf("%d repeats of what was acknowledged, want none", b.s.repeats-1)
	}
}

// The network has as many prefixes as its LSAs say, and costs follow its links.
func TestNetwork(t *testing.T) {
	n := newNetwork(5, testPeer, testAddress+1)
	seen := map[wire.ID]bool{}
	for i := range n.routers {
		for _, l := range n.routers[i].links {
			if l.Type == wire.LinkStub && l.ID != testAddress&wire.MaskOf(24) {
				seen[l.ID] = true
			}
		}
		if r := n.routers[i].lsa.Check(); !r.OK() {
			t.Errorf("the LSA of router %d: %v", i, r)
		}
	}
	if len(seen) != n.prefixes() || len(seen) != 25+40 {
		t.Errorf("%d prefixes, counted as %d, want 65", len(seen), n.prefixes())
	}
	if cost := n.cost(); cost < 8*10+1 || cost > 8*16+1 {
		t.Errorf("the last router costs %d, want 8 links and 1", cost)
	}
	for i := range n.routers {
		for l := range n.routers[i].links {
			n.routers[i].links[l].Cost = 7
		}
	}
	if cost := n.cost(); cost != 8*7+1 {
		t.Errorf("the last router costs %d, want 57", cost)
	}
	one, other := newNetwork(5, testPeer, 1).change(), newNetwork(5, testPeer, 1).change()
	if string(one) != string(other) {
		t.Error("two networks change otherwise, want the same changes")
	}
}

// On a LAN only the DR is adjacent, and its Network-LSA says so.
func TestAdjacencyOnLAN(t *testing.T) {
	b := newBed(t)
	b.s.db = newMember(firstRouter, testAddress+1, testAddress)
	greet := func(dr wire.ID) []wire.Packet {
		return b.hear(wire.Packet{Type: wire.TypeHello, Hello: wire.Hello{Priority: 1, DR: dr, Neighbors: []wire.ID{firstRouter}}})
	}
	if greet(testAddress + 9); b.s.phase != alone {
		t.Error("a router that is not the DR is adjacent")
	}
	if list := greet(testAddress); len(list) != 1 || list[0].Type != wire.TypeDescription {
		t.Errorf("to the DR's Hello: %+v, want a Description", list)
	}
	if told := b.describe(); told != 1 {
		t.Errorf("%d headers, want its own", told)
	}
	l := wire.AppendLSA(nil, &wire.Header{Identity: wire.Identity{Type: wire.NetworkLSA, ID: testAddress, Router: testPeer}, Sequence: 1},
		&wire.Network{Mask: wire.MaskOf(24), Routers: []wire.ID{testPeer, firstRouter}})
	b.hear(wire.Packet{Type: wire.TypeUpdate, Updates: []wire.Update{{LSA: l}}})
	if !b.s.full {
		t.Error("not full, though the DR's Network-LSA lists it")
	}
}
