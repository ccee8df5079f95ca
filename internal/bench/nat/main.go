// Command nat runs the Go benchmarks of address translation several times over
// and judges their medians by what routerd promises: a new session, a packet of
// one of a million sessions, the memory of a session, a refused flow. Times are
// judged against a yardstick that the same run has measured, a Go map of the same
// keys or another benchmark, so that a slower machine is no miss.
//
// It exits 0 when every mark is met, 1 when one is not or the run failed, 2 on
// wrong usage, and 3 when no mark is missed and the figures of some are not
// there. It has to be run in the source tree.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

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

// mark is a promise: figure, less the figure less if that is set, is at most so
// many times the figure over, or at most most where that is not set.
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
	// Turn by turn rather than each several times in a row, so that what drifts
	// on the machine does not favour one.
	for range *count {
		if err := measure(values); err != nil {
			fmt.Fprintf(stderr, "nat: %v\n", err)
			return 1
		}
	}
	return tell(stdout, values).Code()
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
		read(out, values)
	}
	return nil
}

// read adds the figures in the output of go test. A line is a name with the
// number of CPUs, a count, and then values each with its unit.
func read(out []byte, values map[figure][]float64) {
	for in := bufio.NewScanner(bytes.NewReader(out)); in.Scan(); {
		fields := strings.Fields(in.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := fields[0]
		if dash := strings.LastIndexByte(name, '-'); dash > 0 {
			name = name[:dash]
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				at := figure{name, fields[i+1]}
				values[at] = append(values[at], v)
			}
		}
	}
}

// tell prints the marks, and gives what became of them.
func tell(out io.Writer, values map[figure][]float64) bench.Outcome {
	all := bench.Met
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "address translation, Go benchmarks\tmeasured\tmedian\tleast\tmost\truns\twanted\t\t")
	for _, m := range marks {
		measured, got := m.measured(values), m.values(values)
		verdict, o := bench.Judge(len(got) > 0, median(got) <= m.most)
		all = all.Worse(o)
		cells, digits, wanted := "-\t-\t-\t-", 0, fmt.Sprintf("<= %.0f", m.most)
		if m.over != (figure{}) {
			digits, wanted = 2, fmt.Sprintf("<= %.2f times", m.most)
		}
		if len(measured) > 0 {
			unit := strings.TrimSuffix(strings.TrimSuffix(m.figure.unit, "/op"), "/packet")
			cells = fmt.Sprintf("%.0f %s\t-\t-\t-", median(measured), unit)
		}
		if len(got) > 0 {
			cells = strings.TrimSuffix(cells, "-\t-\t-") + fmt.Sprintf("%.*f\t%.*f\t%.*f", digits, median(got), digits, slices.Min(got), digits, slices.Max(got))
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t\n", m.text, cells, len(got), wanted, verdict)
	}
	w.Flush()
	return all
}

// values are what m is judged by, one for each run that has measured both the
// figure and its yardstick: the two of one run, since machines have moods.
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

// measured is the figure of m, less what is to be taken from it, of each run.
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

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	values = slices.Sorted(slices.Values(values))
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}
