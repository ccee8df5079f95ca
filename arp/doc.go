// Package arp resolves neighbours on Ethernet links, in both families, keeps
// watch on whether they are still there, and speaks for the router's own
// addresses: ARP, neighbour discovery and router advertisements.
//
// # Two halves
//
// The [Machine] is a protocol core: inputs and the time go in, effects come
// out. It has no goroutine, lock, socket or clock, and its randomness comes
// from a seed, so a test replays it to the byte. The [Table] is what it
// publishes: read by every worker for every packet without a lock or an
// allocation, written by the machine's owner alone, who hands it the effects.
// An [Entry] is immutable, and a change is a store of another one; so ARP
// never makes the forwarding table be built again. Next hops find theirs by
// their dense number, destinations on the link by a hash.
//
// What is not resolved is not in the table: a reader that finds nil hands the
// packet to the machine. That is also why 100,000 destinations that do not
// exist cost readers nothing.
//
// Measured on a two-core virtual machine: [Table.Lookup] 18 to 23 ns with 10
// to 8192 neighbours, [Table.ByIndex] 2 ns; a reply that is learned and
// published 0.2 µs; a packet for a destination that does not exist 0.2 µs
// when it is throttled and 1.4 µs when it is asked for.
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
// So a neighbour in use is asked by unicast before it is asked by broadcast,
// in both families (RFC 1122 §2.3.2.1), and one that nobody uses goes after
// the configured timeout.
//
// # Next hops that do not answer
//
// A next hop that routes lead by and that does not answer is Failed rather than
// forgotten ([HopState] says so), since groups with another hop pass over it and
// no packet asks for it any more. The machine asks it again, three requests after
// a second at most and then after twice as long each time up to 30 s, until it
// answers, until it is heard from, or until no route leads by it. A packet for it
// asks at once, as ever.
//
// # Floods
//
// Packets wait for a neighbour that has not answered up to 212,992 bytes, as
// Linux has it, and up to 4 MiB for all of them; who holds most loses its oldest
// first. On each link 10,000 neighbours never heard of are asked for a second;
// when that is half used up, senders that ask for many leave the rest to those
// that ask for few. So a neighbour that is sent to for the first time during a
// flood is asked for and gets its packet, unless the flood's sources are as many
// as its destinations and more than the link's budget.
//
// # Files
//
//	ethernet.go      addresses and frames; groups, link-local addresses
//	arp.go           the ARP packet
//	ndp.go option.go neighbour discovery messages: parsed and validated
//	append.go        the same, built
//	table.go         the published table
//	config.go io.go  what goes in, what comes out
//	machine.go       Step
//	state.go transition.go   the states, and what moves a neighbour on
//	neighbor.go hold.go      one neighbour, the packets that wait for it
//	failed.go        next hops that do not answer
//	limit.go         the defence against floods
//	learn_arp.go learn_nd.go what is learned from whom, and answered
//	solicit.go       asking
//	own.go           the router's own addresses: duplicates, announcements, defence
//	interface.go     interfaces that come, change and go
//	ra.go            router advertisements
//	show.go          for show and metrics
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
//     reply by unicast never does, nor a unicast request for somebody else:
//     both are how caches are poisoned.
//   - A sender that is not on the interface's subnets is answered but not
//     learned; the same in neighbour discovery (RFC 4861 §7.2.3 says SHOULD).
//   - RFC 5227 §2.1: IPv4 addresses are not probed before use. A router's
//     are configured, and waiting six seconds at every start helps nobody; a
//     conflict is found and reported by the announcements. The address is
//     kept: §2.4 (c).
//   - RFC 1027 §2.4 compares classful networks; here the sender has to be on
//     the interface's own subnets.
//   - RFC 4861 §6.3.2: the reachable time is drawn for each confirmation
//     rather than every few hours.
//   - RFC 4861 §6.2.7: the advertisements of other routers are not compared
//     with our own.
//   - RFC 4861 §7.2.7: a solicitation for the address of all routers of a subnet
//     is answered at once, not after a random time.
//   - RFC 4861 §7.3.1: no hints from upper layers; a router has none.
//   - RFC 4861 §7.2.8: neighbour advertisements are not sent for others.
//   - RFC 4861 §8: redirects are built here ([AppendRedirect]) but decided on
//     where packets are forwarded; those received are counted and ignored.
//   - RFC 4862 §5.4.4 leaves open what to do about an advertisement of an
//     address in use: it is reported and answered as RFC 5227 §2.4 (c) has it.
//   - RFC 4862 §5.4: an address that the router had a moment ago, before a
//     restart, is used while it is asked for; a second of silence would help
//     nobody. RFC 4429 §3 allows hosts less than that, and routers nothing: it
//     is about new addresses, which others do not know by our MAC yet. The
//     advertisements that override what others know wait for the answer.
//   - RFC 4862 §5.4.2: the delay before the first probe is each address's own.
//   - Clear forgets when a neighbour was last asked for, so that one may be
//     asked for twice in a second.
package arp
