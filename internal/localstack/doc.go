// Package localstack gives the router a TCP/IP stack for its own connections:
// the kernel's, in a private network namespace that has only the router's
// addresses.
//
//	sockets in the namespace
//	        |
//	[ kernel: every address of the router's, as /32 and /128 ]
//	        |  internal TUN, a port like others
//	[ dataplane ]-- the router's interfaces
//
// Packets to the router's addresses that the dataplane does not answer itself
// go into the TUN. Packets that the stack sends come out of it and are
// forwarded by the routing table like others, except that their TTL is not
// decremented.
//
// Routing protocols ask for connections by effects (routing/protocol); Streams
// carries them out with sockets of the namespace and reports the results as
// inputs. Of what comes by a connection, one block is read while the protocol
// processes the one before, and no more, so that no connection holds up the
// others. Writes wait in a bounded buffer.
//
//	protocol --Dial, Listen, Write, ...--> Client --> conn, acceptor --> sockets
//	protocol <--Connected, Read, Closed, ...-- Hear <---+
//
// File map: stack.go the namespace and its device; routes.go its routes;
// listeners.go its listening sockets; exec.go, inhabitants.go programs in it;
// streams.go the connections of all protocols, across restarts of the stack;
// space.go making sockets in the namespace; conn.go, read.go, write.go one connection;
// accept.go, peers.go one listener; server.go a listener for the router's own services; options.go what is set on sockets;
// bridge.go links.
//
// A link-local address is valid only with its link, and the stack's one TUN
// does not distinguish links. If a protocol connects between link-local
// addresses, the link gets a TUN of its own in the namespace, with the link's
// name and the router's link-local addresses there. Packets from it leave on
// that link only, and it carries only TCP between link-local addresses.
//
// The namespace belongs to the router: Open makes it, Close removes it, and
// Undo removes one that a killed process has left. Without ip_forward it
// forwards nothing.
//
// Deviations: link-local addresses are served for routing protocols alone, and
// only TCP; ICMPv6 errors about that TCP do not reach the stack, so its packets
// have the link's MTU and there is no path MTU discovery; a TCP-MD5 secret of a
// link-local peer at a listener for all addresses does not depend on the link,
// since the kernel knows no such secrets; a socket that dials beyond the
// connected subnets without choosing its source uses the loopback interface's
// address, or the first address if there is none.
package localstack
