// Package ospf speaks OSPF version 2 (RFC 2328) without a goroutine, a socket or a
// clock of its own.
//
//	config.go     what the router is told
//	newer.go      which of two instances of an LSA is the newer one (§13.1)
//	database.go   the link-state database: finding, installing, removing (§13.2)
//	receive.go    what becomes of an LSA that was received (§13)
//	age.go        ages, refreshing and flushing (§14)
//	originate.go  the router's own LSAs (§12.4, §12.1.6, §13.4)
//	prefixes.go   numbers for prefixes
//	index.go      numbers of keys
//	pages.go      lists that are not copied when they grow
//	machine.go    the machine: one router
//	family.go     what another version of the protocol has otherwise
//	area.go       its areas
//	link.go       its interfaces, and virtual links
//	adjacency.go  neighbours
//	reload.go     what a configuration makes of them
//	flood.go      what is flooded where (§13.3)
//	own.go        the router's own LSAs of links (§12.4.1, §12.4.2; RFC 6860)
//	summaries.go  what a border router says of other areas (§12.4.3)
//	externals.go  what is said of the outside (§12.4.4)
//	nssa.go       the same in an NSSA, and for it (RFC 3101 §2.4, §3)
//	lsids.go      link state IDs of networks with one address (§E)
//	role.go       what the router is among others (RFC 3509)
//	calculate.go  when and why routes are calculated
//	offer.go      routes as the RIB is told them
//	hello.go      Hellos, and who becomes a neighbour (§9.5, §10.5)
//	exchange.go   Database Descriptions (§10.6, §10.8)
//	request.go    Requests (§10.7, §10.9)
//	update.go     Updates that are received (§13)
//	acknowledge.go  acknowledgements (§13.5, §13.7)
//	retransmit.go what was not acknowledged (§13.6), ages
//	designate.go  states of interfaces, elections
//	input.go      whether a packet is used (§8.2)
//	output.go     what is sent when
//	auth.go       keys
//	watch.go      BFD
//	sequence.go   cryptographic sequence numbers, and what is saved
//	unicast.go    networks without a group: NBMA, point-to-multipoint
//	stop.go       saying goodbye
//	virtual.go    virtual links (§15)
//	event.go      what is logged
//	helper.go     neighbours that restart (RFC 3623 §3)
//	stub.go       when the router offers itself for no transit (RFC 6987)
//	ordered.go    maps in the order of adding
//	graph.go      an area's routers and networks, kept as its LSAs change
//	tree.go       the shortest paths through an area (§16.1)
//	buckets.go    the candidates of that calculation
//	hops.go       sets of equal next hops
//	table.go      the routes of all areas together (§16)
//	follow.go     routes that follow what has changed
//	summary.go    inter-area routes, and better ways through transit areas (§16.2, §16.3)
//	external.go   external routes, of an NSSA too (§16.4; RFC 3101 §2.5)
//	touch.go      links as they were before their LSAs changed
//	repair.go     a tree that follows changed links
//	holding.go    which vertices have a prefix
//	changes.go    what has changed since routes were calculated
//	alternate.go  loop-free alternates: which one is chosen (RFC 5286)
//	candidate.go  the neighbours that may be one
//	vantage.go    an area as such a neighbour sees it
//	network.go    types of networks, and the states of an interface (§9.3)
//	elect.go      the election of the designated router (§9.4)
//	neighbor.go   the states of a neighbour (§10.3), and who is adjacent (§10.4)
//	schedule.go   when routes are calculated (RFC 8405)
//	trace.go      which LSAs a next hop follows from
//	show.go       what the show commands see; so do show_link.go, show_database.go
//	              and show_route.go
//	clear.go      what the clear commands do
//
// Each LSA waits for one time, the next one at which its age matters, and nothing
// is done for it until then: an age is the time since it was zero.
//
// The graph has the links of LSAs as indices, and knows of each whether there is
// one back, so that a calculation looks nothing up. It depends on the graph, the
// root and its interfaces alone.
//
// Routes are calculated from a [State]; of equal paths all ways are kept. Where links
// of some routers or networks have changed, the tree of their area is repaired: only
// what those links led to, or lead to now, is reached anew, and only the routes to its
// prefixes are calculated. Where more has changed the tree is calculated anew, and all
// routes. A change of prefixes alone has the paths to them calculated, and one of a
// summary or an external the routes to its prefix.
//
// # Deviations
//
//   - §9.5's Hellos leave up to a tenth of the interval early, so that routers that
//     were switched on together do not speak together.
//   - §10.5: on a point-to-point link there may be several neighbours, as while one
//     changes its router ID.
//   - §13: beyond max-lsa, LSAs of others are neither kept nor acknowledged, and an
//     adjacency does not wait for them.
//   - RFC 8405 §5 has every change of an LSA delay the calculation. Here those that a
//     neighbour was asked for wait until it is adjacent, for LongDelay at most, and are no
//     change of their own: then routes follow them after InitialDelay.
//   - RFC 4222 §2 (2) has all unicast packets keep a neighbour alive; here that is so
//     only where there is no DR, whom all have to miss at the same time. Its (3):
//     retransmissions are doubled in time three times at most.
//   - RFC 7474 §2: sequence numbers of others are kept by link and router.
//   - RFC 9355 §4.1 leaves open what becomes of a neighbour that is not strict: it
//     need not wait.
//   - §13.4 floods a received LSA that claims to be the router's own before its
//     successor; here the successor alone is flooded ([Database.Reclaim]).
//   - §12.4 has MinLSInterval between any two instances. Here one that followed a
//     time of quiet as long as that may be succeeded as soon as everybody lets the
//     next one in, which MinLSArrival decides, and one that only outbids what the
//     router has said before a restart at once.
//   - §13 (5)(a) is about what came by flooding; what the router has asked for did
//     not.
//   - An age above MaxAge, as that of RFC 1793 that stands still, counts as MaxAge:
//     demand circuits are not spoken.
//   - §16.1.1 gives no address where a point-to-point link leads to; here it is the
//     one that the neighbour sends from, as an Ethernet between two routers needs.
//   - Of several Network-LSAs with one link state ID, §12.2 leaves open which one
//     counts: the one installed last.
//   - §16.8 has equal paths be of one area and leaves open of which one: of the
//     highest.
//   - RFC 3509 §2.2 has a border router whose backbone is not connected examine the
//     summaries of all areas; here without the default routes of stub areas and NSSAs,
//     which it says itself, as RFC 3101 §2.5 (3) has it for those of type 7.
//   - A virtual link's next hops are those to its other end through the transit
//     area; §16.3 finds the better ones. §16.1.1 has them wait for that.
//   - RFC 3101 §2.5 (6)(e) chooses among LSAs that are functionally the same; here
//     they are equal paths, and the highest router's tag counts.
//   - RFC 3623 §3 is not spoken over virtual links, which carry no LSAs of a link; nor
//     does the router itself restart so, since its forwarding ends with it.
//   - RFC 3101 §2.7 has every border router originate a default route into an NSSA;
//     here one without summaries gets it, and another one where that is configured.
//   - RFC 6860 leaves open which networks are hidden: here those of passive interfaces,
//     of loopbacks and of further addresses are not.
//   - RFC 2328 §11.1 has the addresses of every active range discarded that have no
//     route; here those of ranges that are advertised.
//   - RFC 5286 §3.6 has an alternate for each of several next hops; here it is for the
//     route, whose packets it takes while all of them are dead, and is wanted only
//     where they share an interface or a router. Its §6.3 warns of areas that paths
//     leave and come back into: routes that this may happen to have none
//     ([Unprotected]). Border routers without a backbone (RFC 3509) cannot be told
//     from others and are not looked for.
//   - Of more than 64 neighbours in an area, the others are no alternates.
package ospf
