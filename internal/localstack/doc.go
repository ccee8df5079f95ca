// Package localstack lends the router a TCP/IP stack for what it serves and
// dials itself: the kernel's, in a private network namespace that holds the
// router's addresses and nothing else.
//
//	sockets in the namespace
//	        |
//	[ kernel: every address of the router's, as /32 and /128 ]
//	        |  internal TUN, a port like others
//	[ dataplane ]-- the router's interfaces
//
// What reaches one of the router's addresses and is not answered at once
// goes into the TUN; what the stack sends comes out of it, finds its way in
// the router's table like anything else, and keeps its hop count.
//
// Routing protocols ask for connections by effects (routing/protocol); Streams
// carries them out with sockets of the namespace and says what became of them.
// What a protocol is told of one connection waits until it has dealt with what it
// was told before, so that none of a thousand keeps the others waiting; what it
// writes waits in a bounded room.
//
//	protocol --Dial, Listen, Write, ...--> Client --> conn, acceptor --> sockets
//	protocol <--Connected, Read, Closed, ...-- Hear <---+
//
// File map: stack.go the namespace and its device; routes.go its routes;
// listeners.go who listens in it; exec.go, inhabitants.go programs in it;
// streams.go the connections of all protocols, through the stack's comings and
// goings; space.go where sockets are made; conn.go, write.go one connection;
// accept.go, peers.go one listener; options.go what is set on sockets; bridge.go
// links.
//
// A link-local address means nothing without its link, and the stack's one TUN
// cannot tell links apart. Where a protocol wants to talk between link-local
// addresses, the link gets a TUN of its own in the namespace, by its name and with
// the router's link-local addresses there. What comes out of it leaves by that
// link alone, and only TCP between link-local addresses goes by it.
//
// The namespace is the router's: it is made by Open, removed by Close, and by
// Remove where a killed process has left it. Without ip_forward it passes
// nothing on.
//
// Deviations: link-local addresses are served for routing protocols alone, and
// only TCP; ICMPv6 errors about that stay with the dataplane, so its packets are as
// long as the link takes and no path MTU is discovered; a TCP-MD5 secret of a
// link-local peer at a listener for all addresses does not depend on the link,
// since the kernel knows no such secrets; a socket that dials beyond the
// connected subnets and does not choose its source speaks from the loopback
// interface's address, or where there is none from the first.
package localstack
