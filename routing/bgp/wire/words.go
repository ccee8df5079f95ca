package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Port is the TCP port of BGP.
const Port = 179

// Version is the version of BGP.
const Version = 4

// ASTrans stands for an AS number that does not fit where two octets are written
// (RFC 6793 §9).
const ASTrans = 23456

// RouterID is a BGP identifier: any number but 0 (RFC 6286 §2.1).
type RouterID uint32

// String writes it as an IPv4 address.
func (i RouterID) String() string {
	return netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}).String()
}

func routerID(b []byte) RouterID { return RouterID(binary.BigEndian.Uint32(b)) }

// Type is the type of a message.
type Type uint8

// The types (RFC 4271 §4.1; RFC 2918 §3).
const (
	TypeOpen         Type = 1
	TypeUpdate       Type = 2
	TypeNotification Type = 3
	TypeKeepalive    Type = 4
	TypeRouteRefresh Type = 5
)

var types = [...]string{"", "open", "update", "notification", "keepalive", "route-refresh"}

// String gives the name used in tables, JSON and metrics.
func (t Type) String() string {
	if t == 0 || int(t) >= len(types) {
		return fmt.Sprintf("type %d", uint8(t))
	}
	return types[t]
}

// Family is an address family that is spoken here.
type Family uint8

// The families.
const (
	IPv4Unicast Family = iota
	IPv6Unicast
	numFamilies
)

// NumFamilies is the length of an array indexed by Family.
const NumFamilies = int(numFamilies)

var families = [NumFamilies]struct {
	word string
	afi  uint16
	safi uint8
	bits int
}{
	IPv4Unicast: {"ipv4-unicast", 1, 1, 32},
	IPv6Unicast: {"ipv6-unicast", 2, 1, 128},
}

// String gives the name used in configuration, tables, JSON and metrics.
func (f Family) String() string {
	if f >= numFamilies {
		return "unknown"
	}
	return families[f].word
}

// Bits is the length of the family's addresses.
func (f Family) Bits() int { return families[f].bits }

// Codes are the family's AFI and SAFI (RFC 4760 §3).
func (f Family) Codes() (afi uint16, safi uint8) { return families[f].afi, families[f].safi }

// FamilyOf is the family of an AFI and a SAFI (RFC 4760 §3); ok is false for one
// that is not spoken.
func FamilyOf(afi uint16, safi uint8) (f Family, ok bool) {
	if safi != 1 || afi != 1 && afi != 2 {
		return numFamilies, false
	}
	return Family(afi - 1), true
}

// FamilyFor is the family of a prefix.
func FamilyFor(p netip.Prefix) Family {
	if p.Addr().Is4() {
		return IPv4Unicast
	}
	return IPv6Unicast
}

func (f Family) append(dst []byte) []byte {
	return append(dst, byte(families[f].afi>>8), byte(families[f].afi))
}

// Families is a set of families.
type Families uint8

// Of makes a set.
func Of(list ...Family) (s Families) {
	for _, f := range list {
		s |= 1 << f
	}
	return s
}

// Has reports whether f is in the set.
func (s Families) Has(f Family) bool { return s>>f&1 != 0 }

// Origin is the value of ORIGIN, in the order of preference (RFC 4271 §4.3).
type Origin uint8

// The origins.
const (
	OriginIGP Origin = iota
	OriginEGP
	OriginIncomplete
	numOrigins
)

var origins = [numOrigins]string{"igp", "egp", "incomplete"}

// String gives the name used in configuration, tables and JSON.
func (o Origin) String() string {
	if o >= numOrigins {
		return "unknown"
	}
	return origins[o]
}

// Role is what a speaker is to its neighbour (RFC 9234 §4.1).
type Role uint8

// The roles.
const (
	RoleProvider Role = iota
	RoleRS            // a route server
	RoleRSClient
	RoleCustomer
	RolePeer
	numRoles
)

var roles = [numRoles]struct {
	word  string
	other Role // of the neighbour
}{
	RoleProvider: {"provider", RoleCustomer},
	RoleRS:       {"rs", RoleRSClient},
	RoleRSClient: {"rs-client", RoleRS},
	RoleCustomer: {"customer", RoleProvider},
	RolePeer:     {"peer", RolePeer},
}

// String gives the name used in configuration, tables and JSON.
func (r Role) String() string {
	if r >= numRoles {
		return fmt.Sprintf("role %d", uint8(r))
	}
	return roles[r].word
}

// Fits reports whether a neighbour may have the other role (RFC 9234 §4.2).
func (r Role) Fits(other Role) bool { return r < numRoles && roles[r].other == other }
