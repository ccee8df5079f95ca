// Package tun makes and drives TUN devices: the router's end of a
// point-to-point link whose other end is an ordinary device of the kernel, in
// a network namespace of its own or in the router's.
//
// The device is opened here and handed to golang.zx2c4.com/wireguard/tun, which
// prepares it, offloads included. The port then uses a duplicate of the
// descriptor and closes the library's device, which has 1.7 MB of tables for
// coalescing in each queue: the router does not need them, since it passes
// super-packets on whole. The library's monitor is not used either: it polls
// the device with an empty write every second, keeps an OS thread in poll(2)
// per device, and blocks for good once nobody takes its events. One netlink
// socket of the device's own namespace tells us the same things.
//
// Everything that a TUN shares with other devices is in the room
// dataplane/port/device: namespaces, netlink, the descriptor and its header.
//
// TUN_F_TSO_ECN is not asked for, as in wireguard/tun: the kernel then segments
// the rare super-packet whose first segment alone carries CWR (RFC 3168
// §6.1.2), and nothing else has to know that rule.
package tun
