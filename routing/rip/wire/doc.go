// Package wire encodes and decodes RIP packets: versions 1 and 2 (RFC 1058, RFC
// 2453) with their authentication (RFC 2453 §4.1, RFC 2082, RFC 4822), and
// RIPng (RFC 2080).
//
// All are decoded to one [Packet], because the logic above is the same. A
// packet that is malformed as a whole is refused with one of the Err… values.
// In a well-formed packet each entry that a receiver must not use becomes a
// [Refusal], and the other entries are kept (RFC 2453 §3.9.2).
//
//	packet.go   the packet, its decoding and encoding
//	rip.go      entries of RIP versions 1 and 2
//	ripng.go    entries of RIPng
//	prefix.go   which destinations a route may have
//	auth.go     keys, authentication entry and trailer
//
// Decoding does not authenticate: [Verify] does, with the key that the packet
// names. Encoding a decoded packet gives the same bytes if the packet followed
// the RFCs; fields that receivers ignore are encoded as zero.
//
// # Deviations
//
//   - A RIP packet with more than 25 entries, or 24 after an authentication
//     entry, is refused (RFC 2453 §3.6, §4.1); the RFC leaves this to
//     receivers.
//   - A version above 2 is read as version 2, as RFC 1058 §3.1 says. RIPng has
//     no such rule, so its other versions are refused.
//   - A packet with an authentication entry in any other than the first place
//     is refused.
//   - Bits of an address beyond the mask or length are ignored, since the mask
//     is "applied to the IP address" (RFC 2453 §4.3).
//   - The length of the authentication data (RFC 4822 §2.1) is also accepted if
//     it includes the four octets before the data, as some routers send it.
//   - IPv4-mapped addresses, the loopback and the unspecified address are not
//     accepted as destinations in RIPng, although RFC 2080 does not exclude
//     them.
package wire
