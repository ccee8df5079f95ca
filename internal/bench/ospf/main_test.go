package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
		{"-h", "-sides", 0},
		{"-sides many", `"many"`, 2},
		{"-sides 31,2", "from 3 to 150", 2},
		{"-sides 31,0", "from 3 to 150", 2},
		{"-events 0", "1 or more events", 2},
		{"-spacing 1ms", "1s or more", 2},
		{"-neighbours 231", "0 to 230", 2},
		{"-hold 1ms", "1s or more", 2},
		{"quickly", "nothing but flags", 2},
	} {
		var out, errs bytes.Buffer
		if code := run(strings.Fields(tt.args), &out, &errs); code != tt.code || !strings.Contains(errs.String(), tt.want) {
			t.Errorf("ospf %s: exit code %d and %q, want %d and a word of %s", tt.args, code, errs.String(), tt.code, tt.want)
		}
	}
	if o, err := parse([]string{"-sides", "0"}, io.Discard); err != nil || len(o.sides) != 0 {
		t.Errorf("-sides 0: sides %v, %v, want none", o.sides, err)
	}
	if o, err := parse([]string{"-sides", "31,100"}, io.Discard); err != nil || len(o.sides) != 2 {
		t.Errorf("-sides 31,100: sides %v, %v, want two", o.sides, err)
	}
}

// Every lab of the bench is a sound topology. Nothing is made.
func TestLabs(t *testing.T) {
	texts := map[string]string{
		"events": eventLab(seats[:], false), "events with BIRD's routes in the kernel": eventLab(seats[:], true),
		"events of routerd alone": eventLab(seats[:1], false),
		"neighbours":              crowdLab(mostOfCrowd),
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

// A mark is missed by too much CPU time for an event or for loading, which idle time
// is no part of, and by a larger ratio with more routers.
func TestPrintEvents(t *testing.T) {
	ran := func(name string, event, load float64) *subject {
		return &subject{
			seat: seat{name: name}, load: time.Duration(load * float64(time.Second)),
			events: windows{[]float64{7 + event, 7 + event, 100}, []float64{9, 9, 9}}, still: windows{[]float64{7}, []float64{2}},
		}
	}
	bird := ran("BIRD", 10, 2)
	for _, tt := range []struct {
		name    string
		routers int
		list    []*subject
		outcome bench.Outcome
	}{
		{"as much as it may", 961, []*subject{ran("routerd", 4, 2), bird}, bench.Met},
		{"too much with more routers", 10000, []*subject{ran("routerd", 4, 2), bird}, bench.Missed},
		{"little enough with more routers", 10000, []*subject{ran("routerd", 3, 2), bird}, bench.Met},
		{"an event too much", 961, []*subject{ran("routerd", 4.1, 2), bird}, bench.Missed},
		{"loading too much", 961, []*subject{ran("routerd", 4, 2.1), bird}, bench.Missed},
		{"no BIRD", 961, []*subject{ran("routerd", 4, 2)}, bench.NotRun},
		{"no routerd", 961, []*subject{bird}, bench.NotRun},
		{"nothing", 961, nil, bench.NotRun},
	} {
		var out strings.Builder
		o := printEvents(&out, tt.routers, tt.list)
		if o != tt.outcome || strings.Contains(out.String(), "MISS") != (tt.outcome == bench.Missed) || strings.Contains(out.String(), "NaN") {
			t.Errorf("%s: outcome %d, want %d, and printed:\n%s", tt.name, o, tt.outcome, out.String())
		}
	}
}

// A neighbour that was lost, or is not adjacent in the end, misses the mark, and only
// routerd's count.
func TestPrintCrowds(t *testing.T) {
	ran := func(name string, full, lost int) *crowded {
		return &crowded{seat: seat{name: name}, full: full, lost: lost, over: time.Second}
	}
	for _, tt := range []struct {
		name    string
		list    []*crowded
		outcome bench.Outcome
	}{
		{"all kept", []*crowded{ran("routerd", 200, 0), ran("BIRD", 199, 1)}, bench.Met},
		{"one lost that came back", []*crowded{ran("routerd", 200, 1)}, bench.Missed},
		{"one not there", []*crowded{ran("routerd", 199, 0)}, bench.Missed},
		{"nothing", nil, bench.NotRun},
	} {
		var out strings.Builder
		if o := printCrowds(&out, 200, tt.list); o != tt.outcome || strings.Contains(out.String(), "NaN") {
			t.Errorf("%s: outcome %d, want %d, and printed:\n%s", tt.name, o, tt.outcome, out.String())
		}
	}
}
