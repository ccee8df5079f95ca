package rib

import (
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/gaissmai/bart"

	"routerd/routing/fib"
)

const rusageThread = 1 // RUSAGE_THREAD of getrusage(2)

// threadTime is the processor time that the calling thread has used: what other
// processes do on the same machine does not count.
func threadTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(rusageThread, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBesideBart is the public table in one run beside the bulk load of a
// trie with the same prefixes, round by round, and the medians as ratios: the
// first step and flush of all, a flap of a link that carries 1/64 of the routes,
// one way, the withdrawal of all, and the longest slice of a load in slices.
func BenchmarkBesideBart(b *testing.B) {
	deltas := publicTable(b)
	gone := slices.Clone(deltas)
	for i := range gone {
		gone[i].Withdraw = true
	}
	var trie, load, flap, withdraw, slice []time.Duration
	var bytes, sliced float64
	step := func(r *RIB, in Input) {
		if err := r.Step(t0, in); err != nil {
			b.Fatal(err)
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	timed := func(list *[]time.Duration, f func()) {
		start := threadTime(b)
		f()
		*list = append(*list, threadTime(b)-start)
	}
	for b.Loop() {
		timed(&trie, func() {
			var t bart.Fast[*fib.Entry]
			e := &fib.Entry{}
			for i := range deltas {
				t.Insert(deltas[i].Route.Prefix, e)
			}
		})
		before := heap()
		var r *RIB
		var changes []fib.Change
		timed(&load, func() {
			r = New()
			for i := range benchHops {
				step(r, benchLink(i, true))
			}
			step(r, deltas)
			changes, _ = r.Flush()
		})
		if len(changes) < len(deltas) {
			b.Fatalf("%d changes for %d routes", len(changes), len(deltas))
		}
		changes = nil
		bytes = (heap() - before) / float64(len(deltas))
		for _, up := range []bool{false, true} {
			timed(&flap, func() { step(r, benchLink(3, up)); changes, _ = r.Flush() })
			if len(changes) < len(deltas)/benchHops {
				b.Fatalf("%d changes when 1/%d of %d routes flap", len(changes), benchHops, len(deltas))
			}
		}
		timed(&withdraw, func() { step(r, Deltas(gone)); changes, _ = r.Flush() })
		changes = nil
		start := threadTime(b)
		longest := time.Duration(0)
		for rest := deltas; len(rest) > 0 || r.Unsettled(); {
			begun := threadTime(b)
			if n := min(len(rest), 1000); n > 0 {
				step(r, rest[:n])
				rest = rest[n:]
			} else if _, _, err := r.Settle(2000); err != nil {
				b.Fatal(err)
			}
			longest = max(longest, threadTime(b)-begun)
		}
		sliced = (threadTime(b) - start).Seconds()
		slice = append(slice, longest)
	}
	median := func(list []time.Duration) float64 {
		slices.Sort(list)
		return list[len(list)/2].Seconds()
	}
	bulk := median(trie)
	b.ReportMetric(bulk*1e3, "ms/bart")
	b.ReportMetric(median(load)/bulk, "load/bart")
	b.ReportMetric(median(flap)/bulk, "flap/bart")
	b.ReportMetric(median(withdraw)/bulk, "withdrawal/bart")
	b.ReportMetric(sliced/bulk, "sliced/bart")
	b.ReportMetric(median(slice)*1e3, "ms/longest-slice")
	b.ReportMetric(bytes, "B/prefix")
}
