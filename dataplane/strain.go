package dataplane

import "time"

// strain is whether a worker lags behind what arrives: what it reads fills one batch
// after the other.
type strain struct {
	full  int       // batches in a row that were full
	last  time.Time // when the last full one was read
	under bool
}

// When a worker comes under strain, and for how long it has to have kept up until it no
// longer is.
const (
	strainBatches = 4
	strainTime    = 100 * time.Millisecond
)

// judge takes into account that a batch was read at the time now. It reports whether that
// has changed anything.
func (s *strain) judge(full bool, now time.Time) (changed bool) {
	if !full {
		s.full = 0
		return s.ease(now)
	}
	s.full++
	s.last = now
	if s.under || s.full < strainBatches {
		return false
	}
	s.under = true
	return true
}

// ease ends the strain if it is time, and reports whether it has.
func (s *strain) ease(now time.Time) (changed bool) {
	return now.Sub(s.last) >= strainTime && s.end()
}

// end ends the strain, and reports whether there was one.
func (s *strain) end() (changed bool) {
	changed, s.under = s.under, false
	return changed
}

// tellStrain tells Strained of a change.
func (w *Worker) tellStrain(changed bool) {
	if changed && w.Strained != nil {
		w.Strained(w.strain.under)
	}
}
