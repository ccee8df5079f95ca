// Package wire is the form of RIP on the wire: versions 1 and 2 (RFC 1058,
// RFC 2453) with their authentication (RFC 2453 §4.1, RFC 2082, RFC 4822), and
// RIPng (RFC 2080).
//
// All are decoded to one [Packet], because the logic above is one. A packet
// that is malformed as a whole is refused with one of the Err… values; of a
// packet that is well formed, entries that no receiver may use are set apart
// as a [Refusal] each and the others are kept (RFC 2453 §3.9.2).
//
//	packet.go   what a packet is, decoding and building it
//	rip.go      entries of RIP versions 1 and 2
//	ripng.go    entries of RIPng
//	prefix.go   which destinations a route may have
//	auth.go     keys, authentication entry and trailer
//
// Decoding authenticates nothing: [Verify] does, with the key that the packet
// names. Encoding what was decoded gives the same bytes where these are as
// the RFCs have them; fields that receivers ignore come out as zero.
//
// # Deviations
//
//   - A RIP packet with more than 25 entries, or 24 after an authentication
//     entry, is refused (RFC 2453 §3.6, §4.1); the RFC does not say what
//     receivers do.
//   - A version above 2 is read as version 2, as RFC 1058 §3.1 foresaw. There
//     is no such rule for RIPng, whose other versions are refused.
//   - An authentication entry anywhere but first refuses the whole packet.
//   - Bits of an address beyond the mask or length are ignored, since the mask
//     is "applied to the IP address" (RFC 2453 §4.3).
//   - RFC 4822 §2.1's length of the authentication data is also taken when it
//     counts the four octets before the data, as some routers do.
//   - IPv4-mapped addresses, the loopback and the unspecified address are no
//     destinations in RIPng, although RFC 2080 does not name them.
package wire
