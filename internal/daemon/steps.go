package daemon

import (
	"sync/atomic"
	"time"

	"routerd/internal/control"
)

// stepTimes counts how long each step of the loop takes: while one runs, nothing else
// of the router's owner does.
type stepTimes struct {
	counts [len(control.StepBounds) + 1]uint64
	sum    time.Duration
	// begun is when the step began that is under way, in nanoseconds since dawn; 0
	// between steps.
	begun atomic.Int64
}

// longestStep is how long a step may take before the router counts as held.
const longestStep = 10 * time.Second

// run takes one step, and gives how long it took.
func (s *stepTimes) run(step func()) time.Duration {
	begun := time.Now()
	s.begun.Store(int64(begun.Sub(dawn)))
	step()
	s.begun.Store(0)
	took := time.Since(begun)
	s.count(took)
	return took
}

// dawn is an instant of the monotonic clock before any step.
var dawn = time.Now().Add(-1)

// held returns how long the step that is under way has taken; anybody may ask.
func (s *stepTimes) held() time.Duration {
	if begun := s.begun.Load(); begun != 0 {
		return time.Since(dawn) - time.Duration(begun)
	}
	return 0
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
