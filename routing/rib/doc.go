// Package rib keeps every route that is offered, chooses the best of each
// prefix, resolves next hops, and says what the FIB has to change.
//
// # Shape
//
// The [RIB] is a value: interfaces and the Deltas of protocols come in by
// [RIB.Step], the configuration by [RIB.SetConfig], and [RIB.Flush] decides
// once for all that came in and gives the changes and the number of the state
// that they lead to. Any number of inputs may be gathered before a Flush, so a
// burst costs one decision for each prefix. [RIB.Settle] does the same in slices
// of bounded work, so that a table of a million routes does not keep its owner
// from anything else for longer than a slice; what it gives is whole, since the
// table stands still until it is done and inputs wait so long. Nothing depends on the order of
// inputs but ages and the dense numbers of neighbours: the same interfaces,
// configuration and offers give the same FIB whatever happened before, and
// the property test holds it to that.
//
// File map: rib.go inputs; slice.go outputs, in slices; interface.go what addresses offer;
// static.go the configuration's routes; candidate.go order of preference;
// hopset.go next hops shared by routes; resolve.go where a next hop leads;
// settle.go the phases of one settling; loop.go next hops that resolve in circles; group.go
// weights and groups of the FIB; subscribe.go who hears notices, and their
// outboxes; redistribute.go and track.go what goes into them; stale.go sources
// that start afresh; show.go and explain.go everything for people.
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
// an interface, which is taken at its word that the address is on that link
// (Linux's "onlink"); or an interface alone, where every destination is on
// the link. Hops out of a link that is down, towards the router's own or a
// broadcast address, or out of an interface that does not exist are left out;
// a route with no hop left is not used, and says why.
//
// # What is chosen
//
// The router's own addresses come before all, then broadcast addresses: Linux
// asks its local table first too. Then the lowest distance, the lowest
// metric, and, so that the choice never hangs on who came first, the order of
// [routing.Source] and of the configuration. Equal static routes share the
// flows. Distance 255 is never used.
//
// # Resolving
//
// An address resolves through the longest prefix that has a usable route, and
// that route's own hops, already resolved, are where packets go: flattened to
// any depth, so that forwarding needs one lookup. Weights multiply. A next
// hop through a route that discards discards, unless others forward.
//
// A next hop never resolves through the route that it serves. That is plain
// where its address lies in the route's own prefix. Where several routes
// lead through one another in a circle, each next hop that holds the circle
// together is refused, and the other candidates get their chance; a route
// that is not preferred does not make a circle. A host route may have itself
// as its next hop, if something behind it leads there; FRR does the same.
//
// The default route resolves next hops like any other, except its own. FRR
// does that only with "ip nht resolve-via-default", which its datacenter
// profile switches on; the traditional profile does not.
//
// # What protocols hear
//
// A protocol subscribes under a name and finds in its outbox ([RIB.Drain]):
// that what it offered up to its own [Mark] is forwarded by; how the next hops
// that it tracks are reached; and the routes of other sources that it is to
// pass on, with a metric and tag and through a policy.
//
// An outbox holds no history but what is to be told: at most one notice for
// each prefix and each next hop, how they are now, and nothing of what has
// come and gone before anybody listened. So it is bounded by the table, a Flush
// never waits for a subscriber, and a subscriber that takes its notices in
// chunks is never flooded: two inboxes cannot fill each other.
//
// A route is redistributed only while packets are forwarded by it. It goes to
// everybody who wants its source but never to who speaks for it, and as soon
// as a subscriber's own route wins the prefix it is withdrawn. So nothing goes
// in a circle inside the router; what comes back by way of other routers is
// for tags and policies to stop. Connected subnets are redistributed, and own
// addresses where they are all of their subnet, as on a loopback; what means
// nothing off its link is not (loopback, link-local and multicast prefixes).
//
// # Restarts
//
// A source that starts afresh says [Stale]: what it offered stays and forwards
// on, what it offers again is fresh, and the rest goes with its [Sweep] or when
// the time is over.
//
// # Size
//
// A protocol brings a million routes and few sets of next hops. So hops are
// kept once for each different list (hopSet), with their resolution and the
// group of the FIB; a route is a small record that points to its set, and
// routes that lead the same way share one [fib.Group].
//
// When something changes, the work is for what depends on it. Each next-hop
// address is watched: a change of a prefix concerns only those watched
// addresses inside it that no longer prefix answers for. They concern the
// sets that use them; and only if a set comes to something new, its routes.
// So a link that flaps costs one pass over all sets of hops, which are few,
// and one over the routes whose hops really changed, which get new entries; a
// change of the default route costs nothing to next hops that a longer prefix
// reaches. Only prefixes that some next hop lies in can depend on one another
// and need the care of settle.go; the million others are leaves.
//
// With the public table of 1,062,046 prefixes over 64 different next hops,
// the first Step and Flush take about 1.3 s on a two-core virtual machine, the
// RIB holds 280 bytes for each prefix, entries of the FIB included, one route
// that changes takes 2 µs, and a flap of a link that carries 1/64 of the
// routes 4 ms (BenchmarkPublicTable). A link that dies under one of two hops of
// every route is avoided 50 µs later, by the groups in use, and out of the table
// after 1 s (BenchmarkCarrierLoss). A subscriber that is offered all of them adds
// 1 s, the draining included, and 175 bytes for each; one that wants none adds
// nothing (BenchmarkRedistribution).
//
// # Deviations
//
//   - RFC 4291 §2.6.1 asks routers to answer the subnet-router anycast address
//     (all zeros) of each IPv6 subnet; it is not offered as an own address.
//   - A reload that only moves a route to another line gives its FIB entry a
//     new Origin, so that explain names the right line. Its next hops, its
//     group and its age stay.
package rib
