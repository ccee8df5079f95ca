package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Run brings every chosen path up, measures them in rounds and takes them
// down again, also when it fails or ctx ends. It needs root.
//
// All paths stand throughout, and only one carries traffic at a time: an idle
// path costs nothing. A round measures one metric over every path; the next
// round goes through the paths backwards, so that whatever drifts on the
// machine does not always favour the same one.
func Run(ctx context.Context, o Options) (r *Report, err error) {
	paths, metrics, err := o.chosen()
	if err != nil {
		return nil, err
	}
	if err := RemoveLeftovers(); err != nil {
		return nil, err
	}
	r = newReport(o, paths, metrics)
	sites := make(map[string]*Site)
	defer func() {
		for _, s := range sites {
			err = errors.Join(err, s.close())
		}
	}()
	for _, p := range paths {
		site, err := setUp(ctx, o, p)
		if errors.Is(err, ErrSkip) {
			r.skip(p.Name, err)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("set up path %s: %w", p.Name, err)
		}
		sites[p.Name] = site
	}
	paths = slices.DeleteFunc(paths, func(p Path) bool { return sites[p.Name] == nil })
	metrics = slices.DeleteFunc(slices.Clone(metrics), func(m Metric) bool { return r.lacks(m, o) })
	if r.Idle, err = idleLoad(ctx); err != nil {
		return nil, err
	}
	for round := range o.Rounds {
		for _, m := range metrics {
			if err := measureRound(ctx, r, m, inOrder(r.wanted(paths, m, o), round), sites); err != nil {
				return nil, err
			}
		}
		if o.Progress != nil {
			o.Progress(fmt.Sprintf("round %d of %d: %s", round+1, o.Rounds, r.latest()))
		}
	}
	r.Marks = judge(Marks, r)
	return r, nil
}

// setUp brings one path up and waits until it carries traffic.
func setUp(ctx context.Context, o Options, p Path) (*Site, error) {
	site, err := newSite(o, p.Name)
	if err != nil {
		return nil, err
	}
	if err = p.Setup(ctx, site); err == nil {
		err = site.await(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, site.close())
	}
	return site, nil
}

// inOrder is the paths in the order of a round: every other one backwards.
func inOrder(paths []Path, round int) []Path {
	paths = slices.Clone(paths)
	if round%2 == 1 {
		slices.Reverse(paths)
	}
	return paths
}

// wanted is those paths over which the metric is measured.
func (r *Report) wanted(paths []Path, m Metric, o Options) []Path {
	return slices.DeleteFunc(slices.Clone(paths), func(p Path) bool {
		return !p.takes(m.Traffic) || o.Compared && !slices.ContainsFunc(Marks, func(k Mark) bool {
			return k.Metric == m.Name && (k.Path == p.Name || k.Over == p.Name) && r.asked(k)
		})
	})
}

func measureRound(ctx context.Context, r *Report, m Metric, paths []Path, sites map[string]*Site) error {
	for _, p := range paths {
		s, err := sites[p.Name].measure(ctx, m, r.window)
		if err != nil {
			return fmt.Errorf("measure %s over path %s: %w", m.Title, p.Name, err)
		}
		r.add(p.Name, m.Name, s)
	}
	return nil
}

// idleLoad is the share of all CPUs that is busy before any traffic runs.
func idleLoad(ctx context.Context) (float64, error) {
	before, err := readCPU()
	if err != nil {
		return 0, err
	}
	if err := sleep(ctx, time.Second); err != nil {
		return 0, err
	}
	after, err := readCPU()
	if err != nil {
		return 0, err
	}
	return after.busySince(before).Seconds() / (after.at.Sub(before.at).Seconds() * float64(after.cpus)), nil
}

// machine says where the run took place.
func machine() Machine {
	m := Machine{CPUs: runtime.NumCPU(), Go: runtime.Version(), Arch: runtime.GOARCH}
	m.Control, _ = congestion() // a host without one fails its path's set-up
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				m.Revision = s.Value
			}
		}
	}
	return m
}
