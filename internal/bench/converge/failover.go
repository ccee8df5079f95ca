package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"routerd/internal/bench"
	"routerd/internal/bench/site"
	"routerd/internal/lab"
)

// wantedMedian and wantedLongest are the marks on routerd's gaps.
const (
	wantedMedian  = 155 * time.Millisecond // 150 to the nearest 10
	wantedLongest = 200 * time.Millisecond
)

// contender is a router that loses a path, r1 of a triangle.
type contender struct {
	name    string
	node    string // its table in the topology
	by      string // prints the way of a packet to the far host
	up      string // prints its sessions
	session *regexp.Regexp
	judged  bool
}

var contenders = []contender{
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
		session: regexp.MustCompile(`(?m)^198\.18\.1[12]\.2 +\S+ +up .* 50ms +150ms `), judged: true,
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

func triangle(r1 string) string {
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
`, r1, neighbor(1, ""), neighbor(2, "route 198.18.9.0/24 via 198.18.21.1;"))
}

// failovers prints how long nothing arrived, and judges routerd.
func failovers(ctx context.Context, o options, out io.Writer) (bench.Outcome, error) {
	if o.cuts == 0 {
		return bench.Met, nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tmedian\tlongest\tcuts\twanted\t\t")
	var left []string
	all := bench.Met
	for _, c := range contenders {
		gaps, err := c.cutAll(ctx, o)
		if err != nil && !errors.Is(err, site.ErrMissing) {
			return bench.NotRun, fmt.Errorf("failover of %s: %w", c.name, err)
		}
		if err != nil {
			left = append(left, fmt.Sprintf("%s left out: %v", c.name, err))
		}
		all = all.Worse(row(w, c.name, gaps, c.judged))
	}
	fmt.Fprintln(out, "a path that loses everything and no carrier, static routes with BFD of 50 ms x 3: milliseconds in which nothing arrived")
	w.Flush()
	for _, line := range left {
		fmt.Fprintln(out, line)
	}
	return all, nil
}

// row prints what was measured of one contender, and judges it if it is to be.
func row(w io.Writer, name string, gaps []float64, judged bool) bench.Outcome {
	most, wanted, word, all := 0.0, "", "", bench.Met
	for _, g := range gaps {
		most = max(most, g)
	}
	median := bench.SpreadOf(gaps).Median
	if judged {
		wanted = fmt.Sprintf("<= %d, <= %d", wantedMedian.Milliseconds(), wantedLongest.Milliseconds())
		word, all = bench.Judge(len(gaps) > 0, median <= wantedMedian.Seconds() && most <= wantedLongest.Seconds())
	}
	if len(gaps) == 0 {
		fmt.Fprintf(w, "%s\t-\t-\t0\t%s\t%s\t\n", name, wanted, word)
		return all
	}
	fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%d\t%s\t%s\t\n", name, 1000*median, 1000*most, len(gaps), wanted, word)
	return all
}

// cutAll gives the gaps of all cuts, in seconds.
func (c *contender) cutAll(ctx context.Context, o options) (gaps []float64, err error) {
	for _, program := range []string{"tcpdump", "nft"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("%s %w", program, site.ErrMissing)
		}
	}
	err = o.site.Lab(ctx, triangle(c.node), func(l *lab.Lab) error {
		for range o.cuts {
			gap, err := c.cut(ctx, l)
			if err != nil {
				return err
			}
			gaps = append(gaps, gap.Seconds())
			o.progress("failover of %s: %d ms", c.name, gap.Milliseconds())
		}
		return nil
	})
	return gaps, err
}

// spacing is the time between two datagrams, settled how long a way may take to
// be found.
const (
	spacing = time.Millisecond
	settled = 40 * time.Second
)

// The cut, and its end.
const (
	silence = `nft 'table inet cut { chain in { type filter hook prerouting priority -400; iifname "eth0" drop; }; chain out { type filter hook output priority -400; oifname "eth0" drop; }; chain by { type filter hook postrouting priority -400; oifname "eth0" drop; }; }'`
	mended  = "nft delete table inet cut"
)

// cut cuts the direct path, gives the longest time in which nothing arrived, and
// mends it.
func (c *contender) cut(ctx context.Context, l *lab.Lab) (time.Duration, error) {
	err := site.Await(ctx, settled, 100*time.Millisecond, "both sessions, and the direct way", func() (string, error) {
		text, err := l.Run(ctx, "r1", c.up)
		if err != nil || len(c.session.FindAll(text, -1)) < 2 {
			return fmt.Sprintf("there are not two sessions as wanted in\n%s", text), ctx.Err()
		}
		return c.goes(ctx, l, "198.18.11.2")
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
	if _, err := l.Run(ctx, "n1", silence); err != nil {
		return 0, err
	}
	if err := site.Await(ctx, settled, 10*time.Millisecond, "the other way", func() (string, error) { return c.goes(ctx, l, "198.18.12.2") }); err != nil {
		return 0, err
	}
	gap, err := flow.Gap(ctx, began)
	if err != nil {
		return 0, err
	}
	_, err = l.Run(ctx, "n1", mended)
	return gap, err
}

// goes says what is wrong unless packets to the far host go by an address.
func (c *contender) goes(ctx context.Context, l *lab.Lab, by string) (string, error) {
	text, err := l.Run(ctx, "r1", c.by)
	if err == nil && strings.Contains(string(text), by) {
		return "", nil
	}
	return fmt.Sprintf("packets do not go by %s:\n%s", by, text), ctx.Err()
}
