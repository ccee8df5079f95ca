// Package lab builds a small network on one machine from a topology file, tests
// claims about it, and removes it again completely.
//
// # What a lab is made of
//
// Each host is a network namespace named LAB-NODE. Each router is a `routerd
// run` process with its own configuration, log and API socket, so a lab shows
// what the daemon really does; it runs in the namespace of the lab command.
// Each switch is a namespace with a bridge, br0, without spanning tree, which
// snoops on multicast and is the querier (RFC 4541 §2.1.1, §3). It has only a
// link-local address, the source of MLD queries, and does not answer pings. A
// node of kind bird or frr is a namespace whose kernel forwards, and in it the
// real daemons run with their files in a directory of the node; if they are not
// installed it stays empty, and the tests that need it are skipped. FRR's
// daemons are zebra, staticd and those for which the configuration has a
// `router` line.
//
// The kind of a link follows from the nodes that it joins:
//
//	router - host      a TUN of the router's in the host, which dies with the router;
//	                   with wire = "veth" a veth pair that the router makes, its
//	                   own end in a namespace LAB-NODE
//	router - switch    a TAP of the router's, a port of the bridge
//	router - router,   a veth pair; a router takes its end by a packet port, in
//	bird or frr        a namespace LAB-NODE, where it has no addresses
//	anything else      a veth pair, a switch's end of which is a port of the bridge
//
// Two hosts are joined by a switch only, and two switches not at all: nothing
// would break a loop. On an Ethernet the gateway of a host is the first router
// in the file with an address in its subnet. A host's end without a configured
// IPv6 address gets one from router advertisements; one with such an address
// ignores them.
//
// # The topology
//
//	name = "demo"                    # prefix of namespaces and sockets
//	wire = "tun"                     # tun | veth, between routers and hosts
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
//	wire = "veth"                    # of this link alone
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
// every mistake at once, each with its place. The tables below a router's
// config are checked by routerd's own decoder. The configuration that the lab
// writes for a router says for each line where in the topology it comes from
// (the comment that tomltext.From makes), so that the router's messages name
// places in the user's file. Ends of a link, or of a switch, with equal
// addresses or without a common subnet give a warning.
//
// On a node of kind bird or frr, `birdc` and `vtysh`, run by Exec or in a
// test's line, talk to that node's daemons, and ROUTERD_LAB is the topology's
// file. FRR from version 9 on needs one more daemon for configuration, mgmtd,
// which the lab does not start: it has been tested with FRR 8.4 and BIRD 2.0.
//
// Load, Graph and SVG change nothing. Up compares the topology with what the
// lab's state file says was made and what is alive, and makes the difference,
// so that a second Up finds everything in place and one after a crash repairs
// the lab. A router of which only the configuration has changed reloads it, and
// so does BIRD; FRR, which would keep removed parts, is started again. Up
// returns when every router answers and IPv6 addresses may be used. A link that
// SetLink has cut, and a wire that was given to Up for the whole lab, are recorded
// in the state and stay so. The ends of a veth pair have different interface
// indexes, without which Linux reports a lost carrier late. Whatever is about to
// be made is recorded first; a process is identified by its pid and start time, so that a later process with the same
// pid is never signalled. A file lock keeps two commands from working on one
// lab at once; a second one, for the state, is held only while devices and
// processes change, so that SetLink works while tests run.
package lab
