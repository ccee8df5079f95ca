package bench

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// WriteText prints the report as tables for people.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "forwarding, %s, MTU %d: median of %d rounds of %g s; TCP with %s; %d CPUs, Linux %s, %s\n",
		r.Family, r.MTU, r.Rounds, r.Window, r.Machine.Control, r.Machine.CPUs, r.Machine.Kernel, r.Machine.Go)
	fmt.Fprintf(&b, "before the run the machine was %.0f %% busy", r.Idle*100)
	if r.Idle > noisy {
		b.WriteString(": not quiet, take the figures with care")
	}
	b.WriteString("\n\n")
	writeGrid(&b, r.throughput())
	b.WriteString("\nCPU per packet delivered, ns: all CPUs (source and sink included) / the forwarding process alone\n")
	writeGrid(&b, r.cpu())
	if grid := r.refusals(); len(grid) > 1 {
		b.WriteString("\nCPU of a refused flow beside a new one at the same pace, ns: source and forwarding process; the ratio within a round\n")
		writeGrid(&b, grid)
	}
	if grid := r.memory(); len(grid) > 1 {
		b.WriteString("\nmemory that new flows took, bytes each, the most of all rounds\n")
		writeGrid(&b, grid)
	}
	for _, p := range r.Paths {
		if p.Skipped != "" {
			fmt.Fprintf(&b, "\n%s: %s\n", p.Title, p.Skipped)
		}
	}
	for _, m := range r.Metrics {
		if m.Skipped != "" {
			fmt.Fprintf(&b, "\n%s: %s\n", m.Title, m.Skipped)
		}
	}
	if len(r.Marks) > 0 {
		b.WriteString("\nratio within a round\n")
		writeGrid(&b, r.marks())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// noisy is the share of busy CPU before a run above which a machine is not
// quiet enough.
const noisy = 0.05

func (r *Report) throughput() [][]string {
	head, unit := []string{"path"}, []string{""}
	for _, m := range r.Metrics {
		head = append(head, m.Title)
		switch {
		case m.Traffic.Streams > 0:
			unit = append(unit, "Gbit/s")
			continue
		case m.Traffic.Echo:
			unit = append(unit, "µs")
			continue
		}
		head, unit = append(head, ""), append(unit, "packets/s", "loss")
	}
	grid := [][]string{head, unit}
	for _, p := range r.Paths {
		row := []string{p.Title}
		for _, m := range r.Metrics {
			s := p.Samples[m.Name]
			switch {
			case m.Traffic.Streams > 0:
				row = append(row, cell(s, Sample.Gigabits, "%.2f", 1))
			case m.Traffic.Echo:
				row = append(row, cell(s, Sample.RoundTrip, "%.1f", 1))
			default:
				row = append(row, cell(s, Sample.PacketRate, "%.0f k", 1e-3), cell(s, Sample.Loss, "%.1f %%", 100))
			}
		}
		grid = append(grid, row)
	}
	return grid
}

func (r *Report) cpu() [][]string {
	head := []string{"path"}
	for _, m := range r.Metrics {
		head = append(head, m.Title)
	}
	grid := [][]string{head}
	for _, p := range r.Paths {
		row := []string{p.Title}
		for _, m := range r.Metrics {
			s := p.Samples[m.Name]
			all, own := cell(s, Sample.BusyPerPacket, "%.0f", 1), cell(s, Sample.ForwarderPerPacket, "%.0f", 1)
			if own == "0" { // the kernel: no process forwards
				own = "-"
			}
			row = append(row, all+" / "+own)
		}
		grid = append(grid, row)
	}
	return grid
}

// refusals is what a flow costs that is refused, beside one that is not.
func (r *Report) refusals() [][]string {
	grid := [][]string{{"path", "new", "refused", "refused / new", "quartiles"}}
	for _, p := range r.Paths {
		fresh, refused := p.Samples[NewPaced], p.Samples[Refusals]
		s := SpreadOf(ratios(refused, fresh, Sample.CarryPerPacket))
		if s.N == 0 {
			continue
		}
		grid = append(grid, []string{
			p.Title, cell(fresh, Sample.CarryPerPacket, "%.0f", 1), cell(refused, Sample.CarryPerPacket, "%.0f", 1),
			fmt.Sprintf("%.2f", s.Median), fmt.Sprintf("%.2f .. %.2f", s.Q1, s.Q3),
		})
	}
	return grid
}

// memory is what sessions took where there were many new ones. What is kept
// for later sessions is taken once only, hence the most of all rounds.
func (r *Report) memory() [][]string {
	grid := [][]string{{"path", "a session"}}
	for _, p := range r.Paths {
		most := 0.0
		for _, s := range p.Samples[NewFlows] {
			most = max(most, s.MemoryPerPacket())
		}
		if most > 0 {
			grid = append(grid, []string{p.Title, fmt.Sprintf("%.0f", most)})
		}
	}
	return grid
}

// cell is the median of a figure, scaled; "-" when nothing was measured.
func cell(samples []Sample, figure func(Sample) float64, format string, scale float64) string {
	if len(samples) == 0 {
		return "-"
	}
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = figure(s)
	}
	return fmt.Sprintf(format, SpreadOf(values).Median*scale)
}

func (r *Report) marks() [][]string {
	grid := [][]string{{"mark", "median", "quartiles", "min .. max", "pairs", "wanted", ""}}
	for _, j := range r.Marks {
		metric := j.Metric
		if m := r.metric(j.Metric); m != nil {
			metric = m.Title
		}
		if j.CPU {
			metric += ", CPU per packet"
		}
		row := []string{fmt.Sprintf("%s: %s / %s, %s", j.Name, j.Path, j.Over, metric), "-", "-", "-", fmt.Sprint(j.Spread.N), "-", j.Verdict}
		if s := j.Spread; s.N > 0 {
			row[1] = fmt.Sprintf("%.2f", s.Median)
			row[2] = fmt.Sprintf("%.2f .. %.2f", s.Q1, s.Q3)
			row[3] = fmt.Sprintf("%.2f .. %.2f", s.Min, s.Max)
		}
		if j.Least > 0 {
			row[5] = fmt.Sprintf(">= %.2f", j.Least)
		}
		if j.Most > 0 {
			row[5] = fmt.Sprintf("<= %.2f", j.Most)
		}
		grid = append(grid, row)
	}
	return grid
}

// writeGrid writes the rows in columns: the first to the left, the others to
// the right.
func writeGrid(b *strings.Builder, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, text := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, text := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
			if i == 0 {
				line.WriteString(text + pad)
			} else {
				line.WriteString("   " + pad + text)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}
