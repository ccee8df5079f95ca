package arp

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"routerd/icmp"
	"routerd/internal/packet"
)

// Message is a neighbour discovery message that passed the validation of RFC
// 4861. Its slices point into the packet that it was parsed from.
type Message struct {
	Type     uint8 // icmp.RouterSolicitation6 to icmp.Redirect6
	Src, Dst netip.Addr

	Target      netip.Addr // solicitation and advertisement of a neighbour, redirect
	Destination netip.Addr // redirect

	Router, Solicited, Override bool // flags of a neighbour advertisement

	Header RouterHeader // of a router advertisement

	// LinkAddress is the address in the message's link-layer address option:
	// the source's, or in a neighbour advertisement or redirect the target's.
	// Zero if there is none.
	LinkAddress MAC
	Nonce       []byte // RFC 3971 §5.3.2; nil without one
	MTU         uint32 // 0 without the option

	options []byte
}

// RouterHeader is the part of a router advertisement before its options (RFC
// 4861 §4.2).
type RouterHeader struct {
	HopLimit       uint8 // 0 = unspecified
	Managed, Other bool
	Lifetime       time.Duration // of the default route, in whole seconds up to 65535; 0 = not a default router
	ReachableTime  time.Duration // in whole milliseconds; 0 = unspecified
	RetransTimer   time.Duration // in whole milliseconds; 0 = unspecified
	Preference     Preference    // of the default route (RFC 4191 §2.2)
}

// Why Parse refuses a message.
var (
	ErrNotDiscovery = errors.New("parse neighbour discovery: not a whole ICMPv6 message of types 133 to 137")
	ErrFragmented   = errors.New("parse neighbour discovery: fragmented")
	ErrHopLimit     = errors.New("parse neighbour discovery: the hop limit is not 255")
	ErrChecksum     = errors.New("parse neighbour discovery: wrong checksum")
	ErrCode         = errors.New("parse neighbour discovery: the code is not 0")
	ErrLength       = errors.New("parse neighbour discovery: too short for its type")
	ErrSource       = errors.New("parse neighbour discovery: not a source that may send this")
	ErrTarget       = errors.New("parse neighbour discovery: not an address that may be a target")
	ErrSolicited    = errors.New("parse neighbour discovery: solicited, but sent to a group")
	ErrOption       = errors.New("parse neighbour discovery: malformed option")
)

// Flags of a neighbour advertisement (RFC 4861 §4.4) and of a router
// advertisement (§4.2).
const (
	flagRouter    = 0x80
	flagSolicited = 0x40
	flagOverride  = 0x20
	flagManaged   = 0x80
	flagOther     = 0x40
	// Two bits of preference, signed (RFC 4191 §2.1).
	preferenceShift = 3
	preferenceMask  = 3
)

// Preference is the preference of a router as default router (RFC 4191 §2.1).
type Preference int8

const (
	PreferenceLow    Preference = -1
	PreferenceMedium Preference = 0
	PreferenceHigh   Preference = 1
)

// String gives the RFC's word, in lower case.
func (p Preference) String() string {
	switch p {
	case PreferenceLow:
		return "low"
	case PreferenceHigh:
		return "high"
	}
	return "medium"
}

// preferenceOf reads the flags of a router advertisement. The reserved value
// counts as medium (RFC 4191 §2.2).
func preferenceOf(flags byte) Preference {
	switch flags >> preferenceShift & preferenceMask {
	case 1:
		return PreferenceHigh
	case 3:
		return PreferenceLow
	}
	return PreferenceMedium
}

// shortest is the minimum length of each message (RFC 4861 §6.1, §7.1, §8.1),
// which is where its options begin.
var shortest = map[uint8]int{
	icmp.RouterSolicitation6:    8,
	icmp.RouterAdvertisement6:   16,
	icmp.NeighborSolicitation6:  24,
	icmp.NeighborAdvertisement6: 24,
	icmp.Redirect6:              40,
}

// Parse reads the neighbour discovery message in p, which Valid accepted, and
// refuses what a node has to discard silently. It allocates nothing.
func Parse(p packet.IPv6) (Message, error) {
	e := packet.WalkExtensions(p)
	if e.Fragment >= 0 { // RFC 6980 §5
		return Message{}, ErrFragmented
	}
	body := p[e.Offset:p.TotalLen()]
	if e.Truncated || e.Upper != packet.ProtoICMPv6 || !packet.ICMP(body).Valid() {
		return Message{}, ErrNotDiscovery
	}
	icmpv6 := packet.ICMP(body)
	m := Message{Type: icmpv6.Type(), Src: p.Src(), Dst: p.Dst()}
	least, known := shortest[m.Type]
	sum := packet.PseudoHeaderSum6(p.SrcBytes(), p.DstBytes(), packet.ProtoICMPv6, len(body))
	switch {
	case !known:
		return Message{}, ErrNotDiscovery
	case p.HopLimit() != 255:
		return Message{}, ErrHopLimit
	case packet.Sum(body, sum) != 0xffff:
		return Message{}, ErrChecksum
	case icmpv6.Code() != 0:
		return Message{}, ErrCode
	case len(body) < least:
		return Message{}, ErrLength
	}
	m.readFields(body)
	m.options = body[least:]
	if err := m.readOptions(); err != nil {
		return Message{}, err
	}
	if err := m.check(); err != nil {
		return Message{}, err
	}
	return m, nil
}

// readFields reads the fields before the options.
func (m *Message) readFields(b []byte) {
	switch m.Type {
	case icmp.RouterAdvertisement6:
		m.Header = RouterHeader{
			HopLimit:      b[4],
			Managed:       b[5]&flagManaged != 0,
			Other:         b[5]&flagOther != 0,
			Preference:    preferenceOf(b[5]),
			Lifetime:      time.Duration(binary.BigEndian.Uint16(b[6:])) * time.Second,
			ReachableTime: time.Duration(binary.BigEndian.Uint32(b[8:])) * time.Millisecond,
			RetransTimer:  time.Duration(binary.BigEndian.Uint32(b[12:])) * time.Millisecond,
		}
	case icmp.NeighborAdvertisement6:
		m.Router = b[4]&flagRouter != 0
		m.Solicited = b[4]&flagSolicited != 0
		m.Override = b[4]&flagOverride != 0
		fallthrough
	case icmp.NeighborSolicitation6:
		m.Target = netip.AddrFrom16([16]byte(b[8:24]))
	case icmp.Redirect6:
		m.Target = netip.AddrFrom16([16]byte(b[8:24]))
		m.Destination = netip.AddrFrom16([16]byte(b[24:40]))
	}
}

// check applies the rules about addresses: RFC 4861 §6.1.1, §6.1.2, §7.1.1,
// §7.1.2 and §8.1 in turn. That the sender of a redirect is the first-hop
// router is for a host to check.
func (m *Message) check() error {
	anonymous := m.Src.IsUnspecified()
	if m.Src.IsMulticast() { // RFC 4291 §2.7
		return ErrSource
	}
	switch m.Type {
	case icmp.RouterSolicitation6:
		if anonymous && m.LinkAddress != (MAC{}) {
			return ErrSource
		}
	case icmp.RouterAdvertisement6:
		if !m.Src.IsLinkLocalUnicast() {
			return ErrSource
		}
	case icmp.NeighborSolicitation6:
		switch {
		case m.Target.IsMulticast():
			return ErrTarget
		case anonymous && (!isSolicitedNode(m.Dst) || m.LinkAddress != MAC{}):
			return ErrSource
		}
	case icmp.NeighborAdvertisement6:
		switch {
		case m.Target.IsMulticast():
			return ErrTarget
		case m.Solicited && m.Dst.IsMulticast():
			return ErrSolicited
		}
	case icmp.Redirect6:
		switch {
		case !m.Src.IsLinkLocalUnicast():
			return ErrSource
		case m.Destination.IsMulticast(), !m.Target.IsLinkLocalUnicast() && m.Target != m.Destination:
			return ErrTarget
		}
	}
	return nil
}

func isSolicitedNode(a netip.Addr) bool { return a == SolicitedNode(a) }
