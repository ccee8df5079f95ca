package control

import (
	"net/netip"

	"routerd/dataplane"
)

// Traffic is one direction of an interface. A super-packet counts as the packets
// that it carries.
type Traffic = dataplane.Traffic

// InterfaceList is the answer to /v1/interface: an object, so that fields can
// be added beside the list.
type InterfaceList struct {
	Interfaces []Interface `json:"interfaces" show:",rows"`
}

// Interface is one interface of the router.
type Interface struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // loopback | tun
	Up   bool   `json:"up"`
	// State is StateUp or StateDown of what its port stands on, or why it has
	// none: StateMissing, StateGone or StateWaiting, of which Why says more.
	State     string         `json:"state"`
	Why       string         `json:"why,omitempty"`
	MTU       int            `json:"mtu"` // bytes of an IP packet
	Table     string         `json:"table"`
	Addresses []netip.Prefix `json:"addresses"` // host bits kept, in the configuration's order
	// Own says of each address, on an Ethernet interface that is up, whether
	// it may be used; duplicates are here and not among Addresses.
	Own []OwnAddress `json:"own_addresses,omitempty"`
	// Multicast says what groups the router listens to, and tells the switches
	// of the link so, on an Ethernet interface that is up.
	Multicast *Multicast `json:"multicast,omitempty"`
	URPF      string     `json:"urpf"`           // off | strict | loose
	MSS       string     `json:"mss,omitempty"`  // clamp, or bytes as text; absent = off
	Port      *Port      `json:"port,omitempty"` // absent on a loopback
	Received  Traffic    `json:"received"`
	Sent      Traffic    `json:"sent"`
	Drops     uint64     `json:"drops"` // packets that came in here and were dropped
	Origin    string     `json:"origin,omitempty"`
}

// Multicast is the router's part in the multicast groups of a link.
type Multicast struct {
	Groups  []netip.Addr `json:"groups"`       // those reported, in order
	IGMP    int          `json:"igmp_version"` // 1 to 3: that of the oldest querier heard of late
	MLD     int          `json:"mld_version"`  // 1 or 2
	Queries uint64       `json:"queries"`      // heard
	Refused uint64       `json:"refused"`      // messages that the RFCs have a listener ignore
	Reports uint64       `json:"reports"`      // packets sent
}

// States of an interface.
const (
	StateUp   = "up"
	StateDown = "down"
	// StateMissing: the device, its namespace or its bridge has not been there
	// yet. The interface is served when it comes.
	StateMissing = "missing"
	// StateGone: its device was there and was deleted, renamed or moved away, or
	// its namespace was deleted. It is served again when it is made anew.
	StateGone = "gone"
	// StateWaiting: the device is there and cannot be taken, which is tried
	// again.
	StateWaiting = "waiting"
)

// Port is what an interface reads from and writes to.
type Port struct {
	Kind   string `json:"kind"`
	Queues int    `json:"queues"`
	// LateCarrier: the kernel may tell up to a second late that the device has
	// lost its carrier, since it is a veth whose peer has the same index.
	LateCarrier bool `json:"late_carrier,omitempty"`
	// Host is the kernel's side; absent where there is none.
	Host *Host `json:"host,omitempty"`
}

// Host is where the kernel's side of a port is found.
type Host struct {
	Netns  string `json:"netns,omitempty"` // absent: the namespace routerd runs in
	Device string `json:"device"`
	// Lacks says what the kernel's side lacks of its configuration, because
	// whoever rules its namespace has taken it away or refuses it; absent when
	// nothing.
	Lacks []string `json:"lacks,omitempty"`
}
