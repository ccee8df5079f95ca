package dataplane

import (
	"net/netip"
	"time"

	"routerd/arp"
	"routerd/dataplane/reassembly"
	"routerd/icmp"
	"routerd/internal/origin"
)

// Kind is the configuration's word for the kind of port that an interface has.
type Kind string

const (
	KindLoopback Kind = "loopback" // no port at all
	KindTUN      Kind = "tun"
	KindTAP      Kind = "tap"    // Ethernet; the kernel or a bridge at the other end
	KindVeth     Kind = "veth"   // Ethernet; a veth pair with the kernel at its other end
	KindPacket   Kind = "packet" // Ethernet; an existing device
	KindStack    Kind = "stack"  // the router's own TCP/IP stack; forwarded packets never leave by it
)

// Ethernet reports whether the interface is on an Ethernet link.
func (k Kind) Ethernet() bool { return k == KindTAP || k == KindVeth || k == KindPacket }

// URPF is how an interface checks the reverse path to a packet's source (RFC
// 3704 §2).
type URPF uint8

const (
	URPFOff    URPF = iota
	URPFStrict      // the best route to the source leaves by this interface
	URPFLoose       // some route to the source exists, the default route not counted
)

// String gives the configuration's word.
func (u URPF) String() string {
	return [...]string{"off", "strict", "loose"}[u]
}

// Address is one address of an interface with the length of its subnet's
// prefix, as configured: 192.0.2.1/24 keeps its host bits.
type Address struct {
	Prefix netip.Prefix
	Origin origin.ID
}

// StackConfig protects the router's own TCP/IP stack (RFC 6192): it limits how
// many packets of each class (TCP, UDP, the rest) a worker delivers to it. A
// super-packet counts as one.
type StackConfig struct {
	Rate  int // packets a second
	Burst int // packets at once
}

// InterfaceConfig is what the configuration says of one interface, which is
// identified by its Name.
type InterfaceConfig struct {
	Name      string
	Kind      Kind
	Addresses []Address
	MTU       int // bytes of an IP packet; 68 to 65535
	URPF      URPF
	MSS       MSS            // MSSOff, MSSClamp, or MinMSS to MaxMSS
	Offload   Offload        // OffloadOff where the kernel cannot carry anything
	Neighbor  NeighborConfig // of Ethernet interfaces
	Origin    origin.ID
}

// NeighborConfig is what the configuration says of ARP and neighbour discovery
// on one interface.
type NeighborConfig struct {
	Timeout  time.Duration // 0 = arp.DefaultTimeout
	ProxyARP bool
	Static   []arp.StaticNeighbor
	RA       *arp.RAConfig // nil = no router advertisements
}

// Config is what the configuration says of forwarding as a whole.
type Config struct {
	Interfaces []InterfaceConfig // sorted by name
	// MartianSources and MartianDestinations are refused as a packet's
	// source and destination (RFC 1812 §5.3.7).
	MartianSources      []netip.Prefix
	MartianDestinations []netip.Prefix
	ICMP                icmp.Config
	Reassembly          reassembly.Config
	Stack               StackConfig
	OffloadFlows        int // the most flows that the kernel carries at once, to MaxOffloadFlows; 0 = none
}

// DefaultMartianSources are prefixes that are never the source of a packet to
// forward.
var DefaultMartianSources = prefixes(
	"0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4",
	"::/128", "::1/128", "::ffff:0:0/96", "ff00::/8",
)

// DefaultMartianDestinations are prefixes that must never be seen outside a
// host.
var DefaultMartianDestinations = prefixes(
	"0.0.0.0/8", "127.0.0.0/8", "240.0.0.0/4",
	"::/128", "::1/128", "::ffff:0:0/96",
)

func prefixes(s ...string) []netip.Prefix {
	p := make([]netip.Prefix, len(s))
	for i := range s {
		p[i] = netip.MustParsePrefix(s[i])
	}
	return p
}
