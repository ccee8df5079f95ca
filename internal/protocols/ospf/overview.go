package ospf

import (
	"fmt"
	"net/netip"
	"strings"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing/ospf"
	"routerd/routing/ospf/wire"
)

// Overview is the router as OSPF sees it.
type Overview struct {
	RouterID netip.Addr `json:"router_id,omitzero"` // absent while none is known
	// RouterIDChosen: it is not configured, and stays until a restart.
	RouterIDChosen   bool   `json:"router_id_chosen"`
	AreaBorderRouter bool   `json:"area_border_router"`
	ASBoundaryRouter bool   `json:"as_boundary_router"`
	Interfaces       int    `json:"interfaces"`
	Neighbors        Counts `json:"neighbors"` // by state
	Routes           Counts `json:"routes"`    // by type of path
	ASLSAs           Counts `json:"as_lsas"`   // in no area, by type
	ReceivedLSAs     int    `json:"received_lsas"`
	MaxLSA           int    `json:"max_lsa,omitempty"` // bound of ReceivedLSAs; absent without one
	Areas            []Area `json:"areas"`
}

// Area is an area that the router is attached to.
type Area struct {
	Area            netip.Addr `json:"area" show:"area"`
	Type            string     `json:"type" show:"type"` // normal | stub | nssa
	NoSummary       bool       `json:"no_summary" show:"summaries,yes=no,no=,optional"`
	Transit         bool       `json:"transit" show:"transit,optional"` // it carries traffic between other areas
	Interfaces      int        `json:"interfaces" show:"interfaces,right"`
	Neighbors       int        `json:"neighbors" show:"neighbors,right"`
	Full            int        `json:"full" show:"full,right"`
	Routers         int        `json:"routers" show:"routers,amount"` // that are reached, this one too
	BorderRouters   int        `json:"border_routers" show:"border,amount"`
	BoundaryRouters int        `json:"boundary_routers" show:"boundary,amount"`
	LSAs            Counts     `json:"lsas" show:"lsas,right"` // by type
}

func overviewNoun() running.Noun {
	return show.Spec[running.Protocol, nothing, Overview]{
		Path: name,
		Help: show.Help{
			Short: "The router as OSPF sees it: its areas, its part in them, and when routes were calculated",
			Long: `The router as OSPF sees it: its areas, its part in them, and when routes were
calculated.

BORDER and BOUNDARY are the border routers of areas and of the AS among ROUTERS,
which are those that are reached within the area.`,
			Example: `  routerd show ospf
  routerd show ospf neighbor -w 1s
  routerd show ospf database router 10.255.0.2 detail
  routerd show ospf route 192.168.20.0/24 detail`,
		},
		Ask: running.Answered(name, func(c core, q *running.Question[nothing]) Overview {
			s := c.Summary()
			return overviewOf(&s)
		}),
		Draw: func(s *show.Screen, _ *nothing, o *Overview) { o.draw(s) },
	}.Noun()
}

// nothing is a query that chooses nothing.
type nothing struct{}

// OnInterface implements running.Query.
func (nothing) OnInterface() string { return "" }

func overviewOf(s *ospf.Summary) Overview {
	o := Overview{
		RouterID: address(s.Router), RouterIDChosen: s.Chosen, AreaBorderRouter: s.Border, ASBoundaryRouter: s.Boundary,
		Interfaces: s.Interfaces, Neighbors: neighborCounts(s), Routes: routeCounts(s), ASLSAs: lsaCounts(&s.AS, asTypes),
		ReceivedLSAs: s.Received, MaxLSA: s.MaxLSA,
	}
	for _, a := range s.Areas {
		o.Areas = append(o.Areas, Area{
			Area: a.ID.Addr(), Type: a.Type.String(), NoSummary: a.NoSummaries, Transit: a.Transit,
			Interfaces: a.Interfaces, Neighbors: a.Neighbors, Full: a.Full,
			Routers: a.Routers, BorderRouters: a.Borders, BoundaryRouters: a.Boundary, LSAs: lsaCounts(&a.LSAs, areaTypes),
		})
	}
	return o
}

var (
	asTypes   = []wire.LSType{wire.ExternalLSA, wire.ASOpaque}
	areaTypes = []wire.LSType{wire.RouterLSA, wire.NetworkLSA, wire.SummaryLSA, wire.ASBRSummary, wire.NSSALSA, wire.AreaOpaque}
	lsaTypes  = []wire.LSType{
		wire.RouterLSA, wire.NetworkLSA, wire.SummaryLSA, wire.ASBRSummary, wire.ExternalLSA, wire.NSSALSA,
		wire.LinkOpaque, wire.AreaOpaque, wire.ASOpaque,
	}
)

func lsaCounts(n *ospf.LSACounts, types []wire.LSType) (list Counts) {
	for _, t := range types {
		list = append(list, Count{t.String(), uint64(n[t])})
	}
	return list
}

func neighborCounts(s *ospf.Summary) (list Counts) {
	for state, n := range s.Neighbors {
		list = append(list, Count{ospf.NeighborState(state).String(), uint64(n)})
	}
	return list
}

func routeCounts(s *ospf.Summary) (list Counts) {
	for t := ospf.IntraArea; t <= ospf.External2; t++ {
		list = append(list, Count{t.String(), uint64(s.Routes[t])})
	}
	return list
}

func (o *Overview) draw(s *show.Screen) {
	fmt.Fprintln(s, o.title())
	line(s, "interfaces", "%d", o.Interfaces)
	line(s, "neighbors", "%s", o.Neighbors.some())
	line(s, "routes", "%s", o.Routes.some())
	line(s, "LSAs of the AS", "%s", o.ASLSAs.some())
	bound := "without a bound"
	if o.MaxLSA > 0 {
		bound = fmt.Sprintf("at most %d", o.MaxLSA)
	}
	line(s, "LSAs of others", "%d, %s", o.ReceivedLSAs, bound)
	if len(o.Areas) > 0 {
		fmt.Fprintln(s)
		show.Rows(s, o.Areas)
	}
}

func (o *Overview) title() string {
	if !o.RouterID.IsValid() {
		return "no router ID yet: no interface has an IPv4 address"
	}
	words := []string{"router ID " + o.RouterID.String()}
	if o.RouterIDChosen {
		words[0] += ", chosen"
	}
	if o.AreaBorderRouter {
		words = append(words, "area border router")
	}
	if o.ASBoundaryRouter {
		words = append(words, "AS boundary router")
	}
	return strings.Join(words, ", ")
}
