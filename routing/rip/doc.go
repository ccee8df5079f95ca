// Package rip speaks RIP version 2 (RFC 2453, version 1 heard where that is
// wanted, authentication by RFC 4822) and RIPng (RFC 2080).
//
// # One machine for two protocols
//
// A [Machine] is a protocol core for one of them: inputs and the time go in,
// effects come out. It has no goroutine, lock, socket or clock, and its
// randomness comes from a seed, so a test replays it to the byte. What differs
// between the protocols is a row of a table (rip.go), the codec (package
// wire), and who counts as a neighbour on the link (interface.go).
//
// What it learns goes to the RIB by its slots; what the RIB redistributes comes
// as [protocol.Notices]. The subnets of the interfaces that speak are announced without
// that, as in most implementations; of other connected routes those that are
// redistributed. A subnet has its interface's metric (RFC 2453 §3.5), where
// BIRD and FRR say 1 whatever their interface costs: beside them a network
// looks as much dearer by routerd.
//
// # Large tables
//
// No route has a timer: paths are in the order in which they were heard of,
// dead routes in the order in which they died, and what changed is a list, so
// that nothing scans the table but a regular update. An update of many packets
// goes out in bursts of 10, 5 ms apart, and says of each route what holds when
// its packet is built; a receiver with Linux's default socket buffer loses
// none. 25,000 routes, measured on a two-core virtual machine: 18 ms to learn
// them, 3 ms to hear them again, 4.5 ms to tell them on two interfaces, 9 ms to
// lose them all at a carrier loss.
//
// # Failures
//
// A carrier loss or a next hop that is lost poisons the routes at once, and
// the remaining neighbours are asked for their whole tables within the same
// step; a death that is heard of is asked about 100 ms later, since it first
// has to get round. At most three times in 15 s, so that a flapping link does
// not become a load. So an alternative is learned in milliseconds rather than
// with the neighbours' next regular updates.
//
// A route that was announced on an interface and no longer is, whatever the
// reason (dead, refused by a policy, taken out of redistribution, heard on that
// interface itself), is announced there as unreachable for as long as a dead
// one; each route has a set of the interfaces where it was announced. What was
// never announced is not poisoned either, so a policy's secrets stay.
//
// # Files
//
//	config.go io.go  what goes in, what comes out
//	rip.go           Step and Deadline
//	interface.go     interfaces that come, change, go; their own subnets
//	input.go         what is received, and whether it is used
//	route.go         the table: states of a route, and what goes to the RIB
//	list.go          the queues of the table
//	own.go           redistributed and default routes
//	output.go        regular updates, what each interface is told
//	trigger.go       triggered updates
//	request.go       requests, those answered and those asked
//	neighbor.go      who is on the other side
//	watch.go         neighbours watched by BFD
//	auth.go          key chains
//	sequence.go      sequence numbers, what survives a restart
//	show.go          for show and metrics
//
// # Deviations
//
//   - RFC 2453 §3.9.2: up to MaximumPaths equal paths are kept, by default 8
//     as with other sources. The heuristic of switching to an equal path when
//     the old one is half timed out counts when there are so many.
//   - RFC 2453 §3.9.2 compares metrics only. Here a connected, default or
//     redistributed route of a lower administrative distance is never
//     replaced by one that is heard, however good its metric.
//   - RFC 2453 §3.9.1, RFC 2080 §2.4.1: requests from beyond a router are not
//     answered, since a small datagram with a forged source would have a whole
//     table sent anywhere.
//   - RFC 2453 §3.10.1: a triggered update takes in what changes while it is sent,
//     within 100 ms of what it sent last and 2 s of its beginning, each route
//     once; the random 1 to 5 s follow its end. So a large table crosses a row
//     of routers in the time that one of them takes to send it.
//   - RFC 2453 §3.10.1: a failure of our own is told without waiting for the
//     random 1 to 5 s after the last triggered update, at most once a second.
//   - RFC 2453 §4.6, §5.1: version 1 is never sent, nor version 2 by
//     broadcast, and requests of version 1 are not answered.
//   - RFC 2453 §5.2: where authentication is configured, version 1 is ignored,
//     as the RFC advises.
//   - RFC 4822 §2.3.2: sequence numbers are seconds, so they never begin with
//     zero, and several packets share one. Those of a sender are remembered
//     for ever, and over restarts, so that nothing is taken that was sent
//     before. A sender that lost its number may begin at zero once for each key,
//     not again and again: its first zero could be anybody's second. After
//     that it is heard when it has passed its old number, or with a key of
//     another id. Its last number is taken once more for 2 s after it was
//     forgotten. A crash, unlike a stop, loses the last 10 s of numbers.
//   - RFC 4822 §2.3.2: the digest does not cover the source address, so what one
//     router said passes as another one's first words. Where that matters, say
//     who is allowed: see [InterfaceConfig.AllowedNeighbors].
//   - RFC 4822 §5.1: during a change of keys packets are sent with the newer
//     one only; both are accepted within their lifetimes.
//   - RFC 2453 §5.4: links without addresses are not supported.
package rip
