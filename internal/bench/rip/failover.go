package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"text/tabwriter"
	"time"

	"routerd/internal/bench"
	"routerd/internal/bench/site"
	"routerd/internal/lab"
)

// longest is how long routerd may take to fail over.
const longest = 50 * time.Millisecond

// The configurations of both kinds of neighbours, and of routerd.
var (
	birdNode = `kind = "bird"
config = """
log stderr all;
router id %s;
protocol device { }
protocol direct { ipv4; }
protocol kernel { ipv4 { export where source = RTS_RIP; }; }
protocol rip r4 { ipv4 { import all; export all; }; interface "eth0", "eth1" { }; }
"""`
	frrNode = `kind = "frr"
config = """
! %s
router rip
 network eth0
 network eth1
 network eth2
 passive-interface eth2
"""`
	routerdNode = `kind = "router"
# %s
[node.r1.config.rip.interface.eth0]
[node.r1.config.rip.interface.eth1]
[node.r1.config.rip.interface.eth2]
passive = true`
)

// cuts are the router that loses a carrier and its neighbours.
var cuts = []struct{ name, self, neighbour string }{
	{"routerd beside BIRD", routerdNode, birdNode},
	{"routerd beside FRR", routerdNode, frrNode},
	{"BIRD beside BIRD", birdNode, birdNode},
}

func triangle(self, neighbour string) string {
	return fmt.Sprintf(`[node.h1]
kind = "host"
[node.far]
kind = "host"
[node.r1]
%s
[node.n1]
%s
[node.n2]
%s
[[link]]
endpoints = ["h1:eth0", "r1:eth2"]
addresses = { "h1:eth0" = ["198.18.1.2/24"], "r1:eth2" = ["198.18.1.1/24"] }
[[link]]
endpoints = ["r1:eth0", "n1:eth0"]
addresses = { "r1:eth0" = ["198.18.11.1/24"], "n1:eth0" = ["198.18.11.2/24"] }
[[link]]
endpoints = ["r1:eth1", "n2:eth0"]
addresses = { "r1:eth1" = ["198.18.12.1/24"], "n2:eth0" = ["198.18.12.2/24"] }
[[link]]
endpoints = ["n1:eth1", "n2:eth1"]
addresses = { "n1:eth1" = ["198.18.21.1/24"], "n2:eth1" = ["198.18.21.2/24"] }
[[link]]
endpoints = ["n1:eth2", "far:eth0"]
addresses = { "n1:eth2" = ["198.18.9.1/24"], "far:eth0" = ["198.18.9.2/24"] }
`, fmt.Sprintf(self, "198.18.1.1"), fmt.Sprintf(neighbour, "198.18.11.2"), fmt.Sprintf(neighbour, "198.18.12.2"))
}

// failovers prints how long nothing arrived, and judges whether routerd took
// little enough time with each kind of neighbour.
func failovers(ctx context.Context, o options, out io.Writer) (bench.Outcome, error) {
	if o.cuts == 0 {
		return bench.Met, nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tmedian\tlongest\truns\twanted\t\t")
	var left []string
	all := bench.Met
	for n, c := range cuts {
		routerd := c.self == routerdNode
		runs := o.cuts
		if !routerd {
			runs = 1
		}
		if !routerd && !o.baseline {
			continue
		}
		gaps, err := cutAll(ctx, o, c.name, triangle(c.self, c.neighbour), runs)
		if err != nil && !errors.Is(err, site.ErrMissing) {
			return bench.NotRun, fmt.Errorf("failover, %s: %w", cuts[n].name, err)
		}
		if err != nil {
			left = append(left, fmt.Sprintf("%s left out: %v", c.name, err))
		}
		all = all.Worse(row(w, c.name, gaps, routerd))
	}
	fmt.Fprintln(out, "carrier lost in a triangle: seconds in which nothing arrived")
	w.Flush()
	for _, line := range left {
		fmt.Fprintln(out, line)
	}
	return all, nil
}

// row prints what was measured of one router, and judges the longest of its gaps
// if it is routerd.
func row(w io.Writer, name string, gaps []float64, routerd bool) bench.Outcome {
	most, wanted, word, all := 0.0, "", "", bench.Met
	for _, g := range gaps {
		most = max(most, g)
	}
	if routerd {
		wanted = fmt.Sprintf("<= %.2f s", longest.Seconds())
		word, all = bench.Judge(len(gaps) > 0, most <= longest.Seconds())
	}
	if len(gaps) == 0 {
		fmt.Fprintf(w, "%s\t-\t-\t0\t%s\t%s\t\n", name, wanted, word)
		return all
	}
	fmt.Fprintf(w, "%s\t%.3f s\t%.3f s\t%d\t%s\t%s\t\n", name, bench.SpreadOf(gaps).Median, most, len(gaps), wanted, word)
	return all
}

// cutAll gives the gaps of so many runs, in seconds.
func cutAll(ctx context.Context, o options, name, topology string, runs int) (gaps []float64, err error) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		return nil, fmt.Errorf("tcpdump %w", site.ErrMissing)
	}
	for range runs {
		err := o.site.Lab(ctx, topology, func(l *lab.Lab) error {
			gap, err := cut(ctx, l)
			gaps = append(gaps, gap.Seconds())
			if err == nil {
				o.progress("failover, %s: %.3f s", name, gap.Seconds())
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return gaps, nil
}

// spacing is the time between two datagrams.
const spacing = 5 * time.Millisecond

// settled is longer than the interval of regular updates, stopped longer than
// any failover.
const (
	settled = 80 * time.Second
	stopped = 45 * time.Second
)

// The far host's subnet by either neighbour, as Linux and routerd print it.
var (
	short = regexp.MustCompile(`(?m)^.*198\.18\.9\.0/24\b.*\b198\.18\.11\.2\b`)
	long  = regexp.MustCompile(`(?m)^.*198\.18\.9\.0/24\b.*\b198\.18\.12\.2\b`)
	other = regexp.MustCompile(`(?m)^.*198\.18\.9\.0/24\b.*\b198\.18\.21\.1\b`) // n2's own
	back  = regexp.MustCompile(`(?m)^.*198\.18\.1\.0/24\b.*\b198\.18\.12\.1\b`) // what r1 told n2
)

// has says what is missing unless all patterns match the routes of a node.
func has(ctx context.Context, l *lab.Lab, node string, patterns ...*regexp.Regexp) (string, error) {
	line := "ip route"
	if n, _ := l.Topology.Node(node); n.Kind == lab.KindRouter {
		line = "routerd show route --protocol rip"
	}
	text, err := l.Run(ctx, node, line)
	if err != nil {
		return "", err
	}
	for _, p := range patterns {
		if !p.Match(text) {
			return fmt.Sprintf("%s has nothing like %v in\n%s", node, p, text), nil
		}
	}
	return "", nil
}

// cut cuts the direct link and gives the longest time in which nothing arrived.
func cut(ctx context.Context, l *lab.Lab) (time.Duration, error) {
	err := site.Await(ctx, settled, 100*time.Millisecond, "both ways to the host", func() (string, error) {
		if why, err := has(ctx, l, "n2", other, back); err != nil || why != "" {
			return why, err
		}
		return has(ctx, l, "r1", short)
	})
	if err != nil {
		return 0, err
	}
	flow, err := site.Watch(ctx, l, "h1", "far", "198.18.9.2", spacing)
	if err != nil {
		return 0, err
	}
	defer flow.Stop()
	began := time.Now()
	if _, err := l.Run(ctx, "n1", "ip link set eth0 down"); err != nil {
		return 0, err
	}
	err = site.Await(ctx, stopped, 10*time.Millisecond, "the other way", func() (string, error) { return has(ctx, l, "r1", long) })
	if err != nil {
		return 0, err
	}
	gap, err := flow.Gap(ctx, began)
	return gap.Length, err
}
