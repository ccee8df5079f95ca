// Command nat runs the Go benchmarks of address translation several times over
// and judges their medians: a new session, a packet of one of a million
// sessions, the memory of a session, a refused flow. Times are compared with a
// yardstick of the same run, a Go map with the same keys or another benchmark,
// so that the result does not depend on the machine's speed.
//
// It exits 0 when every mark is met, 1 when one is not or the run failed, 2 on
// wrong usage, and 3 when no mark is missed and some could not be measured. It
// has to be run in the source tree.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/perf/benchfmt"

	"routerd/internal/bench"
)

// figure is a value that a benchmark reports, by the benchmark's name without
// the number of CPUs, and its unit.
type figure struct{ benchmark, unit string }

var (
	mapEntry    = figure{"BenchmarkMap", "ns/op"}
	mapLookup   = figure{"BenchmarkNAT/map", "ns/packet"}
	plain       = figure{"BenchmarkNAT/plain", "ns/packet"}
	established = figure{"BenchmarkNAT/established", "ns/packet"}
	fresh       = figure{"BenchmarkNewSession/default", "ns/op"}
	freshLarge  = figure{"BenchmarkNewSession/1M", "ns/op"}
	bytesEach   = figure{"BenchmarkBytes", "B/session"}
	refused     = figure{"BenchmarkRefuse/paired", "ns/op"}
	refusedAny  = figure{"BenchmarkRefuse/arbitrary", "ns/op"}
)

// mark is a claim: figure, minus the figure less if that is set, is at most
// most times the figure over, or at most most if over is not set.
type mark struct {
	text   string
	figure figure
	less   figure
	most   float64
	over   figure
}

var marks = []mark{
	{"a new session, against a new key in a Go map for a million", fresh, figure{}, 5, mapEntry},
	{"the same, table for a million", freshLarge, figure{}, 5, mapEntry},
	{"a packet at a million sessions, over plain forwarding, against a Go map's lookup", established, plain, 1, mapLookup},
	{"memory of a session", bytesEach, figure{}, 160, figure{}},
	{"a refused flow, against a new session", refused, figure{}, 1, fresh},
	{"the same with arbitrary pooling", refusedAny, figure{}, 1, fresh},
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	f := flag.NewFlagSet("nat", flag.ContinueOnError)
	f.SetOutput(stderr)
	count := f.Int("count", 5, "`times` that every benchmark is run")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if f.NArg() > 0 || *count < 1 {
		fmt.Fprintln(stderr, "nat: want a -count of 1 or more, and nothing but flags")
		return 2
	}
	values := map[figure][]float64{}
	// In turn rather than each several times in a row, so that drifts of the
	// machine do not favour one.
	for range *count {
		if err := measure(values); err != nil {
			fmt.Fprintf(stderr, "nat: %v\n", err)
			return 1
		}
	}
	return printMarks(stdout, values).Code()
}

// measure runs every benchmark once and adds what it reports.
func measure(values map[figure][]float64) error {
	for _, b := range [][]string{
		{"BenchmarkNAT$/(map|plain|established)$", "./dataplane"},
		{"BenchmarkNewSession$|BenchmarkMap$|BenchmarkRefuse$", "./nat"},
		{"BenchmarkBytes$", "./nat", "-benchtime=1x"},
	} {
		args := append([]string{"test", "-run", "^$", "-bench", b[0]}, b[1:]...)
		out, err := exec.Command("go", args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("running go %s: %w: %s", strings.Join(args, " "), err, out)
		}
		if err := read(out, values); err != nil {
			return fmt.Errorf("reading what go %s printed: %w", strings.Join(args, " "), err)
		}
	}
	return nil
}

// read adds the figures in the output of go test.
func read(out []byte, values map[figure][]float64) error {
	r := benchfmt.NewReader(bytes.NewReader(out), "go test")
	for r.Scan() {
		result, is := r.Result().(*benchfmt.Result)
		if !is {
			continue
		}
		name := "Benchmark" + string(result.Name)
		if _, parts := result.Name.Parts(); len(parts) > 0 {
			if last := string(parts[len(parts)-1]); strings.HasPrefix(last, "-") { // the number of CPUs
				name = strings.TrimSuffix(name, last)
			}
		}
		for _, v := range result.Values {
			at := figure{name, v.Unit}
			if v.OrigUnit != "" { // the reader has made ns into sec
				at.unit, v.Value = v.OrigUnit, v.OrigValue
			}
			values[at] = append(values[at], v.Value)
		}
	}
	return r.Err()
}

// printMarks prints the marks and judges them.
func printMarks(out io.Writer, values map[figure][]float64) bench.Outcome {
	all := bench.Met
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "address translation, Go benchmarks\tmeasured\tmedian\tleast\tmost\truns\twanted\t\t")
	for _, m := range marks {
		measured, got := m.measured(values), m.values(values)
		spread := bench.SpreadOf(got)
		verdict, o := bench.Judge(spread.N > 0, spread.Median <= m.most)
		all = all.Worse(o)
		cells, digits, wanted := "-\t-\t-\t-", 0, fmt.Sprintf("<= %.0f", m.most)
		if m.over != (figure{}) {
			digits, wanted = 2, fmt.Sprintf("<= %.2f times", m.most)
		}
		if len(measured) > 0 {
			unit := strings.TrimSuffix(strings.TrimSuffix(m.figure.unit, "/op"), "/packet")
			cells = fmt.Sprintf("%.0f %s\t-\t-\t-", bench.SpreadOf(measured).Median, unit)
		}
		if len(got) > 0 {
			cells = strings.TrimSuffix(cells, "-\t-\t-") + fmt.Sprintf("%.*f\t%.*f\t%.*f", digits, spread.Median, digits, spread.Min, digits, spread.Max)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t\n", m.text, cells, len(got), wanted, verdict)
	}
	w.Flush()
	return all
}

// values are the values by which m is judged, one for each run that has
// measured both the figure and its yardstick. Both are of the same run, since
// the machine's speed varies.
func (m mark) values(all map[figure][]float64) []float64 {
	got := m.measured(all)
	if m.over == (figure{}) {
		return got
	}
	over := all[m.over]
	got = got[:min(len(got), len(over))]
	for i := range got {
		got[i] /= over[i]
	}
	return got
}

// measured is the figure of m, minus less, of each run.
func (m mark) measured(all map[figure][]float64) []float64 {
	got := slices.Clone(all[m.figure])
	if m.less == (figure{}) {
		return got
	}
	less := all[m.less]
	got = got[:min(len(got), len(less))]
	for i := range got {
		got[i] -= less[i]
	}
	return got
}
