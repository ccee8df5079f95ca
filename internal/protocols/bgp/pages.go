package bgp

import (
	"context"
	"net/netip"
	"time"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing"
	"routerd/routing/bgp/wire"
)

// part is a part of a list that goes through both families.
type part struct {
	families []wire.Family
	after    netip.Prefix
	most     int
	next     netip.Prefix // where the next page begins; invalid after the last one
}

// pageOf is a page of prefixes behind after, of a family or within a prefix if these are
// given.
func pageOf(within netip.Prefix, family show.Family, after netip.Prefix, limit int) *part {
	p := &part{after: after, most: running.Limit(limit)}
	for f := range wire.Family(wire.NumFamilies) {
		is4 := f == wire.IPv4Unicast
		switch {
		case family == 4 && !is4 || family == 6 && is4:
		case within.IsValid() && within.Addr().Is4() != is4:
		case after.IsValid() && is4 && after.Addr().Is6(): // it is over
		default:
			p.families = append(p.families, f)
		}
	}
	return p
}

// lastOf is behind all other prefixes of a family.
func lastOf(f wire.Family) netip.Prefix {
	b := make([]byte, f.Bits()/8)
	for i := range b {
		b[i] = 255
	}
	a, _ := netip.AddrFromSlice(b)
	return netip.PrefixFrom(a, f.Bits())
}

// each asks for the part family by family. Ask gives how many there were, and where it
// goes on in the family, if it does.
func (p *part) each(ask func(f wire.Family, after netip.Prefix, most int) (got int, next netip.Prefix)) {
	for i, f := range p.families {
		var after netip.Prefix
		if p.after.IsValid() && wire.FamilyFor(p.after) == f {
			after = p.after
		}
		got, next := ask(f, after, p.most)
		p.most -= got
		switch {
		case next.IsValid():
			p.next = next
			return
		case p.most <= 0 && i+1 < len(p.families):
			p.next = lastOf(f)
			return
		}
	}
}

// pieces is of how many pieces a page consists at most. A piece is what the core gives
// between two of its steps, see bgp.Machine.RoutePage.
const pieces = 8

// inPieces asks for a part piece by piece, until it is full. The core goes on between
// them.
func inPieces[T any](ctx context.Context, p running.Protocol, part *part, ask func(c book, f wire.Family, after netip.Prefix, most int) ([]T, netip.Prefix)) (list []T, err error) {
	for n := 1; ; n++ {
		piece, err := running.Ask(ctx, p, name, func(c book, _ time.Time) (piece []T) {
			part.each(func(f wire.Family, after netip.Prefix, most int) (int, netip.Prefix) {
				more, next := ask(c, f, after, most)
				piece = append(piece, more...)
				return len(more), next
			})
			return piece
		})
		list = append(list, piece...)
		if err != nil || n == pieces || !part.again() {
			return list, err
		}
	}
}

// again has each go on where it has ended. It reports false if the part is full, or there is
// no more.
func (p *part) again() bool {
	if p.most <= 0 || !p.next.IsValid() {
		return false
	}
	for wire.FamilyFor(p.next) != p.families[0] { // it is over
		p.families = p.families[1:]
	}
	p.after, p.next = p.next, netip.Prefix{}
	return true
}

// neighborAddress is the address of a neighbour, with its interface if it is link-local.
func neighborAddress(a netip.Addr, link routing.InterfaceID, p running.Protocol) netip.Addr {
	if a.Is6() && a.IsLinkLocalUnicast() {
		return zoned(a, p.InterfaceName(link))
	}
	return a
}

// at is the address of a neighbour and the link that it is on, NoInterface if the address
// says nothing of it.
func (n NeighborName) at(p running.Protocol) (netip.Addr, routing.InterfaceID, error) {
	a, err := netip.ParseAddr(string(n))
	if err != nil {
		return a, routing.NoInterface, show.BadRequest("%q is no address", n)
	}
	if a.Zone() == "" {
		return a, routing.NoInterface, nil
	}
	link, ok := p.InterfaceNamed(a.Zone())
	if !ok {
		return a, link, show.NotFound("neighbor %s: there is no interface %s", n, a.Zone())
	}
	return a.WithZone(""), link, nil
}
