// Package flow is the session table: who talks to whom, how far a TCP
// connection has got, and when a session that nobody uses ends. It knows
// nothing of translation; NAT and stateful filters both stand on it.
//
// A session has two keys: that of the packets of the side that began, and
// that of the answers, each as it arrives. A packet of one direction leaves
// as the reverse of the other direction's key; where the two are each
// other's reverse, nothing is translated.
//
// # How it is made
//
// A packet looks at two lines of memory: one of the index, which leads from the
// hash of a key to a session's number, and the session's record. Neither has a
// pointer for the collector to follow, and no packet takes a lock: records are
// read under a generation number that changes when a session begins or ends
// (record.go), entries of the index never move (index.go), and what packets
// change is a word or two of the record, by compare and swap (condition.go).
// Making and ending sessions takes one mutex, for a bounded time: Tick and Walk
// do it in portions.
//
// Sessions end by a timing wheel that packets do not touch (wheel.go). The
// states of TCP are drawn in tcp.go.
//
// A session takes 64 bytes for its record, 20 beside it and 16 in the index,
// plus an entry in a map for each inside host: 102 with a million sessions in a
// table made for as many. Memory for records is taken by the 131,072; pages
// that nothing has been written to take none.
//
// # RFCs
//
// Timeouts are those of RFC 4787 REQ-5, RFC 5382 REQ-5, RFC 5508 REQ-2 and RFC
// 7857 §2.1; refreshing is RFC 4787 REQ-6's. TCP follows RFC 5382 REQ-2 and RFC
// 7857 §2.2, with the states of RFC 6146 §3.5.2.2 and the window of RFC 5961
// §3.2 for what an RST may do.
//
// Deviations and choices:
//
//   - RFC 5961 has a receiver believe only an RST at the very edge of its
//     window. Here one within the window counts: whoever disagrees answers it,
//     and that answer revives the session (RFC 6146 §3.5.2.2).
//   - The window of a side is the largest that it has ever offered, rounded up
//     to a power of two.
//   - No packet is refused for its place in the sequence, it only fails to move
//     the state; and what fits nowhere still keeps the session alive.
//   - A connection first seen in mid-stream can be picked up. Whether it is to
//     be is the caller's choice; see Segment.Begins.
//   - RFC 7857 §7.1 would not have an outbound ICMP error refresh: callers do
//     not tell of errors at all.
//   - The closing of a session is never told to its two sides by an RST, which
//     RFC 5382 §5 leaves open.
package flow
