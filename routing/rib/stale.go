package rib

import (
	"fmt"
	"math"
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
	for f := range 2 {
		if in.Family == 0 || (in.Family == 6) == (f == 1) {
			r.beginEpoch(in.Source, f)
		}
	}
	r.forgetRestart(in.Source, in.Family)
	r.restarts = append(r.restarts, in)
	return nil
}

func (r *RIB) sweepSource(in Sweep) {
	r.touched = true
	r.sweeps = append(r.sweeps, &sweeping{Sweep: in, kept: r.epochs[in.Source.Offerer()], at: 1})
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
		if s.Source.Offerer() != source.Offerer() || family != 0 && s.Family != family {
			kept = append(kept, s)
		}
	}
	r.restarts = kept
}

// A candidate bears the epoch of its source in which it was offered, so a source
// that starts afresh is one step of a number for all of its routes. Epochs are
// counted round; the oldest that any route may bear is never come up to.

// stale reports whether the source of c, a candidate of d, has started afresh and
// has not offered it again.
func (r *RIB) stale(c *candidate, d *dest) bool {
	return c.epoch() != r.epoch(c.source, d.family()).now
}

// epoch is where a source is, for one family.
type epoch struct {
	now  int
	past int // how many epochs before it may still have routes
}

// epoch gives where the offerer of a source is.
func (r *RIB) epoch(source routing.Source, family int) *epoch {
	return &r.epochs[source.Offerer()][family]
}

// age is how many epochs before now c was offered.
func (e epoch) age(c *candidate) int { return (e.now - c.epoch() + epochs) % epochs }

func (r *RIB) beginEpoch(source routing.Source, family int) {
	e := r.epoch(source, family)
	if e.past++; e.past == epochs {
		for _, s := range r.sweeps {
			s.work(r, math.MaxInt)
		}
		r.sweeps = nil
		r.mergeEpochs(source, family)
	}
	e.now = (e.now + 1) % epochs
}

// mergeEpochs makes all stale routes of a source as if of the epoch before now, so
// that the older epochs are free. It looks at all routes, after more restarts than
// anybody makes without a sweep.
func (r *RIB) mergeEpochs(source routing.Source, family int) {
	e := r.epoch(source, family)
	for i := uint32(1); i < r.dests.used; i++ {
		n := number(i)
		if r.at(n).family() != family {
			continue
		}
		if at := r.by(n, source, 0); at != 0 {
			if c := r.cand(at); e.age(c) > 1 {
				c.setEpoch((e.now + epochs - 1) % epochs)
			}
		}
	}
	e.past = 2
}
