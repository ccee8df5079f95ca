// Package nat translates IPv4 addresses and ports: rules, mappings, pools and
// the sessions that follow from them. It reads no packet and writes none;
// nat/rewrite does.
//
//	config.go       what the configuration says
//	compile*.go     the configuration checked and turned into rules
//	match.go        the few rules that a packet may match, among many
//	rules.go        what a packet is looked at by
//	inbound.go      before the lookup: sessions, errors, destination, filter
//	outbound.go     after it: the rule for the source of a new flow
//	session.go      making a session, with or without a mapping
//	mapping.go      inside endpoints and their outside ones
//	pool.go         outside addresses, and the choice among them
//	ports/          ports in use, and the choice among them
//	own.go          the router's own flows and listeners
//	fair.go         who gets sessions and ports that run short
//	end.go          sessions that end, and what they give back
//	reload.go       a new configuration in the place of the old one
//	show.go         what is there, for people;  host.go  of each inside host
//
// A mapping ties an inside endpoint to an outside one while sessions use it;
// a session is package flow's and knows nothing of translation. A packet of a
// session is translated from what flow finds, without a lock. The first one of
// a flow takes the NAT's mutex, finds its rule, its mapping or a port for a new
// one, and makes the session.
//
// # What it follows
//
// RFC 4787 (UDP), RFC 5382 (TCP) and RFC 5508 (ICMP) with RFC 7857's updates;
// the choice of ports RFC 6056 §3.3.1. Mapping is endpoint-independent,
// filtering and mapping by address or by address and port are a choice.
// Pooling is paired. Ports are preserved, then random in their class and, for
// UDP, parity; none is ever given to two mappings, whatever the behaviour. A
// host whose paired address has no port left is refused (RFC 7857 §4).
//
// Where sessions or the ports of an address run short, they are shared out (RFC
// 6888 REQ-4 asks for fairness): no inside host may have more than eight times
// what is left, and a flow for which nothing is left takes the place of one that
// nobody has answered, see flow.Table.Evict. What has been answered is never
// ended for others.
//
// # Where it deviates
//
//   - Filtering is not applied to inside hosts that speak to each other by
//     their outside endpoints. RFC 4787 §6 leaves it open; applied, neither
//     side's first packet would leave the session that admits the other's.
//   - Address-dependent filtering lets a remote address in while the mapping has
//     a session with it. One that the remote side began counts as well, answered
//     or not; RFC 4787 §5 speaks of what the inside endpoint has sent.
//   - An unsolicited SYN from outside is dropped and never answered (RFC 5382
//     REQ-4 would have an ICMP error after 6 seconds; its 4a allows silence by
//     policy). So is one to an address of the router's own that inside hosts
//     share, as masquerade has it, unless the router's stack listens at the port
//     or a rule leads it on. Outside is what comes in by an interface that a
//     source rule names as outbound. What is no SYN, and what inside hosts send,
//     such an address answers as the router's others do.
//   - A port that is free again may be chosen at once. RFC 6888 REQ-8 would
//     keep one of UDP for 120 s where filtering is endpoint-independent.
//   - A TCP connection that is first seen in mid-stream from inside, or by a
//     destination or static rule, gets a session, so that connections outlive a
//     restart; what is not a plain acknowledgement does not.
//   - Two port forwards to one inside port, used from one remote endpoint at a
//     time, would have the same answers: the second flow is refused as if the
//     pool were empty.
//   - Of protocols without ports an outside address belongs to one inside host
//     for each remote address.
//   - An address is translated by the rules of one routing table; there are no
//     ALGs (RFC 4787 REQ-10), and no PCP (RFC 6888 REQ-9).
package nat
