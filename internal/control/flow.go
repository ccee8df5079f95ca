package control

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"routerd/internal/show"
)

// FlowRouter is the part of Router for the flows that the kernel carries. All
// methods return NotFound, with the reason, if it carries none.
type FlowRouter interface {
	// Flows returns a page of the flows that q selects, in an order that does not
	// change while they are carried.
	Flows(ctx context.Context, q FlowQuery) (FlowPage, error)
	// ClearFlows has user space forward the flows that q selects; the zero query
	// selects all. Their next packets may have the kernel carry them again.
	ClearFlows(ctx context.Context, q FlowQuery) (FlowClearResult, error)
}

// FlowQuery selects the carried flows that match all its fields. The zero query
// selects all. Only showing uses After and Limit.
type FlowQuery struct {
	In          string      `query:"in,complete=interface" help:"only flows that come in by this <interface>"`
	Protocol    NATProtocol `query:"protocol" help:"only of this <protocol>, by name or number"`
	Source      show.Subnet `query:"source" help:"only from this <address> or prefix, as the packets arrive"`
	Destination show.Subnet `query:"destination" help:"only to this <address> or prefix, as the packets arrive"`
	After       uint32      `query:"after,api"`           // the page after this flow: FlowPage.Next
	Limit       int         `query:"limit,api,max=10000"` // most flows to return; 0 = the router's default
}

// FlowPage is a page of the flows that the kernel carries. It may have fewer flows
// than asked for, even none: only a page without Next is the last.
type FlowPage struct {
	Flows []Flow `json:"flows" show:",rows"`
	Total int    `json:"total"` // that are carried now
	Max   int    `json:"max"`   // that there may be at once
	Next  uint32 `json:"next,omitzero"`
}

// Flow is one direction of a connection, whose packets the kernel carries by what
// the router has decided for one of them.
type Flow struct {
	In       string         `json:"in" show:"in"`
	Protocol string         `json:"protocol" show:"proto"` // tcp | udp
	From     netip.AddrPort `json:"from" show:"from"`      // as the packets arrive
	To       netip.AddrPort `json:"to" show:"to"`
	// AsFrom and AsTo are what From and To are translated to; absent if they
	// stay as they are.
	AsFrom  netip.AddrPort `json:"as_from,omitzero" show:"as from,optional"`
	AsTo    netip.AddrPort `json:"as_to,omitzero" show:"as to,optional"`
	Out     string         `json:"out" show:"out"`
	NextHop netip.Addr     `json:"next_hop" show:"next hop"` // the destination itself if it is on the link
	// By is how the kernel hands the packets on: queue, that of the device, or
	// peer, right to the other end of the veth.
	By      string     `json:"by" show:"by,wide"`
	Since   time.Time  `json:"since" show:"since,wide"`
	Packets uint64     `json:"packets" show:"packets,amount"` // of a super-packet, those in it
	Bytes   uint64     `json:"bytes" show:"bytes,bytes"`      // from the IP header on
	Supers  uint64     `json:"super_packets" show:"super,amount,wide"`
	Last    *time.Time `json:"last,omitempty"` // when the latest packet was carried; absent = none was yet
}

// flowRow is a flow in a table.
type flowRow struct {
	Flow `show:",inline"`
	Idle string `show:"last,right,after=bytes"`
}

// Drawn implements show.Drawn.
func (f *Flow) Drawn(s *show.Screen) any {
	row := &flowRow{Flow: *f}
	if f.Last != nil {
		row.Idle = f.Last.Local().Format(time.TimeOnly)
		if s.Wide {
			row.Idle = f.Last.UTC().Format(time.RFC3339)
		}
	}
	return row
}

// More implements show.Partial.
func (p *FlowPage) More() string {
	return fmt.Sprintf("there are more, of %d that are carried; --limit 0 shows all", p.Total)
}

// flowClearQuery selects flows to give back to user space.
type flowClearQuery struct {
	FlowQuery
	All bool `query:"all" help:"every flow"`
}

// FlowClearResult is the answer to a clear.
type FlowClearResult struct {
	Cleared int `json:"cleared"` // flows
}

var flowNouns = []Noun{
	show.Spec[Router, FlowQuery, FlowPage]{
		Path: "flow", Usual: usualRows,
		Help: show.Help{
			Aliases: []string{"flows"},
			Short:   "The flows that the kernel carries, and what they come to",
			Long: `The flows that the kernel carries, and what they come to.

The router decides the first packets of each flow. Where both interfaces are
devices of the kernel (kind packet or veth), the kernel carries what follows
as was decided, until something changes that the decision depends on: a route, a
neighbour, a rule, a session, an interface. The other direction of a connection
is a flow of its own. FROM and TO are as the packets arrive, AS FROM and AS TO what
they are translated to. BY (-o wide) is peer where packets are handed right to the
other end of a veth, else queue. Counters of interfaces and sessions have these
packets too.

An interface whose flows are not carried says why in show interface, and explain
packet why a flow is not.`,
			Example: `  routerd show flow
  routerd show flow --in lan0 --protocol tcp -o wide
  routerd show flow --destination 10.2.0.0/16 -w 1s
  routerd clear flow --source 10.1.0.11`,
		},
		Ask: func(ctx context.Context, r Router, q FlowQuery) (FlowPage, error) { return r.Flows(ctx, q) },
	}.Noun(),
	show.Spec[Router, flowClearQuery, FlowClearResult]{
		Path: "clear/flow", Changes: true, Without: []string{"after", "limit"},
		Help: show.Help{
			Aliases: []string{"flows"},
			Short:   "Have user space forward flows that the kernel carries",
			Long: `Have user space forward the flows that all the filters match. No packet is lost,
and no session ends: their next packets are decided anew, and then the kernel may
carry the flows again.`,
			Example: `  routerd clear flow --in lan0
  routerd clear flow --protocol udp --destination 10.2.0.0/16
  routerd clear flow --all`,
		},
		Arguments: func(q *flowClearQuery, _ []string) error {
			return allOrSome("flows", q.All, q.FlowQuery != FlowQuery{})
		},
		Check: func(q *flowClearQuery) error {
			return allOrSomeAsked("flows", q.All, q.FlowQuery != FlowQuery{})
		},
		Ask: func(ctx context.Context, r Router, q flowClearQuery) (FlowClearResult, error) {
			return r.ClearFlows(ctx, q.FlowQuery)
		},
		Draw: func(s *show.Screen, _ *flowClearQuery, r *FlowClearResult) {
			fmt.Fprintf(s, "flows given back to user space: %d\n", r.Cleared)
		},
	}.Noun(),
}

// Flows asks for a page of the flows that q selects.
func (c *Client) Flows(ctx context.Context, q FlowQuery) (p FlowPage, err error) {
	return p, c.get(ctx, "flow", show.Values(q), &p)
}

// ClearFlows has user space forward the flows that q selects; the zero query
// selects all.
func (c *Client) ClearFlows(ctx context.Context, q FlowQuery) (r FlowClearResult, err error) {
	q.After, q.Limit = 0, 0
	return r, c.do(ctx, http.MethodPost, "clear/flow", show.Values(flowClearQuery{q, q == FlowQuery{}}), &r)
}
