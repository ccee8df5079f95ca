// Package tun makes and drives TUN devices: the router's end of a
// point-to-point link whose other end is an ordinary device of the kernel, in
// a network namespace of its own or in the router's.
//
// The device is opened here and handed to golang.zx2c4.com/wireguard/tun, which
// prepares it, offloads included. The port then goes on with a duplicate of the
// descriptor and lets the library's object go: that keeps 1.7 MB of tables for
// joining segments for each queue, of which a router has no use, since it passes
// super-packets on as they are. The library's monitor is not used either: it polls
// the device with an empty write every second, keeps an OS thread in poll(2) per
// device, and blocks for good once nobody takes its events. One netlink socket of
// the device's own namespace tells us the same things.
//
// Everything that a TUN shares with other devices is in the room
// dataplane/port/device: namespaces, netlink, the descriptor and its header.
//
// TUN_F_TSO_ECN is left off, as wireguard/tun does: the kernel then cuts up the
// rare super-packet whose first segment alone carries CWR (RFC 3168 §6.1.2), so
// that nobody behind us has to know the rule.
package tun
