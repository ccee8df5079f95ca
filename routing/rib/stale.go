package rib

import (
	"fmt"
	"time"

	"routerd/routing"
)

// Stale says that a source restarts. Its routes stay in use; each route that it
// offers again, changed or not, is fresh. Routes that are still stale at Until,
// or at an earlier [Sweep], are removed. Each Stale and each Sweep looks at
// every candidate once.
type Stale struct {
	Source routing.Source
	Family int       // 4, 6, or 0 for both
	Until  time.Time // zero = only a Sweep ends it
}

// Sweep says that a source has offered all its routes again.
type Sweep struct {
	Source routing.Source
	Family int
}

// Tick has the RIB do what is due by the time.
type Tick struct{}

func (Stale) input() {}
func (Sweep) input() {}
func (Tick) input()  {}

// Deadline is when a [Tick] has something to do, the zero Time while nothing
// is due.
func (r *RIB) Deadline() time.Time {
	var first time.Time
	for _, s := range r.restarts {
		if !s.Until.IsZero() && (first.IsZero() || s.Until.Before(first)) {
			first = s.Until
		}
	}
	return first
}

func (r *RIB) markSource(in Stale) error {
	switch in.Source {
	case routing.SourceConnected, routing.SourceStatic, routing.SourceNone:
		return fmt.Errorf("marking routes stale: no protocol speaks for source %v", in.Source)
	}
	r.completeSweeps(in.Source)
	for _, d := range r.dests.All() {
		if !inFamily(d, in.Family) {
			continue
		}
		if c := d.of(in.Source); c != nil {
			c.stale = true
		}
	}
	r.forgetRestart(in.Source, in.Family)
	r.restarts = append(r.restarts, in)
	return nil
}

func (r *RIB) sweepSource(in Sweep) {
	r.touched = true
	r.sweeps = append(r.sweeps, &sweeping{Sweep: in})
	r.forgetRestart(in.Source, in.Family)
}

func (r *RIB) sweepDue(now time.Time) {
	for i := 0; i < len(r.restarts); {
		s := r.restarts[i]
		if s.Until.IsZero() || s.Until.After(now) {
			i++
			continue
		}
		r.sweepSource(Sweep{s.Source, s.Family}) // removes it from the list
		i = 0
	}
}

// forgetRestart removes the restart of a source from the list; if both families
// are meant, those of either family too.
func (r *RIB) forgetRestart(source routing.Source, family int) {
	kept := r.restarts[:0]
	for _, s := range r.restarts {
		if s.Source != source || family != 0 && s.Family != family {
			kept = append(kept, s)
		}
	}
	r.restarts = kept
}

func inFamily(d *dest, family int) bool {
	return family == 0 || (family == 4) == d.prefix.Addr().Is4()
}
