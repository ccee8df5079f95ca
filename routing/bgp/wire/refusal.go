package wire

import "fmt"

// Approach is what becomes of a message with a fault, from the mildest to the
// strongest (RFC 7606 §2).
type Approach uint8

// The approaches.
const (
	// Accept: there is no fault.
	Accept Approach = iota
	// AttributeDiscard: the attribute is left out, the rest is used.
	AttributeDiscard
	// TreatAsWithdraw: the routes of the message are withdrawn.
	TreatAsWithdraw
	// DisableFamily: nothing of the family is used any more on this session (RFC
	// 4760 §7). To reset the session is right as well (RFC 7606 §3 (j)).
	DisableFamily
	// SessionReset: a NOTIFICATION is sent and the session ended.
	SessionReset
)

var approaches = [...]string{"accept", "attribute-discard", "treat-as-withdraw", "afi-safi-disable", "session-reset"}

// String gives the word used in tables, JSON and metrics.
func (a Approach) String() string {
	if int(a) >= len(approaches) {
		return "unknown"
	}
	return approaches[a]
}

// Reason is what is wrong with a message.
type Reason uint8

// The reasons.
const (
	Accepted Reason = iota

	// Headers (RFC 4271 §6.1).
	Marker        // not all ones
	MessageLength // not a length that a message of its type has
	MessageType   // unknown

	// OPEN (RFC 4271 §6.2).
	OpenVersion
	OpenBody        // parameters that end beyond the message
	OpenParameter   // an optional parameter that is no capability
	OpenCapability  // a capability that is longer or shorter than it should be
	OpenAS          // not the AS that was expected, or 0
	OpenIdentifier  // 0, or one's own inside one's AS
	OpenHoldTime    // 1 or 2 seconds
	OpenRole        // not the role that fits one's own, or two different ones
	OpenRoleMissing // no role, where one is demanded

	// ROUTE-REFRESH (RFC 7313 §5).
	RefreshLength

	// UPDATE as a whole.
	UpdateLength     // parts that are longer than the message
	NLRILength       // a prefix longer than its family's addresses or than its field
	AttributesLength // the last attribute ends beyond them
	MissingAttribute

	// Attributes.
	AttributeFlags
	AttributeLength
	AttributeTwice
	UnknownWellKnown
	OriginValue
	NextHopAddress // not an address that a host can have
	NextHopLength  // of MP_REACH_NLRI
	PathSegment    // a segment of an AS path of a type that there is not, or without an AS
	PathLength     // an AS path whose last segment ends elsewhere
	PathRoom       // an AS path that has no room when its AS numbers have four octets
	ASZero         // RFC 7607
	ASSet          // RFC 9774
	ASConfed       // RFC 5065 §5: of a confederation that the router is not in
	FirstAS        // the path does not begin with the neighbour's AS
	NotExternal    // an attribute that does not leave an AS came from another one
	NotNew         // AS4_PATH or AS4_AGGREGATOR where AS numbers have four octets
	OldAggregator  // AS4_PATH or AS4_AGGREGATOR that the aggregator contradicts
	FamilyUnasked  // of a family that was not negotiated
	numReasons
)

// NumReasons is the length of an array indexed by Reason.
const NumReasons = int(numReasons)

// How the values of a Refusal are written.
const (
	bare   = iota // there are none
	theirs        // a number of theirs
	wanted        // a number of theirs, and what was wanted
	asPlain
	identifiers
	twoRoles
	missing // an attribute
)

var reasons = [NumReasons]struct {
	word, text    string
	form          int
	code, subcode uint8 // of the NOTIFICATION
}{
	Accepted:         {"accepted", "accepted", bare, 0, 0},
	Marker:           {"marker", "the marker is not all ones", bare, CodeHeader, HeaderNotSynchronized},
	MessageLength:    {"message-length", "length of a message", theirs, CodeHeader, HeaderBadLength},
	MessageType:      {"message-type", "unknown type of message", theirs, CodeHeader, HeaderBadType},
	OpenVersion:      {"version", "BGP version", wanted, CodeOpen, OpenUnsupportedVersion},
	OpenBody:         {"open-body", "optional parameters in octets, and those that came", wanted, CodeOpen, Unspecific},
	OpenParameter:    {"open-parameter", "unknown optional parameter", theirs, CodeOpen, OpenUnsupportedParameter},
	OpenCapability:   {"capability-length", "malformed capability", theirs, CodeOpen, Unspecific},
	OpenAS:           {"peer-as", "AS number of the neighbour", asPlain, CodeOpen, OpenBadPeerAS},
	OpenIdentifier:   {"identifier", "router ID", identifiers, CodeOpen, OpenBadIdentifier},
	OpenHoldTime:     {"hold-time", "hold time in seconds", theirs, CodeOpen, OpenUnacceptableHoldTime},
	OpenRole:         {"role", "role", twoRoles, CodeOpen, OpenRoleMismatch},
	OpenRoleMissing:  {"role-missing", "the neighbour has not said its role", bare, CodeOpen, OpenRoleMismatch},
	RefreshLength:    {"refresh-length", "length of a route refresh", theirs, CodeRefresh, RefreshInvalidLength},
	UpdateLength:     {"update-length", "octets of withdrawn routes or attributes, and those that came", wanted, CodeUpdate, UpdateMalformedList},
	NLRILength:       {"nlri", "length of a prefix that its family or its field has no room for", theirs, CodeUpdate, UpdateInvalidNetwork},
	AttributesLength: {"attributes-length", "length of the last attribute, and octets that are left", wanted, CodeUpdate, UpdateMalformedList},
	MissingAttribute: {"missing-attribute", "missing attribute", missing, CodeUpdate, UpdateMissingWellKnown},
	AttributeFlags:   {"attribute-flags", "attribute flags", wanted, CodeUpdate, UpdateFlags},
	AttributeLength:  {"attribute-length", "length of an attribute", theirs, CodeUpdate, UpdateAttributeLength},
	AttributeTwice:   {"attribute-twice", "an attribute a second time", bare, CodeUpdate, UpdateMalformedList},
	UnknownWellKnown: {"unknown-well-known", "unknown attribute that is said to be well-known", bare, CodeUpdate, UpdateUnrecognizedWellKnown},
	OriginValue:      {"origin", "origin", theirs, CodeUpdate, UpdateInvalidOrigin},
	NextHopAddress:   {"next-hop", "a next hop that is not the address of a host", bare, CodeUpdate, UpdateInvalidNextHop},
	NextHopLength:    {"next-hop-length", "length of a next hop", theirs, CodeUpdate, UpdateOptionalAttribute},
	PathSegment:      {"as-path-segment", "segment of an AS path, of type", theirs, CodeUpdate, UpdateMalformedASPath},
	PathLength:       {"as-path-length", "octets of the last segment of an AS path, and those that are left", wanted, CodeUpdate, UpdateMalformedASPath},
	PathRoom:         {"as-path-room", "octets of an AS path with AS numbers of four octets", wanted, CodeUpdate, UpdateMalformedASPath},
	ASZero:           {"as-zero", "AS 0", bare, CodeUpdate, UpdateMalformedASPath},
	ASSet:            {"as-set", "an AS set, which is no longer used", bare, CodeUpdate, UpdateMalformedASPath},
	ASConfed:         {"as-confed", "a segment of a confederation that the router is not in", bare, CodeUpdate, UpdateMalformedASPath},
	FirstAS:          {"first-as", "first AS of the path", asPlain, CodeUpdate, UpdateMalformedASPath},
	NotExternal:      {"not-external", "an attribute that other ASes do not send", bare, CodeUpdate, UpdateOptionalAttribute},
	NotNew:           {"as4", "an attribute for neighbours with AS numbers of two octets", bare, CodeUpdate, UpdateOptionalAttribute},
	OldAggregator:    {"as4-aggregator", "an attribute that the aggregator contradicts", bare, CodeUpdate, UpdateOptionalAttribute},
	FamilyUnasked:    {"family", "routes of a family that was not negotiated", bare, CodeUpdate, UpdateOptionalAttribute},
}

// String gives the word used in metrics and JSON.
func (r Reason) String() string {
	if r >= numReasons {
		return "unknown"
	}
	return reasons[r].word
}

// Refusal says what is wrong with a message; the zero Refusal is that nothing is.
type Refusal struct {
	Reason   Reason
	Approach Approach
	// Attribute is the attribute with the fault, 0 if it is none.
	Attribute Attribute
	// Family is the one that DisableFamily is about.
	Family Family
	// Theirs and Ours are the values of the field where it has any: Ours is what
	// was wanted.
	Theirs, Ours uint32
	// Data is what a NOTIFICATION says beside its code. It may point into the
	// message.
	Data []byte
}

// OK reports that nothing was refused.
func (r *Refusal) OK() bool { return r.Reason == Accepted }

// Notification is what a neighbour is told if the session ends for it.
func (r *Refusal) Notification() Notification {
	if r.Reason >= numReasons {
		return Notification{}
	}
	return Notification{Code(reasons[r.Reason].code), reasons[r.Reason].subcode, r.Data}
}

// String says it in words: the attribute, the field, what came, what was wanted.
func (r *Refusal) String() string {
	if r.Reason >= numReasons {
		return "unknown"
	}
	row := &reasons[r.Reason]
	text := row.text
	switch row.form {
	case theirs:
		text = fmt.Sprintf("%s: %d", text, r.Theirs)
	case wanted:
		text = fmt.Sprintf("%s: theirs %d, ours %d", text, r.Theirs, r.Ours)
	case asPlain:
		text = fmt.Sprintf("%s: %d", text, r.Theirs)
		if r.Ours != 0 {
			text = fmt.Sprintf("%s, want %d", text, r.Ours)
		}
	case identifiers:
		text = fmt.Sprintf("%s: theirs %v, ours %v", text, RouterID(r.Theirs), RouterID(r.Ours))
	case twoRoles:
		text = fmt.Sprintf("%s: theirs %v, ours %v", text, Role(r.Theirs), Role(r.Ours))
	case missing:
		return fmt.Sprintf("%s: %v", text, r.Attribute)
	}
	if r.Attribute != 0 {
		return fmt.Sprintf("%v: %s", r.Attribute, text)
	}
	return text
}

// refuse makes the Refusal of a whole message.
func refuse(r Reason, theirs, ours int, data []byte) Refusal {
	return Refusal{Reason: r, Approach: SessionReset, Theirs: uint32(theirs), Ours: uint32(ours), Data: data}
}
