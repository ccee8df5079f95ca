package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"routerd/internal/control"
)

func newShowDropsCommand(s *shower) *cobra.Command {
	var last int
	var in, name, src, dst string
	cmd := &cobra.Command{
		Use:   "drops",
		Short: "How many packets went no further, and why",
		Long: `How many packets were dropped for each reason, the most frequent first; with
--last, also the latest of them. Of a flood these are a sample.

--in and --verdict choose what is counted and shown. --src and --dst choose among
the latest packets, since no address is kept of those that are only counted; with
one of them the latest 20 are shown unless --last says how many.`,
		Example: `  routerd show drops
  routerd show drops --last 20
  routerd show drops --last 5 -w 1s
  routerd show drops --in lan0 --verdict no_route
  routerd show drops --src 10.0.1.0/24 --dst 192.0.2.1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if last < 0 || last > control.MaxDrops {
				return usagef("--last %d: wanted 0 to %d", last, control.MaxDrops)
			}
			q := control.DropQuery{Interface: in}
			var err error
			if q.Verdict, err = given(cmd, "verdict", name, control.ParseDropVerdict); err != nil {
				return err
			}
			if q.Src, err = given(cmd, "src", src, control.ParseSubnet); err != nil {
				return err
			}
			if q.Dst, err = given(cmd, "dst", dst, control.ParseSubnet); err != nil {
				return err
			}
			if (src != "" || dst != "") && !cmd.Flags().Changed("last") {
				last = 20
			}
			q.Last = last
			return show(cmd, s, func(ctx context.Context, c *control.Client) (control.Drops, error) {
				return c.Drops(ctx, q)
			}, func(p *paper, d control.Drops) { drawDrops(p, d, q) })
		},
	}
	cmd.Flags().IntVar(&last, "last", 0, "show the latest `N` dropped packets, too")
	cmd.Flags().StringVar(&in, "in", "", "only packets that came in by this `interface`")
	cmd.Flags().StringVar(&name, "verdict", "", "only packets that were dropped for this reason, by its `name`")
	cmd.Flags().StringVar(&src, "src", "", "of the latest, only those from this `address` or prefix")
	cmd.Flags().StringVar(&dst, "dst", "", "of the latest, only those to this `address` or prefix")
	cmd.RegisterFlagCompletionFunc("verdict", cobra.FixedCompletions(control.DropVerdicts(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// given reads a flag, if it is given, by a function whose error says what is
// wanted.
func given[T any](cmd *cobra.Command, flag, value string, parse func(string) (T, error)) (v T, err error) {
	if !cmd.Flags().Changed(flag) {
		return v, nil
	}
	if v, err = parse(value); err != nil {
		return v, usagef("--%s %q: %w", flag, value, err)
	}
	return v, nil
}

func drawDrops(p *paper, d control.Drops, q control.DropQuery) {
	counts := slices.Clone(d.Verdicts)
	if !p.wide { // wide keeps all, in the order of the stages
		counts = slices.DeleteFunc(counts, func(c control.VerdictCount) bool { return c.Packets == 0 })
		slices.SortStableFunc(counts, func(a, b control.VerdictCount) int { return cmp.Compare(b.Packets, a.Packets) })
	}
	nothing := "no packet was dropped"
	if q.Interface != "" {
		nothing = "no packet that came in by " + q.Interface + " was dropped"
	}
	if q.Verdict != "" {
		nothing += " with verdict " + q.Verdict
	}
	if len(counts) == 0 {
		fmt.Fprintln(p, nothing)
		return
	}
	t := table{columns: []column{{name: "packets", right: true}, {name: "verdict"}, {name: "meaning"}}}
	for _, c := range counts {
		t.add(p.amount(c.Packets), c.Verdict, c.Sentence)
	}
	t.draw(p)
	if q.Last == 0 {
		return
	}
	fmt.Fprintln(p)
	t = table{columns: []column{{name: "time"}, {name: "in"}, {name: "packet"}, {name: "verdict"}, {name: "meaning", wide: true}}}
	for _, l := range d.Last {
		at := l.Time.Local().Format("15:04:05.000")
		if p.wide {
			at = l.Time.UTC().Format(time.RFC3339Nano)
		}
		in := l.Interface
		if in == "" {
			in = "(own)"
		}
		t.add(at, in, l.Header, cell{l.Verdict, bad}, l.Sentence)
	}
	t.draw(p)
}
