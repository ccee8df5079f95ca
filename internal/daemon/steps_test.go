package daemon

import (
	"testing"
	"time"

	"routerd/internal/control"
)

func TestStepsAreCountedByTheirTime(t *testing.T) {
	var s stepTimes
	for _, took := range []time.Duration{0, 100 * time.Microsecond, 101 * time.Microsecond, 2 * time.Millisecond, time.Minute} {
		s.count(took)
	}
	ran := false
	s.run(func() { ran = true })
	x := s.snapshot()
	if !ran || x.Steps != 6 || x.Seconds < 60 || x.Seconds > 120 {
		t.Errorf("ran %v; %d steps in %v s, want 6 in a minute and little more", ran, x.Steps, x.Seconds)
	}
	for i, want := range map[int]uint64{0: 2, 1: 3, len(control.StepBounds) - 1: 5} {
		if x.UpTo[i] < want || x.UpTo[i] > want+1 { // the step that ran may have taken long
			t.Errorf("%d steps took up to %v s, want %d or one more", x.UpTo[i], control.StepBounds[i], want)
		}
	}
}
