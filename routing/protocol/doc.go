// Package protocol holds what the routing protocols and the driver that runs
// them say to each other: inputs, effects, and the [Core] that turns the one
// into the other.
//
// A core is a value. It has no goroutine, socket, lock, clock or global
// randomness: the driver hands it inputs together with the time, and carries
// out the effects that it gives, in their order. The same core therefore runs
// on real ports in the daemon and by the hundred under a virtual clock in the
// simulator.
//
//	interface, packet, stream, RIB --Input--> Core --Effect--> driver
//	                                           |
//	                                           +--[routing.Slots]--> RIB
//
// Routes are no effects. A core writes what it offers into the slots of its
// [routing.Slots], and the driver publishes what changed after each step.
//
// Streams are TCP connections of the router's own stack: a core asks for them
// with [Dial] and [Listen], and each has a number instead of a socket. The driver
// reads from a connection only when the core has dealt with what was read before,
// so that of a thousand connections none keeps the others waiting.
//
// An input or effect that only one protocol has (clear what was learned, an
// answer to a question) is a type of that protocol's own package: any type may
// be an [Input], and the driver hands an [Effect] that it does not know to the
// protocol's owner.
package protocol
