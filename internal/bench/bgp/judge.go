package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"routerd/internal/bench"
)

// sample is what was measured in one round, by its name.
type sample map[string]float64

func (s sample) add(o sample) { maps.Copy(s, o) }

// late is the figure of what took longer than the limit.
var late = math.Inf(1)

// took takes down how long something took, and gives its error.
func (s sample) took(figure string, d time.Duration, err error) error {
	switch {
	case err == nil:
		s[figure] = d.Seconds()
	case errors.Is(err, errLate):
		s[figure] = late
	}
	return err
}

func (s sample) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "%s %s; ", name, digits(s[name], true))
	}
	return strings.TrimSuffix(b.String(), "; ")
}

// median is that of a figure in several rounds, and whether any has it.
func median(rounds []sample, figure string) (float64, bool) {
	var list []float64
	for _, s := range rounds {
		if v, ok := s[figure]; ok {
			list = append(list, v)
		}
	}
	return bench.SpreadOf(list).Median, len(list) > 0
}

// mark is what is wanted of routerd: its figure is at most so much of another, or at most
// so much where over is empty.
type mark struct {
	figure string
	over   []string // rivals; the best of them counts
	of     string   // their figure, if it is another
	most   float64
}

var fullMarks = []mark{
	{learned, []string{nameBIRD}, "", 0.5},
	{exported, []string{nameBIRD}, "", 0.35},
	{forwarding, []string{nameRouterd}, learned, 1.3},
	{forwarding, []string{nameKernel}, "", 0.12},
	{withdrawn, []string{nameBIRD}, "", 0.5},
	{lost, []string{nameBIRD}, "", 0.5},
	{back, []string{nameBIRD}, "", 0.45},
	{refreshed, []string{nameBIRD, nameFRR}, "", 0.1},
	{tenLearned, []string{nameBIRD}, "", 0.5},
	{tenLost, []string{nameBIRD}, "", 0.5},
	// routerd's have the RIB and the FIB in them, BIRD's and FRR's no FIB.
	{learnedMB, nil, "", 300},
	{exportedMB, nil, "", 300},
	{slowestShow, nil, "", 50},
	{bfdDowns, nil, "", 0},
}

// fullFigures are printed of all.
var fullFigures = []string{learned, learnedCPU, learnedMB, forwarding, withdrawn, exported, exportedMB, refreshed, lost, back, tenLearned, tenLost}

// printFull prints what was measured of a full table, and judges routerd.
func printFull(out io.Writer, o options, results map[string][]sample, left map[string]error) bench.Outcome {
	fmt.Fprintln(out, "Seconds; MB, 10^6 octets of resident memory; CPU s, of the processor until 3 s after all was learned; -, not measured; >, given up after so long.")
	printTable(out, o, fullFigures, results, left)
	reason := ""
	if o.prefixes > 0 {
		reason = "since the marks are for the whole table"
	}
	return printMarks(out, fullMarks, results, reason)
}

// printTable prints the medians of figures, a column for each who has some, and why somebody
// has none or not all.
func printTable(out io.Writer, o options, figures []string, results map[string][]sample, left map[string]error) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, cell func(r *rival) string) {
		fmt.Fprintf(w, "%s\t", name)
		for _, r := range rivals {
			if len(results[r.name]) > 0 {
				fmt.Fprintf(w, "%s\t", cell(r))
			}
		}
		fmt.Fprintln(w)
	}
	row("", func(r *rival) string { return r.name })
	row("median of rounds", func(r *rival) string { return strconv.Itoa(len(results[r.name])) })
	for _, figure := range figures {
		row(figure, func(r *rival) string { return printed(results[r.name], figure, o.given(r)) })
	}
	w.Flush()
	for _, r := range rivals {
		if err := left[r.name]; err != nil {
			fmt.Fprintf(out, "%s, what is missing of it: %v\n", r.name, err)
		}
	}
}

// printed is a median as it is printed: - if there is none, the limit if it is late, and of
// how many rounds it is if some do not have it.
func printed(rounds []sample, figure string, limit time.Duration) string {
	v, ok := median(rounds, figure)
	text := fmt.Sprintf("%.2f", v)
	switch {
	case !ok:
		return "-"
	case v == late:
		text = fmt.Sprintf(">%.0f", limit.Seconds())
	case strings.HasPrefix(figure, "MB"):
		text = fmt.Sprintf("%.0f", v)
	}
	n := 0
	for _, s := range rounds {
		if _, has := s[figure]; has {
			n++
		}
	}
	if n < len(rounds) {
		text += fmt.Sprintf(" (of %d)", n)
	}
	return text
}

// printMarks says of each mark what became of it. None is judged if there is a reason not to.
func printMarks(out io.Writer, marks []mark, results map[string][]sample, reason string) bench.Outcome {
	all := bench.Met
	for _, m := range marks {
		text, word, o := m.judge(results)
		if reason != "" {
			word, o = bench.Judge(false, false)
			word += ", " + reason
		}
		all = all.Worse(o)
		fmt.Fprintf(out, "mark: %s: %s\n", text, word)
	}
	fmt.Fprintln(out)
	return all
}

// judge says what became of a mark, and what was compared.
func (m *mark) judge(results map[string][]sample) (text, word string, o bench.Outcome) {
	value, measured := median(results[nameRouterd], m.figure)
	text = fmt.Sprintf("%s: routerd %s", m.figure, digits(value, measured))
	if m.over != nil {
		of := m.of
		if of == "" {
			of = m.figure
		}
		best, by := late, strings.Join(m.over, " or ")
		for _, name := range m.over {
			if v, ok := median(results[name], of); ok && v > 0 && v < best {
				best, by = v, name
			}
		}
		text += fmt.Sprintf(", %s %s", by, digits(best, best < late))
		if m.of != "" {
			text = fmt.Sprintf("%s: routerd %s, %s of %s %s", m.figure, digits(value, measured), m.of, by, digits(best, best < late))
		}
		measured = measured && best < late
		value /= best
		text += fmt.Sprintf(", ratio %s", digits(value, measured))
	}
	word, o = bench.Judge(measured, value <= m.most)
	return fmt.Sprintf("%s, wanted <= %.4g", text, m.most), word, o
}

// digits is a figure in a sentence.
func digits(v float64, measured bool) string {
	switch {
	case !measured:
		return "-"
	case v == late:
		return "beyond the limit"
	}
	return fmt.Sprintf("%.3g", v)
}
