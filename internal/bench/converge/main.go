// Command converge measures how soon routers get over a path that is lost, beside
// BIRD and FRR in the same run, in labs of its own.
//
// Failover: a router has two neighbours that are joined as well, and one of them
// a host. A datagram is sent to the host every millisecond. The way to that
// neighbour begins to lose everything in both directions, and no carrier is
// lost; BFD with 50 ms and a multiplier of 3 finds it out, for static routes and
// for OSPF. Or OSPF alone has to find it out, or the carrier is lost. The neighbours
// are BIRD throughout.
// The longest time in which datagrams were sent and none arrived is counted, so
// what the sender lacks of a processor is no part of it; where OSPF alone finds it out,
// the time from the last Hello that came through to the end of that. Marks are on routerd's
// median, and on its longest: nobody who goes by the RFC can be sooner than 100
// ms, two intervals after the cut at least, and later than 150 ms, three after
// the last packet at most, but for the time that it takes to react.
//
// Sessions: so many BFD sessions of 50 ms with BIRD on one link, for a time. That
// no session is lost is a mark; the CPU time of both is printed.
//
// Neighbours: so many of OSPF with Hellos of 1 s, each on a link of its own, the
// same.
//
// Before each cut the same is measured for half a second: "uncut" is the median of
// that, and where it is above 20 ms the machine is too busy to judge anything.
//
// It exits 0 when every mark is met, 1 when one is not or the run failed, 2 on
// wrong usage, and 3 when no mark is missed and some could not be judged because
// a program is not installed. It needs root. Its traffic stays inside network
// namespaces that it makes and removes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"routerd/internal/bench/site"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options is what is measured.
type options struct {
	cuts      int    // of each contender
	only      string // what the name of a contest has in it
	sessions  int    // at once
	neighbors int
	during    time.Duration // for how long
	routerd   string
	progress  func(format string, args ...any)
	site      *site.Site
}

func run(args []string, stdout, stderr io.Writer) int {
	o := options{progress: func(format string, args ...any) { fmt.Fprintf(stderr, format+"\n", args...) }}
	f := flag.NewFlagSet("converge", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.cuts, "cuts", 20, "silent cuts of each contender; 0 leaves failover out")
	f.StringVar(&o.only, "only", "", "cut only where the name of the contest has this `text`")
	f.IntVar(&o.sessions, "sessions", 200, "sessions at once, up to 250; 0 leaves sessions out")
	f.IntVar(&o.neighbors, "neighbors", 200, "OSPF neighbours at once, up to 250; 0 leaves them out")
	f.DurationVar(&o.during, "during", time.Minute, "how long sessions and neighbours are watched")
	f.StringVar(&o.routerd, "routerd", "", "`binary` of the daemon (default: built from this source tree)")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if f.NArg() > 0 || o.cuts < 0 || o.sessions < 0 || o.sessions > mostSessions || o.neighbors < 0 || o.neighbors > mostNeighbors || o.during <= 0 {
		fmt.Fprintf(stderr, "converge: want 0 or more cuts, 0 to %d sessions, 0 to %d neighbours, a duration above 0, and nothing but flags\n", mostSessions, mostNeighbors)
		return 2
	}
	return site.Judge("converge", o.routerd, stdout, stderr, func(at *site.Site) options {
		o.site = at
		return o
	}, failovers, sessions, neighbors)
}
