package fib

import (
	"net/netip"
	"runtime"
	"testing"
)

// An entry that says the same as others is a key of four bytes. All of the table is a
// few bytes more for each, and nothing in it is a pointer of one entry.
func TestEntryTakesFewBytes(t *testing.T) {
	const prefixes, most = 1 << 17, 8
	changes := make([]Change, prefixes)
	entries := make([]Entry, prefixes)
	for i := range changes {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10 + byte(i>>16), byte(i >> 8), byte(i)}), 24)
		entries[i] = Entry{Prefix: p, Metric: uint32(i % 7), Group: someGroups[mix(uint64(i))%3]}
		changes[i] = Change{p, &entries[i]}
	}
	before := live()
	f := Empty().Apply(changes)
	each := float64(live()-before) / prefixes
	runtime.KeepAlive(f)
	runtime.KeepAlive(changes)
	if each > most {
		t.Errorf("an entry takes %.1f bytes, want at most %d", each, most)
	}
}

// Facts get numbers that are free again, so that any number of different ones may come
// and go; with all numbers taken, what has none is found nevertheless, and who goes on
// from a state before counts what is used there.
func TestFactsOutnumberNumbers(t *testing.T) {
	f := Empty()
	f.ways.known.facts.most = 5
	prefix := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 0}), 24)
	}
	entry := func(i int, metric uint32) []Change {
		return []Change{{prefix(i), &Entry{Prefix: prefix(i), Metric: metric, Group: someGroups[i%3]}}}
	}
	check := func(f *FIB, metric func(i int) uint32) {
		t.Helper()
		for i := range 20 {
			a := prefix(i).Addr().Next()
			e, w := f.Lookup(a), f.Way(a)
			if e == nil || e.Metric != metric(i) || e.Prefix != prefix(i) || w == nil || w.Group != someGroups[i%3] {
				t.Fatalf("number %d has the entry %+v and the way %+v, want the metric %d", i, e, w, metric(i))
			}
		}
	}
	for round := range uint32(3) {
		for i := range 20 {
			f = f.Apply(entry(i, 100*round+uint32(i)))
		}
		check(f, func(i int) uint32 { return 100*round + uint32(i) })
		if n := len(f.facts.more); n != 16 {
			t.Fatalf("round %d: the facts of %d prefixes have no number, want 16", round, n)
		}
		dropped := NewWriter(f)
		for i := range 20 {
			dropped.Apply(entry(i, 7))
		}
		for i := range 20 {
			f = f.Apply(entry(i, 100*round+uint32(i/4)))
		}
		check(f, func(i int) uint32 { return 100*round + uint32(i/4) })
		for i := range 20 {
			f = f.Apply([]Change{{Prefix: prefix(i)}})
		}
		known := &f.ways.known.facts
		if n := len(f.facts.more); n != 0 || len(known.numbers) != 0 || len(known.free) != len(known.list)-1 || f.ways.given-f.ways.vacant != 1 {
			t.Fatalf("round %d: without entries the facts of %d prefixes have no number, %d are known, %d of %d numbers are free, and there are %d ways",
				round, n, len(known.numbers), len(known.free), len(known.list)-1, f.ways.given-f.ways.vacant-1)
		}
	}
}
