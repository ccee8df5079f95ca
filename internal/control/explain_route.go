package control

import (
	"context"
	"net/netip"

	"routerd/internal/show"
)

// RouteExplanation is how the router decides about packets for an address, in
// the order in which it does.
type RouteExplanation struct {
	Address netip.Addr `json:"address"`
	// Prefixes are those that the address lies in and a route is offered for,
	// the longest first, up to the one that packets are forwarded by.
	Prefixes []PrefixDecision `json:"prefixes"`
	Shorter  int              `json:"shorter"` // prefixes that contain the address as well and are not asked
	// Resolution is how the next hops lead to neighbours: each followed by
	// those it leads through, one deeper.
	Resolution []ResolutionStep `json:"resolution"`
	// Redistributed is what each protocol is told of the route.
	Redistributed []Redistributed `json:"redistributed"`
	Entry         *FIBEntry       `json:"entry,omitempty"` // absent: there is no route
	Neighbors     []RouteNeighbor `json:"neighbors"`       // one for each of the entry's next hops
}

// PrefixDecision is the choice among the routes of a prefix.
type PrefixDecision struct {
	Prefix  netip.Prefix `json:"prefix"`
	Used    bool         `json:"used"`    // packets for the address are forwarded by it
	Decided string       `json:"decided"` // what made the choice
	Routes  []Route      `json:"routes"`  // by preference
}

// ResolutionStep is one next hop on the way from a route to a neighbour.
type ResolutionStep struct {
	Depth     int          `json:"depth"`               // 0 = of the route itself
	Address   netip.Addr   `json:"address,omitzero"`    // absent: the destination is on the link
	Interface string       `json:"interface,omitempty"` // absent: resolved through the table
	Via       netip.Prefix `json:"via,omitzero"`        // the route that leads to it; absent where none is needed
	Source    string       `json:"source,omitempty"`    // of that route
	Action    string       `json:"action,omitempty"`    // of that route, where it discards
	WhyNot    string       `json:"why_not,omitempty"`   // absent when usable
}

// Redistributed is what a protocol is told of a route.
type Redistributed struct {
	To      string   `json:"to"`
	Offered bool     `json:"offered"`
	Pending bool     `json:"pending"` // it has not heard the latest yet
	Metric  uint32   `json:"metric"`
	Tag     uint32   `json:"tag"`
	Policy  []string `json:"policy,omitempty"`  // statements in order; absent without a policy
	WhyNot  string   `json:"why_not,omitempty"` // absent when offered
}

// RouteNeighbor is who a packet is handed to on the link.
type RouteNeighbor struct {
	Address   netip.Addr `json:"address"`
	Interface string     `json:"interface"`
	State     string     `json:"state"`         // as in Neighbor; unknown = nothing was sent there lately; none = the link needs no link addresses
	MAC       string     `json:"mac,omitempty"` // absent while unknown
	Age       float64    `json:"age,omitempty"` // seconds, as in Neighbor
}

// NeighborFailed is the state of a Neighbor that is a next hop and does not
// answer.
const NeighborFailed = "failed"

// What State is besides the states of a Neighbor.
const (
	NeighborUnknown  = "unknown"
	NeighborUnneeded = "none"
)

// targetQuery is the address that packets are for.
type targetQuery struct {
	Address netip.Addr `query:"address"`
}

var explainRouteNoun = show.Spec[Router, targetQuery, RouteExplanation]{
	Path: "explain/route",
	Check: func(q *targetQuery) error {
		if !q.Address.IsValid() {
			return show.BadRequest("a route to explain needs an address")
		}
		return nil
	},
	Ask: func(ctx context.Context, r Router, q targetQuery) (RouteExplanation, error) {
		return r.ExplainRoute(ctx, q.Address)
	},
}.Noun()
