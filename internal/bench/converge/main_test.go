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
		{"-neighbors 251", "0 to 250 neighbours", 2},
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
	texts := map[string]string{"sessions": many(mostSessions), "neighbours": crowd(mostNeighbors)}
	for _, c := range contests() {
		for _, x := range c.contenders {
			texts[c.name+", "+x.name] = triangle(x.node, c.neighbors)
		}
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

// Routerd alone is judged, by its own gaps or beside others'; what was not cut is
// not met.
func TestPrint(t *testing.T) {
	own := contest{name: "x", contenders: staticContenders, judge: byBFD}
	against := contest{name: "x", contenders: ospfContenders(false, false), judge: beside("FRR", "BIRD")}
	stalled := staticContenders[0]
	stalled.uncut = []float64{0.05}
	busy := contest{name: "x", contenders: []contender{stalled}, judge: byBFD}
	for _, tt := range []struct {
		name    string
		in      contest
		gaps    map[string][]float64
		outcome bench.Outcome
		want    string
	}{
		{"all short", own, map[string][]float64{"routerd": {0.11, 0.2, 0.15}}, bench.Met, "PASS"},
		{"one long", own, map[string][]float64{"routerd": {0.12, 0.201, 0.12}}, bench.Missed, "MISS"},
		{"most long", own, map[string][]float64{"routerd": {0.16, 0.16, 0.12}}, bench.Missed, "MISS"},
		{"none", own, map[string][]float64{"BIRD": {20}}, bench.NotRun, "20000"},
		{"as good as the better one", against, map[string][]float64{"routerd": {0.5}, "FRR": {0.7}, "BIRD": {0.5}}, bench.Met, "PASS"},
		{"worse than the better one", against, map[string][]float64{"routerd": {0.6}, "FRR": {0.7}, "BIRD": {0.5}}, bench.Missed, "MISS"},
		{"on a busy machine", busy, map[string][]float64{"routerd": {0.11}}, bench.NotRun, "NOT RUN"},
		{"without the others", against, map[string][]float64{"routerd": {0.6}, "BIRD": {0.7}}, bench.NotRun, "NOT RUN"},
	} {
		var out strings.Builder
		if o := tt.in.print(&out, tt.gaps); o != tt.outcome || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%s: outcome %d, want %d and %q in %q", tt.name, o, tt.outcome, tt.want, out.String())
		}
	}
}
