// Package device is what the ports on the kernel's devices share: it knows
// network namespaces, netlink and the virtio-net header, but none of the
// kinds of port that stand on it.
//
//	namespace.go  entering a network namespace on a thread that is thrown away
//	identity.go   telling a namespace from one of the same name made later
//	missing.go    the error for a device or namespace that does not exist, and may come
//	watch.go      watching for namespaces and devices that come and go
//	subscription.go  messages of the kernel about links, by one socket for each namespace
//	link.go       a device as netlink shows it: its state, and its changes
//	host.go       the kernel's side of a device made here: MTU, addresses, routes
//	apply.go      turning one such side into another
//	address.go    link addresses that stay the same over restarts
//	pair.go       making veth pairs
//	clone.go      making TUN and TAP devices
//	cloned.go     what a TUN port and a TAP port have in common
//	virtio.go     the virtio-net header in front of every frame
//	queue.go      a TUN or TAP descriptor: one system call a frame
package device
