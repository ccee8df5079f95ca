// Package tap makes and drives TAP devices: the router's end of an Ethernet
// link whose other end is a device of the kernel, with addresses of its own or
// as a port of a bridge, in a network namespace of its own or in the router's.
// Whole frames pass with virtio-net headers, so that super-packets and partial
// checksums pass unchanged both ways.
//
// There are two stations on the link: the kernel's device and the router, each
// with a link address that follows from the names of router and interface and
// so is the same after a restart. All that a TAP shares with a
// TUN is in dataplane/port/device.
//
// A VLAN tag is part of the frame both ways: a TAP takes none out.
package tap
