// Command rip measures how routerd speaks RIP beside BIRD, between neighbours
// that are BIRD throughout (FRR too, for failover), in labs of its own.
//
// Burst: BIRD announces so many routes at once to a routerd, which passes them
// on to the router that is measured, which passes them on to another routerd.
// Counted are the time until the last one has all, or what it gets within 75 s;
// the CPU time of the measured one from the first route until two seconds after
// the last; its resident memory then; and what was lost in the burst, so that
// only regular updates brought it, or nothing. BIRD gives its routes to the
// kernel, as routerd does to its own table, since otherwise it would not forward
// by them. What is lost where BIRD is measured spoils the comparison and not the
// marks, which are on routerd's median memory, on the medians of time and of CPU
// time beside BIRD's, and on routes lost through routerd.
//
// Failover: a router with two neighbours that are joined as well loses the
// carrier to the one that has a host. A datagram is sent to the host every
// 5 ms; the longest time in which some were sent and none arrived is counted,
// so it is known to 5 ms, and what the sender lacks of a processor is no part of
// it. The neighbours have their default timers. The longest gap of all runs has
// to be short enough: a packet that is lost in one run of five is lost.
//
// It exits 0 when every mark is met, 1 when one is not or the run failed, 2 on
// wrong usage, and 3 when no mark is missed and some could not be judged because
// BIRD, FRR or tcpdump is not installed. It needs root. Its traffic stays inside
// network namespaces that it makes and removes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"routerd/internal/bench/site"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options is what is measured.
type options struct {
	routes   int
	bursts   int // through routerd; through BIRD there is one
	cuts     int // of routerd's links; those of others are cut once
	routerd  string
	baseline bool
	progress func(format string, args ...any)
	site     *site.Site
}

func run(args []string, stdout, stderr io.Writer) int {
	o := options{progress: func(format string, args ...any) { fmt.Fprintf(stderr, format+"\n", args...) }}
	f := flag.NewFlagSet("rip", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.routes, "routes", 25000, "routes of the burst, 1 to 60000; 0 leaves bursts out")
	f.IntVar(&o.bursts, "bursts", 3, "bursts through routerd; through BIRD, which takes more than a minute, there is one")
	f.IntVar(&o.cuts, "cuts", 5, "links cut for routerd with each kind of neighbour; 0 leaves failover out")
	f.BoolVar(&o.baseline, "baseline", true, "cut a link of BIRD's, too, which takes half a minute")
	f.StringVar(&o.routerd, "routerd", "", "`binary` of the daemon (default: built from this source tree)")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if f.NArg() > 0 || o.routes < 0 || o.routes > 60000 || o.bursts < 1 || o.cuts < 0 {
		fmt.Fprintln(stderr, "rip: want 0 to 60000 routes, 1 or more bursts, 0 or more cuts, and nothing but flags")
		return 2
	}
	return site.Judge("rip", o.routerd, stdout, stderr, func(at *site.Site) options {
		o.site = at
		return o
	}, bursts, failovers)
}
