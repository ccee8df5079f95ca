// Package acltest rehearses a packet filter: packets as somebody describes them,
// and what is wanted to become of each. It makes a whole router of a
// configuration, with ports that carry nothing, and runs the packets through the stages
// that live packets go through; so it decides nothing itself.
//
//	test.go     what is described: packets and what is wanted of them
//	packet.go   a described packet as bytes, and answers to the one before
//	rehearse.go the router, and each packet's way through it
//	port.go     the port of each interface
//	judge.go    what has become of a packet beside what was wanted
//
// Every interface is up and has a port that speaks IP without a link header, so
// no neighbour has to be found. Protocols do not run: routes that they would
// learn are given beside the configuration. BFD does not run either, so next
// hops that it would watch are used. No time passes, so rates of limits bound nothing;
// how many flows there may be at once counts within each test.
//
// A Router is a value: the time is handed to it, and nothing in it is left to
// chance. One goroutine owns it.
package acltest
