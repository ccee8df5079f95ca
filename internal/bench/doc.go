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
//     none of them. It is the yardstick: nothing in user space that copies
//     between TUNs can be much faster;
//   - routerd: the daemon itself, run as users run it, on two TUNs;
//   - wireguard: a process passes the segmented packets of wireguard/tun's Read
//     to its Write, which coalesces them again.
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
// The group filter has routerd as above, without a filter, and six paths with one:
// the same lists of 10, 100 and 1,000 rules in routerd and in nftables.
//
//   - routerd-filter10 and so on: the list is acl-in of both interfaces;
//   - kernel-filter10 and so on: the list is a chain in the namespace between,
//     behind a rule by which established and related packets pass.
//
// The rules are of networks, a protocol and a port, and the bench's traffic
// matches the last three alone, its new flows the last one.
//
// The group offload is of the flow cache. The kernel's paths are kernel and
// kernel-nat; routerd's packet ports are the other ends of the hosts' veths:
//
//   - offload-off, offload-auto, offload-always: by the value of the key offload;
//   - offload-veth: the daemon has made the veths itself;
//   - offload-auto-nat, offload-always-nat: the daemon masquerades, as above;
//   - kernel-queue, offload-queue: packets leave by a macvlan on the veth to the
//     sink, a device that has no other end on this machine as far as its kind
//     tells, so that the cache has to send by the device's queue;
//   - offload-ten, offload-full: ten routes, and those of a full table (-table), over
//     64 next hops. The sink takes what is sent to any address;
//   - earlier-packet, earlier-tun: an earlier daemon (-earlier) on packet ports and
//     on TUNs, to compare offload-off and routerd with; left out without one.
//
// There each path carries the traffic alone that a mark compares; -paths has all that
// it names carry all. Whether a receiver sleeps decides much for small packets: beside
// other load, the ratios of these are others than on an idle machine.
//
// Neighbours are found by ARP and neighbour discovery before the first round.
//
// Forwarder, source and sink are processes of their own; source and sink are
// started for each measurement. All paths exist throughout, and one at a time
// carries traffic.
//
// # What is counted
//
// A measurement lets its traffic run for 0.3 s, of 10,000 flows for 1.5 s so that each
// has sent several datagrams, and then counts for a window.
// Only what the sink received counts, in the sink's own time.
//
// TCP is the payload in Gbit/s of one or of four streams, written and read
// 256 KiB at a time, with cubic; where a namespace may not choose cubic, with
// reno, on all hosts alike. The first line of the report says which.
//
// iperf3, where it is installed, is the same with one or four streams of that
// program at its defaults, in place of the bench's own source and sink: what
// its server reports as received, in the server's intervals of 0.1 s within the
// window. It belongs to the group ethernet; if it is not installed the report
// says so.
//
// Small UDP is datagrams of 64 bytes of payload, received a second. Eight flows
// take turns, sixteen datagrams each in one sendmmsg, as fast as the source
// can, from a single thread; the share that was lost is given beside it. A path
// into which the source cannot push more than it carries loses little (the
// kernel's: the source's own system call does the forwarding); a path with a
// queue loses what the queue cannot hold, and the source's CPU time for it. The
// sink is a plain socket with a large buffer: super-packets are cut up for it
// by its kernel. Paced UDP is the same at a rate that every path carries.
//
// UDP of one flow is the same from one port. UDP of 10,000 flows is a datagram of
// each flow in turn, from as many ports; the source writes headers itself, so that it
// can send of sixteen flows by one system call. UDP of a million flows likewise, from
// one port, to as many addresses inside prefixes of the full table at random.
//
// A round trip is the time from the system call by which one datagram is sent until
// that by which its answer is received returns, a thousand times a second on a
// machine with nothing else to do: the median.
//
// Two-way UDP is the same with the first datagrams of each flow answered: to
// nftables a flow of UDP is established as soon as it has an answer, and until then
// each of its packets goes through the rules.
//
// Super UDP (not measured unless asked for) sends 64 such datagrams with one
// UDP_SEGMENT call, and its sink takes them whole by UDP_GRO.
//
// New flows are datagrams each of which comes from an address and port of its
// own, so that each one delivered is a session made: 200,000 of them as fast as
// the source can, and as many as go in a second at the rate of paced UDP. They
// come from 64 hosts, and NATs translate them to a pool with ports for all. Sessions
// are cleared before and after, and counting ends when the last has arrived.
// Refused flows are the same at that rate, from hosts that share 100 ports: the
// first 100 take them all. A flow sent and not delivered counts as refused; the
// loss of new flows at the same rate shows how many were lost in queues
// instead. The cost of a refusal is compared with that of a new flow of the
// same round, in CPU time of the source and the forwarding process: the kernel
// forwards within the source's system call. Sending is in both.
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
// CPU per packet is given twice. First the time that all CPUs of the machine were not
// idle, from /proc/stat: source, sink, soft interrupts and whatever else runs are in
// it, so it is for comparing paths in one run and not a cost by itself. Time stolen
// by a hypervisor is not included. Second the CPU time of the forwarding process, of
// both if there are two, which includes the kernel's work in its system calls: in a
// TUN's write that is the whole path up to the sink's socket. The kernel's path has
// no such process. Both are divided by the packets delivered; marks of CPU compare
// the first. For TCP, a packet is a full segment of payload (1448 bytes at an MTU of
// 1500 over IPv4), although super-packets of many segments are what is handled. Paced
// UDP is the row to read for the cost of a small packet, since nothing is dropped
// there; unpaced, dropped packets cost CPU time too.
//
// # How marks are judged
//
// A round measures one kind of traffic over each path in turn; every other
// round goes through the paths backwards. A mark is the ratio of two paths'
// figures within a round: both were measured at nearly the same time, so drifts
// of the machine cancel out. The median over the rounds decides, and at least
// ten are needed; quartiles and extremes are printed beside it. A mark that
// compares neighbours in [Paths] compares neighbours in time.
//
// On one TCP stream the bare copy must reach 0.6 of the kernel. If it does not,
// something other than routerd slows TUNs down on this machine, a comparison
// with the yardstick means nothing, and the run is void.
//
// A mark that could not be measured, since a program is missing or a path
// supports one family only, is NOT RUN: neither met nor missed. It has an exit
// code of its own; see [Outcome].
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
