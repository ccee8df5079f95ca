package tun

import "net/netip"

// Config describes a TUN port. Name identifies it.
type Config struct {
	Name   string // the interface it serves
	MTU    int    // bytes of an IP packet
	Queues int    // descriptors; 0 counts as 1
	Host   Host
}

// Host is the kernel's side of the port: where the device is and how the
// kernel shall see it.
type Host struct {
	// Netns is the name of an existing network namespace under
	// /run/netns, or a path to one; "" is the namespace routerd runs in.
	Netns     string
	Device    string // name of the device inside Netns
	Addresses []netip.Prefix
	Routes    []netip.Prefix // prefixes the kernel reaches through this device
}
