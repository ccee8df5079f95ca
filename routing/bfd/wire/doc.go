// Package wire is the form of BFD on the wire: the control packet with its
// authentication section (RFC 5880 §4).
//
//	packet.go  the mandatory section: decoding and building it
//	auth.go    the authentication section: its types, sealing and verifying
//	words.go   states and diagnostics
//
// A packet that no receiver may use whatever its session is refused with one of
// the Err… values, in the order of RFC 5880 §6.8.6. Decoding authenticates
// nothing: [Verify] does, with the secret of the key that the packet names.
//
// # Deviations
//
//   - RFC 5880 §6.7 lets a section of a known type with another length than the
//     type's be found out by the session. It is refused in decoding, since it
//     is of no use to any.
//   - Octets behind the Length are ignored, and Poll together with Final is
//     taken, since RFC 5880 §6.8.6 has no rule against either.
package wire
