// Package keys has key chains: secrets with a number and lifetimes, with which
// protocols authenticate their packets and change to a new secret without
// losing a neighbour.
//
// A [Chain] is a value that is only read. It knows nothing of packets and has
// no state: sequence numbers, neighbours and warnings belong to the protocol.
// So any number of protocols on one interface, or on several, may use the same
// chain at the same time without affecting each other.
//
//	key 1   |------- accept -------|
//	          |----- send -----|
//	key 2                  |--------- accept ---------
//	                         |--------- send ---------
//	sent      1 1 1 1 1 1 1 1 2 2 2 2 2 2 2 2 2 2 2 2
//
// # Which key
//
// Of the keys that are valid for sending, the one that became valid last is
// used ([Chain.Sending]), so that a new key is used from its time on and its
// predecessor need not end at the same moment. When the last one has expired it
// is used on, and the sender should warn: "it should treat the key as having an
// infinite lifetime until the lifetime is extended, the key is deleted by
// network management, or a new key is configured" (RFC 2328 §D.3, and so RFC
// 4822 §5.1). Before the first is valid there is none, and nothing can be sent.
// Received packets are verified with the key that they name
// ([Chain.Accepting]), or if a protocol's packets name none, as with passwords,
// with all keys that are accepted ([Chain.Accepted]).
//
// # Deviations
//
//   - RFC 7210 has a database of keys with peers, interfaces, protocols and
//     directions. Here a chain has a name in the configuration by which its
//     users refer to it; a key has one number, which is the same at both ends.
//   - RFC 7210 §2 has key derivation functions; here a secret is used as it is,
//     or as the protocol's RFC says.
package keys
