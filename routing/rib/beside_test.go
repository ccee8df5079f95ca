package rib

import (
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/gaissmai/bart"

	"routerd/routing"
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
	var trie, load, flap, withdraw, slice []time.Duration
	var bytes, sliced float64
	// flush is Flush as the router makes it, in slices of the size that it uses.
	flush := func(r *RIB) (n int) {
		for r.Unsettled() {
			s, _, err := r.Settle(2000)
			if err != nil {
				b.Fatal(err)
			}
			n += len(s.Changes)
		}
		return n
	}
	// take has the RIB take all that has changed in the slots.
	numbers := make([]Number, len(deltas))
	take := func(r *RIB, slots *routing.Slots, n int) bool {
		read, _ := slots.Read(n, func(c routing.Change) {
			var err error
			if numbers[c.ID], err = r.TakeSlot(t0, routing.SourceIBGP, numbers[c.ID], c); err != nil {
				b.Fatal(err)
			}
		})
		return read > 0
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
		slots := &routing.Slots{}
		offer := func() {
			for i := range deltas {
				id := routing.SlotID(i)
				if slots.Len() == i {
					slots.Take(deltas[i].Route.Prefix)
				}
				slots.At(id).NextHops = deltas[i].Route.NextHops
				slots.Offer(id)
			}
			slots.Publish()
		}
		offer()
		clear(numbers)
		before := heap()
		var r *RIB
		var changes int
		timed(&load, func() {
			r = New()
			for i := range benchHops {
				step(r, benchLink(i, true))
			}
			for take(r, slots, 1<<20) {
			}
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
		for i := range deltas {
			slots.Withdraw(routing.SlotID(i))
		}
		slots.Publish()
		timed(&withdraw, func() {
			for take(r, slots, 1<<20) {
			}
			changes = flush(r)
		})
		if v4, v6 := r.Len(); changes < len(deltas) || v4+v6 > 10*benchHops {
			b.Fatalf("%d changes when %d routes are withdrawn; %d prefixes are left", changes, len(deltas), v4+v6)
		}
		offer()
		start := threadTime(b)
		longest := time.Duration(0)
		for more := true; more; {
			begun := threadTime(b)
			if more = take(r, slots, 1000); !more {
				if _, _, err := r.Settle(2000); err != nil {
					b.Fatal(err)
				}
				more = r.Unsettled()
			}
			longest = max(longest, threadTime(b)-begun)
		}
		sliced = (threadTime(b) - start).Seconds()
		slice = append(slice, longest)
		runtime.KeepAlive(r)
	}
	reportBeside(b, bytes, sliced, map[string][]time.Duration{
		"load": load, "flap": flap, "withdrawal": withdraw, "longest slice": slice, "bart": trie,
	})
}

// reportBeside writes the medians, as ratios to the bulk load.
func reportBeside(b *testing.B, bytes, sliced float64, times map[string][]time.Duration) {
	median := func(of string) float64 {
		slices.Sort(times[of])
		return times[of][len(times[of])/2].Seconds()
	}
	bulk := median("bart")
	b.ReportMetric(bulk*1e3, "ms/bart")
	for _, of := range []string{"load", "flap", "withdrawal"} {
		b.ReportMetric(median(of)/bulk, of+"/bart")
	}
	b.ReportMetric(sliced/bulk, "sliced/bart")
	b.ReportMetric(median("longest slice")*1e3, "ms/longest-slice")
	b.ReportMetric(bytes, "B/prefix")
}

// BenchmarkBothTables is what the RIB and the FIB that follows it hold together of
// the public table.
func BenchmarkBothTables(b *testing.B) {
	deltas := publicTable(b)
	var held float64
	for b.Loop() {
		before := heap()
		r, w := New(), fib.NewWriter(fib.Empty())
		for i := range benchHops {
			if err := r.Step(t0, benchLink(i, true)); err != nil {
				b.Fatal(err)
			}
		}
		if err := r.Step(t0, deltas); err != nil {
			b.Fatal(err)
		}
		for r.Unsettled() {
			s, _, err := r.Settle(2000)
			if err != nil {
				b.Fatal(err)
			}
			w.Apply(s.Changes)
		}
		f := w.Publish()
		if n := f.Len4() + f.Len6(); n < len(deltas) {
			b.Fatalf("the fib has %d prefixes of %d", n, len(deltas))
		}
		held = heap() - before
		runtime.KeepAlive(r)
		runtime.KeepAlive(w)
	}
	b.ReportMetric(held/float64(len(deltas)), "B/prefix")
	b.ReportMetric(0, "ns/op")
}
