package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"routerd/internal/bench"
	"routerd/internal/bench/site"
	"routerd/internal/lab"
)

// mostSessions is how many subnets one link is given.
const mostSessions = 250

// many is routerd with so many sessions with BIRD on one link, each in a subnet of
// its own: BIRD has one session with each address.
func many(sessions int) string {
	var peers, neighbors strings.Builder
	var near, far []string
	for n := range sessions {
		fmt.Fprintf(&peers, "[node.r1.config.bfd.peer.\"198.19.%d.2\"]\n", n)
		fmt.Fprintf(&neighbors, "neighbor 198.19.%d.1 dev \"eth0\" local 198.19.%d.2;\n", n, n)
		near, far = append(near, fmt.Sprintf("\"198.19.%d.1/30\"", n)), append(far, fmt.Sprintf("\"198.19.%d.2/30\"", n))
	}
	return fmt.Sprintf(`[node.r1]
kind = "router"
[node.r1.config.bfd.profile.default]
interval = "50ms"
%s[node.n1]
kind = "bird"
config = """
log stderr all;
router id 198.19.0.2;
protocol device { }
protocol bfd { interface "eth0" { interval 50 ms; multiplier 3; };
%s}
"""
[[link]]
endpoints = ["r1:eth0", "n1:eth0"]
addresses = { "r1:eth0" = [%s], "n1:eth0" = [%s] }
`, peers.String(), neighbors.String(), strings.Join(near, ", "), strings.Join(far, ", "))
}

var upSession = regexp.MustCompile(`(?m)^198\.19\.\d+\.2 +\S+ +up .* 50ms +150ms +(\d+) `)

// lost counts the sessions that are up, and how often any of them went down.
func lost(ctx context.Context, l *lab.Lab) (up, downs int, err error) {
	text, err := l.Run(ctx, "r1", "routerd show bfd")
	if err != nil {
		return 0, 0, fmt.Errorf("asking for the sessions: %w", err)
	}
	for _, m := range upSession.FindAllSubmatch(text, -1) {
		n, err := strconv.Atoi(string(m[1]))
		if err != nil {
			return 0, 0, fmt.Errorf("reading the sessions: %w", err)
		}
		up++
		downs += n
	}
	return up, downs, nil
}

// sessions prints what many sessions take, and judges whether none was lost.
func sessions(ctx context.Context, o options, out io.Writer) (bench.Outcome, error) {
	if o.sessions == 0 {
		return bench.Met, nil
	}
	var routerd, bird site.Usage
	up, downs := 0, 0
	err := o.site.Lab(ctx, many(o.sessions), func(l *lab.Lab) error {
		err := site.Await(ctx, settled, 200*time.Millisecond, "all sessions", func() (string, error) {
			up, _, err := lost(ctx, l)
			if up == o.sessions {
				return "", err
			}
			return fmt.Sprintf("%d of %d are up", up, o.sessions), err
		})
		if err != nil {
			return err
		}
		_, before, err := lost(ctx, l)
		if err == nil {
			routerd, bird, err = spent(ctx, l, o.during)
		}
		if err == nil {
			up, downs, err = lost(ctx, l)
		}
		downs -= before
		return err
	})
	if err != nil && !errors.Is(err, site.ErrMissing) {
		return bench.NotRun, fmt.Errorf("sessions: %w", err)
	}
	word, outcome := bench.Judge(err == nil, up == o.sessions && downs == 0)
	fmt.Fprintf(out, "%d BFD sessions of 50 ms x 3 for %v\n", o.sessions, o.during)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tCPU\tmemory\tlost\twanted\t\t")
	if err != nil {
		fmt.Fprintf(w, "routerd\t-\t-\t-\t0\t%s\t\n", word)
		w.Flush()
		fmt.Fprintln(out, err)
		return outcome, nil
	}
	share := func(u site.Usage) float64 { return 100 * u.CPU.Seconds() / o.during.Seconds() }
	fmt.Fprintf(w, "routerd\t%.1f %%\t%.0f MiB\t%d\t0\t%s\t\n", share(routerd), routerd.RSS, downs+o.sessions-up, word)
	fmt.Fprintf(w, "BIRD\t%.1f %%\t%.0f MiB\t\t\t\t\n", share(bird), bird.RSS)
	w.Flush()
	return outcome, nil
}

// spent gives what both have used in a time, and their memory at its end.
func spent(ctx context.Context, l *lab.Lab, during time.Duration) (routerd, bird site.Usage, err error) {
	var u [4]site.Usage
	for n := range u {
		if n == 2 {
			if err := site.Pause(ctx, during); err != nil {
				return routerd, bird, err
			}
		}
		if u[n], err = site.Used(l, []string{"r1", "n1"}[n%2]); err != nil {
			return routerd, bird, err
		}
	}
	u[2].CPU -= u[0].CPU
	u[3].CPU -= u[1].CPU
	return u[2], u[3], nil
}
