// Package stun finds out from outside how a NAT behaves: a server with two
// addresses and two ports, and the tests of RFC 5780 §4.3 and §4.4 that a
// client runs against it. It is for the tests of address translation.
//
//	message.go   Binding messages of RFC 8489, by way of pion/stun
//	server.go    answers from the socket that it is asked to answer from
//	client.go    which mapping, which filtering
//
// # Where it deviates
//
//   - Only Binding requests over IPv4 and UDP, without authentication,
//     fingerprints or error answers; what is anything else is not answered.
//   - That nothing comes is not told by a time that passes, as RFC 5780 §4.4
//     has it: a plain request is sent behind the one that may go unanswered, to
//     the same socket, and its answer says that all before it has been handled.
//     That holds on paths that keep the order of packets and lose none, as the
//     links between network namespaces do.
package stun
