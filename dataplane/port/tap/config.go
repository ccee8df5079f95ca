package tap

import (
	"net/netip"

	"routerd/dataplane/port/device"
)

// Config describes a TAP port. Router and Name identify it.
type Config struct {
	Router string // the router's name; the link addresses follow from it and Name
	Name   string // the interface it serves
	MTU    int    // bytes of an IP packet
	Queues int    // descriptors; 0 counts as 1
	Host   device.Host
	// Bridge is an existing bridge in Host.Netns that the device becomes a
	// port of, and then has no addresses and routes; "" for none.
	Bridge string
	// Via are the router's own addresses on the link. The first of each family
	// is the next hop of Host.Routes. Without one a route is on-link, and the
	// kernel resolves every destination itself.
	Via []netip.Addr
}
