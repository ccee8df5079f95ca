package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"routerd/internal/control"
	"routerd/internal/show"
)

func newProbeCommand(s *session) *cobra.Command {
	var f packetFlags
	var out format
	cmd := &cobra.Command{
		Use:   "probe --dst ADDRESS",
		Short: "Send a packet from the router, and compare what is predicted of it with what happens",
		Long: `Send a packet from one of the router's own addresses to a host beyond it, wait
up to 2 s for an answer, and print what the router's tables predict of the packet,
what became of it, what came back, and whether both agree. It takes the role operate.

Without --tcp, --udp or --icmp it is an echo request. A connection that somebody
accepts is reset at once.`,
		Example: `  routerd probe --dst 10.0.2.2
  routerd probe --dst 10.0.2.2 --tcp 443
  routerd probe --src 10.0.1.1 --dst 10.0.2.2 --size 1500 --df
  routerd probe --dst 2001:db8:2::2 --ttl 1 -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.given(cmd)
			p, err := f.packet()
			if err != nil {
				return err
			}
			q := control.ProbeQuery{Src: p.Src, Dst: p.Dst, Protocol: p.Protocol, SrcPort: p.SrcPort, DstPort: p.DstPort, Size: p.Size, DF: p.DF, TTL: p.TTL}
			return s.ask(cmd.Context(), func(ctx context.Context, c *control.Client) error {
				r, err := c.Probe(ctx, q)
				switch {
				case err != nil:
					return err
				case out == formatJSON:
					return show.Encode(s.out, r)
				}
				drawProbe(s.screen(out == formatWide), r)
				return nil
			})
		},
	}
	cmd.Flags().SortFlags = false
	f.add(cmd, "its source `address`, one of the router's (default: it chooses)", "the `port` it comes from, with --tcp and --udp (default: it chooses)")
	addFormat(cmd, &out)
	return cmd
}

func drawProbe(p *show.Screen, r control.ProbeResult) {
	x, o := &r.Prediction, &r.Observation
	fmt.Fprintf(p, "%s\n\npredicted:\n", p.Paint(r.Packet, show.Bold))
	drawSteps(p, x.Steps)
	drawVerdict(p, x.Class, x.Verdict, x.Out, x.Sentence)
	fmt.Fprintln(p, "\nobserved:")
	switch {
	case o.Class != "passed":
		drawVerdict(p, o.Class, o.Verdict, o.Out, o.Sentence)
	case o.NextHop.IsValid():
		fmt.Fprintf(p, "left by %s to %s", o.Out, o.NextHop)
		if o.MAC != "" {
			fmt.Fprintf(p, " at %s", o.MAC)
		}
		fmt.Fprintf(p, " after %s\n", milliseconds(o.Left))
	default:
		fmt.Fprintf(p, "left by %s after %s\n", o.Out, milliseconds(o.Left))
	}
	switch a := o.Answer; {
	case a != nil:
		fmt.Fprintf(p, "%s answered by %s after %s: %s\n%s\n", a.From, a.In, milliseconds(a.After), a.Text, a.Packet)
	case o.Class == "passed":
		fmt.Fprintf(p, "nothing came back within %d s\n", control.ProbeSeconds)
	}
	word := p.Paint("agrees", show.Good)
	if !r.Agrees {
		word = p.Paint("differs", show.Bad)
	}
	fmt.Fprintf(p, "\n%s: %s\n", word, r.Says)
}

// milliseconds writes a short time.
func milliseconds(seconds float64) string {
	return (time.Duration(seconds*1e6) * time.Microsecond).String()
}
