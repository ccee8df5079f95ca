// Command nat runs the Go benchmarks of address translation several times over
// and judges their medians: a new session, a packet of one of a million
// sessions, the memory of a session, a refused flow. Times are compared with a
// yardstick of the same run, a Go map with the same keys or another benchmark,
// so that the result does not depend on the machine's speed.
//
// It exits 0 when every mark is met, 1 when one is not or the run failed, 2 on
// wrong usage, and 3 when no mark is missed and some could not be measured. It
// has to be run in the source tree.
package main

import (
	"os"

	"routerd/internal/bench"
)

var (
	mapEntry    = bench.GoFigure{Benchmark: "BenchmarkMap", Unit: "ns/op"}
	mapLookup   = bench.GoFigure{Benchmark: "BenchmarkNAT/map", Unit: "ns/packet"}
	plain       = bench.GoFigure{Benchmark: "BenchmarkNAT/plain", Unit: "ns/packet"}
	established = bench.GoFigure{Benchmark: "BenchmarkNAT/established", Unit: "ns/packet"}
	fresh       = bench.GoFigure{Benchmark: "BenchmarkNewSession/default", Unit: "ns/op"}
	freshLarge  = bench.GoFigure{Benchmark: "BenchmarkNewSession/1M", Unit: "ns/op"}
	bytesEach   = bench.GoFigure{Benchmark: "BenchmarkBytes", Unit: "B/session"}
	refused     = bench.GoFigure{Benchmark: "BenchmarkRefuse/paired", Unit: "ns/op"}
	refusedAny  = bench.GoFigure{Benchmark: "BenchmarkRefuse/arbitrary", Unit: "ns/op"}
)

var translation = bench.GoMarks{
	Name: "nat", Title: "address translation, Go benchmarks", Count: 5,
	Runs: []bench.GoRun{
		{Benchmarks: "BenchmarkNAT$/(map|plain|established)$", Package: "./dataplane"},
		{Benchmarks: "BenchmarkNewSession$|BenchmarkMap$|BenchmarkRefuse$", Package: "./nat"},
		{Benchmarks: "BenchmarkBytes$", Package: "./nat", Flags: []string{"-benchtime=1x"}},
	},
	Marks: []bench.GoMark{
		{Text: "a new session, against a new key in a Go map for a million", Figure: fresh, Most: 5, Over: mapEntry},
		{Text: "the same, table for a million", Figure: freshLarge, Most: 5, Over: mapEntry},
		{Text: "a packet at a million sessions, over plain forwarding, against a Go map's lookup", Figure: established, Less: plain, Most: 1, Over: mapLookup},
		{Text: "memory of a session", Figure: bytesEach, Most: 160},
		{Text: "a refused flow, against a new session", Figure: refused, Most: 1, Over: fresh},
		{Text: "the same with arbitrary pooling", Figure: refusedAny, Most: 1, Over: fresh},
	},
}

func main() { os.Exit(translation.Main(os.Args[1:], os.Stdout, os.Stderr)) }
