package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Marks of both directions are judged, and one without a bound is only told; what a
// benchmark says of why it did not run is told too.
func TestGoMarks(t *testing.T) {
	const output = `goos: linux
BenchmarkForward-2         	     150	         0.9300 full/ten	       158.0 ten-ns/packet
BenchmarkMemory-2          	       1	         178.4 settled-MB
BenchmarkLate-2            	       1	         7.5 late-ms	         3.5 relay-ms	         0.02 idle-ms
BenchmarkKernel
    kernel_test.go:12: the kernel's table needs root: run it by sudo
--- SKIP: BenchmarkKernel
BenchmarkOther
BenchmarkOther/all
    other_test.go:7: the corpus is not there
--- SKIP: BenchmarkOther/all
PASS
`
	figure := func(b, unit string) GoFigure { return GoFigure{Benchmark: b, Unit: unit} }
	for _, tt := range []struct {
		mark    GoMark
		outcome Outcome
		want    string
	}{
		{GoMark{Text: "at least", Figure: figure("BenchmarkForward", "full/ten"), Least: 0.9}, Met, "at least 0.93 full/ten 0.93 0.93 0.93 1 >= 0.90 PASS"},
		{GoMark{Text: "at least", Figure: figure("BenchmarkForward", "full/ten"), Least: 0.95}, Missed, "MISS"},
		{GoMark{Text: "at most", Figure: figure("BenchmarkMemory", "settled-MB"), Most: 200}, Met, "at most 178 settled-MB 178 178 178 1 <= 200 PASS"},
		{GoMark{Text: "at most", Figure: figure("BenchmarkMemory", "settled-MB"), Most: 170}, Missed, "MISS"},
		{GoMark{Text: "told", Figure: figure("BenchmarkForward", "ten-ns/packet")}, Met, "told 158 ten-ns 158 158 158 1 - -"},
		{GoMark{Text: "net", Figure: figure("BenchmarkLate", "late-ms"), Less: figure("BenchmarkLate", "relay-ms"), Most: 5, Noise: true}, Met, "net 4.00 late-ms 4.00 4.00 4.00 1 <= 5.00 PASS"},
		{GoMark{Text: "net", Figure: figure("BenchmarkLate", "late-ms"), Less: figure("BenchmarkLate", "relay-ms"), Most: 3, Noise: true}, NotRun, "VOID"},
		{GoMark{Text: "small", Figure: figure("BenchmarkLate", "idle-ms"), Most: 0.015}, Missed, "small 0.020 idle-ms 0.020 0.020 0.020 1 <= 0.015 MISS"},
		{GoMark{Text: "gone", Figure: figure("BenchmarkKernel", "ns/lookup"), Most: 1}, NotRun, "gone - - - - 0 <= 1.00 NOT RUN"},
		{GoMark{Text: "gone", Figure: figure("BenchmarkKernel", "ns/lookup")}, NotRun, "NOT RUN"},
		{GoMark{Text: "why", Figure: figure("BenchmarkKernel", "ns/lookup")}, NotRun, "not run: BenchmarkKernel: the kernel's table needs root: run it by sudo not run: BenchmarkOther/all: the corpus is not there"},
	} {
		o := NewGoOutput()
		for range 2 { // what is said twice is told once
			if err := o.Read([]byte(output)); err != nil {
				t.Fatal(err)
			}
			for k, v := range o.values {
				o.values[k] = v[:1]
			}
		}
		var out bytes.Buffer
		g := GoMarks{Title: "title", Marks: []GoMark{tt.mark}}
		if got := g.Print(&out, o); got != tt.outcome || !strings.Contains(strings.Join(strings.Fields(out.String()), " "), tt.want) {
			t.Errorf("outcome %d, want %d and %q in\n%s", got, tt.outcome, tt.want, out.String())
		}
		if n := strings.Count(out.String(), "not run: BenchmarkKernel"); n != 1 {
			t.Errorf("it is said %d times why a benchmark did not run, want once", n)
		}
	}
}

// A figure that no benchmark reports is named, and so is one of a benchmark that is not run.
func TestUnreported(t *testing.T) {
	root := t.TempDir()
	const source = "func BenchmarkA(b *testing.B) { b.ReportMetric(1, name+\"-ns\") }\nfunc BenchmarkB(b *testing.B) {}\n"
	if err := os.WriteFile(filepath.Join(root, "a_test.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	figure := func(b, unit string) GoFigure { return GoFigure{Benchmark: b, Unit: unit} }
	g := GoMarks{Runs: []GoRun{{Benchmarks: "BenchmarkA$", Package: "."}}, Marks: []GoMark{
		{Text: "right", Figure: figure("BenchmarkA/IPv4", "fib-ns"), Less: figure("BenchmarkA", "idle-ns")},
		{Text: "another unit", Figure: figure("BenchmarkA", "fib-ms")},
		{Text: "not run", Figure: figure("BenchmarkA", "ns"), Over: figure("BenchmarkB", "fib-ns")},
		{Text: "not there", Figure: figure("BenchmarkA2", "fib-ns")},
	}}
	list, err := g.Unreported(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`another unit: no benchmark BenchmarkA that is run reports "fib-ms"`, `not run: no benchmark BenchmarkB that is run reports "fib-ns"`, `not there: no benchmark BenchmarkA2 that is run reports "fib-ns"`}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
}
