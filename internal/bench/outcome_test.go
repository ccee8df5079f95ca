package bench

import "testing"

// What was not measured is neither met nor missed, whatever its zero would say.
func TestJudgeNothing(t *testing.T) {
	for _, tt := range []struct {
		measured, met bool
		word          string
		code          int
	}{
		{true, true, "PASS", 0},
		{true, false, "MISS", 1},
		{false, true, "NOT RUN", 3},
		{false, false, "NOT RUN", 3},
	} {
		word, o := Judge(tt.measured, tt.met)
		if word != tt.word || o.Code() != tt.code {
			t.Errorf("measured %v, met %v: %s and exit code %d, want %s and %d", tt.measured, tt.met, word, o.Code(), tt.word, tt.code)
		}
	}
}

func TestWorseOutcome(t *testing.T) {
	for _, tt := range []struct{ a, b, want Outcome }{
		{Met, Met, Met}, {Met, NotRun, NotRun}, {NotRun, Missed, Missed}, {Missed, Met, Missed},
	} {
		if got := tt.a.Worse(tt.b); got != tt.want {
			t.Errorf("of %d and %d: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
