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

// routeFlags are the flags that describe a route to policies.
type routeFlags struct {
	prefix, protocol, nextHop string
	metric, tag               uint32
}

func newExplainPolicyCommand(s *session) *cobra.Command {
	var f routeFlags
	var out format
	cmd := &cobra.Command{
		Use:   "policy NAME... --prefix PREFIX",
		Short: "Have policies decide about a made-up route",
		Long: `Have policies of the running configuration decide about a made-up route, and
print what each statement did with it, up to the one that decided, and what the
route becomes. Several policies are asked in order, as in import-policy = ["a", "b"]:
the first that decides has decided, and a route that none decides about is rejected.`,
		Example: `  routerd explain policy only-default --prefix 0.0.0.0/0
  routerd explain policy transit-in rest --prefix 198.51.100.0/24 --protocol static --tag 7
  routerd explain policy transit-in --prefix 2001:db8::/32 --next-hop fe80::1 -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := f.query(args)
			if err != nil {
				return err
			}
			return s.ask(cmd.Context(), func(ctx context.Context, c *control.Client) error {
				x, err := c.ExplainPolicy(ctx, q)
				switch {
				case err != nil:
					return err
				case out == formatJSON:
					return show.Encode(s.out, x)
				}
				drawPolicyExplanation(s.screen(out == formatWide), x)
				return nil
			})
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.prefix, "prefix", "", "the `prefix` of the route")
	flags.StringVar(&f.protocol, "protocol", "", "the `source` it comes from: "+strings.Join(control.Sources(), ", "))
	flags.Uint32Var(&f.metric, "metric", 0, "its metric, a `number`")
	flags.Uint32Var(&f.tag, "tag", 0, "its tag, a `number`")
	flags.StringVar(&f.nextHop, "next-hop", "", "the `address` of its next hop (default: it is on the link)")
	cmd.RegisterFlagCompletionFunc("protocol", cobra.FixedCompletions(control.Sources(), cobra.ShellCompDirectiveNoFileComp))
	addFormat(cmd, &out)
	return cmd
}

func (f *routeFlags) query(names []string) (control.PolicyQuery, error) {
	q := control.PolicyQuery{Policies: names, Source: control.Source(f.protocol), Metric: f.metric, Tag: f.tag}
	if len(names) == 0 {
		return q, usagef("which policy? One name or several, in the order in which they are asked")
	}
	for _, name := range names {
		if name == "" || strings.Contains(name, ",") {
			return q, usagef("%q: wanted the names of policies, with blanks between", name)
		}
	}
	if f.prefix == "" {
		return q, usagef("--prefix is missing: the prefix of the route")
	}
	p, err := netip.ParsePrefix(f.prefix)
	switch {
	case err != nil:
		return q, usagef("--prefix %q: wanted a prefix such as 10.0.0.0/8", f.prefix)
	case p != p.Masked():
		return q, usagef("--prefix %s has bits set behind its length: wanted %s", p, p.Masked())
	}
	q.Prefix = p
	if f.nextHop == "" {
		return q, nil
	}
	a, err := netip.ParseAddr(f.nextHop)
	if err != nil || a.Zone() != "" {
		return q, usagef("--next-hop %q: wanted an address such as 10.0.0.1", f.nextHop)
	}
	if q.NextHop = a.Unmap(); q.NextHop.Is4() != p.Addr().Is4() {
		return q, usagef("--prefix %s --next-hop %s: both have to be of one family", p, q.NextHop)
	}
	return q, nil
}

func drawPolicyExplanation(p *show.Screen, x control.PolicyExplanation) {
	fmt.Fprintln(p, p.Paint(policyRouteText(x.Route), show.Bold))
	if len(x.Steps) > 0 {
		fmt.Fprintln(p)
		t := show.Table{Columns: []show.Column{{Name: "policy"}, {Name: "statement"}, {Name: "what it did"}, {Name: "origin", Optional: true}}}
		for _, s := range x.Steps {
			t.Add(s.Policy, s.Statement, policyStepCell(s), show.Cell{Text: s.Origin, Style: show.Faint})
		}
		t.Draw(p)
	}
	fmt.Fprintln(p)
	if x.Result == nil {
		fmt.Fprintf(p, "%s: %s\n", p.Paint("rejected", show.Bad), x.Decided)
		return
	}
	fmt.Fprintf(p, "%s: %s\n", p.Paint("accepted", show.Good), x.Decided)
	fmt.Fprintf(p, "it becomes %s\n", policyRouteText(*x.Result))
}

// policyStepCell describes what a statement did, and highlights the one that
// decided.
func policyStepCell(s control.PolicyStep) show.Cell {
	if !s.Matched {
		return show.Cell{Text: "no match: " + s.WhyNot, Style: show.Plain}
	}
	text := strings.Join(append([]string{"match"}, s.Set...), ", ")
	switch s.Decision {
	case "accepted":
		return show.Cell{Text: text + ": accepted", Style: show.Good}
	case "rejected":
		return show.Cell{Text: text + ": rejected", Style: show.Bad}
	}
	return show.Cell{Text: text, Style: show.Plain}
}

func policyRouteText(r control.PolicyRoute) string {
	text := r.Prefix.String()
	if r.Source != "" {
		text += " from " + r.Source
	}
	text += fmt.Sprintf(", metric %d, tag %d", r.Metric, r.Tag)
	if r.NextHop.IsValid() {
		return text + ", next hop " + r.NextHop.String()
	}
	return text + ", no next hop"
}
