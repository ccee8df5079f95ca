package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

func TestGap(t *testing.T) {
	begin := time.Unix(1700000000, 0)
	const ms = time.Millisecond
	// Datagrams are sent each millisecond of a second but in pauses, and arrive
	// after 100 µs but in cuts, and held back to the end of stalls.
	type times struct{ from, to time.Duration }
	within := func(at time.Duration, list []times) (time.Duration, bool) {
		for _, x := range list {
			if at >= x.from && at < x.to {
				return x.to, true
			}
		}
		return 0, false
	}
	for _, tt := range []struct {
		name                string
		pauses, cuts, stall []times
		want                time.Duration
	}{
		{"nothing happens", nil, nil, nil, 100 * time.Microsecond},
		{"a cut", nil, []times{{300 * ms, 340 * ms}}, nil, 40*ms + 100*time.Microsecond},
		{"the longer of two", nil, []times{{300 * ms, 320 * ms}, {500 * ms, 530 * ms}}, nil, 30*ms + 100*time.Microsecond},
		{"the sender pauses", []times{{300 * ms, 400 * ms}}, nil, nil, 100 * time.Microsecond},
		{"the sender pauses before and in a cut", []times{{250 * ms, 290 * ms}, {301 * ms, 320 * ms}}, []times{{300 * ms, 340 * ms}}, nil, 40*ms + 100*time.Microsecond},
		{"a stall before the cut", nil, []times{{300 * ms, 320 * ms}}, []times{{100 * ms, 190 * ms}}, 20*ms + 100*time.Microsecond},
		{"datagrams are held back", nil, nil, []times{{300 * ms, 360 * ms}}, 60 * ms},
		{"nothing arrives after the cut", nil, []times{{600 * ms, time.Hour}}, nil, 400 * ms},
		{"tcpdump is a little late", nil, []times{{900 * ms, time.Hour}}, nil, 100 * time.Microsecond},
	} {
		var sent []time.Time
		text := "listening on eth0\n"
		for at := time.Duration(0); at < 1000*ms; at += ms {
			if _, is := within(at, tt.pauses); is {
				continue
			}
			sent = append(sent, begin.Add(at))
			if _, is := within(at, tt.cuts); is {
				continue
			}
			arrives := at + 100*time.Microsecond
			if until, is := within(at, tt.stall); is {
				arrives = until
			}
			text += fmt.Sprintf("%d.%06d IP 198.18.1.2.40000 > 198.18.9.2.9: UDP, length 8\n", begin.Unix(), arrives/time.Microsecond)
		}
		if got, err := gap([]byte(text), sent, begin.Add(200*ms), begin.Add(1000*ms)); err != nil || got != tt.want {
			t.Errorf("%s: %v, %v, want %v", tt.name, got, err, tt.want)
		}
		if _, err := gap([]byte(text), sent, begin.Add(200*ms), begin.Add(5000*ms)); tt.cuts == nil && err == nil {
			t.Errorf("%s: no error though nothing was sent for four seconds", tt.name)
		}
	}
	if _, err := gap([]byte("tcpdump: no such device"), nil, begin, begin); err == nil || !strings.Contains(err.Error(), "no such device") {
		t.Errorf("without packets: %v", err)
	}
}

// A mark is missed by too much time, CPU time or memory, and by a lost route.
func TestPrintBursts(t *testing.T) {
	ran := func(cpu time.Duration, lost int) burst {
		return burst{took: time.Second, lost: lost, usage: usage{cpu, 10}}
	}
	for _, tt := range []struct {
		name    string
		routerd []burst
		outcome bench.Outcome
	}{
		{"half", []burst{ran(time.Second, 0), ran(2*time.Second, 0), ran(9*time.Second, 0)}, bench.Met},
		{"more than half", []burst{ran(3*time.Second, 0)}, bench.Missed},
		{"slower", []burst{{took: 2 * time.Second, usage: usage{time.Second, 10}}}, bench.Missed},
		{"as slow, as large as it may be", []burst{{took: time.Second, usage: usage{time.Second, largest}}}, bench.Met},
		{"too large", []burst{{took: time.Second, usage: usage{time.Second, largest + 1}}}, bench.Missed},
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
		2: {{{took: time.Second, usage: usage{time.Second, 10}}}},
		1: {{{took: time.Second, usage: usage{0, 10}}}, {{took: time.Second}}}, // too few routes for BIRD to take a tick
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

func TestAwait(t *testing.T) {
	tries := 0
	err := await(t.Context(), time.Minute, time.Millisecond, "three", func() (string, error) {
		if tries++; tries < 3 {
			return "not yet", nil
		}
		return "", nil
	})
	if err != nil || tries != 3 {
		t.Errorf("%v after %d tries", err, tries)
	}
	if err := await(t.Context(), 0, time.Millisecond, "ever", func() (string, error) { return "no", nil }); err == nil || !strings.Contains(err.Error(), "ever") {
		t.Errorf("what never comes: %v", err)
	}
	if err := await(t.Context(), time.Minute, time.Millisecond, "x", func() (string, error) { return "", io.EOF }); !errors.Is(err, io.EOF) {
		t.Errorf("an error: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := await(ended, time.Minute, time.Hour, "x", func() (string, error) { return "no", nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}
