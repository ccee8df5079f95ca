package topology

import "net/netip"

// MaxNodes is the most nodes of a map.
const MaxNodes = 300

// MaxLinks is the most links of a map that only a link-state protocol knows of.
const MaxLinks = 2000

// Input is what a router says of itself.
type Input struct {
	Router     string // its name
	Interfaces []Interface
	Sessions   []Session
	Graphs     []Graph
}

// Interface is an interface of the router that is no loopback.
type Interface struct {
	Name      string
	Up        bool
	State     string // in words
	Why       string // it is down; "" for nothing to say
	Addresses []netip.Prefix
	Stations  []netip.Addr // neighbours by ARP and neighbour discovery
	Rates     *Rates       // nil where nobody has measured them
}

// Rates is what an interface carries.
type Rates struct {
	Received  float64 `json:"rx_bps"` // bits a second
	Sent      float64 `json:"tx_bps"`
	RxPackets float64 `json:"rx_pps"` // packets a second
	TxPackets float64 `json:"tx_pps"`
	Drops     float64 `json:"drops_ps"` // packets a second that came in and were dropped
}

// Session is what a protocol has with a neighbour.
type Session struct {
	Protocol  string     `json:"protocol"`
	Address   netip.Addr `json:"address"`
	Interface string     `json:"interface,omitzero"` // absent if it is not known
	State     string     `json:"state,omitzero"`     // in the protocol's words; absent where it has none
	Health    Health     `json:"health"`             // up | down | changing
	RouterID  netip.Addr `json:"router_id,omitzero"` // of the neighbour; absent if it is not known
	AS        uint32     `json:"as,omitzero"`        // of the neighbour; absent where there is none
}

// Health says in one word how something is.
type Health string

// The healths.
const (
	Up       Health = "up"
	Down     Health = "down"
	Changing Health = "changing"
)

// Graph is what a link-state protocol knows of all areas, seen from this router.
type Graph struct {
	Protocol string
	RouterID netip.Addr
	Nodes    []GraphNode // in each area the nearest first
}

// GraphNode is a router or a network of an area.
type GraphNode struct {
	Area   netip.Addr   `json:"area"`
	Kind   string       `json:"kind"` // router | network
	ID     netip.Addr   `json:"id"`
	Prefix netip.Prefix `json:"prefix"` // of a network
	Roles  []string     `json:"roles"`
	Links  []GraphLink  `json:"links"`
}

// GraphLink is a link of a node to another one of its area.
type GraphLink struct {
	Kind string     `json:"kind"`
	ID   netip.Addr `json:"id"`
	Cost uint32     `json:"cost"`
}
