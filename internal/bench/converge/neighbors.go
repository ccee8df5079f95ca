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
)

// mostNeighbors is how many links one router is given.
const mostNeighbors = 250

// crowd is routerd with so many neighbours, each on a link of its own: instances
// of OSPF in one BIRD, with router IDs of their own.
func crowd(neighbors int) string {
	var r1, n1, links strings.Builder
	for n := 1; n <= neighbors; n++ {
		fmt.Fprintf(&r1, "[node.r1.config.ospf.interface.eth%d]\narea = 0\nnetwork = \"point-to-point\"\ncost = 10\nhello-interval = \"1s\"\ndead-interval = \"4s\"\n", n)
		fmt.Fprintf(&n1, "protocol ospf v2 o%d { router id 198.19.255.%d; ipv4 { import none; export none; }; area 0 { interface \"eth%d\" { type ptp; cost 10; hello 1; dead 4; }; }; }\n", n, n, n)
		fmt.Fprintf(&links, "[[link]]\nendpoints = [\"r1:eth%d\", \"n1:eth%d\"]\naddresses = { \"r1:eth%d\" = [\"198.19.%d.1/30\"], \"n1:eth%d\" = [\"198.19.%d.2/30\"] }\n", n, n, n, n, n, n)
	}
	return "[node.r1]\nkind = \"router\"\n[node.r1.config.ospf]\nrouter-id = \"198.19.0.1\"\n" + r1.String() +
		"[node.n1]\nkind = \"bird\"\nconfig = \"\"\"\nlog stderr all;\nrouter id 198.19.0.2;\nprotocol device { }\n" + n1.String() + "\"\"\"\n" + links.String()
}

// full counts the neighbours that have been in Full for a time.
func full(ctx context.Context, l *lab.Lab, during time.Duration) (n int, err error) {
	text, err := l.Run(ctx, "r1", "routerd show ospf neighbor -o json")
	if err != nil {
		return 0, fmt.Errorf("asking for the neighbours: %w", err)
	}
	var doc struct {
		Neighbors []struct {
			State string
			For   float64
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return 0, fmt.Errorf("reading the neighbours: %w", err)
	}
	for _, x := range doc.Neighbors {
		if x.State == "full" && x.For >= during.Seconds() {
			n++
		}
	}
	return n, nil
}

// neighbors prints what many neighbours take, and judges whether none was lost.
func neighbors(ctx context.Context, o options, out io.Writer) (bench.Outcome, error) {
	if o.neighbors == 0 {
		return bench.Met, nil
	}
	var routerd, bird site.Usage
	kept := 0
	err := o.site.Lab(ctx, crowd(o.neighbors), func(l *lab.Lab) error {
		err := site.Await(ctx, 2*settled, time.Second, "all adjacencies", func() (string, error) {
			n, err := full(ctx, l, 0)
			if n == o.neighbors {
				return "", err
			}
			return fmt.Sprintf("%d of %d are full", n, o.neighbors), err
		})
		if err == nil {
			routerd, bird, err = spent(ctx, l, o.during)
		}
		if err == nil {
			kept, err = full(ctx, l, o.during)
		}
		return err
	})
	if err != nil && !errors.Is(err, site.ErrMissing) {
		return bench.NotRun, fmt.Errorf("neighbours: %w", err)
	}
	word, outcome := bench.Judge(err == nil, kept == o.neighbors)
	fmt.Fprintf(out, "%d OSPF neighbours with Hellos of 1 s for %v\n", o.neighbors, o.during)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tCPU\tmemory\tlost\twanted\t\t")
	if err != nil {
		fmt.Fprintf(w, "routerd\t-\t-\t-\t0\t%s\t\n", word)
		w.Flush()
		fmt.Fprintln(out, err)
		return outcome, nil
	}
	share := func(u site.Usage) float64 { return 100 * u.CPU.Seconds() / o.during.Seconds() }
	fmt.Fprintf(w, "routerd\t%.1f %%\t%.0f MiB\t%d\t0\t%s\t\n", share(routerd), routerd.RSS, o.neighbors-kept, word)
	fmt.Fprintf(w, "BIRD, the neighbours\t%.1f %%\t%.0f MiB\t\t\t\t\n", share(bird), bird.RSS)
	w.Flush()
	return outcome, nil
}
