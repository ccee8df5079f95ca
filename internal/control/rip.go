package control

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// RIPRouter is what the API shows and changes of RIP and RIPng. protocol is
// "rip" or "ripng"; one that is not configured is NotFound.
type RIPRouter interface {
	// RIPRoutes gives a page of what the protocol knows, in order of prefix.
	RIPRoutes(ctx context.Context, protocol string, q RIPQuery) (RIPRoutePage, error)
	// RIPNeighbors gives the routers it heard, by interface and address.
	RIPNeighbors(ctx context.Context, protocol string, q RIPQuery) (RIPNeighborList, error)
	// RIPInterfaces gives the interfaces that speak it, by name.
	RIPInterfaces(ctx context.Context, protocol string, q RIPQuery) (RIPInterfaceList, error)
	// ClearRIP forgets what was learned from the neighbours that q chooses, by
	// Interface and Neighbor; they are asked for it at once.
	ClearRIP(ctx context.Context, protocol string, q RIPQuery) (RIPClearResult, error)
}

// RIPQuery chooses what is shown of RIP. The zero query is all of it. Only
// routes come in pages and can be asked for by prefix.
type RIPQuery struct {
	Interface string     // only what was heard on it, or it itself
	Neighbor  netip.Addr // only what was heard from it
	Prefix    netip.Prefix
	After     netip.Prefix // the page behind this prefix: RIPRoutePage.Next
	Limit     int          // prefixes to look at, 1 to MaxPage; 0 leaves it to the router
}

// RIPRoutePage is a part of a protocol's table. A page may hold less than was
// asked for, even nothing: the table ends where Next is absent.
type RIPRoutePage struct {
	Routes []RIPRoute   `json:"routes"`
	Next   netip.Prefix `json:"next,omitzero"`
}

// RIPRoute is what the protocol knows about a prefix and tells others of it.
type RIPRoute struct {
	Prefix netip.Prefix `json:"prefix"`
	State  string       `json:"state"`  // learned | connected | default | redistributed | dying
	Source string       `json:"source"` // rip, or whose route is redistributed
	Metric int          `json:"metric"` // 1 to 16; 16 cannot be reached
	Tag    int          `json:"tag"`
	Paths  []RIPPath    `json:"paths"` // of a learned route: all are of its metric
	Since  time.Time    `json:"since"` // of its last change
	// Expires is how many seconds are left until the route dies unless it is
	// heard of again, or until one that is dying is forgotten; absent of what
	// the router itself has.
	Expires float64 `json:"expires,omitzero"`
}

// RIPPath is a neighbour that a route was heard from.
type RIPPath struct {
	Neighbor  netip.Addr `json:"neighbor"`
	NextHop   netip.Addr `json:"next_hop"`
	Interface string     `json:"interface"`
	Tag       int        `json:"tag"`
	Age       float64    `json:"age"` // seconds since it was last heard of
}

// RIPNeighborList is the answer to /v1/rip/neighbor.
type RIPNeighborList struct {
	Neighbors []RIPNeighbor `json:"neighbors"`
}

// RIPNeighbor is a router that speaks the protocol on a link.
type RIPNeighbor struct {
	Address    netip.Addr `json:"address"`
	Interface  string     `json:"interface"`
	Version    int        `json:"version"`
	Routes     int        `json:"routes"` // paths by it
	Since      time.Time  `json:"since"`  // when it was first heard
	Age        float64    `json:"age"`    // seconds since an update of its was used; since it was first heard where none was
	Packets    uint64     `json:"packets"`
	BadPackets uint64     `json:"bad_packets"`
	BadEntries uint64     `json:"bad_entries"`
	// MaximumPrefix is how many routes it may have, BeyondMaximum how often it
	// said one beyond them, which was not learned.
	MaximumPrefix int    `json:"maximum_prefix"`
	BeyondMaximum uint64 `json:"beyond_maximum"`
}

// RIPInterfaceList is the answer to /v1/rip/interface.
type RIPInterfaceList struct {
	Interfaces []RIPInterface `json:"interfaces"`
}

// RIPInterface is an interface that speaks the protocol.
type RIPInterface struct {
	Name           string       `json:"name"`
	Addresses      []netip.Addr `json:"addresses"` // that updates come from
	Passive        bool         `json:"passive"`
	Metric         int          `json:"metric"`
	OffsetOut      int          `json:"offset_out"`
	SplitHorizon   string       `json:"split_horizon"`             // poison-reverse | simple | none
	ReceiveVersion string       `json:"receive_version,omitempty"` // "1" | "2" | "1 2"; absent in RIPng
	Auth           string       `json:"auth,omitempty"`            // absent without
	Keys           []int        `json:"keys,omitempty"`            // ids, never secrets
	// AllowedNeighbors are who is heard; absent where that is everybody.
	AllowedNeighbors []netip.Prefix `json:"allowed_neighbors,omitempty"`
	MaximumPrefix    int            `json:"maximum_prefix"` // routes of each neighbor

	Neighbors  int        `json:"neighbors"`
	Routes     int        `json:"routes"`                // paths heard here
	NextUpdate float64    `json:"next_update,omitempty"` // seconds; absent where none is sent
	Sending    int        `json:"sending"`               // updates and answers under way
	Sent       []RIPCount `json:"sent"`                  // packets, by kind
	Received   []RIPCount `json:"received"`              // packets that were used, by kind
	Refused    []RIPCount `json:"refused"`               // packets and entries that were not, by reason
}

// RIPCount is how often something of a kind happened since the interface
// came up. All kinds are given, those that never happened too.
type RIPCount struct {
	Kind  string `json:"kind"`
	Count uint64 `json:"count"`
}

// RIPClearResult is what a clear has done.
type RIPClearResult struct {
	Cleared int `json:"cleared"` // ways that were learned
}

// ripProtocols are the first halves of their nouns' names.
var ripProtocols = []string{"rip", "ripng"}

func init() {
	for _, p := range ripProtocols {
		nouns[p+"/route"] = noun{ask: func(v *query) call {
			q := v.rip()
			q.Prefix, q.After, q.Limit = v.prefix("prefix"), v.prefix("after"), v.number("limit", 0, MaxPage)
			return func(ctx context.Context, r Router) (any, error) { return r.RIPRoutes(ctx, p, q) }
		}}
		nouns[p+"/neighbor"] = noun{ask: func(v *query) call {
			q := v.rip()
			return func(ctx context.Context, r Router) (any, error) { return r.RIPNeighbors(ctx, p, q) }
		}}
		nouns[p+"/interface"] = noun{ask: func(v *query) call {
			q := RIPQuery{Interface: v.text("interface")}
			return func(ctx context.Context, r Router) (any, error) { return r.RIPInterfaces(ctx, p, q) }
		}}
		nouns["clear/"+p] = noun{changes: true, ask: func(v *query) call {
			q := v.rip()
			return func(ctx context.Context, r Router) (any, error) { return r.ClearRIP(ctx, p, q) }
		}}
	}
}

func (q *query) rip() RIPQuery {
	return RIPQuery{Interface: q.text("interface"), Neighbor: q.addr("neighbor")}
}

// values puts the query into a URL's form.
func (q RIPQuery) values() url.Values {
	v := FIBQuery{Prefix: q.Prefix, After: q.After, Limit: q.Limit}.values()
	if q.Interface != "" {
		v.Set("interface", q.Interface)
	}
	if q.Neighbor.IsValid() {
		v.Set("neighbor", q.Neighbor.String())
	}
	return v
}

// RIPRoutes asks for a page of what rip or ripng knows.
func (c *Client) RIPRoutes(ctx context.Context, protocol string, q RIPQuery) (p RIPRoutePage, err error) {
	return p, c.get(ctx, protocol+"/route", q.values(), &p)
}

// RIPNeighbors asks for the routers that rip or ripng heard.
func (c *Client) RIPNeighbors(ctx context.Context, protocol string, q RIPQuery) (l RIPNeighborList, err error) {
	return l, c.get(ctx, protocol+"/neighbor", q.values(), &l)
}

// RIPInterfaces asks for the interfaces that speak rip or ripng.
func (c *Client) RIPInterfaces(ctx context.Context, protocol string, q RIPQuery) (l RIPInterfaceList, err error) {
	return l, c.get(ctx, protocol+"/interface", q.values(), &l)
}

// ClearRIP makes rip or ripng forget what it has learned.
func (c *Client) ClearRIP(ctx context.Context, protocol string, q RIPQuery) (r RIPClearResult, err error) {
	return r, c.do(ctx, http.MethodPost, "clear/"+protocol, q.values(), &r)
}
