package fib

import (
	"math"
	"net/netip"
	"slices"
	"sync/atomic"

	"routerd/routing"
)

// NextHop is a resolved next hop: it always has an interface.
type NextHop struct {
	Address   netip.Addr // invalid = the destination itself is on the link
	Interface routing.InterfaceID
	Weight    uint8 // share of the flows; 0 counts as 1
	Backup    bool  // serves only while none of the hops without it lives
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
//
// Backup hops get flows only while no other hop lives. They draw among themselves
// in the same way.
type Group struct {
	hops    []NextHop // backups behind the others
	first   int       // how many are no backups
	only    *NextHop  // see Only
	states  []*State  // of hops; nil = all alive
	buckets []uint16  // index into hops; nil with fewer than two that are no backups
	shift   uint      // 32 - log2 of the number of buckets
	// number is the way's that is this group, in the table that learned it last:
	// where its writer looks first.
	number atomic.Uint32
}

// Bucket counts. The share of a hop is off by about sqrt(share/buckets):
// with two hops of equal weight and 1024 buckets, 1.6 % of all flows.
const (
	fewBuckets  = 1024 // up to 8 hops
	manyBuckets = 4096
)

// NewSharedGroup makes a group whose hops have the states of the same place,
// which the caller shares with other groups.
func NewSharedGroup(hops []NextHop, states []*State) *Group {
	g := NewGroup(hops)
	g.states = make([]*State, 0, len(g.hops))
	for _, backup := range []bool{false, true} {
		for i, s := range states[:len(g.hops)] {
			if hops[i].Backup == backup {
				g.states = append(g.states, s)
			}
		}
	}
	if len(g.hops) > g.first {
		g.only = nil
	}
	return g
}

// NewGroup makes a group of the hops, which it copies. The caller has to merge
// hops of the same address and interface. A group without hops picks nil. Where
// all hops are backups, they serve as if none were.
func NewGroup(hops []NextHop) *Group {
	if len(hops) > routing.MaxNextHops {
		hops = hops[:routing.MaxNextHops]
	}
	g := &Group{hops: slices.Clone(hops)}
	slices.SortStableFunc(g.hops, func(a, b NextHop) int {
		switch {
		case a.Backup == b.Backup:
			return 0
		case b.Backup:
			return -1
		}
		return 1
	})
	g.first = slices.IndexFunc(g.hops, func(h NextHop) bool { return h.Backup })
	if g.first < 0 {
		g.first = len(g.hops)
	}
	if g.first == 0 {
		g.first = len(g.hops)
		for i := range g.hops {
			g.hops[i].Backup = false
		}
	}
	if g.first == 1 {
		g.only = &g.hops[0]
	}
	n := fewBuckets
	if g.first > 8 {
		n = manyBuckets
	}
	g.shift = 32 - uint(math.Ilogb(float64(n)))
	if g.first < 2 {
		return g
	}
	g.buckets = make([]uint16, n)
	keys := make([]uint64, g.first)
	for i := range keys {
		keys[i] = g.hops[i].key()
	}
	for b := range g.buckets {
		g.buckets[b] = g.draw(uint64(b), keys)
	}
	return g
}

// Hops gives the hops of the group that are no backups. They must not be changed.
func (g *Group) Hops() []NextHop { return g.hops[:g.first] }

// Backups gives the hops that serve only while none of Hops lives. They must not
// be changed.
func (g *Group) Backups() []NextHop { return g.hops[g.first:] }

// Only gives the hop that every flow takes whatever dies, nil where it is for Pick
// to say.
func (g *Group) Only() *NextHop { return g.only }

// LeavesBy reports whether packets may leave by an interface: by a hop, or, as
// things are now, by a backup.
func (g *Group) LeavesBy(i routing.InterfaceID) bool {
	among := g.Hops()
	if len(g.hops) > g.first && !g.served() {
		among = g.hops
	}
	for k := range among {
		if among[k].Interface == i {
			return true
		}
	}
	return false
}

// served reports whether one of the hops that are no backups lives.
func (g *Group) served() bool {
	return g.states == nil || slices.ContainsFunc(g.states[:g.first], (*State).Alive)
}

// Dead gives the causes why the hop with that index is dead, counted through Hops
// and on through Backups.
func (g *Group) Dead(hop int) []routing.Cause {
	if g.states == nil {
		return nil
	}
	return g.states[hop].Causes()
}

// Pick gives the hop of a flow, nil in a group without hops: one that lives, and a
// backup only if none of the others does. If all hops are dead, it is one of those
// that only do not answer, so that the packet causes a new request, a backup last
// again. If all are dead for other causes, it is the hop that it would be if all
// were alive. The hash need not be evenly distributed. It allocates nothing.
func (g *Group) Pick(hash uint32) *NextHop {
	// Fibonacci hashing: the product's top bits depend on all bits of hash.
	b := (hash * 0x9e3779b1) >> g.shift
	i := uint16(0)
	switch {
	case g.only != nil || len(g.hops) == 0:
		return g.only
	case g.buckets != nil:
		i = g.buckets[b]
	}
	if g.states != nil && !g.states[i].Alive() {
		i = g.drawAlive(b, i)
	}
	return &g.hops[i]
}

// drawAlive decides which live hop bucket b belongs to, or else which silent
// one, or else gives otherwise. It computes a logarithm for each hop, but only
// for flows of dead hops.
func (g *Group) drawAlive(b uint32, otherwise uint16) uint16 {
	if i, ok := g.drawAmong(b, 0, g.first, (*State).Alive); ok {
		return i
	}
	if i, ok := g.drawAmong(b, g.first, len(g.hops), (*State).Alive); ok {
		return i
	}
	if g.states[otherwise].silent() {
		return otherwise // the winner among all hops
	}
	if i, ok := g.drawAmong(b, 0, g.first, (*State).silent); ok {
		return i
	}
	if i, ok := g.drawAmong(b, g.first, len(g.hops), (*State).silent); ok {
		return i
	}
	return otherwise
}

// drawAmong decides which of the hops of some indices whose state is fit bucket b
// belongs to; false if none is.
func (g *Group) drawAmong(b uint32, from, to int, fit func(*State) bool) (best uint16, found bool) {
	bestScore := -1.0
	for i := from; i < to; i++ {
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
