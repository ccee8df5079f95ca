package fib

import (
	"cmp"
	"net/netip"
	"slices"
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

// same reports whether two entries say the same, or there is neither.
func same(a, b *Entry) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// address draws from a small space, so that prefixes nest and are hit.
func address(t *rapid.T) netip.Addr {
	low := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 63, 64, 127, 128, 255}), 3, 3).Draw(t, "low")
	if rapid.Bool().Draw(t, "v6") {
		a := [16]byte{0x20, 0x01, 0x0d, 0xb8, 15: 1}
		for _, b := range low {
			a[rapid.SampledFrom([]int{1, 2, 3, 4, 7, 8, 9, 15}).Draw(t, "byte")] = b
		}
		return netip.AddrFrom16(a)
	}
	return netip.AddrFrom4([4]byte{10, low[0], low[1], low[2]})
}

func prefix(t *rapid.T) netip.Prefix {
	a := address(t)
	return netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits")).Masked()
}

var someGroups = []*Group{NewGroup([]NextHop{{Interface: 1}}), NewGroup([]NextHop{{Interface: 2}}), NewGroup([]NextHop{{Interface: 3}}), NewGroup(nil)}

func drawChanges(t *rapid.T, m model) []Change {
	var changes []Change
	for range rapid.IntRange(0, 12).Draw(t, "changes") {
		p := prefix(t)
		if rapid.IntRange(0, 3).Draw(t, "withdraw") == 0 {
			delete(m, p)
			changes = append(changes, Change{Prefix: p})
			continue
		}
		e := &Entry{Prefix: p, Group: rapid.SampledFrom(someGroups).Draw(t, "group")}
		if rapid.IntRange(0, 3).Draw(t, "unreachable") == 0 {
			e.Action, e.Group = routing.Unreachable, nil
		}
		m[p] = e
		changes = append(changes, Change{Prefix: p, Entry: e})
	}
	return changes
}

func TestAgreesWithNaiveModel(t *testing.T) {
	// A padding far from the drawn prefixes, so that the table is a large one.
	var padding []Change
	for i := range 8000 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{172, byte(i >> 8), byte(i), 0}), 24)
		padding = append(padding, Change{Prefix: p, Entry: &Entry{Prefix: p, Group: someGroups[i%3]}})
	}
	padded := Empty().Apply(padding)
	rapid.Check(t, func(t *rapid.T) {
		f, m := Empty(), model{}
		if rapid.Bool().Draw(t, "padded") {
			f = padded
		} else {
			if rapid.Bool().Draw(t, "few numbers") {
				f.ways.known.most = 3
			}
			if rapid.Bool().Draw(t, "few facts") {
				f.ways.known.facts.most = 3
			}
		}
		if rapid.Bool().Draw(t, "large") { // or as if it were
			large := *f
			large.few = 0
			f = &large
		}
		base := f
		for range rapid.IntRange(1, 4).Draw(t, "batches") {
			before, beforeAll, beforeHash := f, f.Walk(netip.Prefix{}, 1<<20), digest(f)
			f = f.Apply(drawChanges(t, m))
			if !slices.EqualFunc(before.Walk(netip.Prefix{}, 1<<20), beforeAll, same) || digest(before) != beforeHash {
				t.Fatal("Apply changed the table that it was called on")
			}
		}
		checkFind(t, f, m)
		for range 10 {
			p := prefix(t)
			if got := f.Get(p); !same(got, m[p]) {
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

// digest is a number for all that lookups read.
func digest(f *FIB) uint64 {
	h := uint64(f.ways.given)
	add := func(w uint64) { h = mix(h ^ w) }
	for _, ways := range f.short {
		for _, w := range ways {
			add(uint64(w))
		}
	}
	for i, p := range f.pairs {
		if p == &noShort {
			continue
		}
		for j, x := range p {
			add(uint64(i)<<32 | uint64(j)<<16 | uint64(x))
		}
	}
	for i := range 256 {
		part := f.four[i>>4][i&15]
		for _, d := range part.to {
			d.digest(add)
		}
	}
	for i := range 256 {
		part := f.six[i>>4][i&15]
		for _, a := range part.to {
			if a == noArea {
				continue
			}
			for _, s := range a {
				for _, d := range s.to {
					d.digest(add)
				}
			}
		}
	}
	return h
}

func (d *doors) digest(add func(uint64)) {
	if d == noDoors {
		return
	}
	for _, q := range d.to {
		q.digest(add)
	}
	if d.links != nil {
		for _, l := range d.links {
			digestLinks(l, add)
		}
	}
}

func (q *quarter) digest(add func(uint64)) {
	for _, v := range q {
		add(uint64(v))
	}
}

func digestLinks(links []link, add func(uint64)) {
	for _, l := range links {
		add(uint64(l.way))
		if l.block != nil {
			add(l.half)
			add(l.node)
			for _, w := range l.words {
				add(w)
			}
			digestLinks(l.links, add)
		}
	}
}

func (d *doors6) digest(add func(uint64)) {
	if d == noDoors6 {
		return
	}
	for _, q := range d.to {
		q.values.digest(add)
		for _, l := range q.links {
			add(uint64(l.way))
			l.spread.each(func(l *line) {
				for i, v := range l.values {
					add(uint64(l.starts[i])<<16 | uint64(v))
				}
				if l.below != nil {
					digestLinks(l.below[:], add)
				}
			})
		}
	}
}

// each yields the lines of a spread.
func (s *spread) each(yield func(*line)) {
	switch {
	case s.fan != nil:
		for i := range s.fan.to {
			s.fan.to[i].each(yield)
		}
	case s.page != nil:
		for i := range s.page.lines {
			yield(&s.page.lines[i])
		}
	default:
		yield(s.line)
	}
}

// checkFind looks up addresses drawn and those at the edges of prefixes, together
// and alone.
func checkFind(t *rapid.T, f *FIB, m model) {
	var addrs []netip.Addr
	for range 20 {
		addrs = append(addrs, address(t))
	}
	for _, e := range m.sorted() {
		if len(addrs) < 3*QuerySize {
			addrs = append(addrs, e.Prefix.Addr(), last(e.Prefix), e.Prefix.Addr().Prev(), last(e.Prefix).Next())
		}
	}
	var q Query
	var asked []netip.Addr
	check := func() {
		f.Find(&q)
		side := q
		f.together(&side)
		if !slices.Equal(side.way[:q.n], q.way[:q.n]) {
			t.Fatalf("side by side the ways to %v are %v, else %v", asked, side.way[:q.n], q.way[:q.n])
		}
		for i, a := range asked {
			want := m.lookup(a)
			if got := f.Lookup(a); !same(got, want) {
				t.Fatalf("Lookup(%v) = %v, want %v", a, got, want)
			}
			for _, got := range []*Way{q.Way(i), f.Way(a)} {
				if (got == nil) != (want == nil) || got != nil && *got != want.Way() {
					t.Fatalf("the way to %v is %v, want that of %v", a, got, want)
				}
			}
		}
		q.Reset()
		asked = asked[:0]
	}
	for _, a := range addrs {
		if !a.IsValid() {
			continue // before the first address or behind the last
		}
		add(&q, a)
		asked = append(asked, a)
		if q.Full() {
			check()
		}
	}
	check()
}

func add(q *Query, a netip.Addr) {
	if a.Is4() {
		q.Add4(a.AsSlice())
	} else {
		q.Add6(a.AsSlice())
	}
}

// last gives the last address of a prefix.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
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
	if !slices.EqualFunc(got, all, same) {
		t.Fatalf("walked %v, want %v", got, all)
	}
	cursor := prefix(t)
	i := slices.IndexFunc(all, func(e *Entry) bool { return comparePrefixes(e.Prefix, cursor) > 0 })
	if padding == 0 {
		next := f.Walk(cursor, 1)
		if i < 0 && len(next) != 0 || i >= 0 && (len(next) != 1 || !same(next[0], all[i])) {
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
	var q Query
	raw := a.AsSlice()
	if n := testing.AllocsPerRun(100, func() {
		f.Lookup(a).Group.Pick(7)
		f.Way(a).Group.Pick(7)
		q.Reset()
		q.Add6(raw)
		f.Find(&q)
	}); n != 0 {
		t.Errorf("lookups allocate %v times, want 0", n)
	}
}
