package ospf

import (
	"context"
	"fmt"
	"net/netip"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing"
	"routerd/routing/ospf"
)

// ClearNeighborQuery selects the neighbours whose adjacencies end. The zero query
// selects all.
type ClearNeighborQuery struct {
	Router    netip.Addr `query:"router,arg"`
	Interface string     `query:"interface,complete=ospf/interface" help:"only those on the interface <NAME>"`
}

// OnInterface implements running.Query.
func (q ClearNeighborQuery) OnInterface() string { return q.Interface }

// ClearResult is what a clear has done.
type ClearResult struct {
	Cleared int `json:"cleared"` // neighbours whose adjacency has ended
}

// ClearCountersQuery selects interfaces. The zero query selects all.
type ClearCountersQuery struct {
	Interface string `query:"interface,arg,complete=ospf/interface"`
}

// OnInterface implements running.Query.
func (q ClearCountersQuery) OnInterface() string { return q.Interface }

// ClearCountersResult is what has been set to zero.
type ClearCountersResult struct {
	Interfaces int `json:"interfaces"`
}

// clearNeighborNoun makes the machine end adjacencies, after counting them.
func clearNeighborNoun() running.Noun {
	type count struct {
		on      routing.InterfaceID
		cleared int
	}
	return show.Spec[running.Protocol, ClearNeighborQuery, ClearResult]{
		Path: "clear/" + name + "/neighbor", Changes: true,
		Help: show.Help{Args: "[ROUTER]", Short: "End the adjacencies with a router or with all; they form again"},
		Ask: func(ctx context.Context, p running.Protocol, q ClearNeighborQuery) (out ClearResult, err error) {
			n, err := running.Answered(name, func(c core, q *running.Question[ClearNeighborQuery]) count {
				x := count{on: q.On}
				for _, n := range c.Neighbors() {
					if q.Chooses(n.Interface) && (!q.Query.Router.IsValid() || q.Query.Router == n.Router.Addr()) && n.State > ospf.NeighborAttempt {
						x.cleared++
					}
				}
				return x
			})(ctx, p, q)
			if err != nil {
				return out, err
			}
			in := ospf.ClearNeighbors{Interface: n.on}
			if id := idOf(q.Router); id != nil {
				in.Router = *id
			}
			return ClearResult{n.cleared}, running.Tell(ctx, p, name, in)
		},
		Draw: func(s *show.Screen, _ *ClearNeighborQuery, r *ClearResult) {
			fmt.Fprintf(s, "adjacencies ended: %d\n", r.Cleared)
		},
	}.Noun()
}

// clearCountersNoun sets counters to zero.
func clearCountersNoun() running.Noun {
	type count struct {
		on         routing.InterfaceID
		interfaces int
	}
	return show.Spec[running.Protocol, ClearCountersQuery, ClearCountersResult]{
		Path: "clear/" + name + "/counters", Changes: true,
		Help: show.Help{Args: "[INTERFACE]", Short: "Set the counters of interfaces and their neighbors to zero; no adjacency changes"},
		Ask: func(ctx context.Context, p running.Protocol, q ClearCountersQuery) (out ClearCountersResult, err error) {
			n, err := running.Answered(name, func(c core, q *running.Question[ClearCountersQuery]) count {
				x := count{on: q.On}
				for _, i := range c.Interfaces() {
					if q.Chooses(i.Interface) {
						x.interfaces++
					}
				}
				return x
			})(ctx, p, q)
			if err != nil {
				return out, err
			}
			return ClearCountersResult{n.interfaces}, running.Tell(ctx, p, name, ospf.ClearCounters{Interface: n.on})
		},
		Draw: func(s *show.Screen, _ *ClearCountersQuery, r *ClearCountersResult) {
			fmt.Fprintf(s, "interfaces whose counters are zero: %d\n", r.Interfaces)
		},
	}.Noun()
}
