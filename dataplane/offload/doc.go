// Package offload is the flow cache: what the stages of package dataplane have
// decided for a flow is remembered in the kernel, which carries the flow's
// packets from then on without a copy to user space. Two programs of BPF do so,
// made of instructions here, so that no compiler and no file is needed.
//
// This is the mechanism alone: a port.Carriable attaches it to its device and
// sockets, and who makes entries, and what ends them, is its user's.
//
//	entry.go     a flow, a decision, and both as the programs see them
//	judge.go     the program that decides whether a packet is carried
//	carry.go     the program that carries it
//	programs.go  maps and programs in the kernel, and the memory shared with them
//	hand.go      the order of a flow's packets while it is handed over
//	cache.go     Put, Stop, Remove, End of a cause, counters, Reap
//	attach.go    devices and sockets; why there can be no cache
//
// # The way of a packet
//
//	device -> packet socket: judge --no-> the socket, the stages
//	              |                         (and the carrier lets it pass)
//	              +--yes, with a note in the packet-> tcx ingress: carrier -> device or peer
//
// A packet socket sees a packet before the ingress does, so a program at the
// ingress alone would carry what the socket has got too. A packet is therefore
// judged once, by the filter of the socket. Where it says yes the socket gets
// nothing, and a note in the packet (cb of struct sk_buff, which stays with it
// from the one place to the other) says which entry it is carried by. No change
// between the two can have it carried twice or lost. The note begins and ends
// with a mark that only these two programs know.
//
// The other way would be to have no packet socket: a program at the ingress
// carries the packet, or redirects it to a TAP. Both were measured on two
// processors with other load, in 1500 interleaved bursts of 33 small UDP packets;
// the numbers are the tenth percentile in ns a packet, from the sender's system
// call to the queue of the receiver or of the router:
//
//	                       carried   not carried
//	socket with the judge     1988      1673
//	program and TAP           1963      1621
//	kernel's forwarding       2067         -
//	socket without a cache       -      1592
//
// So the TAP saves one part in eighty of a carried packet. In exchange every
// packet that is not carried costs a system call of its own in the router, where
// a socket reads 64 in one, and tags and groups would need another way.
//
// What the cache gains shows BenchmarkSmall, likewise with the sender's system
// call: of what the kernel's own forwarding takes, 0.94 by the peer of a veth and
// 1.02 by the device's queue; with translation 0.78 and 0.84 of forwarding with
// the masquerading of nftables. Of BenchmarkStream there are no figures yet that
// other load has not spoilt.
//
// # Hand-over
//
// A packet that is carried arrives before those of its flow that are still in the
// socket or in user space. So the first packet that finds an entry goes to the
// socket, and so does each next one while the one before is not through user
// space: it is numbered when it is in the socket, and the reader of the socket says
// up to which number everything has been written (hand.go, package packet's
// progress.go). The same holds for packets of a carried flow that are not plain: a
// FIN, a super-packet of UDP, one that does not fit the egress. A flow is therefore
// carried from the first moment at which none of it is in user space, which a flow
// that never pauses for the time of one batch does not have.
//
// When an entry ends nothing can be overtaken in user space: what was carried is
// gone. Whoever sends by both ways to the queue of a device has them in order of
// their sending, as far as that queue keeps what several processors send in order.
//
// # Ends
//
// An entry names one to four causes with the epoch that each had when the
// decision began. End is one store into memory that the judge reads, so nothing
// that is judged later is carried by such an entry, and it costs the same for
// one flow and a million. A Ref that is taken before the decision makes it
// impossible to miss a cause that comes about while the decision is made.
// Entries that have ended stay in the table until they are removed. Packets that
// were judged before are carried within the same run of the kernel's receive
// path; Reap waits for those.
//
// # What is carried
//
// TCP and UDP over IPv4 without options and over IPv6 without extension headers,
// whole, with a hop limit above one, lengths that agree and a right IPv4 header
// checksum, in frames without a tag for the router's own link address, if they
// fit the egress. Of TCP the segments with ACK and without SYN, FIN and RST;
// super-packets whole, with partial checksums. Translation of IPv4 addresses and
// ports. What leaves is bit for bit what the stages would send
// (TestPacketsPass, TestCorporaPass). Everything else passes to the socket.
//
// # Supported
//
// RFC 768 and 791 (lengths), 1071, 1624, 1812 (§4.2.2, §5.2.2, §5.3.1), 8200 (§3), 9293.
//
// # Deviations
//
//   - UDP super-packets go to the socket: whether one is a tunnel's, whose
//     segments are longer than it says, cannot be seen by a filter.
//   - Of a translated UDP packet whose partial checksum is that of a packet inside
//     (a tunnel with checksums of its own), its own checksum comes out wrong: as in
//     the kernel's translation, whose function it is.
//   - Small packets are not coalesced, as the stages do with those of one batch.
//   - The padding of short frames is not counted.
//   - A packet that is handed to the other end of a veth is received there by a
//     host whatever link address it has: the kernel has looked at the address
//     where the packet came in. If that end is down or no longer in another
//     namespace the packet is lost, until a cause ends the entry: both take the
//     device's carrier, which the port reports (port.Carriable). Another link
//     address, XDP at that end, a queue or a program at the device's egress are
//     seen by the next Check. Rules and filters of others at the egress (nftables,
//     tc) do not see such packets, and filters of tc at the ingress none that is
//     carried.
//   - Fragments and packets with options of a carried flow, which go to the socket,
//     may be overtaken by plain ones: their flow is not looked up.
//   - A packet that the kernel has no memory to change is lost, and counted (Lost).
//   - A program that somebody puts before the carrier later can take packets away
//     that the judge has let through, and who detaches the carrier loses them,
//     until the next Check; a program that is there already is refused.
//
// Linux 6.6 (tcx) with CAP_BPF and CAP_NET_ADMIN in the machine's own user
// namespace; CAP_SYS_ADMIN will do for both.
package offload
