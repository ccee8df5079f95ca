package bench

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Machine describes the machine of a run.
type Machine struct {
	Kernel   string `json:"kernel"`
	CPUs     int    `json:"cpus"`
	Control  string `json:"congestion_control"` // of TCP, on all hosts
	Arch     string `json:"arch"`
	Go       string `json:"go"`
	Revision string `json:"revision,omitempty"`
}

// Report is the result of a run. As JSON it has every sample, so that figures
// can be checked later.
type Report struct {
	Time    time.Time     `json:"time"` // when the run began, UTC
	Machine Machine       `json:"machine"`
	Family  string        `json:"family"` // "IPv4" or "IPv6"
	MTU     int           `json:"mtu"`
	Rounds  int           `json:"rounds"`
	Window  float64       `json:"window"` // seconds
	Idle    float64       `json:"idle"`   // share of the CPUs that was busy before the run, 0 to 1
	Metrics []Metric      `json:"metrics"`
	Paths   []PathReport  `json:"paths"`
	Marks   []Judgement   `json:"marks"`
	window  time.Duration // of one measurement
}

// PathReport is what was measured of one path.
type PathReport struct {
	Name    string              `json:"name"`
	Title   string              `json:"title"`
	Skipped string              `json:"skipped,omitempty"` // why there are no samples
	Samples map[string][]Sample `json:"samples,omitempty"` // by metric; index = round
}

func newReport(o Options, paths []Path, metrics []Metric) *Report {
	r := &Report{
		Time: time.Now().UTC(), Machine: machine(), Family: "IPv4", MTU: o.MTU,
		Rounds: o.Rounds, Window: o.Window.Seconds(), Metrics: metrics, window: o.Window,
	}
	if o.IPv6 {
		r.Family = "IPv6"
	}
	for _, p := range paths {
		r.Paths = append(r.Paths, PathReport{Name: p.Name, Title: p.Title, Samples: map[string][]Sample{}})
	}
	return r
}

func (r *Report) path(name string) *PathReport {
	i := slices.IndexFunc(r.Paths, func(p PathReport) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return &r.Paths[i]
}

func (r *Report) add(path, metric string, s Sample) {
	p := r.path(path)
	p.Samples[metric] = append(p.Samples[metric], s)
}

func (r *Report) skip(path string, why error) { r.path(path).Skipped = why.Error() }

// lacks reports whether the metric cannot be measured here, and records why.
func (r *Report) lacks(m Metric, o Options) bool {
	err := m.missing(o)
	if err != nil {
		r.metric(m.Name).Skipped = err.Error()
	}
	return err != nil
}

// samples is what was measured of a path, round by round.
func (r *Report) samples(path, metric string) []Sample {
	if p := r.path(path); p != nil {
		return p.Samples[metric]
	}
	return nil
}

// asked reports whether the run was to measure both sides of a mark.
func (r *Report) asked(m Mark) bool {
	return r.metric(m.Metric) != nil && r.path(m.Path) != nil && r.path(m.Over) != nil
}

func (r *Report) metric(name string) *Metric {
	i := slices.IndexFunc(r.Metrics, func(m Metric) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return &r.Metrics[i]
}

// figure is what a mark compares: bits of TCP, packets of UDP, round trips, or
// the time of the processors that a packet takes.
func (r *Report) figure(k Mark) func(Sample) float64 {
	m := r.metric(k.Metric)
	switch {
	case k.CPU:
		return Sample.BusyPerPacket
	case m != nil && m.Traffic.Streams > 0:
		return Sample.Gigabits
	case m != nil && m.Traffic.Echo:
		return Sample.RoundTrip
	}
	return Sample.PacketRate
}

// Outcome is the outcome of the marks that want something.
func (r *Report) Outcome() Outcome {
	o := Met
	for _, j := range r.Marks {
		switch {
		case !j.wants() || j.Verdict == Pass:
		case j.Verdict == NotTaken:
			o = o.Worse(NotRun)
		default:
			o = o.Worse(Missed)
		}
	}
	return o
}

// latest is the last round in one line.
func (r *Report) latest() string {
	var parts []string
	for _, m := range r.Metrics {
		var figures []string
		for _, p := range r.Paths {
			if s := p.Samples[m.Name]; len(s) > 0 {
				figures = append(figures, p.Name+" "+r.format(m, s[len(s)-1]))
			}
		}
		parts = append(parts, fmt.Sprintf("%s: %s", m.Title, strings.Join(figures, ", ")))
	}
	return strings.Join(parts, "; ")
}

// format is the figure of a sample with a sensible number of digits.
func (r *Report) format(m Metric, s Sample) string {
	if m.Traffic.Streams > 0 {
		return fmt.Sprintf("%.2f", s.Gigabits())
	}
	if m.Traffic.Echo {
		return fmt.Sprintf("%.1fµs", s.RoundTrip())
	}
	return fmt.Sprintf("%.0fk", s.PacketRate()/1000)
}
