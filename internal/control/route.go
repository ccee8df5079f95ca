package control

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"routerd/internal/show"
	"routerd/routing"
)

// RouteQuery selects routes. The zero query selects all.
type RouteQuery struct {
	Prefix netip.Prefix `query:"prefix,api"` // exactly this prefix
	For    netip.Addr   `query:"for,api"`    // only the prefix that forwards packets for this address
	Source Source       `query:"source,alias=protocol" help:"only what this <source> offers"`
	Family show.Family  `query:"family,api"`          // 4 or 6; 0 = both
	After  netip.Prefix `query:"after,api"`           // the page after this prefix: RoutePage.Next
	Limit  int          `query:"limit,api,max=10000"` // most prefixes to look at; 0 = the router's default
}

// Source is the source of routes, "" for any.
type Source string

// Sources returns the names of all sources.
func Sources() (all []string) {
	for i := routing.SourceNone + 1; int(i) < routing.NumSources; i++ {
		all = append(all, i.String())
	}
	return all
}

// Set implements show.Value.
func (s *Source) Set(text string) error {
	if !slices.Contains(Sources(), text) {
		return errors.New("wanted one of " + strings.Join(Sources(), ", "))
	}
	*s = Source(text)
	return nil
}

func (s *Source) String() string { return string(*s) }

// Offered implements show.Offering.
func (*Source) Offered() []string { return Sources() }

// RoutePage is a page of the routing table. It may have fewer routes than asked
// for, even none: only a page without Next is the last.
type RoutePage struct {
	Routes []Route      `json:"routes" show:",rows"`
	Next   netip.Prefix `json:"next,omitzero"`
}

// Route is one route that a source offers, and whether it is used.
type Route struct {
	Prefix    netip.Prefix `json:"prefix"`
	Source    string       `json:"source"`
	Action    string       `json:"action"` // forward | blackhole | unreachable | prohibit | local | broadcast
	Distance  int          `json:"distance"`
	Metric    uint32       `json:"metric"`
	Tag       uint32       `json:"tag"`
	Interface string       `json:"interface,omitempty"` // of connected, local and broadcast; absent otherwise
	NextHops  []NextHop    `json:"next_hops"`
	Selected  bool         `json:"selected"`
	Stale     bool         `json:"stale"`             // its source has restarted and has not offered it again
	Installed bool         `json:"installed"`         // it forwards packets
	WhyNot    string       `json:"why_not,omitempty"` // absent when selected
	Origin    string       `json:"origin,omitempty"`  // "file:line"; absent when no line made it
	Since     time.Time    `json:"since"`             // when its source last changed it
}

// NextHop is one next hop of a route, as its source gave it.
type NextHop struct {
	Address   netip.Addr   `json:"address,omitzero"`    // absent: directly on the interface
	Interface string       `json:"interface,omitempty"` // absent: resolved through the routing table
	Weight    int          `json:"weight"`              // at least 1
	Backup    bool         `json:"backup,omitempty"`    // it serves only while none of the others is alive
	Usable    bool         `json:"usable"`
	WhyNot    string       `json:"why_not,omitempty"` // absent when usable
	Via       netip.Prefix `json:"via,omitzero"`      // the route it was resolved through; absent if none was needed
	Resolved  []Hop        `json:"resolved"`          // where packets go
}

// Hop is a resolved next hop.
type Hop struct {
	Address   netip.Addr `json:"address,omitzero"` // absent: the destination is on the link
	Interface string     `json:"interface"`
	Weight    int        `json:"weight"` // at least 1
	// Dead has the causes for which a hop of the forwarding table is dead:
	// carrier, interface, neighbor, bfd, protocol. Its flows use the other hops
	// that are alive, if there are any.
	Dead []string `json:"dead,omitempty"`
	// Backup is set of a hop that gets packets only while none of the others is
	// alive.
	Backup bool `json:"backup,omitempty"`
}

var routeNoun = show.Spec[Router, RouteQuery, RoutePage]{
	Path: "route",
	Help: show.Help{
		Aliases: []string{"routes"}, Args: "[PREFIX | [for] ADDRESS]",
		Short: "Every route that is offered, and why it lost",
		Long: `The routing table: every route that a source offers for a prefix, the best
one first. Packets are forwarded by the routes marked with *; a route without
says in NOTE why it is not used.

With a prefix, only the routes of exactly this prefix; with an address, those
of the prefix that packets for it are forwarded by.

A next hop that is a backup serves only while none of the others is alive.`,
		Example: `  routerd show route
  routerd show route 10.0.0.0/8
  routerd show route for 192.0.2.7
  routerd show route --protocol static -o wide`,
	},
	Ask:       func(ctx context.Context, r Router, q RouteQuery) (RoutePage, error) { return r.Routes(ctx, q) },
	Arguments: func(q *RouteQuery, args []string) error { return readTarget(args, q.Family, &q.Prefix, &q.For) },
	Nothing:   func(q *RouteQuery) error { return noRoute(q.Prefix, q.For) },
}.Noun()

// readTarget parses "", "PREFIX", "ADDRESS" and "for ADDRESS".
func readTarget(args []string, family show.Family, prefix *netip.Prefix, target *netip.Addr) (err error) {
	text := ""
	switch {
	case len(args) == 0:
		return nil
	case len(args) == 2 && args[0] == "for":
		text = args[1]
	case len(args) == 2:
		return fmt.Errorf("unexpected %q, wanted a prefix, an address, or for and an address", args[0])
	case args[0] == "for":
		return errors.New("for which address?")
	default:
		text = args[0]
		if p, err := netip.ParsePrefix(text); err == nil {
			*prefix = p.Masked()
			return ofFamily(text, p.Addr(), family)
		}
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		kind := "an address such as 10.0.0.1"
		if len(args) == 1 {
			kind = "a prefix such as 10.0.0.0/8 or " + kind
		}
		return fmt.Errorf("%q: wanted %s", text, kind)
	}
	*target = a.Unmap()
	return ofFamily(text, *target, family)
}

func ofFamily(text string, a netip.Addr, family show.Family) error {
	if !family.Has(a) {
		return fmt.Errorf("%s is not IPv%d", text, family)
	}
	return nil
}

// noRoute returns the error for a table without a matching route.
func noRoute(prefix netip.Prefix, target netip.Addr) error {
	switch {
	case prefix.IsValid():
		return fmt.Errorf("there is no route to exactly %s; routerd show route for %s tells which one leads there", prefix, prefix.Addr())
	case target.IsValid():
		return fmt.Errorf("no route covers %s", target)
	}
	return nil
}

// routeRow is a route in a table, with a line for each next hop.
type routeRow struct {
	Mark     string       `show:",good=*"`
	Prefix   netip.Prefix `show:"prefix"`
	Source   string       `show:"source"`
	Distance int          `show:"distance,right"`
	Metric   uint32       `show:"metric,right"`
	Tag      uint32       `show:"tag,right,wide"`
	Hops     []string     `show:"next hop,lines"`
	Since    time.Time    `show:"since,wide"`
	Origin   string       `show:"origin,wide"`
	Notes    []string     `show:"note,lines,optional,faint"`
}

// Drawn implements show.Drawn.
func (r *Route) Drawn(*show.Screen) any {
	row := &routeRow{Prefix: r.Prefix, Source: r.Source, Distance: r.Distance, Metric: r.Metric, Tag: r.Tag, Since: r.Since, Origin: r.Origin}
	if r.Installed {
		row.Mark = "*"
	}
	for _, l := range routeLines(r) {
		row.Hops, row.Notes = append(row.Hops, l.hop), append(row.Notes, l.note)
	}
	return row
}

// DrawFoot implements show.Footer.
func (*RoutePage) DrawFoot(s *show.Screen, rows int) {
	if rows == 0 {
		fmt.Fprintln(s, "no routes")
	}
}

// routeLine is one next hop of a route with a note.
type routeLine struct{ hop, note string }

func routeLines(r *Route) []routeLine {
	if len(r.NextHops) == 0 {
		return []routeLine{{withoutHop(r.Action, r.Interface), r.WhyNot}}
	}
	var lines []routeLine
	for i := range r.NextHops {
		h := &r.NextHops[i]
		l := routeLine{hop: givenHop(h)}
		if len(r.NextHops) > 1 && h.Weight != 1 {
			l.hop += fmt.Sprintf(" (weight %d)", h.Weight)
		}
		if h.Backup {
			l.hop += " (backup)"
		}
		if !h.Usable {
			l.note = h.WhyNot
		}
		lines = append(lines, l)
	}
	if r.WhyNot != "" && !strings.Contains(r.WhyNot, lines[0].note) || lines[0].note == "" {
		lines[0].note = r.WhyNot
	}
	if r.Stale && lines[0].note == "" {
		lines[0].note = "stale: its source has started afresh"
	}
	return lines
}

// withoutHop describes the target of a route without next hops.
func withoutHop(action, iface string) string {
	switch {
	case action == "forward":
		return "directly on " + iface
	case iface != "":
		return action + " on " + iface
	}
	return action
}

// givenHop describes a next hop, and what it is resolved through.
func givenHop(h *NextHop) string {
	given := Hop{Address: h.Address, Interface: h.Interface}
	switch {
	case !h.Usable:
	case len(h.Resolved) == 0:
		return fmt.Sprintf("%s, discarded by the route to %s", h.Address, h.Via)
	case len(h.Resolved) == 1 && h.Resolved[0].Address == h.Address:
		given.Interface = h.Resolved[0].Interface
	case h.Via.IsValid():
		var through []string
		for _, r := range h.Resolved {
			text := r.String()
			if r.Backup {
				text += " (backup)"
			}
			through = append(through, text)
		}
		return fmt.Sprintf("%s through %s", h.Address, strings.Join(through, ", "))
	}
	return given.String()
}

// String describes the hop.
func (h Hop) String() string {
	switch {
	case !h.Address.IsValid():
		return "directly on " + h.Interface
	case h.Interface == "":
		return h.Address.String()
	}
	return h.Address.String() + " on " + h.Interface
}
