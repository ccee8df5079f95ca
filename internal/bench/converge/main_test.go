package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"routerd/internal/bench"
	"routerd/internal/lab"
)

// Wrong usage is exit code 2 and says what is wanted.
func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		args string
		want string
		code int
	}{
		{"-h", "-cuts", 0},
		{"-cuts -1", "0 or more cuts", 2},
		{"-sessions 251", "0 to 250 sessions", 2},
		{"-during 0s", "a duration above 0", 2},
		{"quickly", "nothing but flags", 2},
	} {
		var out, errs bytes.Buffer
		if code := run(strings.Fields(tt.args), &out, &errs); code != tt.code || !strings.Contains(errs.String(), tt.want) {
			t.Errorf("converge %s: exit code %d and %q, want %d and a word of %s", tt.args, code, errs.String(), tt.code, tt.want)
		}
	}
}

// Every lab of the bench is a sound topology. Nothing is made.
func TestLabs(t *testing.T) {
	texts := map[string]string{"sessions": many(mostSessions)}
	for _, c := range contenders {
		texts[c.name] = triangle(c.node)
	}
	for name, text := range texts {
		path := filepath.Join(t.TempDir(), "lab.toml")
		if err := os.WriteFile(path, []byte("name = \"x\"\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := lab.Load(path, lab.Options{Dir: t.TempDir()}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The median and the longest gap are judged, and only routerd's; what was not cut
// is not met.
func TestRow(t *testing.T) {
	for _, tt := range []struct {
		name    string
		gaps    []float64
		judged  bool
		outcome bench.Outcome
		want    string
	}{
		{"all short", []float64{0.11, 0.2, 0.15}, true, bench.Met, "PASS"},
		{"one long", []float64{0.12, 0.201, 0.12}, true, bench.Missed, "MISS"},
		{"most long", []float64{0.16, 0.16, 0.12}, true, bench.Missed, "MISS"},
		{"none", nil, true, bench.NotRun, "NOT RUN"},
		{"another's", []float64{20}, false, bench.Met, "20000"},
		{"none of another's", nil, false, bench.Met, "-"},
	} {
		var out strings.Builder
		if o := row(&out, tt.name, tt.gaps, tt.judged); o != tt.outcome || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%s: outcome %d, want %d and %q in %q", tt.name, o, tt.outcome, tt.want, out.String())
		}
	}
}
