package wire

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
)

// Attribute is the type code of a path attribute.
type Attribute uint8

// The attributes that are known here.
const (
	AttrOrigin          Attribute = 1
	AttrASPath          Attribute = 2
	AttrNextHop         Attribute = 3
	AttrMED             Attribute = 4
	AttrLocalPref       Attribute = 5
	AttrAtomicAggregate Attribute = 6
	AttrAggregator      Attribute = 7
	AttrCommunities     Attribute = 8  // RFC 1997
	AttrOriginatorID    Attribute = 9  // RFC 4456
	AttrClusterList     Attribute = 10 // RFC 4456
	AttrMPReach         Attribute = 14 // RFC 4760
	AttrMPUnreach       Attribute = 15 // RFC 4760
	AttrExtended        Attribute = 16 // RFC 4360
	AttrAS4Path         Attribute = 17 // RFC 6793
	AttrAS4Aggregator   Attribute = 18 // RFC 6793
	AttrExtendedIPv6    Attribute = 25 // RFC 5701
	AttrLarge           Attribute = 32 // RFC 8092
	AttrOTC             Attribute = 35 // RFC 9234
	numAttributes                 = AttrOTC + 1
)

// Flags of an attribute (RFC 4271 §4.3).
const (
	flagOptional   = 0x80
	flagTransitive = 0x40
	flagPartial    = 0x20
	flagExtended   = 0x10

	wellKnown          = flagTransitive
	optional           = flagOptional
	optionalTransitive = flagOptional | flagTransitive
	kindFlags          = flagOptional | flagTransitive
)

// attributes say how a known attribute must be, and what becomes of a message in
// which it is not (RFC 7606 §3 (e), (f), §7; RFC 6793 §6; RFC 8092 §6; RFC 9234 §5).
var attributes = [numAttributes]struct {
	word     string
	flags    byte
	size     int  // octets, or what they are a multiple of
	multiple bool // of size, and not 0
	any      bool // no length is wrong of itself
	approach Approach
	internal bool // does not come from other ASes
}{
	AttrOrigin:          {"origin", wellKnown, 1, false, false, TreatAsWithdraw, false},
	AttrASPath:          {"as-path", wellKnown, 0, false, true, TreatAsWithdraw, false},
	AttrNextHop:         {"next-hop", wellKnown, 4, false, false, TreatAsWithdraw, false},
	AttrMED:             {"med", optional, 4, false, false, TreatAsWithdraw, false},
	AttrLocalPref:       {"local-pref", wellKnown, 4, false, false, TreatAsWithdraw, true},
	AttrAtomicAggregate: {"atomic-aggregate", wellKnown, 0, false, false, AttributeDiscard, false},
	AttrAggregator:      {"aggregator", optionalTransitive, 0, false, true, AttributeDiscard, false},
	AttrCommunities:     {"communities", optionalTransitive, 4, true, false, TreatAsWithdraw, false},
	AttrOriginatorID:    {"originator-id", optional, 4, false, false, TreatAsWithdraw, true},
	AttrClusterList:     {"cluster-list", optional, 4, true, false, TreatAsWithdraw, true},
	AttrMPReach:         {"mp-reach-nlri", optional, 0, false, true, SessionReset, false},
	AttrMPUnreach:       {"mp-unreach-nlri", optional, 0, false, true, SessionReset, false},
	AttrExtended:        {"extended-communities", optionalTransitive, 8, true, false, TreatAsWithdraw, false},
	AttrAS4Path:         {"as4-path", optionalTransitive, 0, false, true, AttributeDiscard, false},
	AttrAS4Aggregator:   {"as4-aggregator", optionalTransitive, 8, false, false, AttributeDiscard, false},
	AttrExtendedIPv6:    {"ipv6-extended-communities", optionalTransitive, 20, true, false, TreatAsWithdraw, false},
	AttrLarge:           {"large-communities", optionalTransitive, 12, true, false, TreatAsWithdraw, false},
	AttrOTC:             {"otc", optionalTransitive, 4, false, false, TreatAsWithdraw, false},
}

// String gives the name used in tables, JSON and metrics.
func (a Attribute) String() string {
	if !a.known() {
		return fmt.Sprintf("attribute %d", uint8(a))
	}
	return attributes[a].word
}

func (a Attribute) known() bool { return a < numAttributes && attributes[a].word != "" }

// everyOctet is for a NOTIFICATION whose data is one octet that is not in the message.
var everyOctet = func() (all [256]byte) {
	for i := range all {
		all[i] = byte(i)
	}
	return all
}()

// NextHop is the next hop of routes: Address, and for an IPv6 neighbour on the link
// its address there too (RFC 2545 §3). Either may be invalid, not both.
type NextHop struct {
	Address   netip.Addr
	LinkLocal netip.Addr
}

// readNextHop reads 4, 16 or 32 octets.
func readNextHop(b []byte) (h NextHop) {
	switch len(b) {
	case 4:
		h.Address = netip.AddrFrom4([4]byte(b))
	case 16:
		h.Address = netip.AddrFrom16([16]byte(b))
	case 32:
		h = NextHop{netip.AddrFrom16([16]byte(b)), netip.AddrFrom16([16]byte(b[16:]))}
		// What is not link-local says nothing in the second place, and neighbours
		// without a global address write :: or their link-local one in the first.
		if !h.LinkLocal.IsLinkLocalUnicast() {
			h.LinkLocal = netip.Addr{}
		} else if h.Address.IsUnspecified() || h.Address.IsLinkLocalUnicast() {
			h.Address = netip.Addr{}
		}
	}
	if h.Address.Is6() && h.Address.IsLinkLocalUnicast() {
		h = NextHop{LinkLocal: h.Address}
	}
	return h
}

// valid reports whether a host can have the address (RFC 4271 §6.3).
func (h NextHop) valid() bool {
	a := h.Address
	if !a.IsValid() {
		return h.LinkLocal.IsValid()
	}
	if a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
		return false
	}
	return !a.Is4() || a.As4()[0] != 0 && a.As4()[0] < 240
}

// is4 reports whether it is the next hop of RFC 4271.
func (h NextHop) is4() bool { return h.Address.Is4() }

// append appends it as it stands in MP_REACH_NLRI: 4, 16 or 32 octets. A neighbour
// without a global address has its link-local one in its place.
func (h NextHop) append(dst []byte) []byte {
	switch {
	case h.is4():
		b := h.Address.As4()
		return append(dst, b[:]...)
	case h.Address.IsValid():
		b := h.Address.As16()
		dst = append(dst, b[:]...)
	}
	if h.LinkLocal.IsValid() {
		b := h.LinkLocal.As16()
		dst = append(dst, b[:]...)
	}
	return dst
}

// Aggregator is who made an aggregate.
type Aggregator struct {
	AS uint32
	ID RouterID
}

// UnknownAttribute is an optional transitive attribute that is not known here.
type UnknownAttribute struct {
	Code  Attribute
	Value []byte
}

// Attributes are the path attributes of routes. Slices point into the message, the
// [Update] or the [Set] that they were read from. What is not present counts for
// nothing.
type Attributes struct {
	// present and partial are sets of attributes, by their codes.
	present, partial uint64

	Origin       Origin
	ASPath       Path
	NextHop      NextHop
	MED          uint32
	LocalPref    uint32
	Aggregator   Aggregator
	Communities  Communities
	OriginatorID RouterID
	ClusterList  ClusterList
	Extended     ExtendedCommunities
	ExtendedIPv6 []byte // RFC 5701: of 20 octets each; only passed on
	Large        LargeCommunities
	OTC          uint32 // RFC 9234: the AS
	// Unknown are in the order of their codes. RFC 4271 §5 has them passed on, with
	// Partial set.
	Unknown []UnknownAttribute
}

// Has reports whether an attribute is present.
func (a *Attributes) Has(code Attribute) bool { return code < 64 && a.present>>code&1 != 0 }

// Set says that an attribute is present, whose field the caller sets; Clear that it
// is not.
func (a *Attributes) Set(code Attribute) { a.present |= 1 << code }

// Clear says that an attribute is not present; a list is empty then.
func (a *Attributes) Clear(code Attribute) {
	a.present &^= 1 << code
	a.partial &^= 1 << code
	switch code {
	case AttrASPath:
		a.ASPath = nil
	case AttrCommunities:
		a.Communities = nil
	case AttrClusterList:
		a.ClusterList = nil
	case AttrExtended:
		a.Extended = nil
	case AttrExtendedIPv6:
		a.ExtendedIPv6 = nil
	case AttrLarge:
		a.Large = nil
	}
}

// Partial reports whether a speaker on the way did not know the attribute.
func (a *Attributes) Partial(code Attribute) bool { return code < 64 && a.partial>>code&1 != 0 }

// maxValue is how many octets an attribute has room for (RFC 4271 §4.3).
const maxValue = 0xffff

// Fits reports whether each list has room in its attribute. Those of a message do; what
// policies and other paths have made of them may not, and then neither a [Set] nor a message
// can be made.
func (a *Attributes) Fits() bool {
	return max(len(a.ASPath), len(a.Communities), len(a.ClusterList), len(a.Extended), len(a.ExtendedIPv6), len(a.Large)) <= maxValue
}

// reset empties it, for new attributes in the same slices.
func (a *Attributes) reset() { *a = Attributes{Unknown: a.Unknown[:0]} }

// take stores an attribute of the right form. AS numbers have four octets.
func (a *Attributes) take(code Attribute, flags byte, v []byte) {
	a.present |= 1 << code
	if flags&(flagPartial|kindFlags) == flagPartial|optionalTransitive {
		a.partial |= 1 << code
	}
	switch code {
	case AttrOrigin:
		a.Origin = Origin(v[0])
	case AttrASPath:
		a.ASPath = v
	case AttrNextHop:
		a.NextHop = readNextHop(v)
	case AttrMED:
		a.MED = binary.BigEndian.Uint32(v)
	case AttrLocalPref:
		a.LocalPref = binary.BigEndian.Uint32(v)
	case AttrAggregator:
		a.Aggregator = Aggregator{binary.BigEndian.Uint32(v), routerID(v[4:])}
	case AttrCommunities:
		a.Communities = v
	case AttrOriginatorID:
		a.OriginatorID = routerID(v)
	case AttrClusterList:
		a.ClusterList = v
	case AttrExtended:
		a.Extended = v
	case AttrExtendedIPv6:
		a.ExtendedIPv6 = v
	case AttrLarge:
		a.Large = v
	case AttrOTC:
		a.OTC = binary.BigEndian.Uint32(v)
	}
}

// takeUnknown stores an attribute in the order of codes.
func (a *Attributes) takeUnknown(code Attribute, v []byte) {
	a.Unknown = append(a.Unknown, UnknownAttribute{code, v})
	for i := len(a.Unknown) - 1; i > 0 && a.Unknown[i-1].Code > code; i-- {
		a.Unknown[i], a.Unknown[i-1] = a.Unknown[i-1], a.Unknown[i]
	}
}

// form is how attributes are written.
type form struct {
	narrow   bool // AS numbers of two octets
	set      bool // a [Set]: next hops of any family, and communities in order
	skipHops bool // without NEXT_HOP
}

// append appends all attributes in the order of their codes.
func (a *Attributes) append(dst []byte, f form) []byte {
	present := a.present
	if f.skipHops {
		present &^= 1 << AttrNextHop
	}
	if f.narrow {
		// RFC 6793 §4.2.2: only if an AS number does not fit.
		if a.Has(AttrASPath) && !a.ASPath.narrow() {
			present |= 1 << AttrAS4Path
		}
		if a.Has(AttrAggregator) && a.Aggregator.AS > 0xffff {
			present |= 1 << AttrAS4Aggregator
		}
	}
	unknown := a.Unknown
	for ; present != 0; present &= present - 1 {
		code := Attribute(bits.TrailingZeros64(present))
		for ; len(unknown) > 0 && unknown[0].Code < code; unknown = unknown[1:] {
			dst = appendRaw(dst, unknown[0].Code, optionalTransitive|flagPartial, unknown[0].Value)
		}
		flags := attributes[code].flags
		if a.partial>>code&1 != 0 {
			flags |= flagPartial
		}
		dst = a.appendOne(dst, code, flags, f)
	}
	for _, u := range unknown {
		dst = appendRaw(dst, u.Code, optionalTransitive|flagPartial, u.Value)
	}
	return dst
}

// appendRaw appends an attribute with its header.
func appendRaw(dst []byte, code Attribute, flags byte, v []byte) []byte {
	if len(v) > 0xff {
		dst = append(dst, flags|flagExtended, byte(code), byte(len(v)>>8), byte(len(v)))
	} else {
		dst = append(dst, flags, byte(code), byte(len(v)))
	}
	return append(dst, v...)
}

func appendWord(dst []byte, code Attribute, flags byte, v uint32) []byte {
	return append(dst, flags, byte(code), 4, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
}

func (a *Attributes) appendOne(dst []byte, code Attribute, flags byte, f form) []byte {
	switch code {
	case AttrOrigin:
		return append(dst, flags, byte(code), 1, byte(a.Origin))
	case AttrASPath, AttrAS4Path:
		return a.ASPath.appendAttribute(dst, code, flags, f.narrow && code == AttrASPath)
	case AttrNextHop:
		at := len(dst)
		dst = a.NextHop.append(append(dst, flags, byte(code), 0))
		dst[at+2] = byte(len(dst) - at - 3)
		return dst
	case AttrMED:
		return appendWord(dst, code, flags, a.MED)
	case AttrLocalPref:
		return appendWord(dst, code, flags, a.LocalPref)
	case AttrAtomicAggregate:
		return append(dst, flags, byte(code), 0)
	case AttrAggregator, AttrAS4Aggregator:
		return a.Aggregator.append(dst, code, flags, f.narrow && code == AttrAggregator)
	case AttrCommunities:
		return appendList(dst, code, flags, a.Communities, 4, f.set)
	case AttrOriginatorID:
		return appendWord(dst, code, flags, uint32(a.OriginatorID))
	case AttrClusterList:
		return appendRaw(dst, code, flags, a.ClusterList)
	case AttrExtended:
		return appendList(dst, code, flags, a.Extended, 8, f.set)
	case AttrExtendedIPv6:
		return appendList(dst, code, flags, a.ExtendedIPv6, 20, f.set)
	case AttrLarge:
		return appendList(dst, code, flags, a.Large, 12, f.set)
	case AttrOTC:
		return appendWord(dst, code, flags, a.OTC)
	}
	return dst
}

func (g Aggregator) append(dst []byte, code Attribute, flags byte, narrow bool) []byte {
	if narrow {
		as := g.AS
		if as > 0xffff {
			as = ASTrans
		}
		dst = append(dst, flags, byte(code), 6, byte(as>>8), byte(as))
	} else {
		dst = binary.BigEndian.AppendUint32(append(dst, flags, byte(code), 8), g.AS)
	}
	return binary.BigEndian.AppendUint32(dst, uint32(g.ID))
}
