// Package wire is the form of OSPF version 2 on the wire: its five packets, its
// LSAs, its checksums and its authentication (RFC 2328 §A, §D; RFC 3101 §A,
// RFC 5250 §A, RFC 5613, RFC 5709, RFC 6549, RFC 7474).
//
//	words.go    IDs, types, options, flags
//	refusal.go  why packets and LSAs are refused: a closed list
//	packet.go   packets: decoding and building them
//	lsa.go      LSAs: header, checks, checksum
//	body.go     bodies of LSAs: reading and building them
//	auth.go     keys, authentication field and data
//	lls.go      link-local signalling
//
// A packet is decoded to a [Packet], whose slices are used again, and an LSA
// stays what came: an [LSA] and its bodies read the octets where they lie. What
// cannot be used is a [Refusal]: a word of a closed list, with the value that
// came and the one that was wanted. One LSA of an Update that cannot be used
// leaves the others alone; LSAs that do not fill their packet refuse it.
//
// Decoding authenticates nothing, [Sealer.Verify] does; checksums are checked
// while decoding. Neither decoding nor building allocates, with digests either.
//
// # Deviations
//
//   - Octets behind the packet, its authentication data and its LLS block are
//     ignored, and so is all that follows a packet without OptionL.
//   - RFC 6549: only instance 0 is spoken.
//   - RFC 2328 §A.3.5 leaves an Update open whose count and LSAs differ; it is
//     refused as a whole.
//   - RFC 5613 §2.2 has a damaged block discarded and does not say what a TLV is
//     that ends beyond it; that is a damaged block.
//   - RFC 7474 does not say what becomes of the sequence number of an LLS block:
//     it is the lower half of the packet's, and the digest is made like the
//     packet's.
//   - RFC 5709 §3.3's Apad goes into the digest of an LLS block too, which RFC
//     5613 is too old to say and other implementations do.
//   - Types 6 and 8 of LSAs (RFC 1584, and one that was never finished) are
//     unknown.
package wire
