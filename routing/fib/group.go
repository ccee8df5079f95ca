package fib

import (
	"math"
	"net/netip"

	"routerd/routing"
)

// NextHop is a resolved next hop: it always has an interface.
type NextHop struct {
	Address   netip.Addr // invalid = the destination itself is on the link
	Interface routing.InterfaceID
	Weight    uint8 // share of the flows; 0 counts as 1
	// Index is the dense number of the pair (Address, Interface), an index into
	// the neighbour table. It is 0 without an Address: then the destination is
	// the neighbour.
	Index uint32
}

// Group is an immutable set of next hops, shared by reference between all
// entries with the same hops.
//
// Flows are spread by their hash over a fixed number of buckets, and each
// bucket belongs to the hop that wins a draw for it (rendezvous hashing,
// weighted). The draw depends on the bucket and the hop alone. So a group
// with one hop less gives exactly that hop's flows to the others and moves no
// other flow, a hop that comes back takes the same flows again, and neither
// needs to remember what the group was before.
//
// Only the states of its hops change: Pick skips dead hops at once, by the same
// draw, so that flows do not move again when the FIB without the hop follows.
type Group struct {
	hops    []NextHop
	states  []*State // of hops; nil = all alive
	buckets []uint16 // index into hops; nil with fewer than two hops
	shift   uint     // 32 - log2(len(buckets))
}

// Bucket counts. The share of a hop is off by about sqrt(share/buckets):
// with two hops of equal weight and 1024 buckets, 1.6 % of all flows.
const (
	fewBuckets  = 1024 // up to 8 hops
	manyBuckets = 4096
)

// NewSharedGroup makes a group whose hops have the states of the same place,
// which the caller shares with other groups; it keeps states.
func NewSharedGroup(hops []NextHop, states []*State) *Group {
	g := NewGroup(hops)
	g.states = states[:len(g.hops)]
	return g
}

// NewGroup makes a group of the hops, which it copies. The caller has to merge
// hops of the same address and interface. A group without hops picks nil.
func NewGroup(hops []NextHop) *Group {
	if len(hops) > routing.MaxNextHops {
		hops = hops[:routing.MaxNextHops]
	}
	g := &Group{hops: append([]NextHop(nil), hops...)}
	if len(hops) < 2 {
		return g
	}
	n := fewBuckets
	if len(hops) > 8 {
		n = manyBuckets
	}
	g.shift = 32 - uint(math.Ilogb(float64(n)))
	g.buckets = make([]uint16, n)
	keys := make([]uint64, len(hops))
	for i := range g.hops {
		keys[i] = g.hops[i].key()
	}
	for b := range g.buckets {
		g.buckets[b] = g.draw(uint64(b), keys)
	}
	return g
}

// Hops gives the hops of the group. They must not be changed.
func (g *Group) Hops() []NextHop { return g.hops }

// Dead gives the causes why the hop with that index in Hops is dead.
func (g *Group) Dead(hop int) []routing.Cause {
	if g.states == nil {
		return nil
	}
	return g.states[hop].Causes()
}

// Pick gives the hop of a flow, nil in a group without hops. If all hops are
// dead, it is one of those that only do not answer, so that the packet causes a
// new request. If all are dead for other causes, it is the hop that it would be
// if all were alive. The hash need not be evenly distributed. It allocates
// nothing.
func (g *Group) Pick(hash uint32) *NextHop {
	if g.buckets == nil {
		if len(g.hops) == 0 {
			return nil
		}
		return &g.hops[0]
	}
	// Fibonacci hashing: the product's top bits depend on all bits of hash.
	b := (hash * 0x9e3779b1) >> g.shift
	i := g.buckets[b]
	if g.states != nil && !g.states[i].Alive() {
		i = g.drawAlive(b, i)
	}
	return &g.hops[i]
}

// drawAlive decides which live hop bucket b belongs to, or else which silent
// one, or else gives otherwise. It computes a logarithm for each hop, but only
// for flows of dead hops.
func (g *Group) drawAlive(b uint32, otherwise uint16) uint16 {
	if i, ok := g.drawAmong(b, (*State).Alive); ok {
		return i
	}
	if g.states[otherwise].silent() {
		return otherwise // the winner among all hops
	}
	if i, ok := g.drawAmong(b, (*State).silent); ok {
		return i
	}
	return otherwise
}

// drawAmong decides which of the hops whose state is fit bucket b belongs to;
// false if none is.
func (g *Group) drawAmong(b uint32, fit func(*State) bool) (best uint16, found bool) {
	bestScore := -1.0
	for i := range g.hops {
		if !fit(g.states[i]) {
			continue
		}
		if score := g.score(uint64(b), i, g.hops[i].key()); score > bestScore {
			best, bestScore, found = uint16(i), score, true
		}
	}
	return best, found
}

// draw decides which hop bucket b belongs to. With u evenly distributed over
// (0,1) for each hop, the hop with the greatest -weight/ln(u) wins with the
// probability weight / sum of weights; u depends on bucket and hop alone.
func (g *Group) draw(b uint64, keys []uint64) uint16 {
	best, bestScore := 0, -1.0
	for i, k := range keys {
		if score := g.score(b, i, k); score > bestScore {
			best, bestScore = i, score
		}
	}
	return uint16(best)
}

// score is the score of the hop i with the key k for the bucket b.
func (g *Group) score(b uint64, i int, k uint64) float64 {
	u := (float64(mix(k+b*0x9e3779b97f4a7c15)>>11) + 0.5) / (1 << 53)
	return -float64(max(g.hops[i].Weight, 1)) / math.Log(u)
}

// key identifies the hop by address and interface. It does not depend on weight
// and Index, so changes of those move no flows.
func (h *NextHop) key() uint64 {
	k := mix(uint64(h.Interface) + 1)
	if h.Address.IsValid() {
		b := h.Address.As16()
		for i := 0; i < 16; i += 8 {
			var w uint64
			for _, c := range b[i : i+8] {
				w = w<<8 | uint64(c)
			}
			k = mix(k ^ w)
		}
	}
	return k
}

// mix spreads every bit of x over all of the result: the finaliser of
// SplitMix64 (Steele, Lea, Flood, 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
