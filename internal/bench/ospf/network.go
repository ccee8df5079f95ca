package main

import (
	"math/rand/v2"

	"routerd/routing/ospf/wire"
)

// Addresses of what is made up: the router IDs, so that a speaker leads every
// exchange, the loopbacks of routers, and the networks of their links.
const (
	firstRouter   wire.ID = 0xc0000001 // 192.0.0.1
	firstLoopback wire.ID = 0xac100001 // 172.16.0.1/32
	firstNetwork  wire.ID = 0x64400000 // 100.64.0.0/31
)

// network is an area of side x side routers in a grid, each with point-to-point
// links to those beside it, whose networks it has, and a loopback. The first one,
// in a corner, is the speaker; the router that is measured is behind it.
type network struct {
	routers []generated
	at      map[wire.Identity]int
	random  *rand.Rand
}

// generated is one of its routers.
type generated struct {
	links    []wire.Link // each followed by its network, and the loopback last
	sequence int32
	lsa      wire.LSA
}

// newNetwork makes the same network each time, and the same changes follow.
func newNetwork(side int, peer, own wire.ID) *network {
	n := &network{routers: make([]generated, side*side), at: map[wire.Identity]int{}, random: rand.New(rand.NewPCG(1, uint64(side)))}
	connect := func(from, to int, link int) {
		data := firstNetwork + 2*wire.ID(link)
		if from > to {
			data++
		}
		cost := uint16(10 + link%7)
		r := &n.routers[from]
		r.links = append(
			r.links,
			wire.Link{ID: firstRouter + wire.ID(to), Data: data, Type: wire.LinkPointToPoint, Cost: cost},
			wire.Link{ID: data &^ 1, Data: wire.MaskOf(31), Type: wire.LinkStub, Cost: cost},
		)
	}
	for i := range n.routers {
		if i%side < side-1 {
			connect(i, i+1, 2*i)
			connect(i+1, i, 2*i)
		}
		if i+side < len(n.routers) {
			connect(i, i+side, 2*i+1)
			connect(i+side, i, 2*i+1)
		}
	}
	first := &n.routers[0]
	first.links = append(
		first.links,
		wire.Link{ID: peer, Data: own, Type: wire.LinkPointToPoint, Cost: 10},
		wire.Link{ID: own & wire.MaskOf(24), Data: wire.MaskOf(24), Type: wire.LinkStub, Cost: 10},
	)
	for i := range n.routers {
		r := &n.routers[i]
		r.links = append(r.links, wire.Link{ID: firstLoopback + wire.ID(i), Data: wire.MaskOf(32), Type: wire.LinkStub, Cost: 1})
		r.sequence = wire.InitialSequence
		n.at[n.build(i).Identity()] = i
	}
	return n
}

// build makes a router's LSA of its links.
func (n *network) build(i int) wire.LSA {
	r, id := &n.routers[i], firstRouter+wire.ID(i)
	h := wire.Header{
		Identity: wire.Identity{Type: wire.RouterLSA, ID: id, Router: id},
		Age:      1, Options: wire.OptionE, Sequence: r.sequence,
	}
	r.lsa = wire.AppendLSA(nil, &h, &wire.Router{Links: r.links})
	return r.lsa
}

// change gives a random link of a random router another cost. It is never one of
// the first router's.
func (n *network) change() wire.LSA {
	i := 1 + n.random.IntN(len(n.routers)-1)
	r := &n.routers[i]
	link := 2 * n.random.IntN(len(r.links)/2)
	cost := r.links[link].Cost
	for cost == r.links[link].Cost {
		cost = uint16(5 + n.random.IntN(20))
	}
	r.links[link].Cost, r.links[link+1].Cost = cost, cost
	r.sequence++
	return n.build(i)
}

// prefixes is how many prefixes the network has beside the one of the peer's link.
func (n *network) prefixes() int {
	sum := 0
	for i := range n.routers {
		sum += len(n.routers[i].links) - 1
	}
	return len(n.routers) + (sum-2)/4
}

// cost is how far the last router's loopback is from the first router, found link
// by link until no one gets nearer: neither buckets nor heaps.
func (n *network) cost() int {
	const far = 1 << 30
	distance := make([]int, len(n.routers))
	for i := range distance {
		distance[i] = far
	}
	distance[0] = 0
	for again := true; again; {
		again = false
		for i := range n.routers {
			for _, l := range n.routers[i].links {
				to := int(l.ID) - int(firstRouter)
				if l.Type != wire.LinkPointToPoint || to < 0 || to >= len(distance) {
					continue
				}
				if d := distance[i] + int(l.Cost); d < distance[to] {
					distance[to], again = d, true
				}
			}
		}
	}
	return distance[len(distance)-1] + 1
}

// headers and find: see database.
func (n *network) headers() (list []wire.Header) {
	for i := range n.routers {
		list = append(list, n.routers[i].lsa.Header())
	}
	return list
}

func (n *network) find(id wire.Identity) wire.LSA {
	if i, ok := n.at[id]; ok {
		return n.routers[i].lsa
	}
	return nil
}
