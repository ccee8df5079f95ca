package bgp

import (
	"net/netip"
	"slices"

	"routerd/routing/bgp/wire"
)

// HopTerms are what the next hops that a neighbour is sent depend on, besides its [Terms].
type HopTerms struct {
	// Own are the router's addresses that the neighbour is given, of each family; invalid
	// if there is none. LinkLocal is the one of the link that both are on, invalid if they
	// are on none.
	Own       [wire.NumFamilies]netip.Addr
	LinkLocal netip.Addr
	// Peer is the neighbour's address, Subnets are those of the link that both are on.
	Peer    netip.Addr
	Subnets []netip.Prefix
	// Extended: IPv4 routes may have IPv6 next hops (RFC 8950), which OverIPv6 prefers: the
	// neighbour is spoken to by IPv6, and may have no IPv4 on the link.
	Extended, OverIPv6 bool
	// Self gives the router's own address for all routes but those that it reflects,
	// SelfReflected for these too, FirstParty for all that the
	// neighbour might get another's for (RFC 4271 §5.1.3: "third party").
	Self, SelfReflected, FirstParty bool
	// Unchanged passes next hops on to another AS too (RFC 4271 §5.1.3 (3)).
	Unchanged bool
}

// onLink reports whether an address is of the link that the router and the neighbour are
// on.
func (r *HopTerms) onLink(a netip.Addr) bool {
	return slices.ContainsFunc(r.Subnets, func(p netip.Prefix) bool { return p.Contains(a) })
}

// NextHop is the next hop that the neighbour is sent for a route of a family whose own is
// was; the zero NextHop if the route is the router's own. Ok is false if there is no
// address that it could be given: the route is not sent. Reflected are those of neighbours
// inside the AS.
func (t *Terms) NextHop(f wire.Family, was wire.NextHop, r *HopTerms, reflected, self bool) (h wire.NextHop, ok bool) {
	self = self || r.SelfReflected || r.Self && !reflected
	passed := was.Address.IsValid() && was.Address != r.Peer && !self &&
		(f == wire.IPv6Unicast || was.Address.Is4() || r.Extended)
	switch {
	case !passed:
	case !t.External, t.ServerClient, r.Unchanged, !r.FirstParty && r.onLink(was.Address):
		if !r.onLink(was.Address) { // RFC 2545 §3
			was.LinkLocal = netip.Addr{}
		}
		return was, true
	}
	return r.own(f)
}

// own is the router itself as a next hop (RFC 2545 §3, RFC 8950 §3).
func (r *HopTerms) own(f wire.Family) (wire.NextHop, bool) {
	four, six := r.Own[wire.IPv4Unicast], wire.NextHop{Address: r.Own[wire.IPv6Unicast], LinkLocal: r.LinkLocal}
	ok := six.Address.IsValid() || six.LinkLocal.IsValid()
	if f == wire.IPv4Unicast && (!r.Extended || !ok || four.IsValid() && !r.OverIPv6) {
		return wire.NextHop{Address: four}, four.IsValid()
	}
	return six, ok
}
