package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"text/tabwriter"
	"time"

	"routerd/internal/bench"
	"routerd/internal/bench/site"
	"routerd/internal/lab"
)

// protected is how long nothing may arrive with fast-reroute, as a median.
const protected = 5 * time.Millisecond

// contender is a router in the triangle that loses its way to the far host, and
// how it is asked for the way.
type contender struct {
	name, node, by string
}

// triangleBIRD is BIRD in the triangle, with a router ID and the interfaces of a
// hello a second.
const triangleBIRD = `kind = "bird"
config = """
log stderr all;
router id %s;
protocol device { }
protocol direct { ipv4; }
protocol kernel { ipv4 { export where source = RTS_OSPF; }; }
protocol ospf v2 o {
  ipv4 { import all; export none; };
  area 0 {
    interface "eth0", "eth1" { type ptp; cost 10; hello 1; dead 4; };
    interface "eth2" { cost 10; stub yes; };
  };
}
"""
`

// contenders are all of them. BIRD and FRR forward by the kernel.
var contenders = []contender{
	{"routerd with fast-reroute", triangleRouterd(true), "routerd show route for 198.18.9.2"},
	{"routerd", triangleRouterd(false), "routerd show route for 198.18.9.2"},
	{"FRR", triangleFRR(), "ip route get 198.18.9.2"},
	{"BIRD", fmt.Sprintf(triangleBIRD, "198.18.255.1"), "ip route get 198.18.9.2"},
}

func triangleRouterd(fast bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "kind = \"router\"\n[node.r1.config.ospf]\nrouter-id = \"198.18.255.1\"\nfast-reroute = %v\n", fast)
	for _, i := range []string{"eth0", "eth1"} {
		fmt.Fprintf(&b, "[node.r1.config.ospf.interface.%s]\narea = 0\nnetwork = \"point-to-point\"\ncost = 10\nhello-interval = \"1s\"\n", i)
	}
	b.WriteString("[node.r1.config.ospf.interface.eth2]\narea = 0\ncost = 10\npassive = true\n")
	return b.String()
}

func triangleFRR() string {
	var b strings.Builder
	b.WriteString("kind = \"frr\"\nconfig = \"\"\"\nrouter ospf\n ospf router-id 198.18.255.1\nexit\n")
	for _, i := range []string{"eth0", "eth1"} {
		fmt.Fprintf(&b, "interface %s\n ip ospf network point-to-point\n ip ospf cost 10\n ip ospf hello-interval 1\n ip ospf dead-interval 4\n ip ospf area 0\nexit\n", i)
	}
	b.WriteString("interface eth2\n ip ospf cost 10\n ip ospf passive\n ip ospf area 0\nexit\n\"\"\"\n")
	return b.String()
}

// triangle is the contender r1, its host, and two of BIRD's, the first of which has
// the far host.
func triangle(self string) string {
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
`, self, fmt.Sprintf(triangleBIRD, "198.18.255.2"), fmt.Sprintf(triangleBIRD, "198.18.255.3"))
}

// failovers prints how long nothing arrived, and judges routerd with and without
// fast-reroute.
func failovers(ctx context.Context, o options, out io.Writer) (bench.Outcome, error) {
	if o.cuts == 0 {
		return bench.Met, nil
	}
	all := make([][]float64, len(contenders))
	var failed error
	for i, c := range contenders {
		var err error
		if all[i], err = c.cutAll(ctx, o); errors.Is(err, site.ErrMissing) {
			fmt.Fprintf(out, "%s left out: %v\n", c.name, err)
		} else if err != nil { // what was measured of the others is worth printing
			failed = errors.Join(failed, fmt.Errorf("failover of %s: %w", c.name, err))
		}
	}
	return printFailovers(out, all), failed
}

// printFailovers prints the gaps of all contenders, in seconds, and judges those of
// routerd.
func printFailovers(out io.Writer, all [][]float64) bench.Outcome {
	fmt.Fprintln(out, "carrier lost in a triangle: milliseconds in which nothing arrived")
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tmedian\tlongest\tcuts\t")
	median := make([]float64, len(all))
	for i, gaps := range all {
		s := bench.SpreadOf(gaps)
		median[i] = s.Median
		fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%d\t\n", contenders[i].name, 1000*s.Median, 1000*s.Max, s.N)
	}
	w.Flush()
	word, first := bench.Judge(len(all[0]) > 0, median[0] <= protected.Seconds())
	fmt.Fprintf(out, "mark: median with fast-reroute, wanted <= %v: %s\n", protected, word)
	word, second := bench.Judge(len(all[1]) > 0 && len(all[2]) > 0, median[1] <= median[2])
	fmt.Fprintf(out, "mark: median without, wanted <= FRR's: %s\n\n", word)
	return first.Worse(second)
}

// Between datagrams, for a way to be found, and for a database to be the same
// everywhere, so that there is a backup.
const (
	probes  = time.Millisecond
	settled = 60 * time.Second
)

// cutAll gives the gaps of all cuts, in seconds.
func (c *contender) cutAll(ctx context.Context, o options) (gaps []float64, err error) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		return nil, fmt.Errorf("tcpdump %w", site.ErrMissing)
	}
	err = o.site.Lab(ctx, triangle(c.node), func(l *lab.Lab) error {
		for range o.cuts {
			gap, before, err := c.cut(ctx, l)
			if err != nil {
				return err
			}
			gaps = append(gaps, gap.Seconds())
			o.progress("failover of %s: %.1f ms; before, up to %.1f ms by the machine alone", c.name, 1000*gap.Seconds(), 1000*before.Seconds())
		}
		return nil
	})
	return gaps, err
}

// cut takes the carrier of the direct link away, gives the longest time in which
// nothing arrived, and before it, and gives the carrier back.
func (c *contender) cut(ctx context.Context, l *lab.Lab) (gone, before time.Duration, err error) {
	if err := c.goes(ctx, l, "198.18.11.2"); err != nil {
		return 0, 0, err
	}
	// The neighbours' LSAs follow each other by MinLSInterval, and timers of
	// calculations begin anew after a time of quiet.
	if err := site.Pause(ctx, 12*time.Second); err != nil {
		return 0, 0, err
	}
	flow, err := site.Watch(ctx, l, "h1", "far", "198.18.9.2", probes)
	if err != nil {
		return 0, 0, err
	}
	defer flow.Stop()
	began := time.Now()
	if _, err := l.Run(ctx, "n1", "ip link set eth0 down"); err != nil {
		return 0, 0, err
	}
	if err := c.goes(ctx, l, "198.18.12.2"); err != nil {
		return 0, 0, err
	}
	gap, uncut, err := flow.Gap(ctx, began)
	if err != nil {
		return 0, 0, err
	}
	_, err = l.Run(ctx, "n1", "ip link set eth0 up")
	return gap, uncut, err
}

// goes waits until packets to the far host go by an address.
func (c *contender) goes(ctx context.Context, l *lab.Lab, by string) error {
	return site.Await(ctx, settled, 20*time.Millisecond, c.name+" goes by "+by, func() (string, error) {
		text, err := l.Run(ctx, "r1", c.by)
		if err != nil || !strings.Contains(string(text), by) {
			return string(text), ctx.Err()
		}
		return "", nil
	})
}
