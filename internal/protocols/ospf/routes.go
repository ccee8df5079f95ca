package ospf

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing/ospf"
)

// RouteQuery selects routes. The zero query selects all.
type RouteQuery struct {
	Prefix netip.Prefix `query:"prefix,arg"`
	Detail bool         `query:"detail" help:"all that there is to say of each, in lines and not in a table"`
	After  netip.Prefix `query:"after,api"`           // the page after this prefix: RoutePage.Next
	Limit  int          `query:"limit,api,max=10000"` // most prefixes of a page; 0 = the router's default
}

// OnInterface implements running.Query.
func (q RouteQuery) OnInterface() string { return "" }

// RoutePage is a page of the routes. Only a page without Next is the last.
type RoutePage struct {
	Routes []Route      `json:"routes" show:",rows"`
	Next   netip.Prefix `json:"next,omitzero"`
}

// Route is the best route to a prefix.
type Route struct {
	Prefix netip.Prefix `json:"prefix" show:"prefix"`
	Type   string       `json:"type" show:"type"`                                    // intra-area | inter-area | external-1 | external-2
	Area   netip.Addr   `json:"area,omitzero" show:"area,wide"`                      // absent of externals
	Cost   uint32       `json:"cost" show:"cost,right"`                              // of external-2: to where packets leave the AS
	Metric uint32       `json:"metric,omitempty" show:"metric,right,blank,optional"` // of external-2
	Tag    uint32       `json:"tag,omitempty" show:"tag,right,blank,optional"`
	Paths  []Path       `json:"paths" show:",lines"` // none: the router has it itself
	// Backup takes over before routes are calculated anew; NoBackup says why there
	// is none.
	Backup   *Backup `json:"backup,omitempty" show:"backup,optional"`
	NoBackup string  `json:"no_backup,omitempty"`
	// Refused: the import-policy keeps it from the routing table.
	Refused bool `json:"refused" show:"note,yes=refused by import-policy,no=,optional,bad=refused by import-policy"`
	// LSA is the one that says the prefix; of several equal ones that of the
	// highest router.
	LSA    LSAName    `json:"lsa"`
	Router netip.Addr `json:"router" show:"router,wide"` // whose LSA it is
	// Ways are the LSAs that each next hop follows from, of one prefix with detail.
	Ways []Way `json:"ways,omitempty"`
}

// Path is a next hop of a route.
type Path struct {
	NextHop   netip.Addr `json:"next_hop,omitzero" show:"next hop,none=on the link"`
	Interface string     `json:"interface" show:"interface"`
}

// Backup is a loop-free alternate.
type Backup struct {
	Path
	Protects []string `json:"protects"` // link, node; downstream: whatever else fails, it leads in no circle
}

// Cell implements show.Celled.
func (b *Backup) Cell(*show.Screen) show.Cell {
	if b == nil {
		return show.Cell{}
	}
	return show.Cell{Text: b.text()}
}

// LSAName says which LSA it is.
type LSAName struct {
	Type   string     `json:"type"`
	ID     netip.Addr `json:"id"`
	Router netip.Addr `json:"router"`
}

// Way is a next hop, and the LSAs that it follows from, the router's own first.
type Way struct {
	Path
	LSAs []Step `json:"lsas"`
}

// Step is an LSA on the way to a prefix.
type Step struct {
	LSAName
	Area  netip.Addr `json:"area,omitzero"` // absent of the AS's scope
	To    string     `json:"to"`            // router | network | prefix
	What  string     `json:"what"`          // the router ID, or the network or prefix
	Cost  uint32     `json:"cost"`          // that it adds
	Total uint32     `json:"total"`         // from the router to there
}

func routeNoun() running.Noun {
	return show.Spec[running.Protocol, RouteQuery, RoutePage]{
		Path: name + "/route",
		Help: show.Help{
			Aliases: []string{"routes"}, Args: "[PREFIX] [detail]",
			Short: "The best routes by its databases, whether they are used or not",
			Long: `The best routes by its databases, whether they are used or not: "routerd show
route" has those, and "routerd explain route" says why.

COST is the cost within the AS; of external-2 routes METRIC comes first. BACKUP
takes over before routes are calculated anew, with fast-reroute. With detail, it
says why there is none, and of one prefix which LSAs each next hop follows from.`,
		},
		Ask: running.Answered(name, routes),
		Arguments: func(q *RouteQuery, args []string) error {
			for _, arg := range args {
				if arg == "detail" && !q.Detail {
					q.Detail = true
					continue
				}
				p, err := netip.ParsePrefix(arg)
				if err != nil || !p.Addr().Is4() || q.Prefix.IsValid() {
					return fmt.Errorf("%q: wanted a prefix such as 10.0.0.0/8, and detail", arg)
				}
				q.Prefix = p.Masked()
			}
			return nil
		},
		Nothing: func(q *RouteQuery) error {
			if q.Prefix.IsValid() {
				return fmt.Errorf("ospf has no route to exactly %s", q.Prefix)
			}
			return nil
		},
		Drawn: func(q *RouteQuery) bool { return q.Detail },
		Draw: func(s *show.Screen, q *RouteQuery, p *RoutePage) {
			if q.After.IsValid() && len(p.Routes) > 0 {
				fmt.Fprintln(s)
			}
			blocks(s, p.Routes, func(r *Route) { r.draw(s) })
		},
	}.Noun()
}

func routes(c core, q *running.Question[RouteQuery]) (page RoutePage) {
	if p := q.Query.Prefix; p.IsValid() {
		if r, ok := c.Route(p); ok {
			page.Routes = append(page.Routes, routeOf(&r, q.Protocol))
			if q.Query.Detail {
				page.Routes[0].Ways = waysOf(c.Trace(p), q.Protocol)
			}
		}
		return page
	}
	limit := running.Limit(q.Query.Limit)
	list := c.Routes(q.Query.After, limit)
	for i := range list {
		page.Routes = append(page.Routes, routeOf(&list[i], q.Protocol))
	}
	if len(list) == limit {
		page.Next = list[limit-1].Prefix
	}
	return page
}

func routeOf(x *ospf.RouteInfo, p running.Protocol) Route {
	r := Route{
		Prefix: x.Prefix, Type: x.Type.String(), Cost: x.Cost, Metric: x.Metric, Tag: x.Tag, Paths: pathsOf(x.Hops, p),
		LSA: LSAName{x.Origin.Type.String(), x.Origin.ID.Addr(), x.Origin.Router.Addr()}, Router: x.Origin.Router.Addr(),
	}
	if x.Type <= ospf.InterArea {
		r.Area = x.Area.Addr()
	}
	r.Refused = x.Refused
	if a := &x.Alternate; a.Why != ospf.Protected {
		r.NoBackup = a.Why.String()
	} else {
		r.Backup = &Backup{Path: pathsOf([]ospf.Hop{a.Hop}, p)[0], Protects: []string{}}
		for _, x := range protections {
			if a.Protection&x.bit != 0 {
				r.Backup.Protects = append(r.Backup.Protects, x.name)
			}
		}
	}
	return r
}

var protections = []struct {
	bit  ospf.Protection
	name string
}{{ospf.ProtectsLink, "link"}, {ospf.ProtectsNode, "node"}, {ospf.Downstream, "downstream"}}

func pathsOf(hops []ospf.Hop, p running.Protocol) []Path {
	list := []Path{}
	for _, h := range hops {
		list = append(list, Path{h.Address, p.InterfaceName(h.Interface)})
	}
	return list
}

// Derive says which LSAs each next hop of the route to a prefix follows from.
func Derive(ctx context.Context, p running.Protocol, to netip.Prefix) ([]running.Derivation, error) {
	return running.Ask(ctx, p, name, func(c core, _ time.Time) (list []running.Derivation) {
		for _, w := range waysOf(c.Trace(to), p) {
			list = append(list, running.Derivation{Path: w.text(), Steps: w.lines()})
		}
		if area, ok := c.Discards(to); ok && len(list) == 0 {
			list = append(list, running.Derivation{Path: "nothing", Steps: []string{
				fmt.Sprintf("it is a range of area %v, which this router announces: what has no route of its own is discarded, so that it goes in no circle", area),
			}})
		}
		return list
	})
}

func waysOf(ways []ospf.TracedWay, p running.Protocol) (list []Way) {
	for _, x := range ways {
		w := Way{LSAs: []Step{}}
		if !x.Own {
			w.Path = pathsOf([]ospf.Hop{x.Hop}, p)[0]
		}
		for _, s := range x.Steps {
			step := Step{
				LSAName: LSAName{s.LSA.Type.String(), s.LSA.ID.Addr(), s.LSA.Router.Addr()},
				To:      s.Kind.String(), What: s.ID.String(), Cost: s.Cost, Total: s.Total,
			}
			if s.Prefix.IsValid() {
				step.What = s.Prefix.String()
			}
			if !s.AS {
				step.Area = s.Area.Addr()
			}
			w.LSAs = append(w.LSAs, step)
		}
		list = append(list, w)
	}
	return list
}

// draw writes all that there is to say of a route, a line for each thing.
func (r *Route) draw(s *show.Screen) {
	fmt.Fprintf(s, "%s %s\n", r.Prefix, r.Type)
	cost := fmt.Sprint(r.Cost)
	if r.Type == ospf.External2.String() {
		cost = fmt.Sprintf("%d to where packets leave the AS, metric %d", r.Cost, r.Metric)
	}
	if r.Area.IsValid() {
		cost += ", area " + r.Area.String()
	}
	if r.Tag != 0 {
		cost += fmt.Sprintf(", tag %d", r.Tag)
	}
	line(s, "cost", "%s", cost)
	line(s, "LSA", "%s %s of %s", r.LSA.Type, r.LSA.ID, r.LSA.Router)
	for _, p := range r.Paths {
		line(s, "next hop", "%s", p.text())
	}
	if len(r.Paths) == 0 {
		line(s, "next hop", "none: this router has it itself")
	}
	if b := r.Backup; b != nil {
		line(s, "backup", "%s, protects: %s", b.text(), strings.Join(b.Protects, ", "))
	} else {
		line(s, "backup", "none: %s", r.NoBackup)
	}
	if r.Refused {
		line(s, "policy", "the import-policy refuses it")
	}
	for _, w := range r.Ways {
		line(s, "follows from", "these LSAs, by %s", w.text())
		for _, text := range w.lines() {
			fmt.Fprintf(s, "    %s\n", text)
		}
	}
}

// text is the next hop in words.
func (p *Path) text() string {
	switch {
	case p.Interface == "":
		return "the router itself"
	case !p.NextHop.IsValid():
		return "on the link of " + p.Interface
	}
	return fmt.Sprintf("%s on %s", p.NextHop, p.Interface)
}

// lines say each LSA of a way in a line.
func (w *Way) lines() []string {
	if len(w.LSAs) == 0 {
		return []string{"LSAs have changed since: routes are about to be calculated anew"}
	}
	var list []string
	for _, s := range w.LSAs {
		where := "of the AS"
		if s.Area.IsValid() {
			where = "of area " + s.Area.String()
		}
		list = append(list, fmt.Sprintf("%s LSA %s of %s, %s: to %s %s, cost %d, %d in all", s.Type, s.ID, s.Router, where, s.To, s.What, s.Cost, s.Total))
	}
	return list
}
