package rib

import (
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/gaissmai/bart"

	"routerd/routing/fib"
)

const threadClock = 3 // CLOCK_THREAD_CPUTIME_ID of clock_gettime(2)

// threadTime is the processor time that the calling thread has used: what other
// processes do on the same machine does not count.
func threadTime(b *testing.B) time.Duration {
	var t syscall.Timespec
	if _, _, e := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, threadClock, uintptr(unsafe.Pointer(&t)), 0); e != 0 {
		b.Fatal(e)
	}
	return time.Duration(t.Nano())
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
	// flush is Flush as the router makes it, piece by piece.
	flush := func(r *RIB) (n int) {
		for r.Unsettled() {
			s, _, err := r.Settle(1 << 16)
			if err != nil {
				b.Fatal(err)
			}
			n += len(s.Changes)
		}
		return n
	}
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
		var changes int
		timed(&load, func() {
			r = New()
			for i := range benchHops {
				step(r, benchLink(i, true))
			}
			step(r, deltas)
			changes = flush(r)
		})
		if changes < len(deltas) {
			b.Fatalf("%d changes for %d routes", changes, len(deltas))
		}
		bytes = (heap() - before) / float64(len(deltas))
		for _, up := range []bool{false, true} {
			timed(&flap, func() { step(r, benchLink(3, up)); changes = flush(r) })
			if changes < len(deltas)/benchHops {
				b.Fatalf("%d changes when 1/%d of %d routes flap", changes, benchHops, len(deltas))
			}
		}
		timed(&withdraw, func() { step(r, Deltas(gone)); changes = flush(r) })
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
