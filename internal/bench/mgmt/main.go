// Command mgmt runs the Go benchmarks of the management plane and judges them: what
// clients of events cost, how long lookups take at a million routes, alone and beside
// clients that walk the whole table, how much memory such a walk takes, and what is
// forwarded beside all that.
//
// The clients stand on the same processors as the router; those beside which is forwarded
// have what others leave, so that it is the router's work for them that is seen. The times of lookups are
// judged less those of a process of the same run that has only one answer: where that
// alone takes longer than the mark allows, the machine is too busy, and the mark is
// void.
//
// It exits 0 when every mark is met, 1 when one is not or the run failed, 2 on
// wrong usage, and 3 when no mark is missed and some are void or could not be
// measured: the benchmarks of whole routers need root. It has to be run in the source
// tree.
package main

import (
	"os"

	"routerd/internal/bench"
)

func figure(benchmark, unit string) bench.GoFigure {
	return bench.GoFigure{Benchmark: benchmark, Unit: unit}
}

const (
	many   = "BenchmarkEventClients/clients=1000/events=20"
	few    = "BenchmarkEventClients/clients=5/events=20000"
	alone  = "BenchmarkLookups/walkers=0"
	beside = "BenchmarkLookups/walkers=4"

	forwarding = "BenchmarkForwardingBesideAPI"
)

var management = bench.GoMarks{
	Name: "mgmt", Title: "the management plane, Go benchmarks", Count: 1,
	Runs: []bench.GoRun{
		{Benchmarks: "BenchmarkEventClients$|BenchmarkStalledEventClients$", Package: "./internal/control", Flags: []string{"-benchtime=1x"}},
		{Benchmarks: "BenchmarkLookups$|BenchmarkWalkMemory$|BenchmarkForwardingBesideAPI$", Package: "./internal/daemon", Flags: []string{"-benchtime=1x"}},
	},
	Marks: []bench.GoMark{
		{Text: "memory of a client of events by WebSocket over TLS, of 1,000 that get 20 a second, KiB", Figure: figure(many, "KiB/client"), Most: 100},
		{Text: "processors that the server takes for them", Figure: figure(many, "cores"), Most: 1},
		{Text: "processors for 5 clients that get 20,000 a second without a gap", Figure: figure(few, "cores")},
		{Text: "memory of a client of events that does not read, MiB", Figure: figure("BenchmarkStalledEventClients", "MiB/stalled-client"), Most: 1},
		{Text: "show route for, the slowest of 100 at a million routes, ms more than a program with one answer", Figure: figure(alone, "show-p99-ms"), Less: figure(alone, "idle-p99-ms"), Most: 2, Noise: true},
		{Text: "explain route likewise", Figure: figure(alone, "explain-p99-ms"), Less: figure(alone, "idle-p99-ms"), Most: 2, Noise: true},
		{Text: "show route for, beside four clients that walk the whole table", Figure: figure(beside, "show-p99-ms"), Less: figure(beside, "idle-p99-ms"), Most: 20, Noise: true},
		{Text: "explain route likewise", Figure: figure(beside, "explain-p99-ms"), Less: figure(beside, "idle-p99-ms"), Most: 20, Noise: true},
		{Text: "routes that the four walk, a second", Figure: figure(beside, "walked/s")},
		{Text: "memory that a walk of a million routes adds, as lines, MiB", Figure: figure("BenchmarkWalkMemory/lines", "walk-MiB"), Most: 32},
		{Text: "the same in pages of 10,000", Figure: figure("BenchmarkWalkMemory/pages", "walk-MiB"), Most: 32},
		{Text: "time of the walk as lines, s", Figure: figure("BenchmarkWalkMemory/lines", "walk-s")},
		{Text: "of 10,000 datagrams a second beside 1,000 clients of events, four that walk and lookups, the share forwarded, over that without them", Figure: figure(forwarding, "arrived-beside/quiet"), Least: 0.95},
		{Text: "how late 1 of 100 of these is, ms more than without them", Figure: figure(forwarding, "beside-late-p99-ms"), Less: figure(forwarding, "quiet-late-p99-ms")},
		{Text: "as many datagrams as can be sent, likewise", Figure: figure(forwarding, "most-beside/quiet")},
		{Text: "processors that the router takes meanwhile", Figure: figure(forwarding, "router-cores")},
		{Text: "processors that the clients take", Figure: figure(forwarding, "clients-cores")},
	},
}

func main() { os.Exit(management.Main(os.Args[1:], os.Stdout, os.Stderr)) }
