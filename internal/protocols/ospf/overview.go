package ospf

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

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
	StubRouter       bool   `json:"stub_router"` // it offers itself for no transit now
	Interfaces       int    `json:"interfaces"`
	Neighbors        Counts `json:"neighbors"` // by state
	Routes           Counts `json:"routes"`    // by type of path
	ASLSAs           Counts `json:"as_lsas"`   // in no area, by type
	ReceivedLSAs     int    `json:"received_lsas"`
	MaxLSA           int    `json:"max_lsa,omitempty"` // bound of ReceivedLSAs; absent without one
	SPF              SPF    `json:"spf"`
	Areas            []Area `json:"areas"`
}

// SPF is when and why routes were calculated, and when they will be.
type SPF struct {
	State   string  `json:"state"`         // quiet | short-wait | long-wait
	Due     float64 `json:"due,omitempty"` // seconds to the next calculation; absent if nothing has changed
	Changes int     `json:"changes"`       // since the last one
	Runs    Counts  `json:"runs"`          // by kind: full | incremental | partial | alternates
	Last    []Run   `json:"last"`          // the latest first
}

// Run is one calculation.
type Run struct {
	At      time.Time `json:"at"`
	Ago     float64   `json:"ago" show:"calculated,seconds"` // seconds
	Kind    string    `json:"kind" show:"kind"`              // full | incremental | partial | alternates
	State   string    `json:"state" show:"state,wide"`       // how changes were gathered
	Waited  float64   `json:"waited"`                        // seconds since the first change
	Changes int       `json:"changes" show:"changes,amount"`
	Nodes   int       `json:"nodes" show:"nodes,amount,wide"` // routers and networks that were reached
	Routes  int       `json:"routes" show:"routes,amount"`    // that have changed by it
	Why     []string  `json:"why" show:"because of,commas"`   // the first changes
}

// Area is an area that the router is attached to.
type Area struct {
	Area            netip.Addr `json:"area" show:"area"`
	Type            string     `json:"type" show:"type"` // normal | stub | nssa
	NoSummary       bool       `json:"no_summary" show:"summaries,yes=no,no=,optional"`
	Transit         bool       `json:"transit" show:"transit,optional"`                 // it carries traffic between other areas
	Translator      string     `json:"translator,omitempty" show:"translator,optional"` // of an NSSA: disabled | elected | enabled
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
which are those that are reached within the area. TRANSLATOR says whether the
router makes external LSAs of those of an NSSA.`,
			Example: `  routerd show ospf
  routerd show ospf neighbor -w 1s
  routerd show ospf database router 10.255.0.2 detail
  routerd show ospf route 192.168.20.0/24 detail`,
		},
		Ask: running.Answered(name, func(c core, q *running.Question[nothing]) Overview {
			s := c.Summary(q.Now)
			return overviewOf(&s, q.Now)
		}),
		Draw: func(s *show.Screen, _ *nothing, o *Overview) { o.draw(s) },
	}.Noun()
}

// nothing is a query that chooses nothing.
type nothing struct{}

// OnInterface implements running.Query.
func (nothing) OnInterface() string { return "" }

func overviewOf(s *ospf.Summary, now time.Time) Overview {
	o := Overview{
		RouterID: address(s.Router), RouterIDChosen: s.Chosen, AreaBorderRouter: s.Border, ASBoundaryRouter: s.Boundary,
		Interfaces: s.Interfaces, Neighbors: neighborCounts(s), Routes: routeCounts(s), ASLSAs: lsaCounts(&s.AS, asTypes),
		ReceivedLSAs: s.Received, MaxLSA: s.MaxLSA, StubRouter: s.Stub, SPF: spfOf(&s.SPF, now),
	}
	for _, a := range s.Areas {
		o.Areas = append(o.Areas, Area{
			Area: a.ID.Addr(), Type: a.Type.String(), NoSummary: a.NoSummaries, Transit: a.Transit,
			Interfaces: a.Interfaces, Neighbors: a.Neighbors, Full: a.Full,
			Translator: translator(&a),
			Routers:    a.Routers, BorderRouters: a.Borders, BoundaryRouters: a.Boundary, LSAs: lsaCounts(&a.LSAs, areaTypes),
		})
	}
	return o
}

// translator says whether the router translates the externals of an area, which only
// an NSSA's border router may do (RFC 3101 §3.1).
func translator(a *ospf.AreaInfo) string {
	if a.Type != ospf.NSSA {
		return ""
	}
	return a.Translator.String()
}

func spfOf(x *ospf.SPFInfo, now time.Time) SPF {
	s := SPF{State: x.Wait.String(), Due: until(x.Due, now), Changes: x.Changes, Runs: runCounts(x), Last: []Run{}}
	for _, r := range x.Last {
		run := Run{
			At: r.At.UTC(), Ago: since(r.At, now), Kind: r.Kind.String(), State: r.Wait.String(), Waited: r.Waited.Seconds(),
			Changes: r.Changes, Nodes: r.Vertices, Routes: r.Changed, Why: []string{},
		}
		for _, t := range r.Why {
			run.Why = append(run.Why, triggerText(&t))
		}
		s.Last = append(s.Last, run)
	}
	return s
}

func runCounts(x *ospf.SPFInfo) (list Counts) {
	for kind, n := range x.Runs {
		list = append(list, Count{ospf.RunKind(kind).String(), n})
	}
	return list
}

func triggerText(t *ospf.Trigger) string {
	if t.Because != "" {
		return t.Because
	}
	text := fmt.Sprintf("%v LSA %v of %v", t.LSA.Type, t.LSA.ID, t.LSA.Router)
	if t.LSA.Type != wire.ExternalLSA {
		text += fmt.Sprintf(" in area %v", t.Area)
	}
	if t.Flushed {
		text += " gone"
	}
	return text
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
	next := "nothing has changed"
	if o.SPF.Changes > 0 {
		next = fmt.Sprintf("%s, due in %v", show.Plural(o.SPF.Changes, "change", "changes"), time.Duration(o.SPF.Due*float64(time.Second)).Round(time.Millisecond))
	}
	line(s, "calculations", "%s; %s, %s", o.SPF.Runs.some(), o.SPF.State, next)
	if len(o.Areas) > 0 {
		fmt.Fprintln(s)
		show.Rows(s, o.Areas)
	}
	if len(o.SPF.Last) > 0 {
		fmt.Fprintln(s)
		show.Rows(s, o.SPF.Last)
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
	if o.StubRouter {
		words = append(words, "stub router: offers itself for no transit")
	}
	return strings.Join(words, ", ")
}
