// Package protocol is the interface between routing protocols and the driver
// that runs them: inputs, effects, and the [Core] that turns inputs into
// effects.
//
// A core has no goroutine, socket, lock, clock or global randomness: the driver
// passes it inputs together with the time, and carries out the effects that it
// returns, in their order. So the same core runs on real ports in the daemon,
// and hundreds of them under a virtual clock in the simulator.
//
//	interface, packet, stream, RIB --Input--> Core --Effect--> driver
//	                                           |
//	                                           +--[routing.Slots]--> RIB
//
// Routes are not effects. A core writes its routes into its [routing.Slots],
// and the driver publishes the changes after each step.
//
// Streams are TCP connections of the router's own stack: a core asks for them
// with [Dial] and [Listen], and each has a number instead of a socket. The
// driver reads from a connection only when the core has processed what was read
// before, so that among a thousand connections none can hold up the others.
//
// An input or effect that only one protocol has (such as clearing learned
// routes) is a type of that protocol's own package: any type may be an [Input],
// and the driver passes an [Effect] that it does not know to the protocol's
// owner.
package protocol
