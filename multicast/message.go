package multicast

import (
	"errors"
	"net/netip"
	"time"
)

// Version is the version of IGMP. MLDv1 counts as 2 and MLDv2 as 3.
type Version uint8

// String gives IGMP's name of the version.
func (v Version) String() string { return "IGMPv" + string('0'+byte(v)) }

// Kind is what a message is.
type Kind uint8

const (
	Query  Kind = iota
	Report      // of one group, in versions 1 and 2
	Leave       // version 2; MLD's Done
	Change      // version 3's report: of any number of groups
)

// Message is an IGMP or MLD message for a listener. Its sources lie in the
// packet that it was parsed from.
type Message struct {
	Kind    Kind
	Version Version
	Src     netip.Addr
	// Group is the group of a Query or Report; the unspecified address in a
	// general query.
	Group netip.Addr
	// MaxResponse is the longest delay of an answer to a Query.
	MaxResponse time.Duration
	Robustness  int           // of the querier, 0 = not said; version 3
	Interval    time.Duration // between its queries, 0 = not said; version 3
	sources     []byte        // 4 or 16 bytes each
}

// Sources gives the sources that a Query of version 3 asks about, none if it
// asks about the group.
func (m *Message) Sources() []netip.Addr {
	size := 16
	if m.Group.Is4() {
		size = 4
	}
	var list []netip.Addr
	for b := m.sources; len(b) >= size; b = b[size:] {
		a, _ := netip.AddrFromSlice(b[:size])
		list = append(list, a)
	}
	return list
}

// Why a message was refused.
var (
	ErrLength      = errors.New("parse group membership: truncated")
	ErrType        = errors.New("parse group membership: not a message that listeners read")
	ErrChecksum    = errors.New("parse group membership: wrong checksum")
	ErrHopLimit    = errors.New("parse group membership: it has come from beyond a router: its TTL or hop limit is not 1")
	ErrRouterAlert = errors.New("parse group membership: without a router alert")
	ErrSource      = errors.New("parse group membership: not from the link")
	ErrGroup       = errors.New("parse group membership: not about a group")
	ErrDestination = errors.New("parse group membership: a general query not to all")
)

// Record types of version 3 (RFC 3376 §4.2.12, RFC 3810 §5.2.12).
type recordType uint8

const (
	isInclude recordType = 1 + iota
	isExclude
	toInclude
	toExclude
)

// record is one group in a report of version 3.
type record struct {
	kind    recordType
	group   netip.Addr
	sources []netip.Addr
}

// floating reads a code of bits bits of which the upper half stands for a
// floating-point value (RFC 3376 §4.1.1, RFC 3810 §5.1.3): one bit that is set,
// three of exponent, the rest mantissa.
func floating(code uint32, bits uint) uint32 {
	if code < 1<<(bits-1) {
		return code
	}
	mantissa := bits - 4
	return (code&(1<<mantissa-1) | 1<<mantissa) << (code>>mantissa&7 + 3)
}

// Reportable reports whether listeners report the group a. They never report
// all hosts, all nodes, and groups of smaller scope than the link (RFC 3376 §5,
// RFC 3810 §6).
func Reportable(a netip.Addr) bool {
	if a.Is4() {
		return a.IsMulticast() && a != allHosts
	}
	b := a.As16()
	return a.IsMulticast() && a != allNodes && b[1]&0xf > 1
}
