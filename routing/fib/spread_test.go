package fib

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Few and many prefixes behind four bytes, a few of which change at a time, or all
// behind some bits of the fifth go: the table agrees with the naive model, and each
// state stays as it was.
func TestSpreadsAgreeWithNaiveModel(t *testing.T) {
	// Most of the prefixes follow from a number, since so many are slow to draw.
	draw := func(x uint64) netip.Prefix {
		b := [16]byte{0x20, 1, 13, byte(0xb8 + x&1), byte(x >> 8), byte(x >> 16), byte(x >> 24), 15: 1}
		if x>>32&3 != 0 {
			b[4] &= 3
		}
		n := []int{48, 48, 48, 48, 48, 47, 44, 40, 39, 36, 33, 32, 30, 49, 64, 128}[x>>40&15]
		if n <= 48 || x>>45&1 == 0 {
			b[6] = 0
		}
		return netip.PrefixFrom(netip.AddrFrom16(b), n).Masked()
	}
	change := func(x uint64, m model) Change {
		p := draw(x)
		if x>>50&7 == 0 {
			delete(m, p)
			return Change{Prefix: p}
		}
		m[p] = &Entry{Prefix: p, Group: someGroups[x>>53&3]}
		return Change{p, m[p]}
	}
	rapid.Check(t, func(t *rapid.T) {
		m := model{}
		number := rapid.Uint64().Draw(t, "first")
		next := func() uint64 { number++; return mix(number) }
		var changes []Change
		for range rapid.SampledFrom([]int{2, 20, 40, 400}).Draw(t, "prefixes") {
			changes = append(changes, change(next(), m))
		}
		f := Empty()
		f.few = 0
		f = f.Apply(changes)
		for range rapid.IntRange(1, 6).Draw(t, "states") {
			before, hash, was := f, digest(f), maps.Clone(m)
			changes = changes[:0]
			if rapid.IntRange(0, 5).Draw(t, "most go") == 0 {
				in := netip.PrefixFrom(draw(next()).Addr(), rapid.IntRange(28, 44).Draw(t, "bits")).Masked()
				for _, e := range m.sorted() {
					if in.Contains(e.Prefix.Addr()) {
						changes = append(changes, Change{Prefix: e.Prefix})
						delete(m, e.Prefix)
					}
				}
			}
			for range rapid.SampledFrom([]int{1, 1, 2, 4, 30}).Draw(t, "changes") {
				changes = append(changes, change(next(), m))
			}
			f = f.Apply(changes)
			if digest(before) != hash {
				t.Fatal("Apply changed the table that it was called on")
			}
			checkAround(t, f, m, changes)
			if rapid.Bool().Draw(t, "go on from the one before") {
				f, m = before, was
			}
		}
		if got, want := f.Walk(netip.Prefix{}, 1<<20), m.sorted(); !slices.EqualFunc(got, want, same) {
			t.Fatalf("the table has %v, want %v", got, want)
		}
		var gone []Change
		for p := range m {
			gone = append(gone, Change{Prefix: p})
		}
		if f = f.Apply(gone); f.six != Empty().six || f.pairs != noPairs {
			t.Fatal("without prefixes something is left")
		}
	})
}

// checkAround looks up the addresses at the edges of changed prefixes.
func checkAround(t *rapid.T, f *FIB, m model, changes []Change) {
	var q Query
	for _, c := range changes[:min(len(changes), 30)] {
		edges := []netip.Addr{c.Prefix.Addr(), last(c.Prefix), c.Prefix.Addr().Prev(), last(c.Prefix).Next()}
		q.Reset()
		for _, a := range edges {
			add(&q, a)
		}
		f.Find(&q)
		for i, a := range edges {
			want := m.lookup(a)
			for _, got := range []*Way{q.Way(i), f.Way(a)} {
				if (got == nil) != (want == nil) || got != nil && *got != want.Way() {
					t.Fatalf("after the change of %v the way to %v is %v, want that of %v", c.Prefix, a, got, want)
				}
			}
		}
	}
}
