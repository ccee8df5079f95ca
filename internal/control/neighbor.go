package control

import (
	"context"
	"fmt"
	"net/netip"

	"routerd/internal/show"
)

// NeighborQuery selects neighbours. The zero query selects all.
type NeighborQuery struct {
	Interface string      `query:"interface,complete=interface" help:"only on the interface <NAME>"`
	Address   netip.Addr  `query:"address,arg"`
	Family    show.Family `query:"family,api"` // 4 or 6; 0 = both; ignored by ClearNeighbors
}

// NeighborList is the answer to /v1/neighbor.
type NeighborList struct {
	Neighbors []Neighbor   `json:"neighbors" show:",rows"`
	Own       []OwnAddress `json:"own_addresses,omitempty"` // of the router on the same links
}

// OwnAddress is an address of the router on an Ethernet link, and its state.
type OwnAddress struct {
	Address   netip.Prefix `json:"address"` // host bits kept
	Interface string       `json:"interface"`
	State     string       `json:"state"` // tentative: being probed | usable | duplicate: another host has it
}

// Neighbor is one neighbour on an Ethernet link.
type Neighbor struct {
	Address   netip.Addr `json:"address" show:"address"`
	MAC       string     `json:"mac,omitempty" show:"mac"` // absent while incomplete or failed
	Interface string     `json:"interface" show:"interface"`
	State     string     `json:"state" show:"state,good=reachable|static,bad=incomplete|failed"` // failed | incomplete | reachable | stale | delay | probe | static
	Age       float64    `json:"age" show:"age,seconds"`                                         // seconds since the MAC was learned or confirmed; while incomplete since the first packet, while failed since then
	Held      int        `json:"held" show:"held,right"`                                         // packets waiting for the answer
	Router    bool       `json:"router" show:"router"`                                           // it advertises itself as a router
}

// ClearResult is the answer to a clear.
type ClearResult struct {
	Cleared int `json:"cleared"` // neighbours
}

var neighborNoun = show.Spec[Router, NeighborQuery, NeighborList]{
	Path: "neighbor",
	Help: show.Help{
		Command: "arp", Aliases: []string{"neighbor", "neighbors"}, Args: "[ADDRESS]",
		Short: "Stations on Ethernet links, their MAC addresses and whether they answer",
		Long: `Stations on Ethernet links: by ARP and, for IPv6, neighbour discovery.

AGE counts since the MAC was learned or last confirmed. HELD packets wait for
the station's answer.`,
	},
	Ask: func(ctx context.Context, r Router, q NeighborQuery) (NeighborList, error) { return r.Neighbors(ctx, q) },
}.Noun()

var clearNeighborNoun = show.Spec[Router, NeighborQuery, ClearResult]{
	Path: "clear/arp", Changes: true, Without: []string{"family"},
	Help: show.Help{
		Aliases: []string{"neighbor", "neighbors"}, Args: "[ADDRESS]",
		Short: "Forget neighbours of both families, so that they are asked for anew",
		Long: `Forget what was learned of neighbours, by ARP and neighbour discovery. Static
ones stay, as do those that are still being asked for.`,
	},
	Ask: func(ctx context.Context, r Router, q NeighborQuery) (ClearResult, error) {
		return r.ClearNeighbors(ctx, q)
	},
	Draw: func(s *show.Screen, _ *NeighborQuery, r *ClearResult) {
		fmt.Fprintf(s, "neighbours forgotten: %d\n", r.Cleared)
	},
}.Noun()
