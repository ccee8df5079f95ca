package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"routerd/internal/bench"
)

// sample is what was measured in one round, by its name.
type sample map[string]float64

func (s sample) add(o sample) { maps.Copy(s, o) }

func (s sample) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "%s %.3g; ", name, s[name])
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

// columns are the figures that are printed of all rivals.
var columns = []string{learned, learnedCPU, learnedMB, forwarding, withdrawn, exported, exportedMB, refreshed, lost, back, tenLearned, tenLost}

// printFull prints what was measured of a full table, and judges routerd.
func printFull(out io.Writer, results map[string][]sample, left map[string]error) bench.Outcome {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	printSamples(w, columns, results)
	w.Flush()
	for _, r := range rivals {
		if err := left[r.name]; err != nil {
			fmt.Fprintf(out, "%s left out: %v\n", r.name, err)
		}
	}
	return printMarks(out, fullMarks, results)
}

// printSamples prints the medians of figures, those that have few digits with two of them.
func printSamples(w io.Writer, columns []string, results map[string][]sample) {
	fmt.Fprintf(w, "\t%s\t\n", strings.Join(columns, "\t"))
	for _, r := range rivals {
		if len(results[r.name]) == 0 {
			continue
		}
		fmt.Fprintf(w, "%s\t", r.name)
		for _, figure := range columns {
			text := "-"
			if v, ok := median(results[r.name], figure); ok {
				text = fmt.Sprintf("%.2f", v)
				if strings.HasPrefix(figure, "MB") {
					text = fmt.Sprintf("%.0f", v)
				}
			}
			fmt.Fprintf(w, "%s\t", text)
		}
		fmt.Fprintln(w)
	}
}

func printMarks(out io.Writer, marks []mark, results map[string][]sample) bench.Outcome {
	all := bench.Met
	for _, m := range marks {
		text, o := m.judge(results)
		all = all.Worse(o)
		fmt.Fprintf(out, "mark: %s\n", text)
	}
	fmt.Fprintln(out)
	return all
}

// judge says what became of a mark.
func (m *mark) judge(results map[string][]sample) (string, bench.Outcome) {
	value, measured := median(results[nameRouterd], m.figure)
	text := m.figure
	if m.over != nil {
		of := m.of
		if of == "" {
			of = m.figure
		}
		best, by := 0.0, strings.Join(m.over, " or ")
		for _, name := range m.over {
			if v, ok := median(results[name], of); ok && v > 0 && (best == 0 || v < best) {
				best, by = v, name
			}
		}
		measured = measured && best > 0
		value /= max(best, 1e-9)
		text = fmt.Sprintf("%s, over %s's", m.figure, by)
		if m.of != "" {
			text = fmt.Sprintf("%s, over %s, %s", m.figure, by, m.of)
		}
	}
	word, outcome := bench.Judge(measured, value <= m.most)
	got := "-"
	if measured {
		got = fmt.Sprintf("%.2f", value)
	}
	return fmt.Sprintf("%s: %s, wanted <= %.4g: %s", text, got, m.most, word), outcome
}
