// Package keys is key chains: secrets with a number and lifetimes, by which
// protocols authenticate their packets and go over to a new secret without
// losing a neighbour.
//
// A [Chain] is a value that is only read. It knows nothing of packets, and
// holds nothing that a protocol counts: sequence numbers, what neighbours have
// said with which key and whether somebody was warned are the protocol's own.
// So any number of protocols on one interface, or on several, may have the same
// chain at the same time and never hear of each other.
//
//	key 1   |------- accept -------|
//	          |----- send -----|
//	key 2                  |--------- accept ---------
//	                         |--------- send ---------
//	sent      1 1 1 1 1 1 1 1 2 2 2 2 2 2 2 2 2 2 2 2
//
// # Which key
//
// Of the keys that may be sent with now it is the one that became so last
// ([Chain.Sending]), so that a new key comes into use when its time has come and
// its predecessor need not end at the same moment. When the last one has ended it
// is used on, and whoever sends with it should tell somebody: "it should treat the
// key as having an infinite lifetime until the lifetime is extended, the key is
// deleted by network management, or a new key is configured" (RFC 2328 §D.3, and
// so RFC 4822 §5.1). Before the first is valid there is none, and nothing can be
// sent. What is received is judged by the key that it names ([Chain.Accepting]),
// or where a protocol's packets name none, as with passwords, by all that are
// accepted ([Chain.Accepted]).
//
// # Deviations
//
//   - RFC 7210 has a database of keys with peers, interfaces, protocols and
//     directions. Here a chain has a name in the configuration, and what uses it
//     names it; a key has one number, which both ends call it by.
//   - RFC 7210 §2 has key derivation functions; here a secret is used as it is,
//     or as the protocol's RFC says.
package keys
