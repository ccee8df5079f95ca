package rip

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing"
	"routerd/routing/rip"
)

// core has the methods of rip.Machine that the nouns use.
type core interface {
	Routes(after netip.Prefix, limit int) []rip.RouteInfo
	Route(p netip.Prefix) (rip.RouteInfo, bool)
	Neighbors() []rip.NeighborInfo
	Interfaces() []rip.InterfaceInfo
	Summary() rip.Summary
}

// RouteQuery selects routes. The zero query selects all.
type RouteQuery struct {
	running.Heard
	Prefix netip.Prefix `query:"prefix,arg"`
	After  netip.Prefix `query:"after,api"`           // the page after this prefix: RoutePage.Next
	Limit  int          `query:"limit,api,max=10000"` // most prefixes to look at; 0 = the router's default
}

// InterfaceQuery selects interfaces. The zero query selects all.
type InterfaceQuery struct {
	Interface string `query:"interface,arg,complete=interface"`
}

// OnInterface implements running.Query.
func (q InterfaceQuery) OnInterface() string { return q.Interface }

// Nouns returns what RIP or RIPng shows, and its actions.
func (p Protocol) Nouns() []running.Noun {
	name, title := p.String(), p.Title()
	example := strings.ReplaceAll(`  routerd show rip route
  routerd show rip route --neighbor NEIGHBOR
  routerd show rip neighbor -w 1s
  routerd show rip interface -o wide`, "show rip ", "show "+name+" ")
	neighbor := map[Protocol]string{RIP: "10.0.12.2", RIPng: "fe80::2"}[p]
	return []running.Noun{
		show.Heading[running.Protocol](name, show.Help{
			Short: "What " + title + " knows, hears and says", Example: strings.ReplaceAll(example, "NEIGHBOR", neighbor),
		}),
		routeNoun(name), neighborNoun(name), interfaceNoun(p), clearNoun(name, title),
	}
}

// Title is the usual spelling of the protocol's name.
func (p Protocol) Title() string { return map[Protocol]string{RIP: "RIP", RIPng: "RIPng"}[p] }

// String is the protocol's name in the configuration and on the command line.
func (p Protocol) String() string { return rip.Protocol(p).String() }

func routeNoun(name string) running.Noun {
	return show.Spec[running.Protocol, RouteQuery, RoutePage]{
		Path: name + "/route",
		Help: show.Help{
			Aliases: []string{"routes"}, Args: "[PREFIX]",
			Short: "What it has learned and what it announces, with metrics and timers",
			Long: `What the protocol has learned and what it announces of the router's own.

A dying route was lost; it is announced as unreachable, with metric 16, until
it is forgotten. EXPIRES says when a route dies unless it is heard of again, or
when a dying one is forgotten.`,
		},
		Ask: running.Answered(name, routes),
		Nothing: func(q *RouteQuery) error {
			if q.Prefix.IsValid() {
				return fmt.Errorf("%s knows nothing of exactly %s", name, q.Prefix)
			}
			return nil
		},
	}.Noun()
}

func routes(c core, q *running.Question[RouteQuery]) (page RoutePage) {
	if q.Query.Prefix.IsValid() {
		if r, ok := c.Route(q.Query.Prefix); ok && wanted(q, &r) {
			page.Routes = append(page.Routes, routeOf(&r, q.Protocol, q.Now))
		}
		return page
	}
	limit := running.Limit(q.Query.Limit)
	list := c.Routes(q.Query.After, limit)
	for i := range list {
		if wanted(q, &list[i]) {
			page.Routes = append(page.Routes, routeOf(&list[i], q.Protocol, q.Now))
		}
	}
	if len(list) == limit {
		page.Next = list[limit-1].Prefix
	}
	return page
}

// wanted reports whether a query selects a route, by where it was learned.
func wanted(q *running.Question[RouteQuery], r *rip.RouteInfo) bool {
	return q.Query.Heard == running.Heard{} || slices.ContainsFunc(r.Paths, func(by rip.PathInfo) bool {
		return q.Chooses(by.Interface) && q.Query.From(by.Neighbor)
	})
}

func neighborNoun(name string) running.Noun {
	return show.Spec[running.Protocol, running.Heard, NeighborList]{
		Path: name + "/neighbor",
		Help: show.Help{
			Aliases: []string{"neighbors"},
			Short:   "The routers that it hears, and how many routes lead there",
			Long: `The routers that it hears, and how many routes lead there.

AGE counts since an update of the neighbour's was last used. BAD PACKETS were
not used: with another key, or malformed. BAD ENTRIES are of packets that were.`,
		},
		Ask: running.Answered(name, func(c core, q *running.Question[running.Heard]) (list NeighborList) {
			for _, n := range c.Neighbors() {
				if q.Chooses(n.Interface) && q.Query.From(n.Address) {
					list.Neighbors = append(list.Neighbors, neighborOf(&n, q.Now))
				}
			}
			return list
		}),
	}.Noun()
}

func interfaceNoun(kind Protocol) running.Noun {
	name := kind.String()
	return show.Spec[running.Protocol, InterfaceQuery, InterfaceList]{
		Path: name + "/interface",
		Help: show.Help{
			Aliases: []string{"interfaces"}, Args: "[NAME]",
			Short: "The interfaces that speak it: settings, timers, and what went in and out",
			Long: `The interfaces that speak it: settings, timers, and what went in and out.

SENT and RECEIVED count packets, REFUSED those that were not used; -o json
says what kind they were and why. UPDATE is when the next regular one is sent.`,
		},
		Ask: running.Answered(name, func(c core, q *running.Question[InterfaceQuery]) (list InterfaceList) {
			for _, i := range c.Interfaces() {
				if q.Chooses(i.Interface) {
					list.Interfaces = append(list.Interfaces, interfaceOf(kind, &i, q.Now))
				}
			}
			slices.SortFunc(list.Interfaces, func(x, y Interface) int { return strings.Compare(x.Name, y.Name) })
			return list
		}),
		Nothing: func(q *InterfaceQuery) error {
			if q.Interface != "" {
				return fmt.Errorf("%s does not speak %s now", q.Interface, name)
			}
			return nil
		},
	}.Noun()
}

// clearNoun makes the machine delete learned routes. It sends a Clear, after
// counting the paths that this removes.
func clearNoun(name, title string) running.Noun {
	return show.Spec[running.Protocol, running.Heard, ClearResult]{
		Path: "clear/" + name, Changes: true,
		Help: show.Help{Short: "Forget what " + title + " has learned, and ask the neighbours for it at once"},
		Ask: func(ctx context.Context, p running.Protocol, q running.Heard) (ClearResult, error) {
			var on routing.InterfaceID
			out, err := running.Answered(name, func(c core, q *running.Question[running.Heard]) (out ClearResult) {
				on = q.On
				for _, n := range c.Neighbors() {
					if q.Chooses(n.Interface) && q.Query.From(n.Address) {
						out.Cleared += n.Routes
					}
				}
				return out
			})(ctx, p, q)
			if err != nil {
				return out, err
			}
			return out, running.Tell(ctx, p, name, rip.Clear{Interface: on, Address: q.Neighbor})
		},
		Draw: func(s *show.Screen, _ *running.Heard, r *ClearResult) {
			fmt.Fprintf(s, "ways forgotten: %d\n", r.Cleared)
		},
	}.Noun()
}
