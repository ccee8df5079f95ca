package rip

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/routing"
	"routerd/routing/rip"
)

// core is what the nouns ask of a rip.Machine.
type core interface {
	Routes(after netip.Prefix, limit int) []rip.RouteInfo
	Route(p netip.Prefix) (rip.RouteInfo, bool)
	Neighbors() []rip.NeighborInfo
	Interfaces() []rip.InterfaceInfo
	Summary() rip.Summary
}

// RouteQuery chooses routes. The zero query is all of them.
type RouteQuery struct {
	running.Heard
	Prefix netip.Prefix `query:"prefix,arg"`
	After  netip.Prefix `query:"after,api"`           // the page behind this prefix: RoutePage.Next
	Limit  int          `query:"limit,api,max=10000"` // prefixes to look at; 0 leaves it to the router
}

// InterfaceQuery chooses interfaces. The zero query is all of them.
type InterfaceQuery struct {
	Interface string `query:"interface,arg,complete=interface"`
}

// Nouns are what RIP or RIPng shows, and what it can be made to do.
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

// Title is the protocol's name as people write it.
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
		Ask: func(ctx context.Context, p running.Protocol, q RouteQuery) (RoutePage, error) {
			return routes(ctx, p, name, q)
		},
		Nothing: func(q *RouteQuery) error {
			if q.Prefix.IsValid() {
				return fmt.Errorf("%s knows nothing of exactly %s", name, q.Prefix)
			}
			return nil
		},
	}.Noun()
}

func routes(ctx context.Context, p running.Protocol, name string, q RouteQuery) (page RoutePage, err error) {
	on, err := running.On(p, name, q.Interface)
	if err != nil {
		return page, err
	}
	limit := running.Limit(q.Limit)
	type seen struct {
		routes []rip.RouteInfo
		now    time.Time
	}
	got, err := running.Ask(ctx, p, name, func(c core, now time.Time) seen {
		if !q.Prefix.IsValid() {
			return seen{c.Routes(q.After, limit), now}
		}
		s := seen{now: now}
		if one, ok := c.Route(q.Prefix); ok {
			s.routes = append(s.routes, one)
		}
		return s
	})
	if err != nil {
		return page, err
	}
	if n := len(got.routes); n == limit && !q.Prefix.IsValid() {
		page.Next = got.routes[n-1].Prefix
	}
	for i := range got.routes {
		r := &got.routes[i]
		if (q.Heard != running.Heard{}) && !slices.ContainsFunc(r.Paths, func(by rip.PathInfo) bool {
			return heard(q.Heard, on, by.Interface, by.Neighbor)
		}) {
			continue
		}
		page.Routes = append(page.Routes, routeOf(r, p, got.now))
	}
	return page, nil
}

// heard reports whether a query chooses what was heard from a neighbour. on is
// the interface that it names.
func heard(q running.Heard, on, by routing.InterfaceID, from netip.Addr) bool {
	return (on == routing.NoInterface || on == by) && (!q.Neighbor.IsValid() || q.Neighbor == from)
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
		Ask: func(ctx context.Context, p running.Protocol, q running.Heard) (list NeighborList, err error) {
			on, err := running.On(p, name, q.Interface)
			if err != nil {
				return list, err
			}
			list.Neighbors, err = running.Ask(ctx, p, name, func(c core, now time.Time) (found []Neighbor) {
				for _, n := range c.Neighbors() {
					if heard(q, on, n.Interface, n.Address) {
						found = append(found, neighborOf(&n, now))
					}
				}
				return found
			})
			return list, err
		},
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
		Ask: func(ctx context.Context, p running.Protocol, q InterfaceQuery) (list InterfaceList, err error) {
			on, err := running.On(p, name, q.Interface)
			if err != nil {
				return list, err
			}
			list.Interfaces, err = running.Ask(ctx, p, name, func(c core, now time.Time) (found []Interface) {
				for _, i := range c.Interfaces() {
					if on == routing.NoInterface || on == i.Interface {
						found = append(found, interfaceOf(kind, &i, now))
					}
				}
				return found
			})
			slices.SortFunc(list.Interfaces, func(x, y Interface) int { return strings.Compare(x.Name, y.Name) })
			return list, err
		},
		Nothing: func(q *InterfaceQuery) error {
			if q.Interface != "" {
				return fmt.Errorf("%s does not speak %s now", q.Interface, name)
			}
			return nil
		},
	}.Noun()
}

// clearNoun makes the machine forget. It hands it a Clear as any other input,
// after a look at how much that takes.
func clearNoun(name, title string) running.Noun {
	return show.Spec[running.Protocol, running.Heard, ClearResult]{
		Path: "clear/" + name, Changes: true,
		Help: show.Help{Short: "Forget what " + title + " has learned, and ask the neighbours for it at once"},
		Ask: func(ctx context.Context, p running.Protocol, q running.Heard) (out ClearResult, err error) {
			on, err := running.On(p, name, q.Interface)
			if err != nil {
				return out, err
			}
			out.Cleared, err = running.Ask(ctx, p, name, func(c core, _ time.Time) (n int) {
				for _, x := range c.Neighbors() {
					if heard(q, on, x.Interface, x.Address) {
						n += x.Routes
					}
				}
				return n
			})
			if err != nil {
				return out, err
			}
			if err := p.Send(ctx, rip.Clear{Interface: on, Address: q.Neighbor}); err != nil {
				return out, show.Unavailable("clearing %s: %v", name, err)
			}
			// Answered only when it is done.
			_, err = running.Ask(ctx, p, name, func(core, time.Time) bool { return true })
			return out, err
		},
		Draw: func(s *show.Screen, _ *running.Heard, r *ClearResult) {
			fmt.Fprintf(s, "ways forgotten: %d\n", r.Cleared)
		},
	}.Noun()
}
