// Package flowcache says which flows the kernel carries: it makes the entries of
// package offload, ends them when something changes that they follow from, and takes
// over what they have counted.
//
//	worker --offers--> Cache --asks the stages--> entry in the kernel
//	                     ^  |
//	  publish, hooks ----+  +--> counters of interfaces and sessions, neighbours
//
//	cache.go    the flows; Step, which does what there is to do
//	policy.go   from where on a flow is worth it
//	trial.go    whether small and fast flows go faster by the kernel
//	decide.go   an offer becomes an entry
//	causes.go   what ends entries without a look at them
//	change.go   what is published ends the entries that it concerns
//	index.go    flows by address
//	account.go  what was carried is counted where the stages count
//	show.go     flows and totals for users
//	reason.go   why a flow is carried no more, or is not at all
//
// A Cache is a value with a mutex: it has no goroutine, no descriptor and no clock.
// Its Kernel carries the packets.
//
// # Nothing is carried by a decision that is withdrawn
//
// What the stages conclude for a flow follows from two kinds of things.
//
// The router's owner publishes the View: interfaces, routes, settings. An entry is
// made under the mutex, by the View that is found there; the owner publishes first
// and then calls RoutesChanged or ViewChanged, which take the mutex. So either the
// change finds the entry, or the entry was decided by the new View. A change of
// routes finds its flows by their addresses, and those that leave as before stay.
// Other settings, such as rules of translation, are judged by deciding every flow
// anew: Review does so in slices, and a reload has applied when that is done.
//
// Next hops die, neighbours move and sessions end without the owner, in one store. Each is a
// cause of package offload, whose Ref is taken between two decisions about the flow:
// the first says what it depends on, and the second is what is put. Neighbours and
// sessions share some thousand causes by a hash. One that shares its cause with
// another that ends is ended too, and is back within some packets.
//
// A flow that ends is stopped by one store. Step takes it out of the kernel's tables
// afterwards, and its counters are final, and accounted for, when no packet can be on
// its way by it any more. So every packet is counted once.
//
// # What it costs
//
// On two processors with other load, beside 65,536 flows and with a kernel in memory
// (BenchmarkCache, BenchmarkMake): a change of one route takes the router's owner 0.3 µs,
// and one of all routes that leads nowhere else 5 ms; an accounting without news 8 ms each
// second, in turns of a millisecond at most; a flow 5 µs to be made and ended, without the
// two system calls of the kernel's tables.
//
// # Idle sessions
//
// The counters are taken over each second. Sessions are ended for being idle by the
// time until which they were (Accounted), so that none ends that has carried packets
// meanwhile; idle ones end up to a second later.
package flowcache
