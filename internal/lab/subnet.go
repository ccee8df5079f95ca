package lab

import (
	"fmt"
	"net/netip"
	"slices"

	"routerd/internal/tomltext"
)

// holder is an end of a link with one of its addresses.
type holder struct {
	end     End
	address netip.Prefix
	at      tomltext.Path
}

// subnets warns of likely mistakes: two ends on one link, or on one switch,
// with the same address, and an end that shares no subnet of a family with any
// other end there.
func (d *decoder) subnets(t *Topology) {
	for _, segment := range t.segments() {
		var all []holder
		for _, i := range segment {
			for _, e := range t.Links[i].Ends {
				for k, p := range e.Addresses {
					at := tomltext.Path{}.With("link").Element(i).With("addresses").With(e.String()).Element(k)
					all = append(all, holder{e, p, at})
				}
			}
		}
		for i, h := range all {
			for _, other := range all[:i] {
				if h.address.Addr() == other.address.Addr() && h.end.String() != other.end.String() {
					d.Odd(h.at, fmt.Sprintf("%s is %q, and %s has that address too", h.at, h.address, other.end), "an address of its own for each end")
				}
			}
		}
		for i, h := range all {
			first := !slices.ContainsFunc(all[:i], func(o holder) bool { return o.end.String() == h.end.String() && sameFamily(o, h) })
			if first {
				d.alone(h, all)
			}
		}
	}
}

func sameFamily(a, b holder) bool { return a.address.Addr().Is4() == b.address.Addr().Is4() }

// alone warns of an end that shares no subnet of a family with any other end,
// if others have addresses of that family.
func (d *decoder) alone(h holder, all []holder) {
	var others []holder
	for _, o := range all {
		if o.end.String() != h.end.String() && sameFamily(o, h) && !single(o.address) {
			others = append(others, o)
		}
	}
	if len(others) == 0 {
		return
	}
	for _, mine := range all {
		if mine.end.String() != h.end.String() || !sameFamily(mine, h) {
			continue
		}
		if single(mine.address) || slices.ContainsFunc(others, func(o holder) bool { return o.address.Masked() == mine.address.Masked() }) {
			return
		}
	}
	d.Odd(h.at, fmt.Sprintf("%s is %q, in another subnet than that of %s, %q", h.at, h.address, others[0].end, others[0].address),
		fmt.Sprintf("one subnet for all that reach each other without a router, like %s", others[0].address.Masked()))
}

// single reports whether an address has no subnet.
func single(p netip.Prefix) bool { return p.IsSingleIP() || p.Addr().IsLinkLocalUnicast() }

// segments gives the links of each broadcast domain: those at a switch
// together, any other link alone.
func (t *Topology) segments() (all [][]int) {
	bySwitch := map[string]int{}
	for i, l := range t.Links {
		node := ""
		for _, e := range l.Ends {
			if t.kind(e.Node) == KindSwitch {
				node = e.Node
			}
		}
		k, known := bySwitch[node]
		if node == "" || !known {
			k = len(all)
			all = append(all, nil)
		}
		if node != "" {
			bySwitch[node] = k
		}
		all[k] = append(all[k], i)
	}
	return all
}
