package ospf

import (
	"net/netip"

	"routerd/routing/ospf/wire"
	"routerd/routing/protocol"
)

// What differs between version 2 and another version of the protocol, beside package
// wire, the LSAs that own.go and the files after it build, and how graph.go reads
// them.
const (
	family   = 4
	ipHeader = 20 // octets
)

// The groups (RFC 2328 §A.1).
var (
	allSPFRouters = netip.AddrFrom4([4]byte{224, 0, 0, 5})
	allDRouters   = netip.AddrFrom4([4]byte{224, 0, 0, 6})
)

// speaksFor reports whether an address is of the version's family.
func speaksFor(a netip.Addr) bool { return a.Is4() }

// claim is that for the packets of a link.
func (l *link) claim() protocol.Claim {
	return protocol.Claim{Link: l.id, Family: family, Protocol: wire.Protocol}
}

// called is what Hellos call a router with the address: see [Candidate].
func called(a netip.Addr) wire.ID { return wire.IDOf(a) }

// self is what this router is called on the network.
func (l *link) self() wire.ID { return called(l.address.Addr()) }

// nameOf is what a router is found by on a link: see neighbor.
func (l *link) nameOf(router wire.ID, from netip.Addr) wire.ID {
	if l.network == PointToPoint || l.network == Virtual {
		return router
	}
	return called(from)
}

// data is the Link Data of the Router-LSA's links that describe a link: its address,
// or its index where it has none (RFC 2328 §A.4.2).
func (l *link) data() wire.ID {
	if l.unnumbered {
		return wire.ID(l.id) + 1
	}
	return wire.IDOf(l.address.Addr())
}

// nearby reports whether a packet from an address may be of a neighbour on the link
// (RFC 2328 §8.2).
func (l *link) nearby(from netip.Addr) bool {
	return l.network == PointToPoint || l.address.Contains(from)
}

// ownNumber is a router ID made of an address.
func ownNumber(a netip.Addr) wire.ID { return wire.IDOf(a) }
