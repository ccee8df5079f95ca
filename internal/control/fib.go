package control

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"routerd/internal/show"
)

// FIBQuery selects entries of the forwarding table, as RouteQuery does.
type FIBQuery struct {
	Prefix netip.Prefix `query:"prefix,api"`
	For    netip.Addr   `query:"for,api"`
	Family show.Family  `query:"family,api"`
	After  netip.Prefix `query:"after,api"`
	Limit  int          `query:"limit,api,max=10000"`
}

// FIBPage is a page of the forwarding table, with the size of the whole table.
// Next is as in RoutePage.
type FIBPage struct {
	Generation uint64       `json:"generation"`
	IPv4       int          `json:"ipv4"` // entries in the whole table
	IPv6       int          `json:"ipv6"`
	Entries    []FIBEntry   `json:"entries" show:",rows"`
	Next       netip.Prefix `json:"next,omitzero"`
}

// FIBEntry is an entry of the forwarding table.
type FIBEntry struct {
	Prefix    netip.Prefix `json:"prefix"`
	Action    string       `json:"action"` // as in Route
	Source    string       `json:"source"`
	Distance  int          `json:"distance"`
	Metric    uint32       `json:"metric"`
	Interface string       `json:"interface,omitempty"` // as in Route
	NextHops  []Hop        `json:"next_hops"`
	Origin    string       `json:"origin,omitempty"`
}

var fibNoun = show.Spec[Router, FIBQuery, FIBPage]{
	Path: "fib",
	Help: show.Help{
		Args:  "[PREFIX | [for] ADDRESS]",
		Short: "What packets are forwarded by",
		Long: `The forwarding table: what the router does with a packet, by the longest
prefix that its destination lies in. show route has the routes that it was
made from. A next hop that is dead gets no packets while another of the same
entry is not: carrier, interface, neighbor, bfd or protocol says who found out.
A backup gets packets only while all others of the entry are dead.`,
		Example: `  routerd show fib
  routerd show fib for 2001:db8::1`,
	},
	Ask:       func(ctx context.Context, r Router, q FIBQuery) (FIBPage, error) { return r.FIB(ctx, q) },
	Arguments: func(q *FIBQuery, args []string) error { return readTarget(args, q.Family, &q.Prefix, &q.For) },
	Nothing:   func(q *FIBQuery) error { return noRoute(q.Prefix, q.For) },
}.Noun()

// fibRow is an entry in a table, with a line for each next hop.
type fibRow struct {
	Prefix   netip.Prefix `show:"prefix"`
	Hops     []string     `show:"next hop,lines"`
	Source   string       `show:"source"`
	Distance int          `show:"distance,right,wide"`
	Metric   uint32       `show:"metric,right,wide"`
	Origin   string       `show:"origin,wide"`
}

// Drawn implements show.Drawn.
func (e *FIBEntry) Drawn(*show.Screen) any {
	return &fibRow{e.Prefix, e.Hops(), e.Source, e.Distance, e.Metric, e.Origin}
}

// Hops describes the entry's next hops or action. The list is never empty.
func (e *FIBEntry) Hops() (hops []string) {
	for _, h := range e.NextHops {
		text := h.String()
		if len(e.NextHops) > 1 && h.Weight != 1 {
			text += fmt.Sprintf(" (weight %d)", h.Weight)
		}
		if h.Backup {
			text += " (backup)"
		}
		if len(h.Dead) > 0 {
			text += fmt.Sprintf(" (dead: %s)", strings.Join(h.Dead, ", "))
		}
		hops = append(hops, text)
	}
	if len(hops) == 0 {
		hops = []string{withoutHop(e.Action, e.Interface)}
	}
	return hops
}

// DrawFoot implements show.Footer.
func (p *FIBPage) DrawFoot(s *show.Screen, rows int) {
	if rows > 0 {
		fmt.Fprintln(s)
	}
	fmt.Fprintf(s, "%s, %s in the whole table, generation %d\n",
		show.Plural(p.IPv4, "IPv4 entry", "IPv4 entries"), show.Plural(p.IPv6, "IPv6 entry", "IPv6 entries"), p.Generation)
}
