// Package bench measures ways of forwarding packets against each other on one
// machine, in one run. `make bench` runs its command forward.
//
// # What stands where
//
// Every path joins two hosts of its own: two network namespaces with one
// device each, called eth0. All hosts have the same addresses and the kernel's
// default settings for TCP, whatever the machine's are. The paths differ in
// what is between them:
//
//   - kernel: a third namespace forwards from veth to veth, all offloads on;
//   - bare: a process copies whole super-packets between two TUNs and looks at
//     none of them. It is the yardstick: nothing in user space that stands on
//     TUNs and copies can be much faster;
//   - routerd: the daemon itself, run as users run it, on two TUNs;
//   - wireguard: a process hands what wireguard/tun's Read gives, cut up, to
//     its Write, which puts it together again.
//
// Those are the group tun. The group ethernet has two routers in a row, each
// with its own host behind it; routerd's hosts are on TUNs as above:
//
//   - kernel again, and kernel2: two namespaces forward, veth throughout. It
//     is what the next two are compared with;
//   - routerd-packet: two daemons whose packet ports are the ends of a veth
//     pair;
//   - routerd-tap: two daemons whose TAPs are ports of one kernel bridge.
//   - routerd-own: one daemon; the sink is a server in the router's own namespace,
//     at one of its addresses.
//
// The group nat has kernel and routerd as above, and beside each the same again
// with its NAT:
//
//   - kernel-nat: nftables masquerades in the namespace between;
//   - routerd-nat: the daemon masquerades likewise.
//
// Neighbours are found by ARP and neighbour discovery before the first round.
//
// Whoever forwards is a process of its own; source and sink are too, started
// anew for each measurement. All paths stand throughout and one at a time
// carries traffic.
//
// # What is counted
//
// A measurement lets its traffic run for 0.3 s and then counts for a window.
// Only what the sink received counts, in the sink's own time.
//
// TCP is the payload in Gbit/s of one or of four streams, written and read
// 256 KiB at a time, with cubic; where a namespace may not choose cubic, with
// reno, on all hosts alike. The first line of the report says which.
//
// iperf3, where it is installed, is the same with one or four streams of that
// program at its defaults, in place of the bench's own source and sink: what
// its server says that it received, in the server's intervals of 0.1 s that fall into
// the window. It belongs to the group ethernet, and is left out by name where
// it is missing.
//
// Small UDP is datagrams of 64 bytes of payload, received a second. Eight
// flows take turns, sixteen datagrams each in one sendmmsg, as fast as the
// source can, from a single thread; beside it stands the share that was lost
// on the way. A path into which the source cannot push more than it carries
// loses little (the kernel's: the source's own system call does the
// forwarding); a path with a queue loses what the queue cannot hold, and the
// source's CPU time for it. The sink is a plain socket with a large buffer:
// super-packets are cut up for it by its kernel. Paced UDP is the same at a
// rate that every path carries.
//
// Super UDP (not measured unless asked for) sends 64 such datagrams with one
// UDP_SEGMENT call, and its sink takes them whole by UDP_GRO.
//
// New flows are datagrams each of which comes from an address and port of its
// own, so that each one delivered is a session made: 200,000 of them as fast as
// the source can, and as many as go in a second at the rate of paced UDP. They
// come from 64 hosts by a pool that has ports for all. Sessions are cleared
// before and after, and the count ends when the last has arrived. Refused flows
// are the same at that rate, from hosts that share 100 ports: the first 100
// take them all. A flow sent and not delivered counts as refused; that no queue
// lost it, the loss of new flows at the same pace has to show. The cost of a
// refusal is compared with that of a new flow of the same round, in CPU time of
// the source and the forwarding process: the kernel forwards within the
// source's system call. Sending is in both.
//
// Memory of a session is what grew while the 200,000 were sent, by the number
// delivered. Of nftables it is SUnreclaim of /proc/meminfo, the kernel's small
// allocations on the whole machine, and whatever else is allocated meanwhile;
// in /proc/slabinfo the slabs may be merged under other names. Its sessions are
// of a rule with snat here, as one address has too few ports; one of masquerade
// has an extension of 128 bytes more. Of routerd it is its VmRSS: pages touched
// for the first time, so heap left over from before hides some. Both are rough;
// package nat's BenchmarkBytes counts the heap alone, and command nat below
// this judges it and the other Go benchmarks of translation.
//
// CPU per packet is given twice. First the time that all CPUs of the machine
// were not idle, from /proc/stat: source, sink, soft interrupts and whatever
// else runs are in it, so it is for comparing paths in one run and not a cost
// by itself. Time stolen by a hypervisor is not in it. Then the CPU time of
// the forwarding process, of both where two stand in a row, which includes what the kernel does within its
// system calls: on a TUN's write that is the whole way up to the sink's
// socket. The kernel's path has no such process. Both are divided by the
// packets delivered; for TCP, a packet is a full segment of payload (1448
// bytes at an MTU of 1500 over IPv4), although super-packets of many segments
// are what is handled. Paced UDP is the row to read for the cost of a small
// packet, as nothing is dropped there; unpaced, what was dropped was paid for
// as well.
//
// # How marks are judged
//
// A round measures one kind of traffic over each path in turn; every other
// round goes through the paths backwards. A mark is the ratio of two paths'
// figures within a round: both saw the machine at nearly the same time, so
// what drifts cancels out. The median over the rounds decides, and at least
// ten are needed; quartiles and extremes are printed beside it. A mark that
// compares neighbours in [Paths] compares neighbours in time.
//
// On one TCP stream the bare copy must reach 0.6 of the kernel. Where it does
// not, something other than routerd holds TUNs up on this machine, being as
// good as the yardstick means nothing, and the run is void.
//
// What was asked for and could not be measured, since a program is missing or a
// path is of one family only, is NOT RUN: neither met nor missed. The exit code
// tells it from both; see [Outcome].
//
// # How to read it
//
// Run it on a machine that does nothing else; the first lines say how busy it
// was before. Figures of different runs, let alone machines, should not be
// compared: ratios may be. Source, forwarder and sink share the CPUs: on two
// of them, a cheaper forwarder leaves more for the other two.
//
// New paths go into [Paths] and [Groups], new claims into [Marks].
package bench
