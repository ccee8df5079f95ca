// Package reassembly puts fragments addressed to the router itself, or to be
// translated by it, together again, IPv4 and IPv6.
//
// A Table is a value that is told the time and has no clock, lock or
// goroutine: each worker has its own. Every fragment gets a verdict: held;
// given up, alone or with its whole packet; or none yet, when it was the last
// one missing and the whole packet comes back to be looked at from the start.
//
// Files: reassembly.go has the table, bounds.go who has to go when it is full,
// fragment.go reads the two kinds of fragment and rebuilds their packets,
// datagram.go keeps what has arrived of one packet.
//
// What has arrived is noted in units of eight bytes, the unit of offsets: one
// bit says that a unit is there (RFC 791 §3.2 keeps such a table), another
// that a fragment began with it, so that an exact duplicate is told from an
// overlap. No fragment is ever kept that overlaps another, so a packet is
// whole when the lengths of its fragments add up to its own.
//
// Memory: payload and headers are kept in pages of 2 KiB, taken one by one as
// they are needed and reused for ever after; Config.Bytes bounds them all
// together. To that come about 2.5 KiB for each of at most Config.Packets
// unfinished packets, taken in the same way, and one buffer of 64 KiB for the
// packet handed out.
//
// Anybody can send fragments that nobody completes, so the oldest packet makes
// room for the newest: one survives a flood for as long as the flood needs to
// fill the table. A source, which is an IPv4 address or an IPv6 /64, has at most
// a quarter of the packets and bytes, and makes room from its own. Finding a
// fragment's packet is linear in the number of unfinished packets, over numbers
// that lie side by side: there are no buckets for a sender to overfill.
//
// Supported: RFC 791 §3.2, RFC 815, RFC 1122 §3.3.2, RFC 1812 §4.2.2.8, RFC
// 5722, RFC 6946, RFC 7112 §5, RFC 8200 §4.5.
//
// Deviations and choices:
//   - Overlap gives up the whole packet for IPv4 too, where RFC 791 §3.2 lets
//     the later fragment win: overlaps are attacks (RFC 1858 §4). For as long
//     as the packet would have been waited for, the rest of it is refused,
//     which RFC 5722 §4 demands of IPv6.
//   - An exact duplicate, in bounds and bytes, is dropped without harm, as RFC
//     8200 §4.5 permits.
//   - IPv4 fragments of a length that is no multiple of eight, the last one
//     excepted, are refused, not trimmed. So is a fragment without data.
//   - Fragments that contradict each other about where the packet ends give up
//     the whole packet.
//   - ECN bits are those of the first fragment: RFC 3168 §5.3's sum of all
//     fragments' matters to transports only.
//   - An IPv6 packet's headers, the fragment header included, may take 2048
//     bytes; a fragment with more is refused, and nothing is said about it.
//   - Nobody is told of a packet that was given up to make room; RFC 792 has a
//     time exceeded for those whose time ran out alone.
package reassembly
