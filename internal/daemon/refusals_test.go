package daemon

import (
	"testing"
	"time"
)

// What a limit has refused is told at once, and then once a minute with how many
// there were since.
func TestRefusalsAreToldOnceAMinute(t *testing.T) {
	var r refusals
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i, s := range []struct {
		after       time.Duration
		total, want uint64
	}{
		{0, 0, 0},
		{time.Second, 3, 3},
		{time.Second, 10, 0},
		{time.Minute, 12, 9},
		{time.Hour, 12, 0},
		{time.Second, 2, 0},
		{time.Minute, 4, 2},
	} {
		now = now.Add(s.after)
		if got := r.due(now, s.total); got != s.want {
			t.Errorf("step %d, with %d: %d are told, want %d", i, s.total, got, s.want)
		}
	}
}
