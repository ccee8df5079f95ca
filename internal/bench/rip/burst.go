package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"routerd/internal/bench"
	"routerd/internal/bench/site"
	"routerd/internal/lab"
	"routerd/internal/protocols/rip"
)

// most is how much of BIRD's CPU time routerd may use, as a ratio, and largest
// how much memory, in MiB. It may take as long as BIRD.
const (
	most    = 0.5
	largest = 45
)

// middles are the routers that the burst goes through: routerd, and what it is
// compared with.
var middles = [2]struct{ name, text string }{
	{"routerd", `kind = "router"
[node.m.config.rip.interface.a]
[node.m.config.rip.interface.b]`},
	{"BIRD", `kind = "bird"
config = """
log stderr all;
router id 198.18.1.2;
protocol device { }
protocol direct { ipv4; }
protocol kernel { ipv4 { export where source = RTS_RIP; }; }
protocol rip r4 { ipv4 { import all; export all; }; interface "a", "b" { }; }
"""`},
}

// burstLab is a chain: BIRD with routes that it does not announce yet, routerd,
// the router that is measured, and routerd. The second router takes BIRD's
// burst and passes it on at a pace that overruns no socket, so that the
// measured router gets all of it.
func burstLab(routes int, middle string) string {
	var statics strings.Builder
	for n := range routes {
		fmt.Fprintf(&statics, "  route 10.%d.%d.0/24 blackhole;\n", n>>8, n&255)
	}
	return fmt.Sprintf(`[node.source]
kind = "bird"
config = """
log stderr all;
router id 198.18.0.1;
protocol device { }
protocol static s4 {
  disabled;
  ipv4;
%s}
protocol rip r4 { ipv4 { import all; export where source = RTS_STATIC; }; interface "a" { }; }
"""
[node.first]
kind = "router"
[node.first.config.rip.interface.a]
[node.first.config.rip.interface.b]
[node.m]
%s
[node.last]
kind = "router"
[node.last.config.rip.interface.a]
[[link]]
endpoints = ["source:a", "first:a"]
addresses = { "source:a" = ["198.18.0.1/24"], "first:a" = ["198.18.0.2/24"] }
[[link]]
endpoints = ["first:b", "m:a"]
addresses = { "first:b" = ["198.18.1.1/24"], "m:a" = ["198.18.1.2/24"] }
[[link]]
endpoints = ["m:b", "last:a"]
addresses = { "m:b" = ["198.18.2.1/24"], "last:a" = ["198.18.2.2/24"] }
`, statics.String(), middle)
}

// burst is the result of a burst.
type burst struct {
	took    time.Duration // until the last router had its last route
	lost    int           // routes that came only with regular updates, or not at all
	missing int           // of these, routes that never came
	site.Usage
}

// bursts prints the results of each router in the middle, and judges routerd's
// losses, time, CPU time and memory.
func bursts(ctx context.Context, o options, out io.Writer) (bench.Outcome, error) {
	if o.routes == 0 {
		return bench.Met, nil
	}
	var all [len(middles)][]burst
	for n, m := range middles {
		runs := o.bursts
		if n > 0 {
			runs = 1
		}
		for range runs {
			var b burst
			err := o.site.Lab(ctx, burstLab(o.routes, m.text), func(l *lab.Lab) (err error) {
				b, err = send(ctx, l, o.routes)
				return err
			})
			if errors.Is(err, site.ErrMissing) {
				fmt.Fprintf(out, "bursts left out: %v\n", err)
				return printBursts(out, o.routes, [len(middles)][]burst{}), nil
			}
			if err != nil {
				return bench.NotRun, fmt.Errorf("burst through %s: %w", m.name, err)
			}
			all[n] = append(all[n], b)
			o.progress("burst through %s: %.2f s, CPU %.2f s, %.1f MiB, %d lost, %d missing", m.name, b.took.Seconds(), b.CPU.Seconds(), b.RSS, b.lost, b.missing)
		}
	}
	return printBursts(out, o.routes, all), nil
}

// printBursts prints the medians and the marks, and judges them. Those that
// compare need both routers, and a burst large enough for BIRD to use a clock
// tick of CPU time.
func printBursts(out io.Writer, routes int, all [len(middles)][]burst) bench.Outcome {
	fmt.Fprintf(out, "%d RIP routes learned and passed on\n", routes)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "in the middle\tseconds\tCPU seconds\tresident MiB\tlost\tmissing\truns\t")
	var cpu, seconds, resident [len(middles)]float64
	lost := 0
	for n, m := range middles {
		var took, busy, rss, gone, missing []float64
		for _, b := range all[n] {
			took, busy = append(took, b.took.Seconds()), append(busy, b.CPU.Seconds())
			rss, gone = append(rss, b.RSS), append(gone, float64(b.lost))
			missing = append(missing, float64(b.missing))
			if n == 0 {
				lost += b.lost
			}
		}
		cpu[n], seconds[n], resident[n] = bench.SpreadOf(busy).Median, bench.SpreadOf(took).Median, bench.SpreadOf(rss).Median
		if len(busy) == 0 {
			fmt.Fprintf(w, "%s\t-\t-\t-\t-\t-\t0\t\n", m.name)
			continue
		}
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.1f\t%.0f\t%.0f\t%d\t\n", m.name, seconds[n], cpu[n], resident[n], bench.SpreadOf(gone).Median, bench.SpreadOf(missing).Median, len(busy))
	}
	w.Flush()
	outcome := bench.Met
	mark := func(measured, ok bool, name, got, wanted string) {
		word, o := bench.Judge(measured, ok)
		outcome = outcome.Worse(o)
		if !measured {
			got = "-"
		}
		fmt.Fprintf(out, "mark: %s %s, wanted %s: %s\n", name, got, wanted, word)
	}
	routerd := len(all[0]) > 0
	both := routerd && len(all[1]) > 0
	mark(routerd, lost == 0, "routes lost", fmt.Sprint(lost), "none")
	mark(both && seconds[1] > 0, seconds[0] <= seconds[1], "time of routerd / BIRD", fmt.Sprintf("%.2f", seconds[0]/seconds[1]), "<= 1")
	mark(both && cpu[1] > 0, cpu[0] <= most*cpu[1], "CPU of routerd / BIRD", fmt.Sprintf("%.2f", cpu[0]/cpu[1]), fmt.Sprintf("<= %.2f", most))
	mark(routerd, resident[0] <= largest, "memory", fmt.Sprintf("%.1f MiB", resident[0]), fmt.Sprintf("<= %d", largest))
	fmt.Fprintln(out)
	return outcome
}

// enough is the time for two regular updates at each of two routers. A lull is
// longer than the time between triggered updates.
const (
	enough = 75 * time.Second
	lull   = 7 * time.Second
)

// send has the burst sent.
func send(ctx context.Context, l *lab.Lab, routes int) (b burst, err error) {
	// Wait until the first router has routes of the measured one.
	err = site.Await(ctx, 20*time.Second, 50*time.Millisecond, "the routers in their places", func() (string, error) {
		n, err := count(ctx, l, "first")
		if n == 0 {
			return "the first one has nothing from the middle", err
		}
		return "", err
	})
	if err != nil {
		return b, err
	}
	// Wait until the traffic of the start is over, and the 5 s for which a
	// triggered update may be held back.
	if err := site.Pause(ctx, 6*time.Second); err != nil {
		return b, err
	}
	own, err := count(ctx, l, "last")
	if err != nil {
		return b, err
	}
	before, err := site.Used(l, "m")
	if err != nil {
		return b, err
	}
	begin := time.Now()
	if _, err := l.Run(ctx, "source", "birdc enable s4"); err != nil {
		return b, err
	}
	n, grown := 0, begin
	for n < routes && time.Since(begin) < enough {
		if err := site.Pause(ctx, 50*time.Millisecond); err != nil {
			return b, err
		}
		now, err := count(ctx, l, "last")
		if err != nil {
			return b, err
		}
		now -= own
		if now == n {
			continue
		}
		if b.lost == 0 && n > 0 && time.Since(grown) > lull {
			b.lost = routes - n
		}
		n, grown = now, time.Now()
	}
	b.took, b.missing = grown.Sub(begin), routes-n
	b.lost = max(b.lost, b.missing)
	if err := site.Pause(ctx, 2*time.Second); err != nil {
		return b, err
	}
	if b.Usage, err = site.Used(l, "m"); err != nil {
		return b, err
	}
	b.CPU -= before.CPU
	return b, nil
}

// count is how many routes routerd has learned by RIP.
func count(ctx context.Context, l *lab.Lab, node string) (n int, err error) {
	text, err := l.Run(ctx, node, "routerd show rip interface -o json")
	if err != nil {
		return 0, err
	}
	var list rip.InterfaceList
	if err := json.Unmarshal(text, &list); err != nil {
		return 0, fmt.Errorf("counting routes of %s: %w", node, err)
	}
	for _, i := range list.Interfaces {
		n += i.Routes
	}
	return n, nil
}
