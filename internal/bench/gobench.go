package bench

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/perf/benchfmt"
)

// GoFigure is a value that a Go benchmark reports, by the benchmark's name
// without the number of CPUs, and its unit.
type GoFigure struct{ Benchmark, Unit string }

// GoMark is a claim about Go benchmarks: Figure, minus the figure Less if that is
// set, is at most Most or at least Least times the figure Over, or at most Most or
// at least Least if Over is not set. A figure and those that it is compared with
// are of the same run, since the machine's speed varies. A mark with neither bound
// only reports.
type GoMark struct {
	Text        string
	Figure      GoFigure
	Less, Over  GoFigure
	Most, Least float64
	// Noise: Less is what the machine adds. If that alone is more than Most, it
	// says nothing of the figure, and the mark is void.
	Noise bool
}

// GoRun is one run of go test: which benchmarks, in which package, and more flags.
type GoRun struct {
	Benchmarks, Package string
	Flags               []string
}

// GoMarks is a command that runs Go benchmarks several times over and judges their
// medians.
type GoMarks struct {
	Name, Title string
	Count       int // times that every benchmark is run, unless the user says
	Runs        []GoRun
	Marks       []GoMark
}

// Main is the command with its arguments, without its name. It gives the exit
// code: see [Outcome.Code]. It has to be run in the source tree.
func (g *GoMarks) Main(args []string, stdout, stderr io.Writer) int {
	f := flag.NewFlagSet(g.Name, flag.ContinueOnError)
	f.SetOutput(stderr)
	count := f.Int("count", g.Count, "`times` that every benchmark is run")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if f.NArg() > 0 || *count < 1 {
		fmt.Fprintf(stderr, "%s: want a -count of 1 or more, and nothing but flags\n", g.Name)
		return 2
	}
	o := NewGoOutput()
	// In turn rather than each several times in a row, so that drifts of the
	// machine do not favour one.
	for range *count {
		for _, r := range g.Runs {
			if err := r.measure(o); err != nil {
				fmt.Fprintf(stderr, "%s: %v\n", g.Name, err)
				return 1
			}
		}
	}
	return g.Print(stdout, o).Code()
}

// GoOutput is what runs of Go benchmarks have printed.
type GoOutput struct {
	values  map[GoFigure][]float64
	skipped []string // what was left out, and why
}

// NewGoOutput is that of no run.
func NewGoOutput() *GoOutput { return &GoOutput{values: map[GoFigure][]float64{}} }

func (r GoRun) measure(o *GoOutput) error {
	args := append([]string{"test", "-v", "-run", "^$", "-bench", r.Benchmarks, r.Package}, r.Flags...)
	out, err := exec.Command("go", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("running go %s: %w: %s", strings.Join(args, " "), err, out)
	}
	if err := o.Read(out); err != nil {
		return fmt.Errorf("reading what go %s printed: %w", strings.Join(args, " "), err)
	}
	return nil
}

// Read adds the output of a run of go test.
func (o *GoOutput) Read(out []byte) error {
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
			at := GoFigure{name, v.Unit}
			if v.OrigUnit != "" { // the reader has made ns into sec
				at.Unit, v.Value = v.OrigUnit, v.OrigValue
			}
			o.values[at] = append(o.values[at], v.Value)
		}
	}
	o.readSkipped(string(out))
	return r.Err()
}

// readSkipped adds what go test -v says of benchmarks that did not run: lines of
// reasons, which begin with blanks, and then the line of the benchmark.
func (o *GoOutput) readSkipped(out string) {
	reason := ""
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, " ") {
			if _, after, ok := strings.Cut(line, ".go:"); ok { // the place in the source
				_, reason, _ = strings.Cut(after, ": ")
			}
			continue
		}
		if name, is := strings.CutPrefix(line, "--- SKIP: "); is {
			if s := strings.Fields(name)[0] + ": " + reason; !slices.Contains(o.skipped, s) {
				o.skipped = append(o.skipped, s)
			}
		}
		reason = ""
	}
}

// Print prints the marks and judges them.
func (g *GoMarks) Print(out io.Writer, o *GoOutput) Outcome {
	all := Met
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s\tmeasured\tmedian\tleast\tmost\truns\twanted\t\t\n", g.Title)
	for _, m := range g.Marks {
		measured, got := m.measured(o.values), m.values(o.values)
		spread := SpreadOf(got)
		verdict, outcome := Judge(spread.N > 0, m.met(spread.Median))
		if m.Most == 0 && m.Least == 0 && spread.N > 0 {
			verdict, outcome = Unmeant, Met
		}
		if m.Noise && spread.N > 0 && SpreadOf(o.values[m.Less]).Median > m.Most {
			verdict, outcome = Void, NotRun
		}
		all = all.Worse(outcome)
		cells := "-\t-\t-\t-"
		if len(measured) > 0 {
			unit := strings.TrimSuffix(strings.TrimSuffix(m.Figure.Unit, "/op"), "/packet")
			cells = fmt.Sprintf("%s %s\t-\t-\t-", short(SpreadOf(measured).Median), unit)
		}
		if len(got) > 0 {
			cells = strings.TrimSuffix(cells, "-\t-\t-") + fmt.Sprintf("%s\t%s\t%s", short(spread.Median), short(spread.Min), short(spread.Max))
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t\n", m.Text, cells, len(got), m.wanted(), verdict)
	}
	w.Flush()
	for _, s := range o.skipped {
		fmt.Fprintln(out, "not run:", s)
	}
	return all
}

// short is a figure with no more digits than it deserves.
func short(v float64) string {
	switch {
	case v < 0.1 && v > -0.1:
		return fmt.Sprintf("%.3f", v)
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func (m *GoMark) met(value float64) bool {
	if m.Least > 0 {
		return value >= m.Least
	}
	return value <= m.Most
}

func (m *GoMark) wanted() string {
	sign, bound := "<=", m.Most
	if m.Least > 0 {
		sign, bound = ">=", m.Least
	}
	switch {
	case bound == 0:
		return "-"
	case m.Over != (GoFigure{}):
		return sign + " " + short(bound) + " times"
	}
	return sign + " " + short(bound)
}

// values are the values by which m is judged, one for each run that has
// measured both the figure and its yardstick.
func (m *GoMark) values(all map[GoFigure][]float64) []float64 {
	got := m.measured(all)
	if m.Over == (GoFigure{}) {
		return got
	}
	over := all[m.Over]
	got = got[:min(len(got), len(over))]
	for i := range got {
		got[i] /= over[i]
	}
	return got
}

// measured is the figure of m, minus Less, of each run.
func (m *GoMark) measured(all map[GoFigure][]float64) []float64 {
	got := slices.Clone(all[m.Figure])
	if m.Less == (GoFigure{}) {
		return got
	}
	less := all[m.Less]
	got = got[:min(len(got), len(less))]
	for i := range got {
		got[i] -= less[i]
	}
	return got
}
