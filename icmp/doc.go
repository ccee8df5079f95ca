// Package icmp makes the ICMP and ICMPv6 messages that the router sends, and
// says when it may.
//
// Everything here is a pure function of the bytes it is given, or a value that
// is told the time: no I/O, no clock, no allocation where the caller's buffer
// suffices. For an error, Errors4 or Errors6 tells whether the packet's verdict
// calls for one, MayAnswer4 or MayAnswer6 whether the packet may be answered at
// all, the caller's token bucket whether there have been too many, and
// AppendError4 or AppendError6 writes it. EchoRequestOK4 or EchoRequestOK6
// recognises an echo request, and EchoReply4 or EchoReply6 turns it into its
// reply, in place.
//
// Supported: RFC 792, RFC 1122 §3.2.2, RFC 1191 §4, RFC 1812 §4.3 and
// §5.2.7, RFC 4443, RFC 6633, RFC 6864, RFC 7112 §5.
//
// Deviations, all of them permitted unless said otherwise:
//   - Source-routed packets are dropped, so no error or reply carries a route
//     back (RFC 1812 §4.3.2.6 SHOULD, §4.3.3.6 has policy as an exception).
//   - Redirects are host redirects only, sent on Ethernet links only, by the
//     dataplane: other ports are point-to-point (RFC 1812 §5.2.7.2).
//   - An ICMPv6 error about a packet in transit comes from an address of the
//     interface that the packet came in by, as on Linux since 5.5, so that
//     traceroute shows the forward path (RFC 4443 §2.2 b MAY). If that has only
//     link-local ones, and over IPv4, it comes from an address of the interface
//     that the error leaves by (RFC 1812 §4.3.2.4).
//   - An echo reply carries the record route and timestamp options of its
//     request unchanged: the caller updates them before (RFC 1812 §4.3.3.6).
//   - The caller handles echo requests to a multicast group; EchoReply6 would
//     answer from the group's address (RFC 4443 §4.2).
//   - No multi-part messages (RFC 4884): the length byte is zero.
//   - Linux takes unknown ICMP types for errors and never answers them; this
//     package follows RFC 1812 and answers.
//   - An unreachable route gives ICMPv6 code 3, address unreachable, like host
//     unreachable over IPv4, to tell it from no route at all; Linux sends no
//     route (0), and RFC 4443 §3.1 also has a code 6.
//   - An ICMP error is atomic, with DF set and identification 0; Linux
//     clears DF and counts (RFC 6864 §4.1 allows both).
package icmp
