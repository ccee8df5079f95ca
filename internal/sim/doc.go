// Package sim is a whole network in one process: routers wired as the daemon
// wires them, dataplane included, on links that delay, lose, duplicate and
// reorder, under a clock that jumps from one event to the next. Everything
// that is left to chance follows from one seed, so a run that fails is run
// again by its number.
//
//	        clock: the next event
//	             |
//	   +---------+---------+--------------------+
//	   v                   v                    v
//	a frame arrives    a node is due       a link changes
//	   |                   |                    |
//	   v                   v                    v
//	   port ---> settle: workers, machines, RIB, until nothing moves ---> ports ---> links: delay, loss, ...
//
// File map: clock.go virtual time; link.go links, ends and faults; node.go one
// router and what it does when woken; network.go the whole; check.go what has
// to hold when it is quiet; draw.go the picture of a network that failed;
// script.go networks told as text; tcp.go, tcp_client.go, tcp_conn.go, segment.go the
// nodes' own TCP.
//
// A protocol's connections are such of a small TCP that stands behind each node's
// stack interface: real segments, signed where the protocol wants that, which the
// routers forward like anything else. So a session lives and dies with its path.
// It has neither selective acknowledgements nor congestion control, and does not
// wait for old duplicates when it has closed.
//
// A station receives what is sent to its own address, to everybody and to the
// groups that its router has joined, as an interface card does: a protocol that
// does not join its group hears nothing.
//
// A network is quiet when no link has changed for one flush interval of the
// slowest protocol and no table for two of its update intervals; only then can
// anything be asked of its tables, and where links lose frames only after one
// more update interval in which nothing is lost: a way may be missing by
// nothing but chance. The tests ask for all: that no packet
// loops or ends while there is a path, that every router knows, and uses, all
// the shortest ways and nothing else, that it remembers no death for too long,
// and that it says to each link what split horizon allows.
//
// The scripts in testdata are stories of a few routers with what comes of them;
// `go test ./internal/sim -run TestScripts -update` writes that anew. A random
// network that breaks a promise says by which command it is run again.
package sim
