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
	cmd := &cobra.Command{
		Use:   "drops",
		Short: "How many packets went no further, and why",
		Long: `How many packets were dropped for each reason, the most frequent first; with
--last, also the latest of them. Of a flood these are a sample.`,
		Example: `  routerd show drops
  routerd show drops --last 20
  routerd show drops --last 5 -w 1s`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if last < 0 || last > control.MaxDrops {
				return usagef("--last %d: wanted 0 to %d", last, control.MaxDrops)
			}
			return show(cmd, s, func(ctx context.Context, c *control.Client) (control.Drops, error) {
				return c.Drops(ctx, last)
			}, func(p *paper, d control.Drops) { drawDrops(p, d, last > 0) })
		},
	}
	cmd.Flags().IntVar(&last, "last", 0, "show the latest `N` dropped packets, too")
	return cmd
}

func drawDrops(p *paper, d control.Drops, last bool) {
	counts := slices.Clone(d.Verdicts)
	if !p.wide { // wide keeps all, in the order of the stages
		counts = slices.DeleteFunc(counts, func(c control.VerdictCount) bool { return c.Packets == 0 })
		slices.SortStableFunc(counts, func(a, b control.VerdictCount) int { return cmp.Compare(b.Packets, a.Packets) })
	}
	if len(counts) == 0 {
		fmt.Fprintln(p, "no packet was dropped")
		return
	}
	t := table{columns: []column{{name: "packets", right: true}, {name: "verdict"}, {name: "meaning"}}}
	for _, c := range counts {
		t.add(p.amount(c.Packets), c.Verdict, c.Sentence)
	}
	t.draw(p)
	if !last {
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
