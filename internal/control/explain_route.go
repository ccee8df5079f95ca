package control

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"

	"routerd/internal/protocols"
	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing"
)

// RouteExplanation explains how the router decides about packets for an
// address, in the order of its decisions.
type RouteExplanation struct {
	Address netip.Addr `json:"address"`
	// Prefixes are those that contain the address and have routes, the longest
	// first, up to the one that forwards the packets.
	Prefixes []PrefixDecision `json:"prefixes"`
	Shorter  int              `json:"shorter"` // number of shorter prefixes that contain the address too
	// Resolution is how the next hops are resolved to neighbours: each is
	// followed by those that it is resolved through, one level deeper.
	Resolution []ResolutionStep `json:"resolution"`
	// Derived says what routes of protocols follow from: those of the prefixes, and
	// those that next hops are resolved through. Absent if no protocol says.
	Derived []Derived `json:"derived,omitempty"`
	// Redistributed says how the route is redistributed into each protocol.
	Redistributed []Redistributed `json:"redistributed"`
	Entry         *FIBEntry       `json:"entry,omitempty"` // absent if there is no route
	Neighbors     []RouteNeighbor `json:"neighbors"`       // one for each of the entry's next hops
}

// Derived is what a protocol's route follows from: a path for each next hop.
type Derived struct {
	Protocol string               `json:"protocol"`
	Prefix   netip.Prefix         `json:"prefix"`
	Paths    []running.Derivation `json:"paths"`
}

// PrefixDecision is the choice among the routes of a prefix.
type PrefixDecision struct {
	Prefix  netip.Prefix `json:"prefix"`
	Used    bool         `json:"used"`    // it forwards the packets
	Decided string       `json:"decided"` // reason for the choice
	Routes  []Route      `json:"routes"`  // by preference
}

// ResolutionStep is one next hop in the resolution of a route to neighbours.
type ResolutionStep struct {
	Depth     int          `json:"depth"`               // 0 = of the route itself
	Address   netip.Addr   `json:"address,omitzero"`    // absent: the destination is on the link
	Interface string       `json:"interface,omitempty"` // absent: resolved through the routing table
	Backup    bool         `json:"backup,omitempty"`    // it serves only while none of the others is alive
	Via       netip.Prefix `json:"via,omitzero"`        // the route that it is resolved through; absent if none is needed
	Source    string       `json:"source,omitempty"`    // of that route
	Action    string       `json:"action,omitempty"`    // of that route, if it drops packets
	WhyNot    string       `json:"why_not,omitempty"`   // absent when usable
}

// Redistributed is how a route is redistributed into a protocol.
type Redistributed struct {
	To      string   `json:"to"`
	Offered bool     `json:"offered"`
	Pending bool     `json:"pending"` // the protocol has not received the latest change yet
	Metric  uint32   `json:"metric"`
	Tag     uint32   `json:"tag"`
	Policy  []string `json:"policy,omitempty"`  // statements in order; absent without a policy
	WhyNot  string   `json:"why_not,omitempty"` // absent when offered
}

// RouteNeighbor is the neighbour on the link that packets are sent to.
type RouteNeighbor struct {
	Address   netip.Addr `json:"address"`
	Interface string     `json:"interface"`
	State     string     `json:"state"`         // as in Neighbor; unknown = nothing was sent there lately; none = the link has no link-layer addresses
	MAC       string     `json:"mac,omitempty"` // absent while unknown
	Age       float64    `json:"age,omitempty"` // seconds, as in Neighbor
}

// NeighborFailed is the state of a Neighbor that is a next hop and does not
// answer.
const NeighborFailed = "failed"

// Values of State besides the states of a Neighbor.
const (
	NeighborUnknown  = "unknown"
	NeighborUnneeded = "none"
)

// targetQuery has the destination address.
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
		x, err := r.ExplainRoute(ctx, q.Address)
		if err == nil {
			err = x.derive(ctx, r)
		}
		return x, err
	},
}.Noun()

// derive asks the protocols that can say it what their routes follow from.
func (x *RouteExplanation) derive(ctx context.Context, r Router) error {
	x.Derived = nil
	for _, p := range protocols.All() {
		if p.Derive == nil {
			continue
		}
		for _, to := range x.routesOf(p.Source) {
			core, err := r.Protocol(ctx, p.Name)
			if e := (*show.Error)(nil); errors.As(err, &e) && e.Status == http.StatusNotFound {
				break // its routes are what is left of it
			}
			if err != nil {
				return err
			}
			paths, err := p.Derive(ctx, core, to)
			if err != nil {
				return err
			}
			if len(paths) > 0 {
				x.Derived = append(x.Derived, Derived{Protocol: p.Name, Prefix: to, Paths: paths})
			}
		}
	}
	return nil
}

// routesOf gives the prefixes for which a source, or another one that it offers the routes
// of, has routes that play a part.
func (x *RouteExplanation) routesOf(of routing.Source) (list []netip.Prefix) {
	offers := func(name string) bool {
		for s := range routing.Source(routing.NumSources) {
			if s.String() == name {
				return s.Offerer() == of
			}
		}
		return false
	}
	add := func(p netip.Prefix) {
		if !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	for _, d := range x.Prefixes {
		if slices.ContainsFunc(d.Routes, func(r Route) bool { return offers(r.Source) }) {
			add(d.Prefix)
		}
	}
	for _, s := range x.Resolution {
		if offers(s.Source) {
			add(s.Via)
		}
	}
	return list
}
