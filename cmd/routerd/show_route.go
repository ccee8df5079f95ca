package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"routerd/internal/control"
)

// newShowFamilyCommand makes "show ip" and "show ipv6": the words of other
// routers, kept for hands that know them.
func newShowFamilyCommand(s *shower, name string, family int) *cobra.Command {
	cmd := group(name, fmt.Sprintf("The same of IPv%d only: show %s route, show %s fib", family, name, name),
		newShowRouteCommand(s, family), newShowFIBCommand(s, family), newShowARPCommand(s, map[int]string{4: "arp", 6: "neighbor"}[family], family))
	cmd.Hidden = true
	return cmd
}

// wanted is which prefixes a command line asks for.
type wanted struct {
	prefix netip.Prefix // this one
	addr   netip.Addr   // the one that packets for this address go by
}

// parseWanted reads "", "PREFIX", "ADDRESS" and "for ADDRESS".
func parseWanted(args []string, family int) (w wanted, err error) {
	text := ""
	switch {
	case len(args) == 0:
		return w, nil
	case len(args) == 2 && args[0] == "for":
		text = args[1]
	case len(args) == 2:
		return w, usagef("unexpected %q, wanted a prefix, an address, or for and an address", args[0])
	case args[0] == "for":
		return w, usagef("for which address?")
	default:
		text = args[0]
		if w.prefix, err = netip.ParsePrefix(text); err == nil {
			w.prefix = w.prefix.Masked()
			return w, w.check(text, w.prefix.Addr(), family)
		}
	}
	if w.addr, err = netip.ParseAddr(text); err != nil || w.addr.Zone() != "" {
		kind := "an address such as 10.0.0.1"
		if len(args) == 1 {
			kind = "a prefix such as 10.0.0.0/8 or " + kind
		}
		return w, usagef("%q: wanted %s", text, kind)
	}
	w.addr = w.addr.Unmap()
	return w, w.check(text, w.addr, family)
}

func (wanted) check(text string, a netip.Addr, family int) error {
	if family != 0 && (family == 4) != a.Is4() {
		return usagef("%s is not IPv%d", text, family)
	}
	return nil
}

// nothing is the error for an answer without what was wanted.
func (w wanted) nothing() error {
	if w.prefix.IsValid() {
		return fmt.Errorf("there is no route to exactly %s; routerd show route for %s tells which one leads there", w.prefix, w.prefix.Addr())
	}
	return fmt.Errorf("no route covers %s", w.addr)
}

func (w wanted) one() bool { return w.prefix.IsValid() || w.addr.IsValid() }

// sources is whom routes come from, to be offered; the router knows best.
var sources = []string{"connected", "static", "ospf", "rip", "ebgp", "ibgp"}

func newShowRouteCommand(s *shower, family int) *cobra.Command {
	var source string
	cmd := &cobra.Command{
		Use:     "route [PREFIX | [for] ADDRESS]",
		Aliases: []string{"routes"},
		Short:   "Every route that is offered, and why it lost",
		Long: `The routing table: every route that a source offers for a prefix, the best
one first. Packets are forwarded by the routes marked with *; a route without
says in NOTE why it is not used.

With a prefix, only the routes of exactly this prefix; with an address, those
of the prefix that packets for it are forwarded by.`,
		Example: `  routerd show route
  routerd show route 10.0.0.0/8
  routerd show route for 192.0.2.7
  routerd show route --protocol static -o wide`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := parseWanted(args, family)
			if err != nil {
				return err
			}
			q := control.RouteQuery{Prefix: w.prefix, For: w.addr, Source: source, Family: family}
			return show(cmd, s, func(ctx context.Context, c *control.Client) (control.RoutePage, error) {
				page, err := allRoutes(ctx, c, q)
				if err == nil && len(page.Routes) == 0 && w.one() {
					err = w.nothing()
				}
				return page, err
			}, drawRoutes)
		},
	}
	cmd.Flags().StringVar(&source, "source", "", "only what this `source` offers: "+strings.Join(sources, ", "))
	cmd.Flags().StringVar(&source, "protocol", "", "same as --source")
	for _, flag := range []string{"source", "protocol"} {
		cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(sources, cobra.ShellCompDirectiveNoFileComp))
	}
	cmd.MarkFlagsMutuallyExclusive("source", "protocol")
	return cmd
}

// allRoutes walks the table page by page.
func allRoutes(ctx context.Context, c *control.Client, q control.RouteQuery) (control.RoutePage, error) {
	all := control.RoutePage{Routes: []control.Route{}}
	for {
		page, err := c.Routes(ctx, q)
		if err != nil {
			return all, err
		}
		all.Routes = append(all.Routes, page.Routes...)
		if q.After = page.Next; !q.After.IsValid() {
			return all, nil
		}
	}
}

func drawRoutes(p *paper, page control.RoutePage) {
	if len(page.Routes) == 0 {
		fmt.Fprintln(p, "no routes")
		return
	}
	t := table{columns: []column{
		{name: ""},
		{name: "prefix"},
		{name: "source"},
		{name: "distance", right: true},
		{name: "metric", right: true},
		{name: "tag", right: true, wide: true},
		{name: "next hop"},
		{name: "since", wide: true},
		{name: "origin", wide: true},
		{name: "note", optional: true},
	}}
	for i := range page.Routes {
		r := &page.Routes[i]
		mark := ""
		if r.Installed {
			mark = "*"
		}
		lines := routeLines(r)
		first := []any{
			cell{mark, good},
			r.Prefix, r.Source, r.Distance, r.Metric, r.Tag, lines[0].hop,
			r.Since.UTC().Format(time.RFC3339), r.Origin,
			cell{lines[0].note, faint},
		}
		t.add(first...)
		for _, l := range lines[1:] {
			t.add("", "", "", "", "", "", l.hop, "", "", cell{l.note, faint})
		}
	}
	t.draw(p)
}

// routeLine is one next hop of a route with what is to be said about it.
type routeLine struct{ hop, note string }

func routeLines(r *control.Route) []routeLine {
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

// withoutHop says where a route without next hops leads.
func withoutHop(action, iface string) string {
	switch {
	case action == "forward":
		return "directly on " + iface
	case iface != "":
		return action + " on " + iface
	}
	return action
}

// givenHop says where a next hop leads, and through what if not directly.
func givenHop(h *control.NextHop) string {
	given := control.Hop{Address: h.Address, Interface: h.Interface}
	switch {
	case !h.Usable:
	case len(h.Resolved) == 0:
		return fmt.Sprintf("%s, discarded by the route to %s", h.Address, h.Via)
	case len(h.Resolved) == 1 && h.Resolved[0].Address == h.Address:
		given.Interface = h.Resolved[0].Interface
	case h.Via.IsValid():
		var through []string
		for _, r := range h.Resolved {
			through = append(through, hopText(r))
		}
		return fmt.Sprintf("%s through %s", h.Address, strings.Join(through, ", "))
	}
	return hopText(given)
}

func hopText(h control.Hop) string {
	switch {
	case !h.Address.IsValid():
		return "directly on " + h.Interface
	case h.Interface == "":
		return h.Address.String()
	}
	return h.Address.String() + " on " + h.Interface
}

func newShowFIBCommand(s *shower, family int) *cobra.Command {
	return &cobra.Command{
		Use:   "fib [PREFIX | [for] ADDRESS]",
		Short: "What packets are forwarded by",
		Long: `The forwarding table: what the router does with a packet, by the longest
prefix that its destination lies in. show route has the routes that it was
made from.`,
		Example: `  routerd show fib
  routerd show fib for 2001:db8::1`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := parseWanted(args, family)
			if err != nil {
				return err
			}
			q := control.FIBQuery{Prefix: w.prefix, For: w.addr, Family: family}
			return show(cmd, s, func(ctx context.Context, c *control.Client) (control.FIBPage, error) {
				page, err := allFIB(ctx, c, q)
				if err == nil && len(page.Entries) == 0 && w.one() {
					err = w.nothing()
				}
				return page, err
			}, drawFIB)
		},
	}
}

// allFIB walks the table page by page. The generation is that of the last.
func allFIB(ctx context.Context, c *control.Client, q control.FIBQuery) (control.FIBPage, error) {
	all := []control.FIBEntry{}
	for {
		page, err := c.FIB(ctx, q)
		if err != nil {
			return page, err
		}
		all = append(all, page.Entries...)
		if q.After = page.Next; !q.After.IsValid() {
			page.Entries = all
			return page, nil
		}
	}
}

func drawFIB(p *paper, page control.FIBPage) {
	t := table{columns: []column{
		{name: "prefix"},
		{name: "next hop"},
		{name: "source"},
		{name: "distance", right: true, wide: true},
		{name: "metric", right: true, wide: true},
		{name: "origin", wide: true},
	}}
	for i := range page.Entries {
		e := &page.Entries[i]
		addFIBEntry(&t, e, func(first string) []any { return []any{e.Prefix, first, e.Source, e.Distance, e.Metric, e.Origin} })
	}
	if len(page.Entries) > 0 {
		t.draw(p)
		fmt.Fprintln(p)
	}
	fmt.Fprintf(p, "%s, %s in the whole table, generation %d\n",
		plural(page.IPv4, "IPv4 entry", "IPv4 entries"), plural(page.IPv6, "IPv6 entry", "IPv6 entries"), page.Generation)
}

// addFIBEntry adds an entry, a line for each next hop: row makes the first, and
// the others have theirs in the second column.
func addFIBEntry(t *table, e *control.FIBEntry, row func(first string) []any) {
	hops := []string{withoutHop(e.Action, e.Interface)}
	for n, h := range e.NextHops {
		text := hopText(h)
		if len(e.NextHops) > 1 && h.Weight != 1 {
			text += fmt.Sprintf(" (weight %d)", h.Weight)
		}
		if n == 0 {
			hops = hops[:0]
		}
		hops = append(hops, text)
	}
	t.add(row(hops[0])...)
	for _, h := range hops[1:] {
		t.add("", h)
	}
}
