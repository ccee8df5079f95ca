// Package bgp is BGP-4 (RFC 4271) as a value, without a socket, a clock or a goroutine of
// its own: a [Machine] speaks it for one router.
//
//	config.go      the configuration, and what is wrong with one
//	machine.go     the machine: inputs, streams, listeners, what is due
//	configure.go   another configuration; clearing sessions
//	preview.go     what another configuration would do
//	neighbor.go    a neighbour, and the sources that its routes come from
//	link.go        the links of link-local neighbours
//	unnumbered.go  neighbours that are known by their link alone
//	dynamic.go     neighbours that are there while they are connected
//	watch.go       neighbours that BFD watches, and that wait for it
//	import.go      routes that come
//	limit.go       limits of prefixes
//	aggregate.go   aggregates, and what they are made of
//	rib.go         choosing, offering to the RIB, waiting for the FIB
//	challenge.go   choosing where one route more has come; alike.go where the routes are those
//	               of the prefix before
//	vacant.go      numbers of prefixes that have no route any more
//	hops.go        next hops, by what the RIB says of them; routes of others
//	group.go       neighbours that are sent the same
//	lane.go        what these are sent together, as far as there is room
//	export.go      the UPDATEs for them, encoder.go the room in which these are made;
//	               variant.go what of them is different for one
//	paths.go       several paths of a prefix (RFC 7911)
//	default.go     default routes that single neighbours are sent
//	received.go    routes as they came, which are kept where that is configured
//	longlived.go   what neighbours have left who restart, and who stay away for longer
//	refresh.go     refreshes of neighbours, from a beginning to an end
//	sweep.go       tables that are gone through, a part of them in each step
//	show.go        neighbours, for show; status.go the whole
//	routes.go      routes and why they won or lost; filter.go selects them
//	exchanged.go   what a neighbour has sent, and what it was sent
//	event.go       entries for the log
//	fsm.go         the state machine of a connection, as a table (§8.2.2)
//	ending.go      why a connection has ended
//	session.go     the session with a neighbour: its connections and timers
//	connection.go  what the state machine asks for; collisions (§6.8)
//	receive.go     messages from the octets of a stream
//	attributes.go  sets of attributes that routes share; octets.go their octets
//	table.go       the routes of all neighbours by prefix (§3.2); index.go finds prefixes
//	order.go       the prefixes of a table in order, page by page
//	decide.go      the decision between routes of a prefix (§9.1.2), and why; rank.go its
//	               first steps as two numbers
//	pattern.go     regular expressions about AS paths
//	terms.go       what becomes of attributes from and to a neighbour
//	nexthop.go     which next hop a neighbour is sent (§5.1.3)
//	policy.go      the keys of BGP in policies; policy_community.go those about
//	               communities, policy_values.go how their values are read
//
// A [Session] gets the inputs of its TCP connections and appends effects, as
// [protocol.Core] has them; its [Owner] hears of routes. While it is not clear which
// of two connections stays, each has a state machine of its own. Of timers that each
// message restarts, the time is noted, and the timer moved when it comes.
//
// An [AttributeSet] is one for all routes with the same attributes, and has what they are
// compared by. [Rules.Best] takes the steps of §9.1.2.2 and those that other routers have
// besides: weight, the router's own routes, stale ones.
//
// [Terms] are what a neighbour is to the router, as far as attributes depend on it. A route
// that comes goes through [Terms.Take] and the import policies; one that is sent through
// [Terms.Permit], the export policies and [Terms.Give].
//
// The table has routes after the import policies. Where that is configured, they are kept
// before these too: then another policy looks at them there, and asks nobody.
//
// Each session that comes up is a source of its own in the table. What a session has left
// is dropped a part in each step, while the next one brings routes; a neighbour that
// restarts (RFC 4724) keeps its old source until it has sent all. What changes in a step is
// decided once, at its end; while neighbours send much at once, as their tables, what changes
// in all that has come meanwhile is. Where one route more has come, that one is held against the
// two best alone. The number of a prefix that has lost its last route is kept for it for 10 to
// 20 s.
// Neighbours are told of a route when the FIB has it ([protocol.Mark]), and of a loss at once.
//
// Neighbours that are sent the same are a group. What there is to be sent is made once for
// all of them, in blocks, which each reads as it can; one that falls behind goes on alone, until
// it has caught up. Neighbours that come up while another one like them is being sent the
// table wait up to 200 ms for each other, and are then sent it together.
//
// What was sent is a bit for each prefix: the rest follows from what was chosen. So
// neighbours may be sent again what they have, where a route has changed in what they are
// not sent. Where several paths of a prefix are sent, they are noted one by one.
//
// # Deviations
//
//   - A next hop of IPv6 with a global and a link-local address (RFC 2545 §3) is used by
//     the global one.
//
//   - The advertisement interval holds back withdrawals too (RFC 4271 §9.2.1.1 has it for
//     routes alone), and all that a neighbour is sent, from the last of it.
//
//   - The limit of prefixes is for those that were accepted, after policies, unless
//     LimitReceived has it for all that came. What LimitBlock has not taken is not asked for
//     by itself when there is room again.
//
//   - A path that begins with a set counts, for comparing MEDs, as one of AS 0.
//
//   - §8.2.2 lets an attempt that fails in Connect lead to Idle, where the neighbour's
//     own is refused. Here it leads to Active, and the next one comes after
//     ConnectDelay, as in other implementations.
//
//   - After every end but the operator's the session is tried again, after the
//     IdleHoldTimer: §8.1.2 leaves that to DampPeerOscillations.
//
//   - A passive session dials at no time; §8.2.2 has the ConnectRetryTimer do so.
//
//   - A NOTIFICATION that comes in OpenSent is not answered by another. Faults of
//     headers in OpenConfirm and Established are answered with their own code, and a
//     second OPEN is a Finite State Machine Error, since each connection has a state
//     machine of its own.
//
//   - §6.8 says which connection is closed as if the newer one were the neighbour's; here
//     the one stays that the speaker with the higher router ID has begun.
//
//   - A collision with a session that is up has a KEEPALIVE sent on it, which finds out
//     whether it is alive.
//
//   - RFC 7606's "AFI/SAFI disable" resets the session, which §3 (j) allows.
//
//   - A session that has to wait for BFD (draft-ietf-idr-bgp-bfd-strict-mode) does so also
//     where the neighbour does not have the capability. One that begins BFD only when the
//     session is up, as FRR 8.4 does, cannot be waited for.
//
//   - The router lists no family of its own in the capability of RFC 4724, so its Ceases are
//     no hard resets (RFC 8538 §5): nobody keeps anything of it.
//
//   - A neighbour that cannot send its routes again gets no low local preference on them
//     when a graceful shutdown begins (RFC 8326 §4.2), until it sends them again.
//
//   - The default route that a single neighbour is sent does not wait for the advertisement
//     interval. Where it takes the place of the one of the table, that one is withdrawn first.
//
//   - Aggregates are made of routes with different MEDs too, which RFC 4271 §9.2.2.2 forbids,
//     as other routers do by default. An aggregate has no communities but those that its
//     policy sets.
//
//   - RFC 8326's graceful shutdown of a neighbour of another AS sets the local preference to
//     0 before import policies, as other routers do; the RFC leaves it to these.
//
//   - Stale routes (RFC 9494) go to no neighbour without the capability, also inside the AS.
//
//   - The Send Hold Timer (RFC 9687) is restarted by what the stream says of octets that
//     were sent: half or all of its room free again.
package bgp
