// Package dataplane carries packets: it reads them in batches, decides the
// fate of each, and writes what goes on.
//
// The whole path is Process(view, batch, now), a list of stages over a batch
// (process.go draws it). A stage looks at every packet that has no Verdict yet,
// and sets it if it decides the packet's fate. What the stages depend on is
// frozen in a View, loaded once per batch by one pointer; their memory belongs
// to the Batch. There is no allocation, lock, map, channel, clock or log line
// per packet (TestPacketsAllocateNothing, BenchmarkStage).
//
//	view.go      View, interfaces, tables, source addresses, martians
//	batch.go     Packet, Batch, the arena for what the router itself makes
//	process.go   the stages and their order
//	ethernet.go  link headers, the published neighbour table
//	punt.go      what the neighbour machine has to see;  release.go  what comes back
//	validate.go  RFC 1812 §5.2.2, RFC 8200 §3-4, martians, scope, source routes
//	lookup.go    reverse path, longest match, next hop by flow hash
//	session.go, session6.go, row.go  the sessions of packets, for translation and the filter
//	acl_limit.go the limits of rules, for what has no session yet
//	acl.go       the filter: what comes in, is for the router, leaves;  reset.go  RSTs
//	nat.go       address translation, before the lookup and after it
//	deliver.go   what is for the router: echo, reassembly, refusals
//	protocol.go, listeners.go  what the router's own protocols receive and send
//	probe.go, probes.go  packets that are made up, and those sent to see what becomes of them
//	forward.go   hop limit, MTU, the rewrite
//	options.go   record route, timestamp, options of fragments
//	redirect.go  better first hops, on Ethernet
//	answer.go    ICMP errors: which, whether, from which address
//	mss.go       TCP segment sizes that the path carries
//	egress.go    grouping by way out, transmission
//	coalesce.go  software GRO of consecutive packets of a flow
//	cut.go       segmentation, fragmentation, checksums in software
//	counters*.go  what a worker has counted;  drops.go  the latest drops;  logged.go  what rules log
//	worker.go    one queue's loop;  explain*.go  the same stages, with their findings
//	offer.go     flows that the kernel might carry;  carriage.go, decide.go  how, or why not
//
// Super-packets go through whole. Whether one is too big is judged by its
// segments; for a port that takes none it is segmented in software. Counters
// (verdicts, interfaces, sessions of address translation) count the packets
// that a super-packet carries; rate limits and the list of the latest drops
// count it as one.
//
// # Flows that the kernel carries
//
// A worker offers flows that it forwards (View.Offers), and a dry run of the same
// stages says how all further packets of such a flow leave, or why the kernel may
// not carry it (Decider). What it carries then does not come here. Of that:
//
//   - Only whole TCP and UDP packets are carried, without options or extension
//     headers, that fit and have hops left; of TCP no SYN, FIN or RST. So the
//     stages see all that opens or ends a connection, has a segment size to be
//     lowered, deserves an ICMP error, or is for the router itself: answers to
//     probes too.
//   - It never leaves by the link that it came in by, so that no redirect is due.
//   - No rule is asked: it has a session, or nothing is filtered. Rules count and
//     log what begins a flow, as they do without the cache; limits count sessions.
//   - Where something is translated or filtered, a flow is carried only by its
//     session, and only a TCP connection that is open. A flow of IPv4 that no rule
//     of translation is for has none, and is not carried where there are rules.
//   - Sessions, neighbours, and the counters of interfaces and of the verdict
//     forwarded get what was carried from whoever carries it, once a second and
//     before they are shown.
//   - The lists of drops and of logged packets never have it, and it is not
//     coalesced with its like.
//
// # Supported
//
// RFC 791, 792, 894, 1071, 1122 (§3.2.2, §3.3.2), 1191, 1624, 1812 (§4.2.2, §4.3,
// §5.2, §5.3), 2464, 2644, 3021, 3704, 4291 (§2.5.6, §2.6.1, §2.8), 4443, 4787 (REQ-9, REQ-14), 4861 (§8), 5508, 5722, 6864, 6980 (§5), 8200.
//
// # Deviations
//
//   - Fragments for the router itself are reassembled per worker, so those of
//     one packet that come in by different interfaces are not put together.
//     Only a sender that spreads fragments over several paths causes that; the
//     flow hash of routerd does not.
//   - With address translation all IPv4 fragments that come in are reassembled
//     first, and with a filter those of IPv6 too, by the same table and within its limits, as on Linux. A packet
//     that waits for its neighbour loses the size of its fragments: it is
//     fragmented to the MTU, or dropped if it has DF and does not fit.
//   - A packet refreshes its session and changes its state before its transport
//     checksum is known to be right and before it is forwarded; one that is
//     dropped later has refreshed it too. The window check (RFC 5961) is the
//     defence.
//   - The filter does not look at ARP, neighbour discovery, IGMP and MLD: without
//     them a link carries nothing (RFC 4890 §4.4.1). What the router itself sends
//     is not filtered; its flows have sessions, so that the answers pass.
//   - Packets of the router's own protocols, and echo requests to it, make no
//     session: the lists are asked about each of them.
//   - A destination rule that translates ICMP queries to an address of the
//     router itself is not applied to its replies: it replies before there is a
//     session.
//   - No ICMP error is sent about fragments in transit whose reassembly timed
//     out (RFC 792 has the destination send it). Fragments that the router's
//     own stack sends reserve no port.
//   - IPv4 link-local addresses (169.254.0.0/16) are forwarded like others, as
//     on Linux; RFC 3927 §7 forbids it. List them under
//     forwarding.martian-sources and martian-destinations to drop them.
//   - Echo requests to multicast groups are answered on Ethernet links, for
//     all hosts, all nodes and all routers, and not on TUNs (RFC 1122 §3.2.2.6
//     lets a router choose).
//   - Super-packets of a tunnel (GRE, IPIP) that a veth marks as plain TCP are
//     dropped as bad_offload; turning TSO off at the sender helps.
//   - A TCP segment size is lowered (mss) in whole packets only, not in
//     fragments that pass without address translation. The option is not added
//     to a SYN that has none: as with nftables, unlike iptables.
//   - An IPv6 redirect to a router of which only a global address is known is
//     not sent: RFC 4861 §8.2 wants its link-local one.
//   - Source-routed packets are always dropped. RFC 1812 §5.3.13.4 wants a
//     setting that forwards them by default; RFC 6274 §4.4 recommends to drop
//     them.
//   - All workers write to the first queue of a port, also if it has several.
//   - Without a TCP/IP stack of its own the router refuses TCP with a port
//     unreachable, like UDP, and not with a reset.
package dataplane
