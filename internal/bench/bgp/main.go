// Command bgp measures how routerd speaks BGP beside BIRD, FRR, OpenBGPD and GoBGP, in labs
// of its own.
//
// A full table: a speaker that announces the prefixes of the internet's table, as fast as
// TCP takes them, is a neighbour of each in turn, and another one counts what it is sent.
// Measured are the times until all routes are learned, withdrawn, learned and sent on,
// sent once more at the neighbour's request, lost with the session, and back and sent on;
// until packets are forwarded by all of them, by routerd's own table and by the kernel's
// with BIRD; and until ten neighbours' routes of the same prefixes are learned, and those of
// the best one lost. Whether routes are there is asked of each by its own means; resident
// memory is looked at three seconds later. Meanwhile routerd has a session of BFD, and is
// asked what `show bgp summary` says.
//
// A crowd: 200 neighbours have 1,000 prefixes each and policies, and are sent what all
// others have. Measured are the time and the processor time of that, resident memory,
// processor time when nothing happens, and when one of them goes and comes, of routerd, BIRD
// and FRR: then no other session may end, and nobody be sent more than what that one had.
//
// routerd and BIRD have five rounds, of which the medians count. The kernel's table, FRR,
// OpenBGPD and GoBGP take long: they have one round unless -slow says more, without lost
// sessions and ten neighbours; and BIRD sends once more in the first round alone. What
// takes longer than -limit is not waited for. All of it takes about ten minutes.
//
//	main.go     flags; judge.go what is wanted, tables and sentences
//	table.go    a full table; crowd.go a crowd; watch.go BFD and show meanwhile
//	seat.go     the rivals and how each is asked; config.go their configurations,
//	            hosted.go those that labs do not know
//	stand.go    the lab of a rival; speaker.go those who feed it, with what feed.go makes;
//	            probe.go packets
//
// It exits 0 when every mark is met, 1 when one is not or the run failed, 2 on wrong
// usage, and 3 when no mark is missed and some could not be judged because BIRD or FRR
// is not installed or was late. It needs root. Its traffic stays inside network namespaces
// that it makes and removes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"routerd/internal/bench/site"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options is what is measured.
type options struct {
	runs, slow int
	prefixes   int // of a full table; 0 for all
	shared     int // prefixes that ten neighbours have
	crowd      int // neighbours; 0 leaves them out
	each       int // prefixes of each
	rest       time.Duration
	limit      time.Duration // of one figure; see given
	rivals     []*rival
	table      []netip.Prefix

	routerd  string
	progress func(format string, args ...any)
	site     *site.Site
}

// given is how long a rival has for one figure.
func (o options) given(r *rival) time.Duration {
	if r.slow {
		return o.limit
	}
	return 2 * o.limit
}

// internetTable is where the public table is, beside the source tree.
const internetTable = "../shared/corpora/tables/bart-prefixes-1062k.txt.gz"

// fullSize is how many prefixes of IPv4 it has.
const fullSize = 901_899

const usage = `bgp measures how routerd speaks BGP beside BIRD, FRR, OpenBGPD and GoBGP: first a full
table, then a crowd of neighbours with policies. It needs root, makes network namespaces
and takes about ten minutes; "-runs 3 -rivals 'routerd,BIRD,BIRD and the kernel'" takes five.

Printed are medians, and of each mark what was compared, what is wanted, and PASS, MISS or
NOT RUN. It exits 0 if all marks are met, 1 if one is missed or the run failed, 2 on wrong
usage, and 3 if no mark is missed and some were not judged.

`

func parse(args []string, stderr io.Writer) (o options, err error) {
	o.progress = func(format string, args ...any) { fmt.Fprintf(stderr, format+"\n", args...) }
	path, names := "", ""
	f := flag.NewFlagSet("bgp", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.runs, "runs", 5, "`rounds` with a full table, each of which has routerd and BIRD; 0 leaves it out")
	f.IntVar(&o.slow, "slow", 1, "`rounds`, the first ones, that have the others too: the kernel's table, FRR, OpenBGPD, GoBGP; with 0 the crowd is without FRR as well")
	f.DurationVar(&o.limit, "limit", 45*time.Second, "`time` that one figure may take, twice as long for routerd and BIRD: a longer one is printed as > and the seconds, and what comes after it is left out")
	f.IntVar(&o.shared, "shared", 100_000, "`prefixes` that ten neighbours have")
	f.IntVar(&o.crowd, "neighbours", 200, "`neighbours` with prefixes and policies of their own, to 240; 0 leaves them out")
	f.IntVar(&o.each, "each", 1000, "`prefixes` of each of them")
	f.DurationVar(&o.rest, "rest", 10*time.Second, "time for which they are left alone")
	f.StringVar(&names, "rivals", "", "`names` of those that are measured, separated by commas: "+allNames()+" (default: all)")
	f.IntVar(&o.prefixes, "prefixes", 0, "`prefixes` of the table that are a full one, its first; 0 for all, which the marks are for")
	f.StringVar(&path, "table", internetTable, "`file` with prefixes, one a line; if it is missing, as many are made up")
	f.StringVar(&o.routerd, "routerd", "", "`binary` of the daemon (default: built from this source tree)")
	f.Usage = func() {
		fmt.Fprint(stderr, usage)
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 || o.runs < 0 || o.slow < 0 || o.shared < 1 || o.prefixes < 0 {
		return o, errors.New("want 0 or more rounds, 1 or more prefixes, and nothing but flags")
	}
	if o.crowd < 0 || o.crowd == 1 || o.crowd > mostFeeders || o.each < 1 || o.rest < time.Second || o.limit < time.Second {
		return o, fmt.Errorf("%d neighbours with %d prefixes for %v, %v for a figure: want 2 to %d or none, 1 or more, and 1s or more", o.crowd, o.each, o.rest, o.limit, mostFeeders)
	}
	known := strings.Split(allNames(), ",")
	for _, name := range strings.Split(names, ",") {
		if names != "" && !slices.Contains(known, name) {
			return o, fmt.Errorf("rival %q: want one of %s", name, allNames())
		}
	}
	for _, r := range rivals {
		if names == "" || slices.Contains(strings.Split(names, ","), r.name) {
			o.rivals = append(o.rivals, r)
		}
	}
	switch o.table, err = readTable(path); {
	case errors.Is(err, os.ErrNotExist):
		o.progress("%v: %d prefixes are made up", err, fullSize)
		o.table, err = madeUp(fullSize), nil
	case err == nil && len(o.table) == 0:
		err = fmt.Errorf("%s has no prefix of IPv4", path)
	}
	return o, err
}

// allNames are those of all who are measured, separated by commas.
func allNames() string {
	list := make([]string, len(rivals))
	for i, r := range rivals {
		list[i] = r.name
	}
	return strings.Join(list, ",")
}

func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		fmt.Fprintf(stderr, "bgp: %v\n", err)
		return 2
	}
	return site.Judge("bgp", o.routerd, stdout, stderr, func(at *site.Site) options {
		o.site = at
		return o
	}, full, crowds)
}
