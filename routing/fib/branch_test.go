package fib

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A Writer whose changes are never published leaves nothing behind: who goes on from
// the state before counts what uses each way as if it had not been there.
func TestDroppedChangesCountForNothing(t *testing.T) {
	prefix := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 0}), 24)
	}
	var all []Change
	for i := range 40 {
		all = append(all, Change{prefix(i), &Entry{Prefix: prefix(i), Group: someGroups[i%2]}})
	}
	f := Empty().Apply(all)
	dropped := NewWriter(f)
	for i := range 40 {
		dropped.Apply([]Change{{Prefix: prefix(i)}})
	}
	for i := range 40 {
		w := f.Way(prefix(i).Addr())
		if w == nil || w.Group != someGroups[i%2] || f.Get(prefix(i)) == nil {
			t.Fatalf("what was dropped has changed %v: %v", prefix(i), w)
		}
	}
	var gone []Change
	for i := 1; i < 40; i++ {
		gone = append(gone, Change{Prefix: prefix(i)})
	}
	f = f.Apply(gone)
	if w := f.Way(prefix(0).Addr()); w == nil || w.Group != someGroups[0] {
		t.Errorf("the only entry leads %+v", w)
	}
	if n := f.ways.given - f.ways.vacant - 1; n != 1 {
		t.Errorf("%d ways are in use, want 1", n)
	}
}

// Many prefixes end in the same byte, and change a few at a time. The table agrees
// with the naive model, also where some of the states before are gone on from, as if
// others had not been; and each state stays as it was.
func TestLongListsAgreeWithNaiveModel(t *testing.T) {
	draw := func(t *rapid.T) netip.Prefix {
		b := rapid.Byte().Draw(t, "byte")
		n := rapid.SampledFrom([]int{8, 8, 8, 7, 6, 5, 3, 1, 9, 16}).Draw(t, "bits")
		if rapid.Bool().Draw(t, "v6") {
			return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 13, b}), 24+n).Masked()
		}
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, b}), 16+n).Masked()
	}
	change := func(t *rapid.T, m model) Change {
		p := draw(t)
		if rapid.IntRange(0, 2).Draw(t, "withdraw") == 0 {
			delete(m, p)
			return Change{Prefix: p}
		}
		m[p] = &Entry{Prefix: p, Group: rapid.SampledFrom(someGroups).Draw(t, "group"), Metric: uint32(rapid.IntRange(0, 3).Draw(t, "metric"))}
		return Change{p, m[p]}
	}
	type state struct {
		f *FIB
		m model
	}
	rapid.Check(t, func(t *rapid.T) {
		f, m := Empty(), model{}
		f.few = 0
		var first []Change
		for range 60 {
			first = append(first, change(t, m))
		}
		states := []state{{f.Apply(first), m}}
		for range rapid.IntRange(1, 25).Draw(t, "states") {
			from := states[len(states)-1]
			if rapid.IntRange(0, 9).Draw(t, "from an earlier one") == 0 {
				from = states[rapid.IntRange(0, len(states)-1).Draw(t, "which")]
			}
			m := maps.Clone(from.m)
			var changes []Change
			for range rapid.IntRange(1, 4).Draw(t, "changes") {
				changes = append(changes, change(t, m))
			}
			if rapid.IntRange(0, 9).Draw(t, "dropped") == 0 {
				NewWriter(from.f).Apply(changes)
				continue
			}
			states = append(states, state{from.f.Apply(changes), m})
		}
		for i, s := range states {
			if got, want := s.f.Walk(netip.Prefix{}, 1<<20), s.m.sorted(); !slices.EqualFunc(got, want, same) || s.f.Len4()+s.f.Len6() != len(want) {
				t.Fatalf("of %d states number %d has %v, want %v", len(states), i, got, want)
			}
			for p, e := range s.m {
				if got := s.f.Get(p); !same(got, e) {
					t.Fatalf("in state %d Get(%v) = %v, want %v", i, p, got, e)
				}
			}
			checkFind(t, s.f, s.m)
			for range 20 {
				a := draw(t).Addr()
				if w, e := s.f.Way(a), s.m.lookup(a); (w == nil) != (e == nil) || e != nil && *w != e.Way() || !same(s.f.Lookup(a), e) {
					t.Fatalf("in state %d the way to %v is %v and the entry %v, want %v", i, a, w, s.f.Lookup(a), e)
				}
			}
		}
	})
}
