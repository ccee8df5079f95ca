package fib

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"routerd/routing"
)

// model is the table anybody would write first: a map, searched from end to
// end.
type model map[netip.Prefix]*Entry

func (m model) lookup(a netip.Addr) *Entry {
	var best *Entry
	for p, e := range m {
		if p.Contains(a) && (best == nil || p.Bits() > best.Prefix.Bits()) {
			best = e
		}
	}
	return best
}

func (m model) sorted() []*Entry {
	var all []*Entry
	for _, e := range m {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *Entry) int { return comparePrefixes(a.Prefix, b.Prefix) })
	return all
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// address draws from a small space, so that prefixes nest and are hit.
func address(t *rapid.T) netip.Addr {
	low := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 127, 128, 255}), 3, 3).Draw(t, "low")
	if rapid.Bool().Draw(t, "v6") {
		return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, low[0], 7: low[1], 15: low[2]})
	}
	return netip.AddrFrom4([4]byte{10, low[0], low[1], low[2]})
}

func prefix(t *rapid.T) netip.Prefix {
	a := address(t)
	return netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits")).Masked()
}

func drawChanges(t *rapid.T, m model) []Change {
	var changes []Change
	for range rapid.IntRange(0, 12).Draw(t, "changes") {
		p := prefix(t)
		if rapid.IntRange(0, 3).Draw(t, "withdraw") == 0 {
			delete(m, p)
			changes = append(changes, Change{Prefix: p})
			continue
		}
		e := &Entry{Prefix: p}
		m[p] = e
		changes = append(changes, Change{Prefix: p, Entry: e})
	}
	return changes
}

func TestAgreesWithNaiveModel(t *testing.T) {
	// A padding far from the drawn prefixes makes the table large enough for
	// Apply to take the persistent way in half of the runs.
	var padding []Change
	for i := range 8000 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{172, byte(i >> 8), byte(i), 0}), 24)
		padding = append(padding, Change{Prefix: p, Entry: &Entry{Prefix: p}})
	}
	padded := Empty().Apply(padding)
	rapid.Check(t, func(t *rapid.T) {
		f, m := Empty(), model{}
		if rapid.Bool().Draw(t, "padded") {
			f = padded
		}
		base := f
		for range rapid.IntRange(1, 4).Draw(t, "batches") {
			before, beforeAll := f, f.Walk(netip.Prefix{}, 1<<20)
			f = f.Apply(drawChanges(t, m))
			if !slices.Equal(before.Walk(netip.Prefix{}, 1<<20), beforeAll) {
				t.Fatal("Apply changed the table that it was called on")
			}
		}
		for range 10 {
			a := address(t)
			want := m.lookup(a)
			if got := f.Lookup(a); got != want {
				t.Fatalf("Lookup(%v) = %v, want %v", a, got, want)
			}
			p := prefix(t)
			if got := f.Get(p); got != m[p] {
				t.Fatalf("Get(%v) = %v, want %v", p, got, m[p])
			}
		}
		all := m.sorted()
		n4 := base.Len4()
		for _, e := range all {
			if e.Prefix.Addr().Is4() {
				n4++
			}
		}
		if f.Len4() != n4 || f.Len6() != len(all)+base.Len4()-n4 {
			t.Fatalf("lengths %d and %d, want %d and %d", f.Len4(), f.Len6(), n4, len(all)+base.Len4()-n4)
		}
		checkWalk(t, f, all, base.Len4())
	})
}

// checkWalk pages through the table and compares with all, leaving out the
// padding, and tries a cursor that need not be in the table.
func checkWalk(t *rapid.T, f *FIB, all []*Entry, padding int) {
	page := rapid.IntRange(1, 7).Draw(t, "page")
	if padding > 0 {
		page *= 1000
	}
	var got []*Entry
	var after netip.Prefix
	for {
		entries := f.Walk(after, page)
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			if e.Prefix.Addr().As16()[12] != 172 {
				got = append(got, e)
			}
		}
		after = entries[len(entries)-1].Prefix
	}
	if !slices.Equal(got, all) {
		t.Fatalf("walked %v, want %v", got, all)
	}
	cursor := prefix(t)
	i := slices.IndexFunc(all, func(e *Entry) bool { return comparePrefixes(e.Prefix, cursor) > 0 })
	if padding == 0 {
		next := f.Walk(cursor, 1)
		if i < 0 && len(next) != 0 || i >= 0 && (len(next) != 1 || next[0] != all[i]) {
			t.Fatalf("Walk(%v, 1) = %v, want number %d of %v", cursor, next, i, all)
		}
	}
}

func TestWalkBounds(t *testing.T) {
	p := netip.MustParsePrefix("10.0.0.0/8")
	f := Empty().Apply([]Change{{p, &Entry{Prefix: p}}})
	for _, max := range []int{-1, 0} {
		if got := f.Walk(netip.Prefix{}, max); got != nil {
			t.Errorf("Walk(max %d) = %v, want nothing", max, got)
		}
	}
	last := netip.MustParsePrefix("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128")
	if got := f.Walk(last, 5); got != nil {
		t.Errorf("behind the last prefix there is: %v, want nothing", got)
	}
}

func TestApplyNothingIsTheSameTable(t *testing.T) {
	f := Empty()
	if f.Apply(nil) != f {
		t.Error("Apply without changes made a new table")
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	p := netip.MustParsePrefix("2001:db8::/32")
	f := Empty().Apply([]Change{{p, &Entry{
		Prefix: p,
		Group:  NewGroup([]NextHop{{Interface: 1}, {Interface: 2}}),
	}}})
	a := netip.MustParseAddr("2001:db8::1")
	if n := testing.AllocsPerRun(100, func() { f.Lookup(a).Group.Pick(7) }); n != 0 {
		t.Errorf("a lookup allocates %v times, want 0", n)
	}
}

// A writer moves all prefixes from one metric to the next in one Apply while
// readers look: whatever snapshot they hold, all of it has one metric.
func TestReadersSeeWholeSnapshots(t *testing.T) {
	const prefixes, rounds = 64, 300
	generation := func(n uint32) []Change {
		var c []Change
		for i := range prefixes {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 16)
			c = append(c, Change{p, &Entry{Prefix: p, Metric: n, Action: routing.Blackhole}})
		}
		return c
	}
	var published atomic.Pointer[FIB]
	published.Store(Empty().Apply(generation(0)))
	var done atomic.Bool
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			var last uint32
			for !done.Load() {
				f := published.Load()
				first := f.Lookup(netip.AddrFrom4([4]byte{10, 0, 1, 1})).Metric
				if first < last {
					t.Errorf("metric %d after %d: time ran backwards", first, last)
				}
				last = first
				for i := range prefixes {
					e := f.Lookup(netip.AddrFrom4([4]byte{10, byte(i), 1, 1}))
					if e == nil || e.Metric != first {
						t.Errorf("one snapshot holds metric %d and %+v", first, e)
						return
					}
				}
			}
		})
	}
	f := published.Load()
	for n := range uint32(rounds) {
		f = f.Apply(generation(n + 1))
		published.Store(f)
	}
	done.Store(true)
	readers.Wait()
}
