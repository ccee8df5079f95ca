// Package veth makes and drives veth pairs: Ethernet links between the router
// and a host of the same machine, with the kernel's own devices at both ends. It
// is for those who want the speed of the kernel, which hands super-packets from
// one end to the other without copying them, and for flows that the kernel may
// carry by itself (dataplane/offload).
//
//	config.go  what a port is made of
//	open.go    Open, the Port, Close; Undo after a kill
//	change.go  CheckChange, Apply, and what the host's side lacks
//	events.go  one state of the two ends
//
// The router's end is a packet port (dataplane/port/packet) and behaves as one:
// the kernel of its namespace neither receives nor sends by it. The host's end is
// configured as that of a TAP (dataplane/port/device): MTU, addresses, routes, a
// bridge. Both link addresses follow from the names of router and interface, so
// that they are the same after a restart, and the same as those of a TAP of these
// names.
//
// Unlike a TUN or TAP a pair does not end with its process. So Config.Will hears
// of a pair before it is made, and Undo removes the one that a killed process has
// left. The router's end answers no ARP by itself meanwhile: a host finds nobody
// there.
package veth
