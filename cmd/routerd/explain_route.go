package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"routerd/internal/control"
	"routerd/internal/show"
)

func newExplainRouteCommand(s *session) *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use:   "route ADDRESS",
		Short: "Tell how the router decides where packets for an address go",
		Long: `Tell how the router decides where packets for an address go, in order: the
routes that are offered for the prefixes that it lies in and the comparison that
decided, how the next hops lead to neighbours, what a route follows from where its
protocol can say so, which protocols pass the route on and through which policy,
the entry that packets are forwarded by, and what is known of the neighbour on
the link.`,
		Example: `  routerd explain route 192.0.2.7
  routerd explain route 2001:db8::1 -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("wanted one address such as 192.0.2.7")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := netip.ParseAddr(args[0])
			if err != nil || a.Zone() != "" {
				return usagef("%q: wanted an address such as 192.0.2.7", args[0])
			}
			return s.ask(cmd.Context(), func(ctx context.Context, c *control.Client) error {
				x, err := c.ExplainRoute(ctx, a.Unmap())
				switch {
				case err != nil:
					return err
				case out == formatJSON:
					return show.Encode(s.out, x)
				}
				drawRouteExplanation(s.screen(out == formatWide), x)
				return nil
			})
		},
	}
	addFormat(cmd, &out)
	return cmd
}

func drawRouteExplanation(p *show.Screen, x control.RouteExplanation) {
	fmt.Fprintln(p, p.Paint(x.Address.String(), show.Bold))
	for i := range x.Prefixes {
		d := &x.Prefixes[i]
		fmt.Fprintf(p, "\nroutes for %s\n", d.Prefix)
		show.Rows(p, d.Routes)
		fmt.Fprintf(p, "decided: %s\n", d.Decided)
	}
	if x.Shorter > 0 {
		fmt.Fprintf(p, "\nnot asked: %s that the address lies in as well\n", show.Plural(x.Shorter, "shorter prefix", "shorter prefixes"))
	}
	if len(x.Resolution) > 0 {
		fmt.Fprintln(p, "\nnext hops")
		for _, s := range x.Resolution {
			fmt.Fprintf(p, "%s%s\n", strings.Repeat("  ", s.Depth), resolutionText(s))
		}
	}
	drawDerived(p, x.Derived)
	if len(x.Redistributed) > 0 {
		fmt.Fprintln(p, "\nredistribution")
		for _, r := range x.Redistributed {
			fmt.Fprintln(p, redistributedText(r))
			for _, line := range r.Policy {
				fmt.Fprintf(p, "  %s\n", line)
			}
		}
	}
	drawRouteEnd(p, x)
}

// drawDerived prints what routes of protocols follow from.
func drawDerived(p *show.Screen, list []control.Derived) {
	for _, d := range list {
		fmt.Fprintf(p, "\n%s has its route to %s by\n", d.Protocol, d.Prefix)
		for _, path := range d.Paths {
			fmt.Fprintln(p, path.Path)
			for _, step := range path.Steps {
				fmt.Fprintf(p, "  %s\n", step)
			}
		}
	}
}

// drawRouteEnd prints the end of the decision: the FIB entry and the next hop.
func drawRouteEnd(p *show.Screen, x control.RouteExplanation) {
	fmt.Fprintln(p)
	if x.Entry == nil {
		fmt.Fprintf(p, "%s: no route covers %s\n", p.Paint("dropped", show.Bad), x.Address)
		return
	}
	fmt.Fprintln(p, "packets are forwarded by")
	show.Rows(p, []entryRow{{x.Entry.Prefix, x.Entry.Hops(), x.Entry.Source, x.Entry.Origin}})
	if len(x.Neighbors) > 0 {
		fmt.Fprintln(p, "\nneighbours")
	}
	for _, n := range x.Neighbors {
		fmt.Fprintln(p, neighborText(n))
	}
}

// entryRow is the FIB entry that forwards the packets, with a line for each
// next hop.
type entryRow struct {
	Prefix netip.Prefix `show:"prefix"`
	Hops   []string     `show:"next hop,lines"`
	Source string       `show:"source"`
	Origin string       `show:"origin"`
}

func resolutionText(s control.ResolutionStep) string {
	given := control.Hop{Address: s.Address, Interface: s.Interface}.String()
	if s.Backup {
		given += " (backup)"
	}
	switch {
	case s.WhyNot != "":
		return fmt.Sprintf("%s: not usable: %s", given, s.WhyNot)
	case s.Action != "":
		return fmt.Sprintf("%s, through %s (%s), which discards: %s", given, s.Via, s.Source, s.Action)
	case s.Via.IsValid():
		return fmt.Sprintf("%s, through %s (%s)", given, s.Via, s.Source)
	}
	return given
}

func redistributedText(r control.Redistributed) string {
	switch {
	case !r.Offered:
		return fmt.Sprintf("not to %s: %s", r.To, r.WhyNot)
	case r.Pending:
		return fmt.Sprintf("to %s with metric %d and tag %d, which it has not heard yet", r.To, r.Metric, r.Tag)
	}
	return fmt.Sprintf("to %s with metric %d and tag %d", r.To, r.Metric, r.Tag)
}

func neighborText(n control.RouteNeighbor) string {
	at := control.Hop{Address: n.Address, Interface: n.Interface}.String()
	switch {
	case n.State == control.NeighborUnneeded:
		return at + ": the link needs no link addresses"
	case n.State == control.NeighborUnknown:
		return at + ": not resolved yet; the first packet will ask"
	case n.State == control.NeighborFailed:
		return at + ": does not answer; other next hops get its flows, if there are any, and it is asked again"
	case n.MAC == "":
		return fmt.Sprintf("%s: %s", at, n.State)
	}
	return fmt.Sprintf("%s: %s at %s, for %.0f s", at, n.State, n.MAC, n.Age)
}
