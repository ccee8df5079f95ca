// Package multicast is the listener's side of multicast group membership: it
// reports to multicast routers, and to switches with snooping, which groups the
// router itself is a member of on each link. IPv4's protocol for that is IGMP,
// IPv6's is MLD. A switch with snooping forwards a group's packets only to
// ports where somebody has reported the group. Without a report of its
// solicited-node groups no IPv6 neighbour would find the router.
//
// # The core
//
// The [Machine] is a value: inputs and the time go in, packets to send come
// out. It has no goroutine, lock, socket or clock, and its randomness comes
// from a seed. [InterfaceUp] gives the groups of an interface, and again
// whenever they change; joins and leaves follow from the difference.
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
// While a querier of an older version is present, that version is used on the
// link (RFC 3376 §7.2.1, RFC 3810 §8.2.1).
//
// # Files
//
//	message.go   what IGMP and MLD have in common
//	igmp.go      IGMP's packets, read and made
//	mld.go       MLD's
//	io.go        inputs and effects
//	machine.go   Step; interfaces that come, change and go
//	link.go      one link in one family: groups, versions, timers
//	report.go    sending what is due
//
// # What is supported
//
// RFC 3376 §4, §5 and §7.2; RFC 2236 §3 and §6; RFC 1112 Appendix I; RFC 3810
// §5, §6 and §8.2; RFC 2710 §4 and §5; RFC 3590. All sources of a group are
// wanted, so every filter is EXCLUDE {}.
//
// # Deviations
//
//   - RFC 3376 §5.1 reports changes of several groups as they happen; here
//     those of one moment go in one packet, which the RFC allows.
//   - RFC 2236 §3: a host that was not the last to report a group need not send
//     a leave; here it does not.
//   - RFC 3590 §4: when the link-local address has become usable, all groups
//     are reported again as if they had just been joined; likewise in IPv4 when
//     an address replaces 0.0.0.0.
//   - RFC 4862 §5.4.2: the groups of an interface are reported as soon as it
//     comes up, without the random delay before the first probe.
//   - Groups on a TUN are not reported.
package multicast
