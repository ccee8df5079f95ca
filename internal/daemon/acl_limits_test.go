package daemon

import (
	"testing"
	"time"
)

// TestACLLimitsAreToldOnceAMinute: what the limits of a rule have dropped is told
// at once, and then once a minute with how many there were since.
func TestACLLimitsAreToldOnceAMinute(t *testing.T) {
	l := aclLimits{rules: map[string]*aclLimited{}}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i, s := range []struct {
		after time.Duration
		rule  string
		total uint64
		want  uint64
	}{
		{0, "a", 0, 0},
		{time.Second, "a", 3, 3},
		{time.Second, "a", 10, 0},
		{time.Second, "b", 1, 1},
		{time.Minute, "a", 12, 9},
		{time.Hour, "a", 12, 0},
		{time.Second, "a", 2, 0},
		{time.Minute, "a", 4, 2},
	} {
		now = now.Add(s.after)
		if got := l.due(now, s.rule, s.total); got != s.want {
			t.Errorf("step %d, rule %s with %d: %d are told, want %d", i, s.rule, s.total, got, s.want)
		}
	}
}
