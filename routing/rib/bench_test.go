package rib

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"routerd/routing"
)

const benchHops = 64

// publicTable is the public table as a protocol would bring it, in the order
// of the file, over benchHops next hops on as many links.
func publicTable(b *testing.B) Deltas {
	b.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "corpora", "tables", "bart-prefixes-1062k.txt.gz"))
	if errors.Is(err, fs.ErrNotExist) {
		b.Skipf("the corpus is not there: %v", err)
	}
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	var hops [benchHops][]routing.NextHop
	for i := range hops {
		hops[i] = []routing.NextHop{{Address: netip.AddrFrom4([4]byte{10, 255, byte(i), 2}), Interface: routing.NoInterface}}
	}
	var all Deltas
	for s := bufio.NewScanner(z); s.Scan(); {
		all = append(all, routing.Delta{Route: routing.Route{
			Prefix: netip.MustParsePrefix(s.Text()), Source: routing.SourceIBGP, NextHops: hops[len(all)*7919%benchHops],
		}})
	}
	return all
}

func benchLink(i int, up bool) Interface {
	return Interface{
		ID: routing.InterfaceID(i), Name: "core" + string(rune('A'+i)), Up: up,
		Addresses: []Address{{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 255, byte(i), 1}), 24)}},
	}
}

func loaded(b *testing.B, deltas Deltas, before ...Input) *RIB {
	r := New()
	for _, in := range before {
		if err := r.Step(t0, in); err != nil {
			b.Fatal(err)
		}
	}
	for i := range benchHops {
		if err := r.Step(t0, benchLink(i, true)); err != nil {
			b.Fatal(err)
		}
	}
	if err := r.Step(t0, deltas); err != nil {
		b.Fatal(err)
	}
	if changes, _ := r.Flush(); len(changes) < len(deltas) {
		b.Fatalf("%d changes for %d routes", len(changes), len(deltas))
	}
	return r
}

func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func BenchmarkPublicTable(b *testing.B) {
	deltas := publicTable(b)
	b.Run("load", func(b *testing.B) {
		var held float64
		for b.Loop() {
			b.StopTimer()
			before := heap()
			b.StartTimer()
			r := loaded(b, deltas)
			b.StopTimer()
			held = heap() - before
			runtime.KeepAlive(r)
			b.StartTimer()
		}
		b.ReportMetric(held/float64(len(deltas)), "B/prefix")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(deltas)), "ns/prefix")
	})
	r := loaded(b, deltas)
	b.Run("flap", func(b *testing.B) {
		up := false
		for b.Loop() {
			if err := r.Step(t0, benchLink(3, up)); err != nil {
				b.Fatal(err)
			}
			r.Flush()
			up = !up
		}
	})
	b.Run("one", func(b *testing.B) {
		i := 0
		for b.Loop() {
			d := deltas[i%len(deltas)]
			d.Route.Metric = uint32(i)
			if err := r.Step(t0, Deltas{d}); err != nil {
				b.Fatal(err)
			}
			r.Flush()
			i += 7919
		}
	})
}

// BenchmarkRedistribution is what notices add to the load of the public table:
// where somebody listens to something else, and where every route is passed on,
// drained in chunks.
func BenchmarkRedistribution(b *testing.B) {
	deltas := publicTable(b)
	for _, bench := range []struct {
		name string
		of   routing.Source
	}{{"none", routing.SourceRIP}, {"all", routing.SourceIBGP}} {
		b.Run(bench.name, func(b *testing.B) {
			var held float64
			var drained time.Duration
			for b.Loop() {
				b.StopTimer()
				before := heap()
				b.StartTimer()
				r := loaded(b, deltas, Subscribe{Name: "ospf", Redistribute: []Redistribution{{Source: bench.of}}})
				start := time.Now()
				told := 0
				for more := true; more; {
					var n routing.Notices
					n, more = r.Drain("ospf", 256)
					told += len(n.Routes)
				}
				drained += time.Since(start)
				b.StopTimer()
				if all := bench.of == routing.SourceIBGP; all != (told == len(deltas)) {
					b.Fatalf("%d routes told of %d", told, len(deltas))
				}
				held = heap() - before
				runtime.KeepAlive(r)
				b.StartTimer()
			}
			b.ReportMetric(held/float64(len(deltas)), "B/prefix")
			b.ReportMetric(float64(drained.Nanoseconds())/float64(b.N)/float64(len(deltas)), "ns/drained")
		})
	}
}

// BenchmarkCarrierLoss is a link that dies under one of two equal hops of every
// route of the public table: what it takes until packets avoid it, and until
// the table is without it.
func BenchmarkCarrierLoss(b *testing.B) {
	deltas := publicTable(b)
	for i := range deltas {
		first := deltas[i].Route.NextHops[0]
		other := routing.NextHop{Address: netip.AddrFrom4([4]byte{10, 255, 3, 2}), Interface: routing.NoInterface}
		if first.Address != other.Address {
			deltas[i].Route.NextHops = []routing.NextHop{first, other}
		}
	}
	r := loaded(b, deltas)
	var avoided, settled time.Duration
	for b.Loop() {
		start := time.Now()
		if err := r.Step(t0, benchLink(3, false)); err != nil {
			b.Fatal(err)
		}
		avoided += time.Since(start)
		r.Flush()
		settled += time.Since(start)
		b.StopTimer()
		if err := r.Step(t0, benchLink(3, true)); err != nil {
			b.Fatal(err)
		}
		r.Flush()
		b.StartTimer()
	}
	b.ReportMetric(float64(avoided.Nanoseconds())/float64(b.N), "ns/avoided")
	b.ReportMetric(float64(settled.Nanoseconds())/float64(b.N), "ns/settled")
}
