package wire

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Code is the error code of a NOTIFICATION.
type Code uint8

// The codes (RFC 4271 §4.5; RFC 7313 §5; RFC 9687).
const (
	CodeHeader   = 1
	CodeOpen     = 2
	CodeUpdate   = 3
	CodeHold     = 4
	CodeFSM      = 5
	CodeCease    = 6
	CodeRefresh  = 7
	CodeSendHold = 8
	Unspecific   = 0 // as a subcode
)

// Subcodes of CodeHeader.
const (
	HeaderNotSynchronized = 1
	HeaderBadLength       = 2
	HeaderBadType         = 3
)

// Subcodes of CodeOpen (RFC 4271 §4.5; RFC 5492 §5; RFC 9234 §4.2).
const (
	OpenUnsupportedVersion    = 1
	OpenBadPeerAS             = 2
	OpenBadIdentifier         = 3
	OpenUnsupportedParameter  = 4
	OpenUnacceptableHoldTime  = 6
	OpenUnsupportedCapability = 7
	OpenRoleMismatch          = 11
)

// Subcodes of CodeUpdate.
const (
	UpdateMalformedList         = 1
	UpdateUnrecognizedWellKnown = 2
	UpdateMissingWellKnown      = 3
	UpdateFlags                 = 4
	UpdateAttributeLength       = 5
	UpdateInvalidOrigin         = 6
	UpdateInvalidNextHop        = 8
	UpdateOptionalAttribute     = 9
	UpdateInvalidNetwork        = 10
	UpdateMalformedASPath       = 11
)

// Subcodes of CodeFSM (RFC 6608 §3): in which state the message came.
const (
	FSMOpenSent    = 1
	FSMOpenConfirm = 2
	FSMEstablished = 3
)

// Subcodes of CodeCease (RFC 4486 §3; RFC 8538 §3; RFC 9384).
const (
	CeaseMaxPrefixes    = 1
	CeaseAdminShutdown  = 2
	CeaseDeconfigured   = 3
	CeaseAdminReset     = 4
	CeaseRejected       = 5
	CeaseOtherChange    = 6
	CeaseCollision      = 7
	CeaseOutOfResources = 8
	CeaseHardReset      = 9
	CeaseBFDDown        = 10
)

// RefreshInvalidLength is the subcode of CodeRefresh.
const RefreshInvalidLength = 1

var codes = [...]struct {
	word     string
	subcodes []string
}{
	CodeHeader: {"message header error", []string{
		HeaderNotSynchronized: "connection not synchronized", HeaderBadLength: "bad message length", HeaderBadType: "bad message type",
	}},
	CodeOpen: {"open message error", []string{
		OpenUnsupportedVersion: "unsupported version number", OpenBadPeerAS: "bad peer AS", OpenBadIdentifier: "bad BGP identifier",
		OpenUnsupportedParameter: "unsupported optional parameter", 5: "authentication failure",
		OpenUnacceptableHoldTime: "unacceptable hold time", OpenUnsupportedCapability: "unsupported capability", OpenRoleMismatch: "role mismatch",
	}},
	CodeUpdate: {"update message error", []string{
		UpdateMalformedList: "malformed attribute list", UpdateUnrecognizedWellKnown: "unrecognized well-known attribute",
		UpdateMissingWellKnown: "missing well-known attribute", UpdateFlags: "attribute flags error",
		UpdateAttributeLength: "attribute length error", UpdateInvalidOrigin: "invalid origin attribute", 7: "AS routing loop",
		UpdateInvalidNextHop: "invalid next hop attribute", UpdateOptionalAttribute: "optional attribute error",
		UpdateInvalidNetwork: "invalid network field", UpdateMalformedASPath: "malformed AS path",
	}},
	CodeHold: {"hold timer expired", nil},
	CodeFSM: {"finite state machine error", []string{
		FSMOpenSent: "unexpected message in open-sent", FSMOpenConfirm: "unexpected message in open-confirm",
		FSMEstablished: "unexpected message in established",
	}},
	CodeCease: {"cease", []string{
		CeaseMaxPrefixes: "maximum number of prefixes reached", CeaseAdminShutdown: "administrative shutdown",
		CeaseDeconfigured: "peer de-configured", CeaseAdminReset: "administrative reset", CeaseRejected: "connection rejected",
		CeaseOtherChange: "other configuration change", CeaseCollision: "connection collision resolution",
		CeaseOutOfResources: "out of resources", CeaseHardReset: "hard reset", CeaseBFDDown: "BFD down",
	}},
	CodeRefresh:  {"route refresh message error", []string{RefreshInvalidLength: "invalid message length"}},
	CodeSendHold: {"send hold timer expired", nil},
}

// String gives the code in words.
func (c Code) String() string {
	if c == 0 || int(c) >= len(codes) {
		return fmt.Sprintf("code %d", uint8(c))
	}
	return codes[c].word
}

// Notification is why a session ends (RFC 4271 §4.5). Data may point into the
// message that it was decoded from.
type Notification struct {
	Code    Code
	Subcode uint8
	Data    []byte
}

// DecodeNotification reads the body of a NOTIFICATION that [Split] has found to be
// long enough.
func DecodeNotification(body []byte) Notification {
	return Notification{Code(body[0]), body[1], body[2:]}
}

// Append appends the message.
func (n Notification) Append(dst []byte) []byte {
	at := len(dst)
	dst = appendHeader(dst, TypeNotification)
	dst = append(dst, byte(n.Code), n.Subcode)
	dst = append(dst, n.Data...)
	return finish(dst, at)
}

// MaxShutdownMessage is how many octets of UTF-8 a shutdown message has at most
// (RFC 9003 §2).
const MaxShutdownMessage = 255

// Shutdown is a Cease for the operator's reasons: CeaseAdminShutdown or
// CeaseAdminReset with a message, which is cut to the length that there is room
// for. Without one there is no data.
func Shutdown(subcode uint8, message string) Notification {
	n := Notification{Code: CodeCease, Subcode: subcode}
	if message == "" {
		return n
	}
	if len(message) > MaxShutdownMessage {
		end := MaxShutdownMessage
		for !utf8.RuneStart(message[end]) {
			end--
		}
		message = message[:end]
	}
	n.Data = append([]byte{byte(len(message))}, message...)
	return n
}

// Message is the shutdown message, "" if there is none. What a terminal would not
// show is replaced (RFC 9003 §4), and so is what is not UTF-8.
func (n Notification) Message() string {
	if n.Code != CodeCease || n.Subcode != CeaseAdminShutdown && n.Subcode != CeaseAdminReset || len(n.Data) == 0 {
		return ""
	}
	text := n.Data[1:]
	if int(n.Data[0]) > len(text) {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, string(text[:n.Data[0]]))
}

// Hard wraps a notification for a neighbour that keeps routes over others, so
// that it does not (RFC 8538 §3.1).
func (n Notification) Hard() Notification {
	return Notification{CodeCease, CeaseHardReset, append([]byte{byte(n.Code), n.Subcode}, n.Data...)}
}

// Inner is what a hard reset wraps; ok is false for any other notification, and for
// a hard reset that wraps nothing.
func (n Notification) Inner() (inner Notification, ok bool) {
	if n.Code != CodeCease || n.Subcode != CeaseHardReset || len(n.Data) < 2 {
		return Notification{}, false
	}
	return DecodeNotification(n.Data), true
}

// VersionError reports that the neighbour does not speak this version, which
// RFC 4271 §8.2.2 treats apart.
func (n Notification) VersionError() bool {
	return n.Code == CodeOpen && n.Subcode == OpenUnsupportedVersion
}

// String says it in words, with the shutdown message and what a hard reset wraps.
func (n Notification) String() string {
	text := n.Code.String()
	if n.Code != 0 && int(n.Code) < len(codes) && int(n.Subcode) < len(codes[n.Code].subcodes) && codes[n.Code].subcodes[n.Subcode] != "" {
		text += ": " + codes[n.Code].subcodes[n.Subcode]
	} else if n.Subcode != 0 {
		text = fmt.Sprintf("%s: subcode %d", text, n.Subcode)
	}
	if m := n.Message(); m != "" {
		return fmt.Sprintf("%s: %q", text, m)
	}
	if inner, ok := n.Inner(); ok {
		if _, nested := inner.Inner(); nested { // one is enough
			return text
		}
		return text + ": " + inner.String()
	}
	return text
}
