package tun

import "routerd/dataplane/port/device"

// Config describes a TUN port. Name identifies it.
type Config struct {
	Name   string // the interface it serves
	MTU    int    // bytes of an IP packet
	Queues int    // descriptors; 0 counts as 1
	Host   Host
}

// Host is the kernel's side of the port: where the device is and how the
// kernel's side of it is configured.
type Host = device.Host
