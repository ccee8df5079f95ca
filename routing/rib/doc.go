// Package rib keeps every route that is offered, chooses the best of each
// prefix, resolves next hops, and says what the FIB has to change.
//
// # Shape
//
// The [RIB] is a value: interfaces and the Deltas of protocols come in by
// [RIB.Step], the configuration by [RIB.SetConfig], and [RIB.Flush] decides
// once for all that came in and gives the changes and the number of the state
// that they lead to. Any number of inputs may come before a Flush, so a burst
// costs one decision for each prefix. [RIB.Settle] does the same in slices of
// bounded work, so that a table of a million routes does not occupy its owner
// for longer than a slice; its result is consistent, since inputs wait until it
// is complete. Only ages and dense numbers depend on the order of inputs: the
// same interfaces, configuration and offers give the same FIB whatever happened
// before, and a property test checks that.
//
// Files: rib.go inputs; slice.go outputs, in slices; slab.go and index.go
// prefixes by number; interface.go connected routes; static.go static routes;
// list.go static routes in
// great number; candidate.go order of preference; hopset.go next hops shared by routes;
// resolve.go resolution of next hops; walks.go what is done to many routes before
// a settling; settle.go the phases of one settling;
// decide.go the choice for one prefix; handout.go what the FIB gets; loop.go
// next hops that resolve in circles; group.go weights and groups of the FIB;
// subscribe.go subscribers; outbox.go what waits for them; redistribute.go and
// track.go their notices; slot.go what comes by slots; stale.go sources that
// restart; show.go and explain.go what `show` and `explain` print.
//
// # What is offered
//
// An address offers itself (action local) whether its link is up or not.
// While the link is up it also offers its subnet, on the link, and for IPv4
// prefixes of 1 to 30 bits the all-ones and all-zeros addresses (action
// broadcast). A prefix that several interfaces offer belongs to the one with
// the lowest number.
//
// A static next hop is an address, resolved through the table; an address and
// an interface, whose link has the address (Linux's "onlink"); or an interface
// alone, whose link has every destination. Hops by a link that is down or an
// interface that does not exist, and hops to the router's own or a broadcast
// address, are left out; a route with no hop left is not used, and `show` says
// why.
//
// # What is chosen
//
// The router's own addresses come first, then broadcast addresses, as in Linux
// with its local table. Then decide the lowest distance, the lowest metric,
// and, so that the choice does not depend on what came first, the order of
// [routing.Source] and of the configuration. Equal static routes form one
// multipath route. Distance 255 is never used.
//
// # Backups
//
// A next hop that its source calls a backup ([routing.NextHop]) is resolved like
// the others and serves in the FIB while none of these is alive, before the table
// knows of it. A hop that is resolved through a route brings that route's backups
// as its own; a backup brings none. Where only backups are usable they serve as
// if they were none. Subscribers are not told of backups.
//
// # Resolving
//
// An address resolves through the longest prefix that has a usable route. It
// gets that route's own resolved hops: resolution is flattened to any depth, so
// that forwarding needs one lookup. Weights multiply. A next hop through a
// route that discards makes the route discard, unless other hops forward.
//
// A next hop never resolves through its own route. It would if its address lies
// in the route's own prefix. If several routes resolve through one another in a
// circle, each next hop of the circle is refused, and other candidates may be
// chosen; a route that is not preferred is no part of a circle. A host route
// may have its own address as its next hop, if a shorter prefix leads there, as
// in FRR.
//
// The default route resolves next hops like any other, except its own. FRR
// does that only with "ip nht resolve-via-default", which its datacenter
// profile switches on; the traditional profile does not.
//
// # What protocols hear
//
// A protocol subscribes under a name and finds in its outbox ([RIB.Drain]):
// that the routes that it offered up to its own [Mark] are in the FIB; how the
// next hops that it tracks are reached; and the routes of other sources that it
// redistributes, with a metric and tag and through a policy.
//
// An outbox holds no history: at most one notice for each prefix and each next
// hop, with its present state, and none for what has come and gone in between.
// So its size is bounded by the table, a Flush never waits for a subscriber,
// and a subscriber that takes its notices in chunks is never flooded: two
// inboxes cannot fill each other.
//
// A route is redistributed only while packets are forwarded by it. It goes to
// all subscribers that want its source, but never to the protocol that offers
// it, and it is withdrawn as soon as a subscriber's own route wins the prefix.
// So no route loops inside the router; routes that come back by other routers
// are for tags and policies to stop. Connected subnets are redistributed, and
// own addresses that are their whole subnet, as on a loopback; loopback,
// link-local and multicast prefixes are not, since they mean nothing off their
// link.
//
// # Restarts
//
// A source that restarts sends [Stale]: its routes stay in use, those that it
// offers again are fresh, and the rest are removed by its [Sweep] or when the
// time is over.
//
// # Size
//
// A protocol offers a million routes with few sets of next hops. So each
// different list of hops is kept once (hopSet), with its resolution and its
// group in the FIB. A prefix has a dense number and a record of 44 bytes that
// holds its best candidate; only further candidates have records of their own
// (slab.go). Prefixes, sets and groups refer to each other by number: the
// records hold no pointer for the garbage collector to follow. The users of a
// set are found in one pass over the numbers of the sets, four bytes for each
// prefix.
//
// A change only costs work for what depends on it. Each next-hop address is
// watched: a change of a prefix concerns only those watched addresses inside it
// that no longer prefix covers. They concern the sets that use them, and the
// routes of a set only if its resolution changed. So a link that flaps costs
// one pass over all sets of hops, which are few, one over four bytes of each
// prefix, and the routes whose hops really changed, which get new entries; a
// change of the default route costs nothing for next hops that a longer prefix
// covers. Only prefixes that contain some next hop can depend on one another
// (see settle.go); all others are leaves.
//
// Whatever looks at many routes does so in slices: static routes that the
// configuration or an interface changes, other distances, a list, a sweep
// (walks.go). Lists and bitmaps that grow with the table do so by pages. So no
// step of the owner takes long, whatever comes (BenchmarkOwnerSteps of the router).
//
// With the public table of 1,062,046 prefixes over 64 different next hops, the
// RIB holds 61 bytes for each prefix, and 90 with the FIB (BenchmarkBothTables).
// Against the bulk load of a bart.Fast in the same run, on a machine that was busy
// with other things, the first load and settling, handed over by slots, took 1.2 to
// 1.6 times as long in processor time, the withdrawal of all routes 0.73 to 0.97
// times, and a flap of a link that carries 1/64 of them, one way, 0.016 to 0.026;
// few slices of a load take longer than 0.5 ms (BenchmarkBesideBart). A link that dies under one of two hops of every route
// is avoided 50 µs later, by the groups in use, and out of the table when it is
// settled (BenchmarkCarrierLoss). A subscriber that is offered all routes adds
// 0.5 s, draining included, and 8 bytes for each, 12 until it has taken them;
// one that wants none adds nothing (BenchmarkRedistribution).
//
// # Deviations
//
//   - RFC 4291 §2.6.1 asks routers to answer the subnet-router anycast address
//     (all zeros) of each IPv6 subnet; it is not offered as an own address.
//   - A reload that only moves a route to another line changes the Origin of
//     its FIB entry, so that explain names the right line. Its next hops, group
//     and age stay.
package rib
