// Package lab builds a small network on one machine out of a topology file,
// proves things about it, and takes it away again without a trace.
//
// # What a lab is made of
//
// Each host is a network namespace named LAB-NODE. Each router is one
// `routerd run` process with a configuration, a log and an API socket of its
// own, so that what a lab shows is what the daemon does; it stays in the
// namespace that the lab is run in. Each switch is a namespace with a bridge,
// br0, that speaks no spanning tree, snoops on multicast and is the querier
// (RFC 4541 §2.1.1, §3). It has one address, link-local, which MLD's queries come
// from, and answers no ping. A node of kind bird or frr is a namespace whose
// kernel forwards, and in it the real daemons with their files in a directory of
// the node's; where they are not installed it stays empty, and the tests that
// need it are skipped. FRR's are zebra, staticd and those that the configuration
// has a `router` line for.
//
// What a link is follows from what it joins:
//
//	router - host      a TUN of the router's in the host; it dies with the router
//	router - switch    a TAP of the router's, a port of the bridge
//	router - router,   a veth pair; a router takes its end by a packet port, in
//	bird or frr        a namespace LAB-NODE, where it has no addresses
//	anything else      a veth pair, a switch's end of which is a port of the bridge
//
// Two hosts are joined by a switch only, and switches not at all: nothing would
// end a loop. On an Ethernet a host has the first router in the file for its
// gateway that has an address in its subnet. A host's end without an IPv6
// address makes itself one out of router advertisements; one with such an
// address leaves them alone.
//
// # The topology
//
//	name = "demo"                    # prefix of namespaces and sockets
//
//	[node.h1]
//	kind = "host"                    # host | router | switch | bird | frr
//	[node.r1]
//	kind = "router"
//	[[node.r1.config.static.route]]  # below config: whatever routerd's own
//	prefix = "203.0.113.0/24"        # configuration takes; name, api and the
//	action = "blackhole"             # ends of links are the lab's to write
//	[node.b1]
//	kind = "bird"                    # bird and frr: the daemon's own language,
//	config = "protocol device {}"    # or the file: config-file = "b1.conf",
//	                                 # whose path is meant from the topology's
//
//	[[link]]
//	endpoints = ["h1:eth0", "r1:lan0"]
//	mtu = 1500                       # of both ends
//	[link.addresses]
//	"h1:eth0" = ["10.0.1.2/24", "2001:db8:1::2/64"]
//	"r1:lan0" = ["10.0.1.1/24", "2001:db8:1::1/64"]
//	[link.routes]                    # of a host's end; without any, a host has
//	"h1:eth0" = ["0.0.0.0/0"]        # default routes by the first link of each family
//	[[link]]
//	endpoints = ["r1:core0", "r2:core0"]
//	addresses = { "r1:core0" = ["10.0.12.1/30"], "r2:core0" = ["10.0.12.2/30"] }
//
//	[[test]]
//	name = "h1 reaches h2"
//	node = "h1"                      # where it runs; on a router: with
//	run = "ping -c 1 10.0.2.2"       # ROUTERD_SOCKET set. A line of sh
//	exit = 0                         # what the command shall exit with
//	expect = "1 received"            # regular expressions (one or a list) that
//	reject = "unreachable"           # the output shall match, and shall not
//	tool = "ping"                    # programs without which it is skipped
//	needs = ["b1"]                   # nodes without whose daemons it is, besides
//	                                 # the one it runs on
//	timeout = "30s"                  # of one try
//	within = "5s"                    # tried again until it holds or this is over
//	show = true                      # print the output of a passed test, too
//	serve = { node = "h2", run = "iperf3 -s -1", port = 5201 }
//	                                 # a server for as long as the test runs;
//	                                 # waits until the port is listened to
//
// # How it is kept
//
// The file is read by internal/tomltext, as routerd's own configuration is:
// every mistake at once, each with its place. What stands below a router's config
// is judged by the router's own reading of it. A router's configuration, as the lab
// writes it, says of each line where in the topology it comes from (the comment
// that tomltext.From makes), so that whatever the router says of places is about
// the file that its user wrote. What is merely odd is warned of: ends of a link, or
// of a switch, with equal addresses or without a common subnet.
//
// On a node with daemons of others `birdc` and `vtysh`, run by Exec or in a
// test's line, talk to that node's, and ROUTERD_LAB is the topology's file. FRR
// from version 9 on takes configuration
// through one more daemon, mgmtd, which the lab does not start: it is tried
// with FRR 8.4 and BIRD 2.0.
//
// Load, Graph and SVG are pure. Up compares what the topology wants with what
// the lab's state file says was made and what is alive, and does the
// difference, so that a second Up finds all in place and one after a crash
// mends. A router whose configuration alone has changed reloads it, and so does
// BIRD; FRR, which would keep what was taken out, starts again. Up returns when
// every router answers and IPv6 addresses may be used. A link that SetLink has
// cut is noted in the state and stays cut. The ends of a veth pair have different
// interface indexes, without which Linux is late to tell of a lost carrier. Whatever is about to be made is written down first; a process is
// known by its pid together with its start time, so that a number that
// another process got later is never signalled. A lock that the kernel drops
// with its holder keeps two commands from working on one lab at once; a second
// one, of the state, is held only while devices and processes change, so that
// SetLink works beside running tests.
package lab
