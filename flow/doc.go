// Package flow is the session table: which endpoints talk, in which state a TCP
// connection is, and when an idle session ends. It knows nothing of address
// translation, which uses it, as stateful filters can. The ranges of addresses and
// ports that rules of both name are range.go.
//
// A session has two keys: that of the initiator's packets and that of the
// replies, each as the packets arrive. A packet of one direction leaves as the
// reverse of the other direction's key; if the two are each other's reverse,
// nothing is translated.
//
// # How it is made
//
// A packet looks at two lines of memory: one of the index, which leads from the
// hash of a key to a session's number, and the session's record. Neither has a
// pointer for the collector to follow, and no packet takes a lock: records are
// read under a generation number that changes when a session begins or ends
// (record.go), entries of the index never move (index.go), and packets change
// one or two words of the record, by compare and swap (condition.go). Making
// and ending sessions takes one mutex, for a bounded time: Tick and Walk work
// in portions.
//
// IPv6 sessions are a table of their own (wide.go), whose keys have digests in
// place of the addresses. Its sessions are never translated.
//
// Idle sessions end by a timing wheel that packets do not touch (wheel.go). The
// state table of TCP is in tcp.go.
//
// Packets of a session may be carried by somebody else, who tells what they came
// to once in a while and is told when the session ends (carry.go).
//
// A session takes 64 bytes for its record, 28 beside it and 16 in the index,
// plus an entry in a map for each inside host: 110 bytes with a million
// sessions in a table made for as many, and 32 more where they are of IPv6. Memory for records is allocated for
// 131,072 at a time; pages that nothing has been written to take none.
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
//   - RFC 5961 has a receiver accept only an RST exactly at the edge of its
//     window. Here one anywhere in the window counts: a receiver that does not
//     accept it sends a challenge ACK, which revives the session (RFC 6146
//     §3.5.2.2).
//   - The window of a side is the largest that it has ever offered, rounded up
//     to a power of two.
//   - No packet is dropped for its sequence number; it only does not change the
//     state. A packet outside all windows still refreshes the session.
//   - A half-open connection that counts for a bound of half-open ones ends ten
//     seconds after its last packet (ticket.go), which RFC 5382 REQ-5 does not let a
//     NAT do; a host that is asked sends its SYN again.
//   - Of a connection that is carried by somebody else the sequence numbers are not
//     known, so an RST or FIN counts whatever its number is. An RST that its
//     receiver does not accept revives the session like one in the window.
//   - A connection first seen in mid-stream can be picked up. The caller
//     decides; see Segment.Begins.
//   - RFC 7857 §7.1 does not let an outbound ICMP error refresh a session:
//     callers do not report ICMP errors at all.
//   - When a session ends its two sides are not sent an RST, which RFC 5382 §5
//     leaves open.
package flow
