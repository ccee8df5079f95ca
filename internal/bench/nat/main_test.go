package main

import (
	"bytes"
	"strings"
	"testing"

	"routerd/internal/bench"
)

const output = `goos: linux
BenchmarkNAT/map-2           	   60916	     10000 ns/op	       150.0 ns/packet	       0 B/op	       0 allocs/op
BenchmarkNAT/plain-2         	   60916	     20222 ns/op	       158.0 ns/packet	       0 B/op	       0 allocs/op
BenchmarkNAT/established-2   	   34646	     35373 ns/op	       276.5 ns/packet	       1 B/op	       0 allocs/op
BenchmarkNewSession/default-2         	 1486435	       698.4 ns/op
BenchmarkNewSession/1M-2              	 1580479	       704.7 ns/op
BenchmarkMap-2           	 1580479	       200.0 ns/op
BenchmarkRefuse/paired-2         	 4467054	       313.2 ns/op
BenchmarkRefuse/arbitrary-2      	 5867172	       199.8 ns/op
BenchmarkBytes-2                 	       1	1399983705 ns/op	       151.0 B/session
PASS
`

func TestMarks(t *testing.T) {
	for _, tt := range []struct {
		name      string
		old, with string // in output
		outcome   bench.Outcome
		want      string
	}{
		{"as it is", "", "", bench.Met, "118 ns 0.79"}, // (276.5 - 158) / 150
		{"an established packet too slow", "276.5 ns/packet", "309.0 ns/packet", bench.Missed, "151 ns 1.01"},
		{"a machine of half the speed", "150.0 ns/packet", "300.0 ns/packet", bench.Met, "118 ns 0.40"},
		{"a new session too slow", "704.7 ns/op", "1004.7 ns/op", bench.Missed, "1005 ns 5.02"},
		{"a session too large", "151.0", "161.0", bench.Missed, "161 B/session"},
		{"a refusal dearer than a session", "313.2 ns/op", "699.2 ns/op", bench.Missed, "699 ns 1.00"},
		{"a benchmark that is gone", "BenchmarkBytes", "BenchmarkBites", bench.NotRun, "NOT RUN"},
		{"what it is compared with is gone", "BenchmarkNewSession/default", "BenchmarkNewSession/small", bench.NotRun, "NOT RUN"},
		{"the yardstick is gone", "BenchmarkMap", "BenchmarkMop", bench.NotRun, "NOT RUN"},
		{"plain forwarding is gone", "BenchmarkNAT/plain", "BenchmarkNAT/bare", bench.NotRun, "NOT RUN"},
		{"one gone, one missed", "199.8 ns/op\nBenchmarkBytes", "9000 ns/op\nBenchmarkBites", bench.Missed, "NOT RUN"},
	} {
		got := bench.NewGoOutput()
		if err := got.Read([]byte(strings.Replace(output, tt.old, tt.with, 1))); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		var out bytes.Buffer
		if o := translation.Print(&out, got); o != tt.outcome || !strings.Contains(strings.Join(strings.Fields(out.String()), " "), tt.want) {
			t.Errorf("%s: outcome %d, want %d and %q in\n%s", tt.name, o, tt.outcome, tt.want, out.String())
		}
	}
}

func TestUsage(t *testing.T) {
	for args, want := range map[string]int{"-h": 0, "-count 0": 2, "-count x": 2, "fast": 2} {
		var out, errs bytes.Buffer
		if code := translation.Main(strings.Fields(args), &out, &errs); code != want || errs.Len() == 0 {
			t.Errorf("nat %s: exit code %d, %q; want %d and a word", args, code, errs.String(), want)
		}
	}
}
