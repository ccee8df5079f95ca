// Package dataplane carries packets: it reads them in batches, decides the
// fate of each, and writes what goes on.
//
// The whole path is Process(view, batch, now), a list of stages over a batch
// (process.go draws it). A stage looks at every packet that has no Verdict
// yet; the one that decides sets it. What the stages depend on is frozen in a
// View, loaded once per batch by one pointer; what they need of memory belongs
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
//	nat.go       address translation, before the lookup and after it
//	deliver.go   what is for the router: echo, reassembly, refusals
//	forward.go   hop limit, MTU, the rewrite
//	options.go   record route, timestamp, options of fragments
//	redirect.go  better first hops, on Ethernet
//	answer.go    ICMP errors: which, whether, from which address
//	mss.go       TCP segment sizes that the path carries
//	egress.go    grouping by way out, transmission
//	coalesce.go  software GRO of consecutive packets of a flow
//	cut.go       segmentation, fragmentation, checksums in software
//	counters.go  what a worker has counted;  drops.go  the latest drops
//	worker.go    one queue's loop;  explain.go, explain_nat.go  the same stages, telling
//
// Super-packets go through whole. Whether one is too big is judged by its
// segments; a port that takes none gets it cut. Whatever counts packets (verdicts,
// interfaces, sessions of address translation) counts those that a super-packet
// carries; what limits rates, and the list of the latest drops, takes it as one.
//
// # Supported
//
// RFC 791, 792, 894, 1071, 1122 (§3.2.2, §3.3.2), 1191, 1624, 1812 (§4.2.2, §4.3,
// §5.2, §5.3), 2464, 2644, 3021, 3704, 4291 (§2.5.6, §2.6.1, §2.8), 4443, 4787 (REQ-9, REQ-14), 4861 (§8), 5508, 5722, 6864, 6980 (§5), 8200.
//
// # Deviations
//
//   - Fragments for the router itself are put together per worker. Those of one
//     packet that come in by different interfaces are not, which takes a sender
//     that spreads fragments; our own flow hash does not.
//   - With address translation all IPv4 fragments that come in are put together
//     first, by the same table and under its bounds, as Linux does. A packet
//     that waits for its neighbour forgets in what pieces it came: it is cut to
//     the MTU, and with DF dropped where it does not fit.
//   - A session is moved on by a packet before it is known whether that has a
//     right transport checksum or gets any further: what the next hop refuses
//     has refreshed it. The window check (RFC 5961) is the defence.
//   - A destination rule that leads ICMP queries to the router itself is not
//     undone in its answers, which it gives before there is a session.
//   - Nobody is told of fragments in transit that waited in vain (RFC 792: an
//     end host tells). Fragments that the router's own stack sends hold no port.
//   - IPv4 link-local addresses (169.254.0.0/16) are forwarded like others,
//     as the kernel does; RFC 3927 §7 forbids it. List them under
//     forwarding.martian-sources and martian-destinations to have it so.
//   - Echo requests to multicast groups are answered on Ethernet links, for
//     all hosts, all nodes and all routers, and not on TUNs (RFC 1122 §3.2.2.6
//     lets a router choose).
//   - A tunnel's super-packets (GRE, IPIP) that a veth hands over labelled as
//     plain TCP are dropped as bad_offload; turning TSO off at the sender helps.
//   - A TCP segment size is lowered (mss) in packets that are whole, and not in
//     the fragments of one that passes without address translation. None is
//     added where there is none, as nftables has it and unlike iptables.
//   - An IPv6 redirect to a router known by a global address alone is not sent:
//     RFC 4861 §8.2 wants its link-local one.
//   - Source-routed packets are always refused; RFC 1812 §5.3.13.4 wants a
//     switch whose default is to obey, RFC 6274 §4.4 the opposite.
//   - Of several queues of a port all workers write to the first.
//   - TCP for the router's own addresses is refused by a port unreachable, as
//     UDP is, and not by a reset, until something on the router listens.
package dataplane
