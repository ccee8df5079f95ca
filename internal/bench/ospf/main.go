// Command ospf measures how routerd speaks OSPF beside BIRD and FRR, in labs of
// its own.
//
// Events: a speaker that has a made-up area of 961 routers (and, if asked, of
// 10,000) in a grid is the only neighbour of each of the three. It gives each the
// whole database, and then changes the cost of a random link, the same ones for
// all, in turn. Counted are the CPU time of all threads and daemons of a router,
// from the LSA to its routes, less that of windows of the same run in which
// nothing came; the CPU time of loading, until a router is quiet; and by how much
// its resident memory has grown then. FRR gives its routes to the kernel; BIRD
// does with -kernel. In the end each has to have the costs that the links say.
//
// Neighbours: 200 of them are on a LAN with each of the three, which is the DR, and
// send a Hello a second. Counted are the CPU time of the router, its resident
// memory, and the adjacencies that end in that time, as the neighbours see it:
// none may.
//
// How soon a lost carrier and silence are found, with OSPF too, is measured by the
// command converge; so are neighbours on links of their own.
//
// It exits 0 when every mark is met, 1 when one is not or the run failed, 2 on
// wrong usage, and 3 when no mark is missed and some could not be judged because
// BIRD or FRR is not installed. It needs root. Its traffic stays inside network
// namespaces that it makes and removes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"routerd/internal/bench/site"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options is what is measured.
type options struct {
	sides   []int // of the grids; none leaves events out
	events  int   // that each router gets
	spacing time.Duration
	kernel  bool
	alone   bool // routerd without the others, to see what it does

	neighbours int // on one LAN; 0 leaves them out
	hold       time.Duration

	routerd  string
	progress func(format string, args ...any)
	site     *site.Site
}

// parse reads the flags. Sides are a list of numbers.
func parse(args []string, stderr io.Writer) (o options, err error) {
	o.progress = func(format string, args ...any) { fmt.Fprintf(stderr, format+"\n", args...) }
	sides := ""
	f := flag.NewFlagSet("ospf", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&sides, "sides", "31", "`sides` of the grids of routers, from 3 to 150: 31,100 for 961 and 10,000 routers; 0 leaves events out")
	f.IntVar(&o.events, "events", 12, "changes that each router is told of")
	f.DurationVar(&o.spacing, "spacing", 1500*time.Millisecond, "time between two changes, from 1s: so that no router gathers two")
	f.BoolVar(&o.kernel, "kernel", false, "BIRD gives its routes to the kernel, as FRR does")
	f.BoolVar(&o.alone, "alone", false, "events of routerd alone, without anything to compare it with")
	f.IntVar(&o.neighbours, "neighbours", 200, "neighbours of each router on one LAN, to 230; 0 leaves them out")
	f.DurationVar(&o.hold, "hold", 30*time.Second, "time for which the neighbours are watched, once all are adjacent")
	f.StringVar(&o.routerd, "routerd", "", "`binary` of the daemon (default: built from this source tree)")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	for _, text := range strings.Split(sides, ",") {
		n, err := strconv.Atoi(text)
		if sides != "0" && (err != nil || n < 3 || n > 150) {
			return o, fmt.Errorf("sides %q: want numbers from 3 to 150, or 0", sides)
		}
		if n > 0 {
			o.sides = append(o.sides, n)
		}
	}
	if o.neighbours < 0 || o.neighbours > mostOfCrowd || o.hold < time.Second {
		return o, fmt.Errorf("%d neighbours for %v: want 0 to %d, and 1s or more", o.neighbours, o.hold, mostOfCrowd)
	}
	if f.NArg() > 0 || o.events < 1 || o.spacing < time.Second {
		return o, errors.New("want 1 or more events, 1s or more between them, and nothing but flags")
	}
	return o, nil
}

// seats are those that get events.
func (o *options) seats() []seat {
	if o.alone {
		return seats[:1]
	}
	return seats[:]
}

func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		fmt.Fprintf(stderr, "ospf: %v\n", err)
		return 2
	}
	return site.Judge("ospf", o.routerd, stdout, stderr, func(at *site.Site) options {
		o.site = at
		return o
	}, events, crowds)
}
