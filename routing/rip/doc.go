// Package rip implements RIP version 2 (RFC 2453, receiving version 1 if
// configured, with the authentication of RFC 4822) and RIPng (RFC 2080).
//
// # One machine for two protocols
//
// A [Machine] is a protocol core for one of them: inputs and the time go in,
// effects come out. It has no goroutine, lock, socket or clock, and its
// randomness comes from a seed, so a test can replay a run byte for byte. The
// protocols differ in one row of a table (rip.go), in the codec (package wire),
// and in which addresses count as neighbours on the link (interface.go).
//
// Learned routes go to the RIB through the machine's slots; redistributed
// routes come from the RIB as [protocol.Notices]. The subnets of interfaces
// that speak the protocol are announced without redistribution, as in most
// implementations; other connected routes only if they are redistributed. A
// subnet is announced with its interface's metric (RFC 2453 §3.5), whereas BIRD
// and FRR always announce 1: a network next to both looks more expensive
// through routerd by that difference.
//
// # Large tables
//
// No route has a timer of its own: paths are kept in the order in which they
// were last refreshed, dead routes in the order in which they died, and changed
// routes in a list, so that only a regular update scans the table. An update of
// many packets is sent in bursts of 10, 5 ms apart, and each packet has the
// routes as they are when it is built; a receiver with Linux's default socket
// buffer loses none. Measured with 25,000 routes on a two-core virtual machine:
// 18 ms to learn them, 3 ms to refresh them, 4.5 ms to send them on two
// interfaces, 9 ms to lose them all at a carrier loss.
//
// # Failures
//
// When a carrier or a next hop is lost, its routes are poisoned at once and the
// remaining neighbours are asked for their whole tables in the same step. When
// a neighbour announces that a route is dead, the others are asked 100 ms
// later, since the news has to reach them first. They are asked at most three
// times in 15 s, so that a flapping link causes no load. So an alternative is
// learned in milliseconds instead of with the neighbours' next regular updates.
//
// A route that was announced on an interface and no longer is, whatever the
// reason (dead, refused by a policy, no longer redistributed, learned on that
// interface itself), is announced there as unreachable for as long as a dead
// route; each route has the set of interfaces where it was announced. A route
// that was never announced is not poisoned either, so that routes hidden by a
// policy stay hidden.
//
// # Files
//
//	config.go io.go  configuration, inputs and effects of its own
//	rip.go           Step and Deadline
//	interface.go     interfaces coming up, changing, going down; their own subnets
//	input.go         received packets and the checks on them
//	route.go         the table: states of a route, and what is offered to the RIB
//	list.go          the queues of the table
//	metric.go        the highest metric, which means unreachable
//	own.go           redistributed and default routes
//	output.go        regular updates, and how a route is announced on an interface
//	trigger.go       triggered updates
//	request.go       requests received and sent
//	neighbor.go      the neighbours
//	watch.go         neighbours watched by BFD
//	auth.go          authentication with key chains
//	sequence.go      sequence numbers, which survive a restart
//	show.go          the state as show and the metrics present it
//
// # Deviations
//
//   - RFC 2453 §3.9.2: up to MaximumPaths equal paths are kept, by default 8 as
//     with other sources. The heuristic of switching to an equal path when the
//     old one is half timed out applies once a route has that many.
//   - RFC 2453 §3.9.2 compares metrics only. Here a connected, default or
//     redistributed route with a lower administrative distance is never
//     replaced by a learned one, whatever its metric.
//   - RFC 2453 §3.9.1, RFC 2080 §2.4.1: requests from off the link are not
//     answered, since a small datagram with a forged source would cause a whole
//     table to be sent to any host.
//   - RFC 2453 §3.10.1: a triggered update also carries routes that change
//     while it is being sent, within 100 ms of its last packet and 2 s of its
//     start, each route once; the random 1 to 5 s begin at its end. So a large
//     table crosses a row of routers in the time that one of them takes to send
//     it.
//   - RFC 2453 §3.10.1: a failure of this router's own links is announced
//     without waiting for the random 1 to 5 s after the last triggered update,
//     at most once a second.
//   - RFC 2453 §4.6, §5.1: version 1 is never sent, nor version 2 by
//     broadcast, and requests of version 1 are not answered.
//   - RFC 2453 §5.2: where authentication is configured, version 1 is ignored,
//     as the RFC advises.
//   - RFC 4822 §2.3.2: sequence numbers are seconds, so they never start at
//     zero, and several packets share one. A sender's last number is remembered
//     for ever, also over restarts, so that no replayed packet is accepted. A
//     sender that lost its number may restart at zero once for each key, not
//     repeatedly, since a second zero could be a replay of the first. After
//     that it is accepted when its number exceeds the old one, or with a key of
//     another id. For 2 s after a neighbour was forgotten its last number is
//     accepted once more. A crash, unlike a stop, loses the last 10 s of
//     numbers.
//   - RFC 4822 §2.3.2: the digest does not cover the source address, so a
//     packet of one router can be replayed as the first packet of another.
//     Where that matters, list the allowed neighbours: see
//     [InterfaceConfig.AllowedNeighbors].
//   - RFC 4822 §5.1: while keys overlap, packets are sent with the newer one
//     only; both are accepted within their lifetimes.
//   - RFC 2453 §5.4: links without addresses are not supported.
package rip
