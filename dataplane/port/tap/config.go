package tap

import (
	"net/netip"

	"routerd/dataplane/port/device"
)

// Config describes a TAP port. Router and Name identify it.
type Config struct {
	Router string // the router's name, of which with Name the link addresses are made
	Name   string // the interface it serves
	MTU    int    // bytes of an IP packet
	Queues int    // descriptors; 0 counts as 1
	Host   device.Host
	// Bridge is an existing bridge in Host.Netns that the device becomes a
	// port of, and then has no addresses and routes; "" for none.
	Bridge string
	// Via are the router's own addresses on the link, the next hops of
	// Host.Routes: the first of each family. A route without one is on the
	// link, and the kernel asks for the link address of every destination.
	Via []netip.Addr
}
