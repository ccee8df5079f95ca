// Package wire is the form of BGP-4 on the wire: its messages, capabilities, path
// attributes and notifications, and what becomes of a message with a fault (RFC
// 4271, RFC 4760, RFC 7606).
//
//	words.go         types, families, origins, roles
//	refusal.go       what is wrong with a message: a closed list, and the approach
//	notification.go  NOTIFICATION: codes in words, shutdown messages, hard resets
//	message.go       the header and the stream; KEEPALIVE, ROUTE-REFRESH
//	open.go          OPEN, with extended optional parameters
//	capability.go    capabilities
//	negotiate.go     what two OPENs agree on: the [Session] that messages depend on
//	update.go        UPDATE: decoding, and RFC 7606 attribute by attribute
//	attribute.go     path attributes: which there are, reading and building them
//	path.go          AS paths, of two and four octets and both together
//	set.go           attributes in a form in which equal ones are equal octets
//	community.go     communities, extended and large ones, clusters
//	nlri.go          prefixes
//	pack.go          building UPDATEs, as full as they may be
//
// An UPDATE is decoded to an [Update], whose slices are used again and which points
// into the message. Every fault is a [Refusal]: a word of a closed list with the
// values, the approach of RFC 7606 and what a NOTIFICATION says. Attributes come out
// the same whatever the session agreed on: AS numbers have four octets, and the next
// hop is a field of its own. Neither decoding nor building allocates, once its
// buffers have grown.
//
// Besides: RFC 1997, 2545, 2918, 4360, 4456, 4486, 4724, 5492, 6286, 6608, 6793, 7313,
// 7607, 7911, 8092, 8538, 8654, 8950, 9003, 9072, 9234, 9494, 9687, 9774.
//
// # Deviations
//
//   - A fault in the prefixes or the next hop of MP_REACH_NLRI or MP_UNREACH_NLRI
//     disables the family; one in the rest of these, and in the fields of IPv4,
//     resets the session. RFC 7606 §3 (j) lets both do either.
//   - RFC 7606 §5.2 has a message reset the session that has attributes, no prefixes
//     and a fault; that is not applied where the prefixes were found to be of a
//     family that is disabled.
//   - Flags that are wrong in ATOMIC_AGGREGATE, AGGREGATOR, AS4_PATH and
//     AS4_AGGREGATOR discard the attribute: RFC 7606 §3 (f) and §3 (c) say different
//     things of the first two.
//   - A missing LOCAL_PREF from one's own AS has the routes withdrawn, as a
//     well-known attribute that is mandatory there (RFC 4271 §5.1.5).
//   - AS_SET is refused also inside an AS, see [Session].KeepASSets. Confederations
//     are not spoken: their segments are refused.
//   - A non-transitive attribute that is not known is ignored (RFC 4271 §5), AIGP
//     (RFC 7311) too.
//   - Extended messages are used only if both speakers have the capability; RFC 8654
//     §4 lets each direction differ.
//   - RFC 8950 for IPv4 unicast alone, and filters of outbound routes (RFC 5291) not
//     at all.
package wire
