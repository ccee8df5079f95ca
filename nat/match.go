package nat

import (
	"slices"
	"sort"

	"routerd/flow"
	"routerd/routing"
)

// interval is a range of addresses or ports, both ends included.
type interval struct{ lo, hi uint32 }

func (i interval) has(v uint32) bool { return i.lo <= v && v <= i.hi }

// intervals match what one of them has; none match all.
type intervals []interval

func (l intervals) has(v uint32) bool {
	if len(l) == 0 {
		return true
	}
	for _, i := range l {
		if i.has(v) {
			return true
		}
	}
	return false
}

// interfaces match one of them; none match all.
type interfaces []routing.InterfaceID

func (l interfaces) has(id routing.InterfaceID) bool {
	return len(l) == 0 || slices.Contains(l, id)
}

// protocols is a set of protocol numbers; the empty set matches all.
type protocols struct {
	some bool
	set  [4]uint64
}

func (p *protocols) add(proto uint8) {
	p.some = true
	p.set[proto>>6] |= 1 << (proto & 63)
}

func (p *protocols) has(proto uint8) bool {
	return !p.some || p.set[proto>>6]>>(proto&63)&1 != 0
}

// dimension is one of the values of a key by which rules differ.
type dimension uint8

const (
	bySource dimension = iota
	byDestination
	byDestinationPort
	bySourcePort
	dimensions
)

func (d dimension) of(k *flow.Key) uint32 {
	switch d {
	case bySource:
		return k.Src
	case byDestination:
		return k.Dst
	case byDestinationPort:
		return uint32(k.DstPort)
	default:
		return uint32(k.SrcPort)
	}
}

// criteria says which keys and interfaces a rule matches.
type criteria struct {
	in, out   interfaces
	protocols protocols
	ranges    [dimensions]intervals
}

// has reports whether the key matches, interfaces aside.
func (c *criteria) has(k *flow.Key) bool {
	if !c.protocols.has(k.Proto) {
		return false
	}
	if (len(c.ranges[byDestinationPort]) > 0 || len(c.ranges[bySourcePort]) > 0) && k.Proto != protoTCP && k.Proto != protoUDP {
		return false
	}
	for d := range c.ranges {
		if !c.ranges[d].has(dimension(d).of(k)) {
			return false
		}
	}
	return true
}

// index finds the few rules of a list that a key may match. It is a tree: at
// each node one dimension is cut where some rule's range begins or ends, and
// between two cuts the same rules apply.
type index struct {
	by    dimension
	cuts  []uint32 // sorted; parts[i] is for values from cuts[i] on
	parts []*index
	rules []*rule // of a leaf, in the order of the configuration
}

// fewRules is how many rules are tried faster one after another than by a tree.
const fewRules = 4

// newIndex builds the tree over rules.
func newIndex(rules []*rule) *index { return split(rules, 0) }

// split builds the tree over rules, where done has the dimensions that have
// been cut further up.
func split(rules []*rule, done uint8) *index {
	best := &index{rules: rules}
	if len(rules) <= fewRules {
		return best
	}
	var groups [][]*rule
	least, chosen := len(rules), dimensions
	for d := range dimensions {
		if done>>d&1 != 0 {
			continue
		}
		cuts, parts := cut(rules, d)
		most, total := 0, 0
		for _, p := range parts {
			most, total = max(most, len(p)), total+len(p)
		}
		// The limit keeps nested ranges from taking quadratic memory.
		if most < least && total <= 64*len(rules) {
			least, chosen, groups = most, d, parts
			best = &index{by: d, cuts: cuts}
		}
	}
	for _, g := range groups {
		best.parts = append(best.parts, split(g, done|1<<chosen))
	}
	return best
}

// cut lists where the ranges of rules begin and end in one dimension, and the
// rules that apply from each such place on.
func cut(rules []*rule, d dimension) ([]uint32, [][]*rule) {
	cuts := []uint32{0}
	for _, r := range rules {
		for _, i := range r.match.ranges[d] {
			cuts = append(cuts, i.lo)
			if i.hi != ^uint32(0) {
				cuts = append(cuts, i.hi+1)
			}
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	parts := make([][]*rule, len(cuts))
	for i, from := range cuts {
		for _, r := range rules {
			if r.match.ranges[d].has(from) {
				parts[i] = append(parts[i], r)
			}
		}
	}
	return cuts, parts
}

// candidates gives the rules that k may match, in order.
func (x *index) candidates(k *flow.Key) []*rule {
	for x.parts != nil {
		v := x.by.of(k)
		x = x.parts[sort.Search(len(x.cuts), func(i int) bool { return x.cuts[i] > v })-1]
	}
	return x.rules
}
