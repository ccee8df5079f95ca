package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"routerd/internal/bench"
	"routerd/internal/bench/site"
	"routerd/internal/lab"
)

// Wrong usage is exit code 2 and says what is wanted.
func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		args string
		want string
		code int
	}{
		{"-h", "-routes", 0},
		{"-routes many", `"many"`, 2},
		{"-routes 60001", "0 to 60000 routes", 2},
		{"-bursts 0", "1 or more bursts", 2},
		{"-cuts -1", "0 or more cuts", 2},
		{"quickly", "nothing but flags", 2},
	} {
		var out, errs bytes.Buffer
		if code := run(strings.Fields(tt.args), &out, &errs); code != tt.code || !strings.Contains(errs.String(), tt.want) {
			t.Errorf("rip %s: exit code %d and %q, want %d and a word of %s", tt.args, code, errs.String(), tt.code, tt.want)
		}
	}
}

// Every lab of the bench is a sound topology. Nothing is made.
func TestLabs(t *testing.T) {
	texts := map[string]string{}
	for _, m := range middles {
		texts["burst through "+m.name] = burstLab(300, m.text)
	}
	for _, c := range cuts {
		texts[c.name] = triangle(c.self, c.neighbour)
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

// A mark is missed by too much time, CPU time or memory, and by a lost route.
func TestPrintBursts(t *testing.T) {
	ran := func(cpu time.Duration, lost int) burst {
		return burst{took: time.Second, lost: lost, Usage: site.Usage{CPU: cpu, RSS: 10}}
	}
	for _, tt := range []struct {
		name    string
		routerd []burst
		outcome bench.Outcome
	}{
		{"half", []burst{ran(time.Second, 0), ran(2*time.Second, 0), ran(9*time.Second, 0)}, bench.Met},
		{"more than half", []burst{ran(3*time.Second, 0)}, bench.Missed},
		{"slower", []burst{{took: 2 * time.Second, Usage: site.Usage{CPU: time.Second, RSS: 10}}}, bench.Missed},
		{"as slow, as large as it may be", []burst{{took: time.Second, Usage: site.Usage{CPU: time.Second, RSS: largest}}}, bench.Met},
		{"too large", []burst{{took: time.Second, Usage: site.Usage{CPU: time.Second, RSS: largest + 1}}}, bench.Missed},
		{"one lost", []burst{ran(time.Second, 0), ran(time.Second, 1)}, bench.Missed},
		{"not there", nil, bench.NotRun},
	} {
		var out strings.Builder
		o := printBursts(&out, 25, [2][]burst{tt.routerd, {ran(4*time.Second, 7)}})
		if o != tt.outcome || strings.Contains(out.String(), "MISS") != (tt.outcome == bench.Missed) || strings.Contains(out.String(), "NaN") {
			t.Errorf("%s: outcome %d, want %d, and printed:\n%s", tt.name, o, tt.outcome, out.String())
		}
	}
}

// Without BIRD no mark on bursts is met; without what to compare with, only
// those that compare with nothing.
func TestPrintNoBursts(t *testing.T) {
	for notRun, all := range map[int][2][]burst{
		4: {},
		2: {{{took: time.Second, Usage: site.Usage{CPU: time.Second, RSS: 10}}}},
		1: {{{took: time.Second, Usage: site.Usage{CPU: 0, RSS: 10}}}, {{took: time.Second}}}, // too few routes for BIRD to take a tick
	} {
		var out strings.Builder
		if o := printBursts(&out, 25, all); o != bench.NotRun || strings.Count(out.String(), "NOT RUN") != notRun {
			t.Errorf("outcome %d, want %d, and %d marks not run in\n%s", o, bench.NotRun, notRun, out.String())
		}
	}
}

// The longest gap is judged, and only routerd's; what was not cut is not met.
func TestRow(t *testing.T) {
	for _, tt := range []struct {
		name    string
		gaps    []float64
		routerd bool
		outcome bench.Outcome
		want    string
	}{
		{"all short", []float64{0.02, 0.05, 0.02}, true, bench.Met, "PASS"},
		{"one long", []float64{0.02, 0.051, 0.02}, true, bench.Missed, "MISS"},
		{"none", nil, true, bench.NotRun, "NOT RUN"},
		{"another's", []float64{20}, false, bench.Met, "20.000 s"},
		{"none of another's", nil, false, bench.Met, "-"},
	} {
		var out strings.Builder
		if o := row(&out, tt.name, tt.gaps, tt.routerd); o != tt.outcome || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%s: outcome %d, want %d and %q in %q", tt.name, o, tt.outcome, tt.want, out.String())
		}
	}
}
