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
	Kind string `json:"kind"` // loopback | tun | tap | packet
	Up   bool   `json:"up"`
	// State is StateUp or StateDown, or why the interface has no port:
	// StateMissing, StateGone or StateWaiting, which Why explains.
	State     string         `json:"state"`
	Why       string         `json:"why,omitempty"`
	MTU       int            `json:"mtu"` // bytes of an IP packet
	Table     string         `json:"table"`
	Addresses []netip.Prefix `json:"addresses"` // host bits kept, in the configuration's order
	// Own has the state of each address of an Ethernet interface that is up.
	// Duplicates are here and not in Addresses.
	Own []OwnAddress `json:"own_addresses,omitempty"`
	// Multicast has the groups that the router has joined on an Ethernet
	// interface that is up, as it reports them by IGMP and MLD.
	Multicast *Multicast `json:"multicast,omitempty"`
	URPF      string     `json:"urpf"`              // off | strict | loose
	MSS       string     `json:"mss,omitempty"`     // clamp, or bytes as text; absent = off
	Port      *Port      `json:"port,omitempty"`    // absent on a loopback
	Offload   *Offload   `json:"offload,omitempty"` // absent where the kind has no flows that the kernel could carry
	Received  Traffic    `json:"received"`
	Sent      Traffic    `json:"sent"`
	Drops     uint64     `json:"drops"` // packets received here and dropped
	Origin    string     `json:"origin,omitempty"`
}

// Multicast is the router's membership in the multicast groups of a link.
type Multicast struct {
	Groups  []netip.Addr `json:"groups"`       // the groups reported, sorted
	IGMP    int          `json:"igmp_version"` // 1 to 3: that of the oldest recent querier
	MLD     int          `json:"mld_version"`  // 1 or 2
	Queries uint64       `json:"queries"`      // heard
	Refused uint64       `json:"refused"`      // messages ignored as the RFCs demand
	Reports uint64       `json:"reports"`      // packets sent
}

// Offload is whether the kernel carries flows that come in by an interface.
type Offload struct {
	Mode    string  `json:"mode"` // auto | always | off
	Carries bool    `json:"carries"`
	Why     string  `json:"why,omitempty"` // it does not; absent if it does
	Carried Traffic `json:"carried"`       // of Received
}

// States of an interface.
const (
	StateUp   = "up"
	StateDown = "down"
	// StateMissing: the device, its namespace or its bridge has not appeared
	// yet. The interface starts working when it does.
	StateMissing = "missing"
	// StateGone: the device was deleted, renamed or moved away, or its
	// namespace was deleted. The interface works again when the device is back.
	StateGone = "gone"
	// StateWaiting: the device exists but cannot be opened; routerd keeps
	// trying.
	StateWaiting = "waiting"
)

// Port is the device that an interface uses.
type Port struct {
	Kind   string `json:"kind"`
	Queues int    `json:"queues"`
	// LateCarrier: the kernel may report a carrier loss of the device up to a
	// second late, since it is a veth whose peer has the same index.
	LateCarrier bool `json:"late_carrier,omitempty"`
	// Host is the kernel's side; absent if there is none.
	Host *Host `json:"host,omitempty"`
}

// Host is the kernel's side of a port.
type Host struct {
	Netns  string `json:"netns,omitempty"` // absent: the namespace routerd runs in
	Device string `json:"device"`
	// Lacks lists what the kernel's side lacks of its configuration, because it
	// was removed or refused there; absent if nothing.
	Lacks []string `json:"lacks,omitempty"`
}
