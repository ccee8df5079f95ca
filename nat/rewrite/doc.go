// Package rewrite reads what address translation has to know of an IPv4
// packet, and writes into the packet what translation decided. It is pure
// functions on bytes: no state, no clock, no allocation.
//
// Checksums are updated by what changed (RFC 1624 §3) and never computed anew,
// so that a damaged packet stays recognisable. An ICMP error is translated only
// if its checksum and that of the quoted header are right (RFC 5508 REQ-3).
//
//	parse.go    flow keys, TCP segments, queries, quotes of ICMP errors
//	rewrite.go  source, destination, quote; the checksums with them
//
// # Supported
//
// RFC 768, 792, 1624, 3022 §4, 3828 and 4340 (their checksums cover the
// addresses), 4884 (extensions pass untouched), 5382 REQ-9, 5508 REQ-1, REQ-3
// to REQ-5, REQ-11, 9293.
//
// # Deviations
//
//   - Redirects and source quenches belong to no flow: a redirect names a
//     gateway on a link that the other side does not have, and RFC 6633 §5 has
//     gateways ignore source quenches.
//   - An error about a fragment other than the first belongs to no flow, since
//     its quote has no ports.
package rewrite
