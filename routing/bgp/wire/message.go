package wire

import (
	"bytes"
	"encoding/binary"
)

// Every message begins with this header (RFC 4271 §4.1).
//
//	+---------------------------------------------------------------+
//	|                          marker (16)                          |
//	+-------------------------------+---------------+---------------+
//	|          length (2)           |   type (1)    |
//	+-------------------------------+---------------+
const (
	HeaderSize = 19

	markerSize = 16
	lengthAt   = 16
	typeAt     = 18
)

// The longest messages in octets: those of RFC 4271 §4.1, and those of two
// speakers with the capability of RFC 8654, but for OPEN and KEEPALIVE.
const (
	MaxMessage         = 4096
	MaxExtendedMessage = 65535
)

// lengths are what messages of each type may be long.
var lengths = [...]struct {
	least    int
	exact    bool
	extended bool // by RFC 8654 §4
}{
	TypeOpen:         {29, false, false},
	TypeUpdate:       {23, false, true},
	TypeNotification: {21, false, true},
	TypeKeepalive:    {HeaderSize, true, false},
	TypeRouteRefresh: {23, false, true},
}

var marker = bytes.Repeat([]byte{0xff}, markerSize)

// Message is one message of a stream. Octets is all of it, with the header.
type Message struct {
	Type   Type
	Octets []byte
}

// Body is what follows the header.
func (m Message) Body() []byte { return m.Octets[HeaderSize:] }

// Split takes the first message off b, which is what came from a neighbour so far.
// If more has to come first, rest is b and the message has no octets. Longest is
// MaxMessage or MaxExtendedMessage. A header is refused as soon as it is there,
// however much is to follow.
func Split(b []byte, longest int) (m Message, rest []byte, r Refusal) {
	if n := min(len(b), markerSize); !bytes.Equal(b[:n], marker[:n]) {
		return Message{}, b, refuse(Marker, 0, 0, nil)
	}
	if len(b) < HeaderSize {
		return Message{}, b, Refusal{}
	}
	length, t := int(binary.BigEndian.Uint16(b[lengthAt:])), Type(b[typeAt])
	// RFC 4271 §6.1 asks for the length first.
	if length < HeaderSize || length > longest {
		return Message{}, b, refuse(MessageLength, length, 0, b[lengthAt:typeAt])
	}
	if t < TypeOpen || t > TypeRouteRefresh {
		return Message{}, b, refuse(MessageType, int(t), 0, b[typeAt:HeaderSize])
	}
	want := &lengths[t]
	if length < want.least || want.exact && length != want.least || !want.extended && length > MaxMessage {
		return Message{}, b, refuse(MessageLength, length, 0, b[lengthAt:typeAt])
	}
	if length > len(b) {
		return Message{}, b, Refusal{}
	}
	return Message{t, b[:length:length]}, b[length:], Refusal{}
}

func appendHeader(dst []byte, t Type) []byte {
	dst = append(dst, marker...)
	return append(dst, 0, 0, byte(t))
}

// finish writes the length of the message that begins at at.
func finish(dst []byte, at int) []byte {
	binary.BigEndian.PutUint16(dst[at+lengthAt:], uint16(len(dst)-at))
	return dst
}

// AppendKeepalive appends a KEEPALIVE.
func AppendKeepalive(dst []byte) []byte {
	return finish(appendHeader(dst, TypeKeepalive), len(dst))
}

// RefreshSubtype is what a ROUTE-REFRESH is for (RFC 7313 §3.2).
type RefreshSubtype uint8

// The subtypes. Others are ignored.
const (
	RefreshRequest RefreshSubtype = 0
	RefreshBegin   RefreshSubtype = 1 // BoRR
	RefreshEnd     RefreshSubtype = 2 // EoRR
)

var refreshSubtypes = [...]string{"request", "begin", "end"}

// String gives the word used in tables and logs.
func (s RefreshSubtype) String() string {
	if int(s) >= len(refreshSubtypes) {
		return "unknown"
	}
	return refreshSubtypes[s]
}

// Refresh is a ROUTE-REFRESH (RFC 2918 §3).
type Refresh struct {
	Family  Family
	Subtype RefreshSubtype
	// Ignore says to do nothing: it is of a family or subtype that is not spoken.
	Ignore bool
}

// DecodeRefresh reads a ROUTE-REFRESH. Enhanced is that the neighbour has the
// capability of RFC 7313, whose faults there are else none of. Behind a request
// there may be filters (RFC 5291), which are not spoken.
func DecodeRefresh(m Message, enhanced bool) (Refresh, Refusal) {
	b := m.Body()
	f, ok := FamilyOf(binary.BigEndian.Uint16(b), b[3])
	d := Refresh{f, RefreshSubtype(b[2]), !ok || b[2] > byte(RefreshEnd)}
	if enhanced && len(b) != 4 && (d.Subtype == RefreshBegin || d.Subtype == RefreshEnd) {
		return d, refuse(RefreshLength, len(m.Octets), 0, m.Octets)
	}
	return d, Refusal{}
}

// Append appends the message.
func (d Refresh) Append(dst []byte) []byte {
	at := len(dst)
	dst = d.Family.append(appendHeader(dst, TypeRouteRefresh))
	return finish(append(dst, byte(d.Subtype), families[d.Family].safi), at)
}
