// Package tun makes and drives TUN devices: the router's end of a
// point-to-point link whose other end is an ordinary device of the kernel, in
// a network namespace of its own or in the router's.
//
// Everything that a TUN shares with other devices is in the room
// dataplane/port/device: namespaces, netlink, the descriptor and its header.
//
// TUN_F_TSO_ECN is left off: the kernel then cuts up the rare super-packet whose
// first segment alone carries CWR (RFC 3168 §6.1.2), so that nobody behind us
// has to know the rule.
package tun
