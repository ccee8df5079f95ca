// Package reassembly reassembles fragments that are addressed to the router
// itself or that it translates, of IPv4 and IPv6.
//
// A Table is a value that is told the time and has no clock, lock or
// goroutine: each worker has its own. Every fragment gets a verdict: held;
// given up, alone or with its whole packet; or none yet, when it was the last
// one missing and the whole packet comes back to be looked at from the start.
//
// Files: reassembly.go has the table, bounds.go which packet is given up when
// it is full, fragment.go reads the two kinds of fragment and rebuilds their
// packets, datagram.go keeps what has arrived of one packet.
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
// Anybody can send fragments of packets that are never completed, so the oldest
// packet is given up for the newest: in a flood a packet survives for as long
// as the flood needs to fill the table. A source, which is an IPv4 address or
// an IPv6 /64, may use at most a quarter of the packets and bytes; beyond that
// its own oldest packets are given up. Finding a fragment's packet is linear in
// the number of unfinished packets, over contiguous memory: there are no hash
// buckets that a sender could overfill.
//
// Supported: RFC 791 §3.2, RFC 815, RFC 1122 §3.3.2, RFC 1812 §4.2.2.8, RFC
// 5722, RFC 6946, RFC 7112 §5, RFC 8200 §4.5.
//
// Deviations and choices:
//   - Overlap gives up the whole packet for IPv4 too, where RFC 791 §3.2 lets
//     the later fragment win: overlaps are attacks (RFC 1858 §4). Until its
//     time-out its other fragments are dropped too, as RFC 5722 §4 demands for
//     IPv6.
//   - A fragment that duplicates another exactly, in bounds and bytes, is
//     ignored, as RFC 8200 §4.5 permits.
//   - IPv4 fragments other than the last whose length is no multiple of eight
//     are dropped, not trimmed. So is a fragment without data.
//   - If fragments contradict each other about where the packet ends, the whole
//     packet is given up.
//   - ECN bits are those of the first fragment; RFC 3168 §5.3 combines those of
//     all fragments, which matters to transports only.
//   - An IPv6 packet's headers, the fragment header included, may take 2048
//     bytes; a fragment with more is dropped without an ICMP error.
//   - No ICMP error is sent about a packet that was given up to make room: RFC
//     792 has time exceeded only for those that timed out.
package reassembly
