package packet

// Config describes a packet port. Name identifies it.
type Config struct {
	Name string // the interface it serves
	// Netns is the name of an existing network namespace under
	// /run/netns, or a path to one; "" is the namespace routerd runs in.
	Netns  string
	Device string // name of an existing Ethernet device inside Netns
	Queues int    // sockets that share the device's flows; 0 counts as 1
	// Promiscuous has the device hand over frames for every station: only
	// needed if the router has more link addresses than the device's own.
	Promiscuous bool
	// TakeOver allows a device that the kernel uses: one with addresses, a
	// default route, or a bridge or bond above it.
	TakeOver bool
	// Will, if not nil, is called before every change that the kernel would not
	// undo by itself if the process were killed; an error forbids the change.
	// Undo undoes it.
	Will func(kind, path, value string) error
}
