// Package multicast is the listener's side of multicast group membership, for
// both families: it tells multicast routers, and the switches that listen in on
// them, which groups the router itself takes part in on each link. IGMP is IPv4's
// protocol for that, MLD IPv6's. A switch with snooping passes a group's packets
// on to those ports alone behind which somebody has reported it, and without
// those of its solicited-node groups no neighbour finds the router by IPv6.
//
// # The core
//
// The [Machine] is a value: inputs and the time go in, packets to send come out.
// It has no goroutine, lock, socket or clock, and its randomness comes from a
// seed. An interface is told once what it listens to, by [InterfaceUp], and again
// whenever that changes; what joined and what left follows from the difference.
//
// # One machine for two protocols
//
// MLDv2 is IGMPv3 with other addresses (RFC 3810 §1), and MLDv1 is IGMPv2
// (RFC 2710 §1). [Version] counts them by IGMP's numbers.
//
//	event                    version 3                          versions 1 and 2
//	a group joined           TO_EX to all routers, repeated     a report to the group, repeated
//	a group left             TO_IN to all routers, repeated     leave, if last to report; none in version 1
//	general query            one report of all, after a delay   one of each, each after a delay of its own
//	a group's query          a report of that one               the same
//	another listener's       nothing                            its own answer is not sent
//	report of a group
//
// An older querier makes the link an older version's for as long as it is heard
// (RFC 3376 §7.2.1, RFC 3810 §8.2.1).
//
// # Files
//
//	message.go   what IGMP and MLD have in common
//	igmp.go      IGMP's packets, read and made
//	mld.go       MLD's
//	io.go        what goes in, what comes out
//	machine.go   Step; interfaces that come, change and go
//	link.go      one link in one family: groups, versions, timers
//	report.go    what is due is sent
//
// # What is supported
//
// RFC 3376 §4, §5 and §7.2; RFC 2236 §3 and §6; RFC 1112 Appendix I; RFC 3810
// §5, §6 and §8.2; RFC 2710 §4 and §5; RFC 3590. Of every group all sources are
// wanted, so that a filter is never anything but EXCLUDE {}.
//
// # Deviations
//
//   - RFC 3376 §5.1 sends the change reports of several groups as they happen;
//     here those of one moment go in one packet, which the RFC allows.
//   - RFC 2236 §3: a host that was not the last to report a group may leave in
//     silence; here it does.
//   - RFC 3590 §4: when the link-local address has become usable, all groups
//     are reported anew as if they had just been joined; likewise in IPv4 when an
//     address comes after 0.0.0.0.
//   - RFC 4862 §5.4.2: what an interface listens to is reported when it comes
//     up, without the delay of up to a second that the first probe has.
//   - Groups of a link without other stations, a TUN's, are not reported.
package multicast
