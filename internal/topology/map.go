package topology

import "net/netip"

// Map is the map of a router.
type Map struct {
	Router  string  `json:"router"`            // its name
	Nodes   []Node  `json:"nodes"`             // the router itself first
	Links   []Link  `json:"links"`             // of the router's interfaces, then its sessions elsewhere, then what a link-state protocol knows
	Wide    float64 `json:"width"`             // of the drawing, in pixels
	Tall    float64 `json:"height"`            // likewise
	LeftOut int     `json:"left_out,omitzero"` // nodes that had no room; absent if none
	// LinksLeftOut counts the links of link-state protocols that had no room.
	LinksLeftOut int `json:"links_left_out,omitzero"`
}

// Kinds of nodes.
const (
	KindSelf    = "self"    // the router that is asked
	KindRouter  = "router"  // another one
	KindNetwork = "network" // what several are attached to
)

// Node is a router or a network.
type Node struct {
	ID       string       `json:"id"`   // stays the same as long as it is known
	Kind     string       `json:"kind"` // self | router | network
	Name     string       `json:"name"`
	RouterID netip.Addr   `json:"router_id,omitzero"`
	Prefix   netip.Prefix `json:"prefix,omitzero"` // of a network
	AS       uint32       `json:"as,omitzero"`
	Areas    []string     `json:"areas,omitempty"` // of a link-state protocol
	Roles    []string     `json:"roles,omitempty"` // in that: abr, asbr
	Stations int          `json:"stations,omitzero"`
	// Health is that of the sessions with it: up if one is; absent without any.
	Health   Health    `json:"health,omitzero"`
	Sessions []Session `json:"sessions,omitempty"`
	X        float64   `json:"x"` // of its middle, in pixels
	Y        float64   `json:"y"`
}

// Kinds of links.
const (
	LinkInterface = "interface" // an interface of the router that is asked
	LinkAttached  = "attached"  // a neighbour is on a network
	LinkGraph     = "graph"     // only a link-state protocol knows of it
	LinkSession   = "session"   // a session with a router that is on no network of this one
)

// Link is a link between two nodes.
type Link struct {
	ID        string  `json:"id"`
	From      string  `json:"from"` // the ID of a node
	To        string  `json:"to"`
	Kind      string  `json:"kind"`                // interface | attached | graph | session
	Interface string  `json:"interface,omitempty"` // of the router that is asked
	Prefix    string  `json:"prefix,omitempty"`    // of the network that the link is
	Health    Health  `json:"health"`              // up | down | changing
	State     string  `json:"state,omitempty"`     // of the interface, in words
	Why       string  `json:"why,omitempty"`       // it is down
	CostFrom  *uint32 `json:"cost_from,omitempty"` // of a link-state protocol, in the direction from -> to; absent where there is none
	CostTo    *uint32 `json:"cost_to,omitempty"`   // and in the other
	Stations  int     `json:"stations,omitzero"`   // by ARP and neighbour discovery, besides routers
	Rates     *Rates  `json:"rates,omitempty"`     // of the interface; absent while nobody measures them
}

// Node returns a node by its ID, nil if there is none.
func (m *Map) Node(id string) *Node {
	for i := range m.Nodes {
		if m.Nodes[i].ID == id {
			return &m.Nodes[i]
		}
	}
	return nil
}
