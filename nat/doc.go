// Package nat translates IPv4 addresses and ports: rules, mappings, pools and
// the sessions that follow from them. It reads no packet and writes none;
// nat/rewrite does.
//
//	config.go       what the configuration says
//	compile*.go     the configuration checked and turned into rules
//	match.go        the few rules that a packet may match, among many
//	rules.go        compiled rules, and which one a packet matches
//	inbound.go      before the lookup: sessions, errors, destination, filter
//	outbound.go     after it: the rule for the source of a new flow
//	session.go      making a session, with or without a mapping
//	mapping.go      inside endpoints and their outside endpoints
//	pool.go         outside addresses, and the choice among them
//	ports/          ports in use, and the choice among them
//	own.go          the router's own flows and listeners
//	track.go        sessions of flows that are not translated
//	hairpin.go      inside hosts that reach each other by outside endpoints
//	fair.go         sharing out sessions and ports that run short
//	end.go          the end of sessions, and what it frees
//	reload.go       changing the configuration
//	review.go       what a change means for sessions, in parts
//	show.go         what `show nat` shows;  host.go  of each inside host
//
// A mapping ties an inside endpoint to an outside one while sessions use it; a
// session belongs to package flow and knows nothing of translation. A packet of
// a session is translated from what flow finds, without a lock. The first
// packet of a flow takes the NAT's mutex, finds its rule, its mapping or a port
// for a new one, and makes the session.
//
// # What it follows
//
// RFC 4787 (UDP), RFC 5382 (TCP) and RFC 5508 (ICMP) with RFC 7857's updates;
// the choice of ports RFC 6056 §3.3.1. Mapping is endpoint-independent; mapping
// and filtering by address, or by address and port, can be configured. Pooling
// is paired. Ports are preserved, else random within their class and, for UDP,
// parity; two mappings never have one port, whatever the behaviour. A flow of a
// host whose paired address has no port left is refused (RFC 7857 §4).
//
// Where sessions or the ports of an address run short, they are shared out (RFC
// 6888 REQ-4 asks for fairness): no inside host may have more than eight times
// what is left, and if nothing is left a new flow replaces an unanswered one,
// see flow.Table.Evict. Answered flows are never ended for others.
//
// # Where it deviates
//
//   - Filtering is not applied to inside hosts that reach each other by their
//     outside endpoints. RFC 4787 §6 leaves it open; with it, the first packet
//     of either side would be dropped without a session that admits the
//     other's.
//   - Address-dependent filtering admits a remote address while the mapping has
//     a session with it, also one that the remote side opened, answered or not;
//     RFC 4787 §5 wants a packet of the inside endpoint first.
//   - An unsolicited SYN from outside is dropped and never answered (RFC 5382
//     REQ-4 wants an ICMP error after 6 seconds; REQ-4a allows silence by
//     policy). The same goes for a SYN to an address of the router that inside
//     hosts share, as with masquerade, unless the router's stack listens at the
//     port or a rule translates it. Outside means an interface that a source
//     rule names as outbound. Other packets to such an address, and those of
//     inside hosts, are answered as at the router's other addresses.
//   - A port that becomes free may be reused at once. RFC 6888 REQ-8 wants 120
//     s for UDP with endpoint-independent filtering.
//   - A TCP connection that is first seen in mid-stream, from inside or by a
//     destination or static rule, gets a session if the segment is a plain
//     acknowledgement, so that connections survive a restart.
//   - If one remote endpoint uses two port forwards to one inside port at the
//     same time, the replies could not be told apart: the second flow is
//     refused as if the pool were empty.
//   - For protocols without ports only one inside host at a time can use an
//     outside address with a remote address.
//   - An address is translated by the rules of one routing table; there are no
//     ALGs (RFC 4787 REQ-10), and no PCP (RFC 6888 REQ-9).
package nat
