package fib

import (
	"math"
	"net/netip"

	"routerd/routing"
)

// NextHop is one way out, resolved: it always has an interface.
type NextHop struct {
	Address   netip.Addr // invalid = the destination itself is on the link
	Interface routing.InterfaceID
	Weight    uint8 // share of the flows; 0 counts as 1
	// Index is the dense number of the pair (Address, Interface), an index
	// into the neighbour table. 0 is that of no fixed neighbour: the
	// destination is on the link.
	Index uint32
}

// Group is an immutable set of next hops, shared by reference between all the
// entries that lead the same way.
//
// Flows are spread by their hash over a fixed number of buckets, and each
// bucket belongs to the hop that wins a draw for it (rendezvous hashing,
// weighted). The draw depends on the bucket and the hop alone. So a group
// with one hop less gives exactly that hop's flows to the others and moves no
// other flow, a hop that comes back takes the same flows again, and neither
// needs to remember what the group was before.
//
// What is not immutable is whether its hops live: Pick passes over the dead
// ones, at once and by the same draw, so that flows stay where they are when the
// table without the hop follows.
type Group struct {
	hops    []NextHop
	states  []*State // of hops; nil = all live
	buckets []uint16 // index into hops; nil with fewer than two hops
	shift   uint     // 32 - log2(len(buckets))
}

// MaxHops is the most hops that a group holds; NewGroup leaves out what is
// beyond.
const MaxHops = 64

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

// NewGroup makes a group of the hops, which it copies. Hops of the same
// address and interface are to be merged by the caller. A group without hops
// picks nil.
func NewGroup(hops []NextHop) *Group {
	if len(hops) > MaxHops {
		hops = hops[:MaxHops]
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

// Hops gives the hops of the group, to be read only.
func (g *Group) Hops() []NextHop { return g.hops }

// Dead gives what speaks against the hop of that place in Hops.
func (g *Group) Dead(hop int) []routing.Cause {
	if g.states == nil {
		return nil
	}
	return g.states[hop].Causes()
}

// Pick gives the hop of a flow, nil in a group without hops. Where all hops are
// dead, it is one of those that only do not answer, so that the packet asks again:
// that is no reason to drop it. Where something else speaks against all of them,
// it is the one that it would be if all lived. The hash need not be evenly spread
// over its bits. It allocates nothing.
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

// drawAlive decides whose bucket b is among the hops that live, or else among
// the silent, otherwise where there is none either. It takes a logarithm for each
// of these, and only for flows of the dead.
func (g *Group) drawAlive(b uint32, otherwise uint16) uint16 {
	if i, ok := g.drawAmong(b, (*State).Alive); ok {
		return i
	}
	if g.states[otherwise].silent() {
		return otherwise // which would win a draw of all
	}
	if i, ok := g.drawAmong(b, (*State).silent); ok {
		return i
	}
	return otherwise
}

// drawAmong decides whose bucket b is among the hops whose state is fit, false
// where none is.
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

// draw decides whose bucket b is. With u drawn evenly from (0,1) for each
// hop, the hop with the greatest -weight/ln(u) wins with a probability of its
// weight over the sum of all; u depends on bucket and hop alone.
func (g *Group) draw(b uint64, keys []uint64) uint16 {
	best, bestScore := 0, -1.0
	for i, k := range keys {
		if score := g.score(b, i, k); score > bestScore {
			best, bestScore = i, score
		}
	}
	return uint16(best)
}

// score is what the hop i with the key k draws for the bucket b.
func (g *Group) score(b uint64, i int, k uint64) float64 {
	u := (float64(mix(k+b*0x9e3779b97f4a7c15)>>11) + 0.5) / (1 << 53)
	return -float64(max(g.hops[i].Weight, 1)) / math.Log(u)
}

// key is a number for where the hop leads: not its weight and not its Index,
// neither of which should move flows.
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
