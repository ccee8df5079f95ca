package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"routerd/internal/bench"
	"routerd/internal/lab"
)

// wantedMedian and wantedLongest are the marks on routerd's gaps.
const (
	wantedMedian  = 155 * time.Millisecond // 150 to the nearest 10
	wantedLongest = 200 * time.Millisecond
)

// staticContenders have static routes to the far host.
var staticContenders = []contender{
	{
		name: "routerd",
		node: `kind = "router"
[node.r1.config.bfd.profile.default]
interval = "50ms"
[[node.r1.config.static.route]]
prefix = "198.18.9.0/24"
next-hop = { address = "198.18.11.2", bfd = true }
[[node.r1.config.static.route]]
prefix = "198.18.9.0/24"
next-hop = { address = "198.18.12.2", bfd = true }
distance = 10`,
		by: "routerd show fib for 198.18.9.2", up: "routerd show bfd",
		session: regexp.MustCompile(`(?m)^198\.18\.1[12]\.2 +\S+ +up .* 50ms +150ms `),
	},
	{
		name: "BIRD",
		node: `kind = "bird"
config = """
log stderr all;
router id 198.18.1.1;
protocol device { }
protocol kernel { ipv4 { export all; }; }
protocol static { ipv4 { preference 200; }; route 198.18.9.0/24 via 198.18.11.2 bfd; }
protocol static { ipv4 { preference 100; }; route 198.18.9.0/24 via 198.18.12.2 bfd; }
protocol bfd { interface "eth*" { interval 50 ms; multiplier 3; }; }
"""`,
		by: "ip route get 198.18.9.2", up: "birdc show bfd sessions",
		session: regexp.MustCompile(`(?m)^198\.18\.1[12]\.2 +\S+ +Up .* 0\.050 +0\.150`),
	},
}

// neighbor is one of r1's: BIRD, with a way to the far host.
func neighbor(k int, more string) string {
	return fmt.Sprintf(`kind = "bird"
config = """
log stderr all;
router id 198.18.1%d.2;
protocol device { }
protocol kernel { ipv4 { export all; }; }
protocol static { ipv4; route 198.18.1.0/24 via 198.18.1%d.1; %s }
protocol bfd { interface "eth0" { interval 50 ms; multiplier 3; }; neighbor 198.18.1%d.1 dev "eth0"; }
"""`, k, k, more, k)
}

func triangle(r1 string, neighbors [2]string) string {
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
`, r1, neighbors[0], neighbors[1])
}

// print prints what was measured of a contest, and judges routerd.
func (c *contest) print(out io.Writer, gaps map[string][]float64) (outcome bench.Outcome) {
	what := "in which nothing arrived"
	if c.hello > 0 {
		what = "from the neighbour's last Hello until something arrived again"
	}
	fmt.Fprintf(out, "%s: milliseconds %s\n", c.name, what)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tmedian\tlongest\tcuts\tuncut\twanted\t\t")
	outcome = bench.Met
	for _, x := range c.contenders {
		wanted, word := "", ""
		if x.name == "routerd" {
			met := false
			wanted, met = c.judge(gaps)
			measured := true
			for _, other := range c.contenders { // whom it is beside
				measured = measured && (len(gaps[other.name]) > 0 || !strings.Contains(wanted, other.name)) && len(gaps[x.name]) > 0
			}
			word, outcome = bench.Judge(measured && bench.SpreadOf(x.uncut).Median <= stall.Seconds(), met)
		}
		if len(gaps[x.name]) == 0 {
			fmt.Fprintf(w, "%s\t-\t-\t0\t-\t%s\t%s\t\n", x.name, wanted, word)
			continue
		}
		s := bench.SpreadOf(gaps[x.name])
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%d\t%.0f\t%s\t%s\t\n", x.name, 1000*s.Median, 1000*s.Max, s.N, 1000*bench.SpreadOf(x.uncut).Median, wanted, word)
	}
	w.Flush()
	return outcome
}

// falseAlarms is how often a contender may leave the direct way before it is cut.
const falseAlarms = 3

// stall is how long nothing may arrive before the cut, as the median of all runs:
// where the machine alone takes longer, it is too busy for the marks.
const stall = 20 * time.Millisecond

// spacing is the time between two datagrams, settled how long a way may take to
// be found.
const (
	spacing = time.Millisecond
	settled = 90 * time.Second
)

// ready says what is missing for a cut.
func (x *contender) ready(ctx context.Context, l *lab.Lab) (string, error) {
	if x.up != "" {
		text, err := l.Run(ctx, "r1", x.up)
		if err != nil || len(x.session.FindAll(text, -1)) < 2 {
			return fmt.Sprintf("there are not two sessions as wanted in\n%s", text), ctx.Err()
		}
	}
	return x.goes(ctx, l, "198.18.11.2", "")
}

// goes says what is wrong unless packets to the far host go by an address, and not
// by another.
func (x *contender) goes(ctx context.Context, l *lab.Lab, by, not string) (string, error) {
	text, err := l.Run(ctx, "r1", x.by)
	if err == nil && strings.Contains(string(text), by) && (not == "" || !strings.Contains(string(text), not)) {
		return "", nil
	}
	return fmt.Sprintf("packets do not go by %s:\n%s", by, text), ctx.Err()
}
