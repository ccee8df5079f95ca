package fib

import (
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"pgregory.net/rapid"
)

// A Writer that gets changes piece by piece publishes the same table as one that
// gets them at once, and meanwhile what it published before stays as it was.
func TestWriterAgreesWithNaiveModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, m := Empty(), model{}
		if rapid.Bool().Draw(t, "few numbers") {
			f.ways.known.most = 3
		}
		if rapid.Bool().Draw(t, "few facts") {
			f.ways.known.facts.most = 3
		}
		if rapid.Bool().Draw(t, "large") { // or as if it were
			f.few = 0
		}
		w := NewWriter(f)
		for range rapid.IntRange(1, 4).Draw(t, "states") {
			before := f.Walk(netip.Prefix{}, 1<<20)
			hash := digest(f)
			n := rapid.IntRange(0, 5).Draw(t, "pieces")
			for range n {
				w.Apply(drawChanges(t, m))
			}
			next := w.Publish()
			if again := w.Publish(); again != next || n == 0 && next != f {
				t.Fatal("Publish gives another table without a change")
			}
			if !slices.EqualFunc(f.Walk(netip.Prefix{}, 1<<20), before, same) || digest(f) != hash {
				t.Fatal("the table that was published before has changed")
			}
			f = next
			checkFind(t, f, m)
		}
		all := m.sorted()
		if !slices.EqualFunc(f.Walk(netip.Prefix{}, 1<<20), all, same) || f.Len4()+f.Len6() != len(all) {
			t.Fatalf("%d and %d prefixes are %v, want %v", f.Len4(), f.Len6(), f.Walk(netip.Prefix{}, 1<<20), all)
		}
	})
}

// While a Writer moves a large table to another group piece by piece, readers see
// one group or the other, never both.
func TestReadersSeeWholeTablesOfAWriter(t *testing.T) {
	const prefixes, size = 6000, 500
	var published atomic.Pointer[FIB]
	w := NewWriter(Empty())
	move := func(g *Group) {
		for at := 0; at < prefixes; at += size {
			var part []Change
			for i := at; i < at+size; i++ {
				p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
				if i%3 == 0 {
					p = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, byte(i >> 8), byte(i), byte(i)}), 40)
				}
				part = append(part, Change{p, &Entry{Prefix: p, Group: g}})
			}
			w.Apply(part)
		}
		published.Store(w.Publish())
	}
	move(someGroups[0])
	var done atomic.Bool
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			var q Query
			for at := 0; !done.Load(); at++ {
				f := published.Load()
				q.Reset()
				for k := range QuerySize {
					i := (at*QuerySize + k*191) % prefixes
					if i%3 == 0 {
						add(&q, netip.AddrFrom16([16]byte{0x20, 1, byte(i >> 8), byte(i), byte(i), 15: 1}))
					} else {
						add(&q, netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}))
					}
				}
				f.Find(&q)
				for k := range QuerySize {
					if a, b := q.Way(0), q.Way(k); a == nil || b == nil || a.Group != b.Group {
						t.Errorf("one table has the ways %v and %v", a, b)
						return
					}
				}
			}
		})
	}
	for i := range 40 {
		move(someGroups[i%3])
	}
	done.Store(true)
	readers.Wait()
}

// A Writer without changes keeps no table but the one that it published last.
func TestWriterForgetsWhatNobodyReads(t *testing.T) {
	w := NewWriter(Empty())
	var old []weak.Pointer[FIB]
	for i := range 3 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 1, 0}), 24)
		w.Apply([]Change{{p, &Entry{Prefix: p}}})
		old = append(old, weak.Make(w.Publish()))
	}
	runtime.GC()
	runtime.GC()
	if old[0].Value() != nil || old[1].Value() != nil {
		t.Error("a table is in memory that was published before the last")
	}
	if got := old[2].Value(); got == nil || got != w.Publish() {
		t.Errorf("the table published last is %p, want %p", got, w.Publish())
	}
}

// BenchmarkWriter fills a table with the public routes, IPv4 and IPv6, a thousand
// changes at a time, and reports the longest step of it.
func BenchmarkWriter(b *testing.B) {
	changes := publicTable(b)
	for _, order := range []string{"in order", "in no order"} {
		if order != "in order" {
			changes = shuffled(changes)
		}
		b.Run(order, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			var steps []time.Duration
			var all time.Duration
			for b.Loop() {
				w := NewWriter(Empty())
				start := spent(b)
				last := start
				for part := range slices.Chunk(changes, 1000) {
					w.Apply(part)
					now := spent(b)
					steps = append(steps, now-last)
					last = now
				}
				w.Publish()
				now := spent(b)
				steps = append(steps, now-last)
				all += now - start
			}
			slices.Sort(steps)
			b.ReportMetric(float64(steps[len(steps)-1].Microseconds()), "longest-µs")
			b.ReportMetric(float64(steps[len(steps)*999/1000].Microseconds()), "p99.9-µs")
			b.ReportMetric(float64(steps[len(steps)/2].Microseconds()), "median-µs")
			b.ReportMetric(float64(all.Nanoseconds())/float64(b.N*len(changes)), "ns/change")
			b.ReportMetric(0, "ns/op")
		})
	}
}
