// Package stun finds out how a NAT behaves as seen from outside. It has a
// server with two addresses and two ports, and a client with the tests of RFC
// 5780 §4.3 and §4.4. It is for the tests of address translation.
//
//	message.go   Binding messages of RFC 8489, by way of pion/stun
//	server.go    the server, which answers from the socket that CHANGE-REQUEST asks for
//	client.go    the tests for mapping and filtering
//
// # Where it deviates
//
//   - Only Binding requests over IPv4 and UDP, without authentication,
//     fingerprints or error responses; everything else is ignored.
//   - RFC 5780 §4.4 waits for a time-out to find that no answer comes. Here a
//     plain request is sent to the same socket after the one that may get no
//     answer: when its answer comes, all earlier requests have been handled.
//     That is valid on paths that neither reorder nor lose packets, such as
//     links between network namespaces.
package stun
