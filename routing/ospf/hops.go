package ospf

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"routerd/routing"
)

// Hop is a way out of the router: to a neighbour, or onto a network, where the
// address is invalid.
type Hop struct {
	Interface routing.InterfaceID
	Address   netip.Addr
}

func compareHops(a, b Hop) int {
	return cmp.Or(cmp.Compare(a.Interface, b.Interface), a.Address.Compare(b.Address))
}

// Hops is the sets of equal ways of one calculation. A set is a number, and two
// sets that are the same have the same one, so that whole trees share few. The
// empty one is 0.
type Hops struct {
	hops   []Hop
	sets   [][]int32 // numbers of hops, ascending
	known  map[string]int32
	joined map[[2]int32]int32
	key    []byte
	resets int // how often all was forgotten
}

// reset forgets all.
func (h *Hops) reset() {
	if h.known == nil {
		h.known, h.joined = map[string]int32{}, map[[2]int32]int32{}
	}
	h.resets++
	clear(h.known)
	clear(h.joined)
	h.hops = h.hops[:0]
	h.sets = append(h.sets[:0], nil)
}

// one is the set of one hop.
func (h *Hops) one(hop Hop) int32 {
	n := int32(slices.Index(h.hops, hop))
	if n < 0 {
		n = int32(len(h.hops))
		h.hops = append(h.hops, hop)
	}
	return h.set([]int32{n})
}

// set gives the number of a set, which is kept if it is new.
func (h *Hops) set(members []int32) int32 {
	h.key = h.key[:0]
	for _, m := range members {
		h.key = binary.NativeEndian.AppendUint32(h.key, uint32(m))
	}
	n, known := h.known[string(h.key)]
	if !known {
		n = int32(len(h.sets))
		h.sets = append(h.sets, members)
		h.known[string(h.key)] = n
	}
	return n
}

// join is the set of what is in either.
func (h *Hops) join(a, b int32) int32 {
	switch {
	case a == b || b == 0:
		return a
	case a == 0:
		return b
	}
	pair := [2]int32{min(a, b), max(a, b)}
	n, known := h.joined[pair]
	if !known {
		both := slices.Concat(h.sets[a], h.sets[b])
		slices.Sort(both)
		n = h.set(slices.Compact(both))
		h.joined[pair] = n
	}
	return n
}

// onward replaces the hops of a set that lead onto a network by those to the
// addresses there.
func (h *Hops) onward(set int32, addresses []netip.Addr) int32 {
	var result int32
	for _, m := range h.sets[set] {
		if hop := h.hops[m]; hop.Address.IsValid() {
			result = h.join(result, h.set([]int32{m}))
		} else {
			for _, a := range addresses {
				result = h.join(result, h.one(Hop{hop.Interface, a}))
			}
		}
	}
	return result
}

// onto reports whether a hop of the set leads onto a network.
func (h *Hops) onto(set int32) bool {
	return slices.ContainsFunc(h.sets[set], func(m int32) bool { return !h.hops[m].Address.IsValid() })
}

// Append appends the hops of a set, at most most of them where that is above 0, in
// the order of interfaces and addresses, which does not depend on what was
// calculated before.
func (h *Hops) Append(dst []Hop, set int32, most int) []Hop {
	from := len(dst)
	for _, m := range h.sets[set] {
		dst = append(dst, h.hops[m])
	}
	slices.SortFunc(dst[from:], compareHops)
	if most > 0 && len(dst)-from > most {
		dst = dst[:from+most]
	}
	return dst
}
