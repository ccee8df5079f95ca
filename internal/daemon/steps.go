package daemon

import (
	"time"

	"routerd/internal/control"
)

// stepTimes counts how long each step of the loop takes: while one runs, nothing else
// of the router's owner does.
type stepTimes struct {
	counts [len(control.StepBounds) + 1]uint64
	sum    time.Duration
}

// run takes one step.
func (s *stepTimes) run(step func()) {
	begun := time.Now()
	step()
	s.count(time.Since(begun))
}

func (s *stepTimes) count(took time.Duration) {
	i := 0
	for i < len(control.StepBounds) && took.Seconds() > control.StepBounds[i] {
		i++
	}
	s.counts[i]++
	s.sum += took
}

// snapshot gives the counts as a histogram has them: of steps up to each bound.
func (s *stepTimes) snapshot() control.StepSnapshot {
	x := control.StepSnapshot{Seconds: s.sum.Seconds()}
	for i, n := range s.counts {
		if x.Steps += n; i < len(x.UpTo) {
			x.UpTo[i] = x.Steps
		}
	}
	return x
}
