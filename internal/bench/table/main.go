// Command table runs the Go benchmarks of a table of the internet's size and judges
// them: lookups, changes and memory of the forwarding table beside bart.Fast and
// the kernel's, the routing table, forwarding by it, and a router that has it.
//
// Most figures are ratios to a yardstick of the same run. Memory is judged as it
// is, in 10^6 bytes or in MiB as the benchmarks say. So are the times of a router
// that loads a table, less those of a process of the same run that only waits for
// the machine: where that alone takes longer than the mark allows, the machine is too
// busy, and the mark is void.
//
// It exits 0 when every mark is met, 1 when one is not or the run failed, 2 on
// wrong usage, and 3 when no mark is missed and some are void or could not be
// measured: the benchmarks of whole routers need root, and all of them the public
// table beside the source tree. It has to be run in the source tree.
package main

import (
	"os"

	"routerd/internal/bench"
)

func figure(benchmark, unit string) bench.GoFigure {
	return bench.GoFigure{Benchmark: benchmark, Unit: unit}
}

var internetTable = bench.GoMarks{
	Name: "table", Title: "a table of the internet's size, Go benchmarks", Count: 1,
	Runs: []bench.GoRun{
		{Benchmarks: "BenchmarkFind$|BenchmarkChanges$", Package: "./routing/fib"},
		{Benchmarks: "BenchmarkSize$", Package: "./routing/fib", Flags: []string{"-benchtime=1x"}},
		{Benchmarks: "BenchmarkBesideBart$", Package: "./routing/rib", Flags: []string{"-benchtime=5x"}},
		{Benchmarks: "BenchmarkBothTables$", Package: "./routing/rib", Flags: []string{"-benchtime=1x"}},
		{Benchmarks: "BenchmarkOwnerSteps$", Package: "./internal/router", Flags: []string{"-benchtime=1x"}},
		{Benchmarks: "BenchmarkKernelTable$", Package: "./internal/bench", Flags: []string{"-benchtime=1x"}},
		{Benchmarks: "BenchmarkFullTable$", Package: "./dataplane", Flags: []string{"-benchtime=150x"}},
		{Benchmarks: "BenchmarkForwardingByTable$", Package: "./internal/daemon", Flags: []string{"-benchtime=10x"}},
		{Benchmarks: "BenchmarkTableMemory$|BenchmarkRouteFileMemory$", Package: "./internal/daemon", Flags: []string{"-benchtime=3x"}},
		{Benchmarks: "BenchmarkGapsWhileLoading$", Package: "./internal/daemon", Flags: []string{"-benchtime=5s"}},
		{Benchmarks: "BenchmarkQuestionsWhileLoading$", Package: "./internal/daemon", Flags: []string{"-benchtime=5s"}},
	},
	Marks: []bench.GoMark{
		{Text: "lookup anywhere in IPv4, against bart.Fast", Figure: figure("BenchmarkFind/IPv4/anywhere", "ratio"), Most: 0.25},
		{Text: "lookup inside a random IPv4 prefix, against bart.Fast", Figure: figure("BenchmarkFind/IPv4/inside", "ratio"), Most: 0.25},
		{Text: "lookup anywhere in IPv6, against bart.Fast", Figure: figure("BenchmarkFind/IPv6/anywhere", "ratio"), Most: 0.35},
		{Text: "lookup inside a random IPv6 prefix, against bart.Fast", Figure: figure("BenchmarkFind/IPv6/inside", "ratio"), Most: 0.35},
		{Text: "memory of the forwarding table, IPv4, MiB", Figure: figure("BenchmarkSize/IPv4", "fib-MiB"), Most: 12},
		{Text: "of it what lookups read", Figure: figure("BenchmarkSize/IPv4", "read-MiB")},
		{Text: "memory of the forwarding table, IPv6, MiB", Figure: figure("BenchmarkSize/IPv6", "fib-MiB"), Most: 8},
		{Text: "of it what lookups read", Figure: figure("BenchmarkSize/IPv6", "read-MiB")},
		{Text: "publishing one change, IPv4, against a persistent insert of bart's", Figure: figure("BenchmarkChanges/IPv4/one", "ratio"), Most: 0.2},
		{Text: "publishing one change, IPv6, against a persistent insert of bart's", Figure: figure("BenchmarkChanges/IPv6/one", "ratio"), Most: 0.2},
		{Text: "one of 1,000 changes of neighbouring prefixes, IPv4", Figure: figure("BenchmarkChanges/IPv4/thousand", "ratio"), Most: 0.08},
		{Text: "the same, IPv6", Figure: figure("BenchmarkChanges/IPv6/thousand", "ratio"), Most: 0.08},
		{Text: "one of 1,000 changes of prefixes all over the table, IPv4", Figure: figure("BenchmarkChanges/IPv4/thousand-scattered", "ratio"), Most: 0.08},
		{Text: "the same, IPv6", Figure: figure("BenchmarkChanges/IPv6/thousand-scattered", "ratio"), Most: 0.08},
		{Text: "all of IPv4, against bart's bulk load", Figure: figure("BenchmarkChanges/IPv4/all", "ratio"), Most: 1},
		{Text: "all of IPv6, against bart's bulk load", Figure: figure("BenchmarkChanges/IPv6/all", "ratio"), Most: 1},
		{Text: "lookup anywhere in IPv4, against the kernel's table", Figure: figure("BenchmarkFind/IPv4/anywhere", "fib-ns"), Over: figure("BenchmarkKernelTable/IPv4", "anywhere-ns")},
		{Text: "lookup inside a random IPv4 prefix, against the kernel's table", Figure: figure("BenchmarkFind/IPv4/inside", "fib-ns"), Over: figure("BenchmarkKernelTable/IPv4", "inside-ns")},
		{Text: "all of IPv4, against the kernel's load by netlink", Figure: figure("BenchmarkChanges/IPv4/all", "fib-ns"), Over: figure("BenchmarkKernelTable/IPv4", "load-ns/route")},
		{Text: "memory of the kernel's table, IPv4, bytes a route", Figure: figure("BenchmarkKernelTable/IPv4", "B/route")},
		{Text: "lookup anywhere in IPv6, against the kernel's table", Figure: figure("BenchmarkFind/IPv6/anywhere", "fib-ns"), Over: figure("BenchmarkKernelTable/IPv6", "anywhere-ns")},
		{Text: "lookup inside a random IPv6 prefix, against the kernel's table", Figure: figure("BenchmarkFind/IPv6/inside", "fib-ns"), Over: figure("BenchmarkKernelTable/IPv6", "inside-ns")},
		{Text: "all of IPv6, against the kernel's load by netlink", Figure: figure("BenchmarkChanges/IPv6/all", "fib-ns"), Over: figure("BenchmarkKernelTable/IPv6", "load-ns/route")},
		{Text: "memory of the kernel's table, IPv6, bytes a route", Figure: figure("BenchmarkKernelTable/IPv6", "B/route")},
		{Text: "RIB and FIB together, bytes a route", Figure: figure("BenchmarkBothTables", "B/prefix"), Most: 100},
		{Text: "first step and flush of all, against bart's bulk load", Figure: figure("BenchmarkBesideBart", "load/bart"), Most: 2.5},
		{Text: "withdrawal of all, against bart's bulk load", Figure: figure("BenchmarkBesideBart", "withdrawal/bart"), Most: 1},
		{Text: "a flap of a link that carries 1/64, against bart's bulk load", Figure: figure("BenchmarkBesideBart", "flap/bart"), Most: 0.02},
		{Text: "longest step of the owner while a protocol offers all, ms of processor time", Figure: figure("BenchmarkOwnerSteps/load", "ms/longest"), Most: 2},
		{Text: "the same, while a link that carries 1/64 of them goes down", Figure: figure("BenchmarkOwnerSteps/link-down", "ms/longest"), Most: 2},
		{Text: "the same, while a reload gives all another distance", Figure: figure("BenchmarkOwnerSteps/other-distance", "ms/longest"), Most: 2},
		{Text: "the same, while a reload changes all routes of a file", Figure: figure("BenchmarkOwnerSteps/other-route-file", "ms/longest"), Most: 2},
		{Text: "the same, while a reload changes 50,000 static routes", Figure: figure("BenchmarkOwnerSteps/other-static", "ms/longest"), Most: 2},
		{Text: "the same, while all of a session that is lost are withdrawn", Figure: figure("BenchmarkOwnerSteps/withdrawal", "ms/longest"), Most: 2},
		{Text: "forwarding a million flows between TUNs by all, against by ten routes", Figure: figure("BenchmarkForwardingByTable", "full/ten"), Least: 0.9},
		{Text: "the same, the stages alone, without ports", Figure: figure("BenchmarkFullTable", "full/ten"), Least: 0.9},
		{Text: "resident memory of a router with all, settled, MB", Figure: figure("BenchmarkTableMemory/all", "settled-MB"), Most: 200},
		{Text: "the same, peak, MB", Figure: figure("BenchmarkTableMemory/all", "peak-MB"), Most: 280},
		{Text: "resident memory of a router with all of a file, settled, MB", Figure: figure("BenchmarkRouteFileMemory", "settled-MB"), Most: 300},
		{Text: "the same, peak, MB", Figure: figure("BenchmarkRouteFileMemory", "peak-MB"), Most: 1000},
		{Text: "late by at most, of 999 datagrams in 1,000, while 10 routes load, ms more than a relay", Figure: figure("BenchmarkGapsWhileLoading/10", "p99.9-ms"), Less: figure("BenchmarkGapsWhileLoading/10", "relay-p99.9-ms"), Most: 5, Noise: true},
		{Text: "longest wait for all to stop for the collector meanwhile, ms more than in an idle program", Figure: figure("BenchmarkGapsWhileLoading/10", "stopping-ms"), Less: figure("BenchmarkGapsWhileLoading/10", "idle-stopping-ms"), Most: 0.5, Noise: true},
		{Text: "longest pause meanwhile, by the runtime's count, ms", Figure: figure("BenchmarkGapsWhileLoading/10", "pause-ms")},
		{Text: "late by at most, of 999 datagrams in 1,000, while 10,000 load, ms more than a relay", Figure: figure("BenchmarkGapsWhileLoading/10000", "p99.9-ms"), Less: figure("BenchmarkGapsWhileLoading/10000", "relay-p99.9-ms"), Most: 5, Noise: true},
		{Text: "longest wait for all to stop for the collector meanwhile, ms more than in an idle program", Figure: figure("BenchmarkGapsWhileLoading/10000", "stopping-ms"), Less: figure("BenchmarkGapsWhileLoading/10000", "idle-stopping-ms"), Most: 0.5, Noise: true},
		{Text: "longest pause meanwhile, by the runtime's count, ms", Figure: figure("BenchmarkGapsWhileLoading/10000", "pause-ms")},
		{Text: "late by at most, of 999 datagrams in 1,000, while 1,048,576 load, ms more than a relay", Figure: figure("BenchmarkGapsWhileLoading/1048576", "p99.9-ms"), Less: figure("BenchmarkGapsWhileLoading/1048576", "relay-p99.9-ms"), Most: 5, Noise: true},
		{Text: "longest wait for all to stop for the collector meanwhile, ms more than in an idle program", Figure: figure("BenchmarkGapsWhileLoading/1048576", "stopping-ms"), Less: figure("BenchmarkGapsWhileLoading/1048576", "idle-stopping-ms"), Most: 0.5, Noise: true},
		{Text: "longest pause meanwhile, by the runtime's count, ms", Figure: figure("BenchmarkGapsWhileLoading/1048576", "pause-ms")},
		{Text: "show route for, the slowest of 100 while 1,048,576 routes load, ms more than a program with one answer", Figure: figure("BenchmarkQuestionsWhileLoading", "show-p99-ms"), Less: figure("BenchmarkQuestionsWhileLoading", "idle-p99-ms"), Most: 5, Noise: true},
		{Text: "explain route likewise", Figure: figure("BenchmarkQuestionsWhileLoading", "explain-p99-ms"), Less: figure("BenchmarkQuestionsWhileLoading", "idle-p99-ms"), Most: 5, Noise: true},
	},
}

func main() { os.Exit(internetTable.Main(os.Args[1:], os.Stdout, os.Stderr)) }
