// Package arp resolves neighbours on Ethernet links, in both families, checks
// whether they are still reachable, and announces and defends the router's own
// addresses: ARP, neighbour discovery and router advertisements.
//
// # Two halves
//
// The [Machine] is a protocol core: inputs and the time go in, effects come
// out. It has no goroutine, lock, socket or clock, and its randomness comes
// from a seed, so a test replays it to the byte. The [Table] is what it
// publishes: every worker reads it for every packet without a lock or an
// allocation, and only the machine's owner writes it, by handing it the
// effects. An [Entry] is immutable, and a change stores another one, so ARP
// never causes the FIB to be rebuilt. Next hops are found by their dense
// number, destinations on the link by a hash.
//
// Unresolved neighbours are not in the table: a reader that finds nil hands the
// packet to the machine. So 100,000 destinations that do not exist cost readers
// nothing.
//
// Measured on a two-core virtual machine: [Table.Lookup] 18 to 23 ns with 10 to
// 8192 neighbours, [Table.ByIndex] 2 ns; a reply that is learned and published
// 0.2 µs; a packet for a destination that does not exist takes 0.2 µs when it
// is throttled and 1.4 µs when the destination is requested.
//
// # One machine for two protocols
//
// Reachability is RFC 4861's state machine (transition.go), its rows in the
// order of the RFC's Appendix C. ARP has the same states; its packets are
// mapped to events in learn_arp.go:
//
//	a reply while a request is under way      advertisement, S=1 O=1
//	a broadcast announcement                  advertisement, S=0 O=1
//	a request for us, or any broadcast one    solicitation
//	any other reply                           nothing
//
// So a neighbour in use is probed by unicast before it is requested by
// broadcast, in both families (RFC 1122 §2.3.2.1), and an unused one is
// forgotten after the configured timeout.
//
// # Next hops that do not answer
//
// A next hop of routes that does not answer becomes Failed rather than
// forgotten, which [HopState] reports: groups with another hop skip it, so no
// packet requests it any more. The machine requests it again, with three
// requests, after at most a second and then after twice as long each time, up
// to 30 s, until it answers, until another message of it arrives, or until no
// route uses it. A packet for it requests it at once, as usual.
//
// # Floods
//
// Up to 212,992 bytes of packets wait for one unresolved neighbour, as on
// Linux, and up to 4 MiB for all; then the neighbour that holds most loses its
// oldest packet first. On each link at most 10,000 unknown neighbours are
// requested in a second; when half of that is used, the rest is left to senders
// that cause few requests. So a neighbour that is sent to for the first time
// during a flood is requested and gets its packet, unless the flood has as many
// sources as destinations, and more than the link's budget.
//
// # Files
//
//	ethernet.go      addresses and frames; groups, link-local addresses
//	arp.go           the ARP packet
//	ndp.go option.go neighbour discovery messages: parsed and validated
//	append.go        the same, built
//	table.go         the published table
//	config.go io.go  configuration, inputs, effects
//	machine.go       Step
//	state.go transition.go   the states, and their transitions
//	neighbor.go hold.go      one neighbour, the packets that wait for it
//	failed.go        next hops that do not answer
//	limit.go         the defence against floods
//	learn_arp.go learn_nd.go what is learned from whom, and answered
//	solicit.go       sending requests and solicitations
//	own.go           the router's own addresses: duplicates, announcements, defence
//	interface.go     interfaces that come, change and go
//	ra.go            router advertisements
//	routers.go       routers that look for each other
//	show.go          what show and metrics need
//
// # What is supported
//
// RFC 826; RFC 1027, off by default; RFC 1122 §2.3.2; RFC 5227 §2.3 to §2.6;
// RFC 4861; RFC 4862 §5.3 and §5.4; RFC 6583 §7; RFC 6980; RFC 7527; RFC 4191
// §2.2 and RFC 8106 as a sender.
//
// # Deviations
//
//   - RFC 826 lets any packet update a known sender. Here an unsolicited
//     unicast reply does not, nor a unicast request for another target: both
//     are ways to poison caches.
//   - A sender that is not on the interface's subnets is answered but not
//     learned; the same in neighbour discovery (RFC 4861 §7.2.3 says SHOULD).
//   - RFC 5227 §2.1: IPv4 addresses are not probed before use. A router's
//     addresses are configured, and probing would delay every start by six
//     seconds; announcements detect a conflict, which is reported. The address
//     is kept: §2.4 (c).
//   - RFC 1027 §2.4 compares classful networks; here the sender has to be on
//     the interface's own subnets.
//   - RFC 4861 §6.3.2: the reachable time is drawn for each confirmation
//     rather than every few hours.
//   - RFC 4861 §6.2.7: the advertisements of other routers are not compared
//     with our own.
//   - RFC 4861 §7.2.7: a solicitation for a subnet-router anycast address is
//     answered at once, not after a random delay.
//   - RFC 4861 §7.3.1: no hints from upper layers; a router has none.
//   - RFC 4861 §7.2.8: no proxy neighbour advertisements are sent.
//   - RFC 4861 §8: redirects are built here ([AppendRedirect]), but the
//     dataplane decides to send them; received ones are counted and ignored.
//   - RFC 4862 §5.4.4 leaves open what to do about an advertisement of an
//     address in use: it is reported and answered as in RFC 5227 §2.4 (c).
//   - RFC 4862 §5.4: an address that the router had a moment ago, before a
//     restart, is used while duplicate address detection runs. RFC 4429 §3
//     allows less to hosts, and nothing to routers, but it is about new
//     addresses, which others do not know by our MAC yet. Advertisements that
//     override others' caches are sent only after detection.
//   - RFC 4862 §5.4.2: each address has its own delay before the first probe.
//   - Clear forgets when a neighbour was last requested, so one may be
//     requested twice in a second.
package arp
