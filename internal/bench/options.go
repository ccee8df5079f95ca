package bench

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Options is what a run measures and for how long.
type Options struct {
	Paths   []string // names of Paths
	Metrics []string // names of Metrics
	Rounds  int      // each gives one pair to every mark; at least 1
	Window  time.Duration
	Rate    int    // of the paced traffic, packets/s
	MTU     int    // of every link, bytes
	IPv6    bool   // instead of IPv4
	Routerd string // path of the daemon's binary; "" builds it
	// Earlier is the path of the binary of an earlier daemon, to be compared with;
	// "" leaves its paths out.
	Earlier string
	// Table is the file of prefixes, one a line, of a full table; compressed if it
	// ends in .gz.
	Table string
	// Compared has a path measured only with the traffic that a mark compares.
	Compared bool
	// Progress is called with one line for each round; may be nil.
	Progress func(string)
}

// DefaultOptions is what `make bench` runs first, the first of [Groups]: under seven minutes.
func DefaultOptions() Options {
	o := Options{
		Rounds: 10,
		Window: 2 * time.Second,
		Rate:   DefaultPacedRate,
		MTU:    1500,
		Table:  defaultTable,
	}
	g := Groups[0]
	o.Paths, o.Metrics = slices.Clone(g.Paths), slices.Clone(g.Metrics)
	return o
}

// Choose takes the paths and the kinds of traffic of the named group.
func (o *Options) Choose(group string) error {
	var names []string
	for _, g := range Groups {
		if g.Name == group {
			o.Paths, o.Metrics, o.Compared = slices.Clone(g.Paths), slices.Clone(g.Metrics), g.Compared
			return nil
		}
		names = append(names, g.Name)
	}
	return fmt.Errorf("no group is called %q, wanted one of %q", group, names)
}

// PathNames gives the names of the paths, in the order of the table.
func PathNames() (names []string) {
	for _, p := range Paths {
		names = append(names, p.Name)
	}
	return names
}

// Restrict leaves only the paths and the kind of traffic that the named mark
// compares. The yardstick is not measured then, so nothing is void.
func (o *Options) Restrict(mark string) error {
	var names []string
	for _, m := range Marks {
		if m.Name == mark {
			o.Paths, o.Metrics = []string{m.Path, m.Over}, []string{m.Metric}
			return nil
		}
		names = append(names, m.Name)
	}
	return fmt.Errorf("no mark is called %q, wanted one of %q", mark, names)
}

// chosen is what o names, in the order of the tables.
func (o Options) chosen() ([]Path, []Metric, error) {
	var paths []Path
	var metrics []Metric
	for _, p := range Paths {
		if slices.Contains(o.Paths, p.Name) && (!p.Earlier || o.Earlier != "") {
			paths = append(paths, p)
		}
	}
	for _, m := range Metrics(o.Rate) {
		if slices.Contains(o.Metrics, m.Name) {
			metrics = append(metrics, m)
		}
	}
	return paths, metrics, o.Check()
}

// Check returns an error that names everything that is wrong with o.
func (o Options) Check() error {
	var wrong []error
	for _, name := range o.Paths {
		if !slices.ContainsFunc(Paths, func(p Path) bool { return p.Name == name }) {
			wrong = append(wrong, fmt.Errorf("no path is called %q, wanted one of %q", name, PathNames()))
		}
	}
	var known []string
	for _, m := range Metrics(o.Rate) {
		known = append(known, m.Name)
	}
	for _, name := range o.Metrics {
		if !slices.Contains(known, name) {
			wrong = append(wrong, fmt.Errorf("no metric is called %q, wanted one of %q", name, known))
		}
	}
	if len(o.Paths) == 0 || len(o.Metrics) == 0 {
		wrong = append(wrong, errors.New("nothing to measure, wanted at least one path and one metric"))
	}
	if o.Rounds < 1 || o.Rounds > 1000 {
		wrong = append(wrong, fmt.Errorf("%d pairs, wanted 1 to 1000", o.Rounds))
	}
	if o.Window < 50*time.Millisecond || o.Window > time.Minute {
		wrong = append(wrong, fmt.Errorf("%s per measurement, wanted 50ms to 1m", o.Window))
	}
	if o.Rate < 1000 {
		wrong = append(wrong, fmt.Errorf("%d packets/s, wanted at least 1000", o.Rate))
	}
	if o.MTU < 1280 || o.MTU > 65535 {
		wrong = append(wrong, fmt.Errorf("MTU of %d bytes, wanted 1280 to 65535", o.MTU))
	}
	return errors.Join(wrong...)
}
