package flowcache

import (
	"net/netip"

	"github.com/gaissmai/bart"
)

// index finds flows by a prefix of one of their addresses. Those of one address
// are a chain.
type index struct {
	side  int // which link of a flow this index uses
	heads bart.Table[*flow]
}

// The two indexes, as places in flow.links.
const (
	byDestination = iota
	bySource
	numIndexes
)

// link is a flow's place in the chain of its address.
type link struct{ before, behind *flow }

func (x *index) add(a netip.Addr, f *flow) {
	p := netip.PrefixFrom(a, a.BitLen())
	l := &f.links[x.side]
	*l = link{}
	if head, _ := x.heads.Get(p); head != nil {
		l.behind, head.links[x.side].before = head, f
	}
	x.heads.Insert(p, f)
}

func (x *index) remove(a netip.Addr, f *flow) {
	l := &f.links[x.side]
	if l.behind != nil {
		l.behind.links[x.side].before = l.before
	}
	switch p := netip.PrefixFrom(a, a.BitLen()); {
	case l.before != nil:
		l.before.links[x.side].behind = l.behind
	case l.behind != nil:
		x.heads.Insert(p, l.behind)
	default:
		x.heads.Delete(p)
	}
	*l = link{}
}

// within appends the flows whose address is in a prefix.
func (x *index) within(p netip.Prefix, list []*flow) []*flow {
	for _, f := range x.heads.Subnets(p) {
		for ; f != nil; f = f.links[x.side].behind {
			list = append(list, f)
		}
	}
	return list
}
