package rib

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"routerd/routing"
	"routerd/routing/fib"
)

// sharedGroup is one group of the FIB with a count of its users: each prefix
// that has it in the FIB and each set of hops that resolves to it.
type sharedGroup struct {
	*fib.Group
	key    string
	number leads
	refs   int
	states []*fib.State      // of its hops
	hops   []routing.NextHop // the hops as subscribers get them; made when first needed
}

// neighbour is what a dense number identifies.
type neighbour struct {
	address netip.Addr
	iface   routing.InterfaceID
}

// share is a resolved next hop with its share of the flows, part/whole: the
// weight of the configured hop, and of the hops that it resolved through.
type share struct {
	neighbour
	weight, part, whole uint64
}

// maxWhole bounds the common denominator of weights. Beyond it, shares are
// rounded to this fineness.
const maxWhole = 1 << 20

// acquireGroup gives the group of the shares and backups, the same one for the
// same hops and weights. Shares of one neighbour are added. A neighbour that has a
// share is no backup too.
func (r *RIB) acquireGroup(shares, backups []share) leads {
	hops := weigh(shares)
	if len(backups) > 0 {
		hops = append(hops, weighBackups(backups, hops)...)
	}
	for i := range hops {
		hops[i].Index = r.neighbourIndex(neighbour{hops[i].Address, hops[i].Interface})
	}
	b := r.keyBuf[:0]
	for _, h := range hops {
		b = append(b, h.Weight, byte(btoi(h.Backup)))
		b = binary.BigEndian.AppendUint16(b, uint16(h.Interface))
		b = binary.BigEndian.AppendUint32(b, h.Index) // identifies the address and its interface; 0 without an address
	}
	r.keyBuf = b
	g := r.groups[string(b)]
	if g == nil {
		states := make([]*fib.State, len(hops))
		for i, h := range hops {
			states[i] = r.states.Neighbor(h.Address, h.Interface)
		}
		for _, s := range states {
			s.Route(+1)
		}
		g = &sharedGroup{Group: fib.NewSharedGroup(hops, states), key: string(b), states: states}
		r.groups[g.key] = g
		if n := len(r.freeGroups); n > 0 {
			g.number = r.freeGroups[n-1]
			r.freeGroups = r.freeGroups[:n-1]
			r.led[g.number] = g
		} else {
			g.number = leads(len(r.led))
			r.led = append(r.led, g)
		}
	}
	g.refs++
	return g.number
}

// acquireLeads takes one more reference to where something leads.
func (r *RIB) acquireLeads(l leads) leads {
	if l >= firstGroup {
		r.led[l].refs++
	}
	return l
}

// releaseLeads gives one back.
func (r *RIB) releaseLeads(l leads) {
	if l < firstGroup {
		return
	}
	g := r.led[l]
	if g.refs--; g.refs == 0 {
		for _, s := range g.states {
			s.Route(-1)
		}
		delete(r.groups, g.key)
		r.led[l] = nil
		r.freeGroups = append(r.freeGroups, l)
	}
}

// neighbourIndex numbers the neighbours that are next hops, from 1. Numbers are
// never reused, so they are valid in old FIBs too.
func (r *RIB) neighbourIndex(n neighbour) uint32 {
	if !n.address.IsValid() {
		return 0
	}
	i, ok := r.neighbours[n]
	if !ok {
		i = uint32(len(r.neighbours)) + 1
		r.neighbours[n] = i
	}
	return i
}

// weigh merges shares of one neighbour and converts all to weights of 1 to 255,
// as small as possible.
func weigh(shares []share) []fib.NextHop {
	whole := uint64(1)
	for _, s := range shares {
		whole = whole / gcd(whole, s.whole) * s.whole
		if whole > maxWhole {
			whole = maxWhole
			break
		}
	}
	var hops []fib.NextHop
	var parts []uint64
	at := map[neighbour]int{}
	for _, s := range shares {
		part := max(s.weight*s.part*whole/s.whole, 1)
		i, ok := at[s.neighbour]
		switch {
		case ok:
			parts[i] += part
			continue
		case len(hops) == routing.MaxNextHops:
			continue
		}
		at[s.neighbour] = len(hops)
		hops = append(hops, fib.NextHop{Address: s.address, Interface: s.iface})
		parts = append(parts, part)
	}
	var common, most uint64
	for _, p := range parts {
		common, most = gcd(p, common), max(most, p)
	}
	for i, p := range parts {
		p, most := p/common, most/common
		if most > 255 {
			p = max((p*255+most/2)/most, 1)
		}
		hops[i].Weight = uint8(p)
	}
	return hops
}

// weighBackups is weigh for the backups of hops.
func weighBackups(backups []share, of []fib.NextHop) []fib.NextHop {
	backups = slices.DeleteFunc(slices.Clone(backups), func(s share) bool {
		return slices.ContainsFunc(of, func(h fib.NextHop) bool { return neighbour{h.Address, h.Interface} == s.neighbour })
	})
	hops := weigh(backups)
	for i := range hops {
		hops[i].Backup = true
	}
	return hops
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
