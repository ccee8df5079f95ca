// Package bfd speaks Bidirectional Forwarding Detection (RFC 5880): it finds out
// within a fraction of a second that a path to a neighbour has failed, for those
// who ask, over one hop (RFC 5881) and over several (RFC 5883).
//
// # Who asks, and what they hear
//
// A [Machine] is a protocol core: inputs and the time go in, effects come out.
// Other protocols, and the router for its static routes, ask by
// [protocol.WatchFor] and hear by [protocol.Tell]; a peer of the configuration has
// a session that nobody hears of. All who ask for one path share one session (RFC
// 5882 §4.4). It sets the bit of routing.CauseBFD in the state of the next hop
// before anything else, so packets go another way before anybody has decided
// anything.
//
//	session                                     its path is held for
//	never up                                    unknown: nobody is told; dead for who is strict
//	up                                          alive
//	down after it was up                        dead
//	AdminDown, here or at the neighbour         alive: BFD says nothing against it
//
// # Time
//
// A session that is not up sends once a second; what its profile says is
// negotiated when it is up, by a Poll Sequence. The earliest of all sessions is
// at the top of a heap, so a packet costs O(log n) among n sessions.
//
// That a neighbour was silent is believed on a Tick alone, when the driver has
// nothing else to hand over, and if the Tick is late, only after a second look
// 10 ms later: when this process did not run, the packets wait for it.
//
// # Files
//
//	config.go io.go  what goes in, what comes out
//	machine.go       Step and Deadline; links, configuration
//	watch.go         who asks for what, and what they hear
//	session.go       sessions from their beginning to their goodbye
//	fsm.go           the state machine as a table
//	timer.go         negotiation, jitter, detection
//	receive.go       what is received, and whether it is used
//	transmit.go      what is sent
//	auth.go          authentication, sequence numbers
//	queue.go         what is due first
//	show.go          for show and metrics
//
// # Deviations
//
//   - The echo function is off in both directions: required min echo RX is 0, and
//     no echo packet is sent. Demand mode of the neighbour is answered, and never
//     asked for.
//   - RFC 5882 §3.2: AdminDown is no failure for a static route either, though it
//     has no other means to find one out. Whoever wants that says strict.
//   - RFC 5882 §8, RFC 5880 §6.8.16: a session that ends says AdminDown in three
//     packets, as far apart as it sent before, and not once a second for a
//     detection time: a router that stops does not wait, and one lost packet does
//     no harm.
//   - RFC 5880 §6.3: a packet over one hop counts only if it comes by the session's
//     own link, whatever its discriminator, since it says nothing of that link
//     otherwise (RFC 5881 §3).
//   - RFC 5880 §6.7.3: the received sequence number is taken over after the
//     digest was found right, and not before.
//   - RFC 5883: the initial packet is matched by both addresses (§4.1); there is
//     no other way, nor unidirectional links (§4.3).
//   - RFC 5880 §7 asks for a control of congestion over several hops: there is none
//     but that a session which fails sends once a second.
package bfd
