package fib

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"routerd/routing"
)

// A writer moves all prefixes from one generation to the next in one Apply,
// among others that come and go, while readers look: whatever state they hold,
// all of it is of one generation, for packets and for whoever asks for entries.
func TestReadersSeeWholeSnapshots(t *testing.T) {
	const prefixes, rounds = 64, 300
	groups := map[*Group]uint32{}
	generation := func(n uint32) []Change {
		group := NewGroup([]NextHop{{Interface: 1}})
		groups[group] = n
		var c []Change
		for i := range prefixes {
			for _, p := range []netip.Prefix{
				netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 10+i%15).Masked(),
				netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 13, 0xb8, 0, byte(i), 9: 1}), 48+i%33).Masked(),
			} {
				c = append(c, Change{p, &Entry{Prefix: p, Metric: n, Group: group}})
				more := netip.PrefixFrom(p.Addr(), p.Bits()+int(n+uint32(i))%8)
				c = append(c, Change{more, &Entry{Prefix: more, Metric: n, Group: group}})
				if n > 0 {
					gone := netip.PrefixFrom(p.Addr(), p.Bits()+int(n-1+uint32(i))%8)
					if gone.Bits() != p.Bits() && gone != more {
						c = append(c, Change{Prefix: gone})
					}
				}
			}
		}
		return c
	}
	type state struct {
		*FIB
		group *Group
		n     uint32
	}
	var published atomic.Pointer[state]
	f := Empty()
	publish := func(n uint32) {
		c := generation(n)
		f = f.Apply(c)
		published.Store(&state{f, c[0].Entry.Group, n})
	}
	publish(0)
	var done atomic.Bool
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			var q Query
			for !done.Load() {
				s := published.Load()
				q.Reset()
				for i := range QuerySize {
					a := netip.AddrFrom4([4]byte{10, byte(2 * i), 0, 1})
					if i%2 == 1 {
						a = netip.AddrFrom16([16]byte{0x20, 1, 13, 0xb8, 0, byte(i), 9: 1, 15: 1})
					}
					add(&q, a)
					if e := s.Lookup(a); e == nil || e.Metric != s.n {
						t.Errorf("the state of generation %d has for %v the entry %+v", s.n, a, e)
						return
					}
				}
				s.Find(&q)
				for i := range QuerySize {
					if w := q.Way(i); w == nil || w.Group != s.group {
						t.Errorf("the state of generation %d has for number %d the way %+v", s.n, i, w)
						return
					}
				}
			}
		})
	}
	for n := range uint32(rounds) {
		publish(n + 1)
	}
	done.Store(true)
	readers.Wait()
}

// Numbers of ways are given again, so that any number of groups may come and go;
// with all of them taken, what has none is found nevertheless.
func TestWaysOutnumberNumbers(t *testing.T) {
	f := Empty()
	f.ways.known.most = 5
	var groups []*Group
	prefix := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 0}), 24)
	}
	for round := range 3 {
		for i := range 20 {
			g := NewGroup([]NextHop{{Interface: routing.InterfaceID(i)}})
			groups = append(groups[:min(i, len(groups))], g)
			f = f.Apply([]Change{{prefix(i), &Entry{Prefix: prefix(i), Group: g}}})
		}
		for i, g := range groups {
			if w := f.Way(prefix(i).Addr().Next()); w == nil || w.Group != g {
				t.Fatalf("round %d: the way by %v is %+v", round, prefix(i), w)
			}
		}
		if f.facts.without != 16 {
			t.Fatalf("round %d: %d ways without a number, want 16", round, f.facts.without)
		}
		for i := range 20 {
			f = f.Apply([]Change{{Prefix: prefix(i)}})
		}
		if f.facts.without != 0 || f.ways.given-f.ways.vacant != 1 || len(f.ways.known.groups) != 0 {
			t.Fatalf("round %d: without routes there are %d ways without and %d with a number, and %d are known",
				round, f.facts.without, f.ways.given-f.ways.vacant-1, len(f.ways.known.groups))
		}
	}
}

// A table that has lost its routes takes no more memory than an empty one.
func TestMemoryComesBack(t *testing.T) {
	var changes, gone []Change
	for i := range 20000 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 6), byte(i << 2), byte(i % 3)}), 20+i%13).Masked()
		if i%2 == 0 {
			p = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, byte(i >> 12), byte(i >> 6), byte(i << 2), byte(i % 3)}), 4+i%60).Masked()
		}
		changes = append(changes, Change{p, &Entry{Prefix: p, Group: someGroups[i%3]}})
		gone = append(gone, Change{Prefix: p})
	}
	f := Empty().Apply(changes)
	if n := f.hot(); n < 100_000 {
		t.Fatalf("%d bytes of nodes: the test says nothing", n)
	}
	f = f.Apply(gone)
	empty := Empty()
	if f.Len4() != 0 || f.Len6() != 0 || f.four != empty.four || f.six != empty.six || f.pairs != empty.pairs {
		t.Errorf("of %d and %d prefixes is left what lookups read in %d bytes, want %d", f.Len4(), f.Len6(), f.hot(), empty.hot())
	}
}

// A stem with much below gives its stems blocks of their own, so that a change
// writes little, and takes them back.
func TestLargeBlocksAreCut(t *testing.T) {
	checkMany(t, 64, func(i int) netip.Addr {
		return netip.AddrFrom16([16]byte{0x20, 1, 13, 0xb8, 6: byte(i >> 8), 7: byte(i)})
	}, func(f *FIB, prefixes int) {
		largest := 0
		var block func(words []uint64, links []link)
		block = func(words []uint64, links []link) {
			largest = max(largest, len(words))
			for _, l := range links {
				if l.block != nil {
					block(l.words, l.links)
				}
			}
		}
		some := spreadOf(f, netip.MustParseAddr("2001:db8::"))
		some.each(func(l *line) {
			if l.below != nil {
				block(nil, l.below[:])
			}
		})
		if most := nodeHead + 4*16 + mostWords; largest > most || prefixes > 0 && largest == 0 {
			t.Errorf("with %d prefixes a block has %d words, want at most %d", prefixes, largest, most)
		}
	})
}

// What is behind four bytes is a line, a page of lines or a fan, as there is much or
// little of it.
func TestSpreadIsAsLargeAsNeedBe(t *testing.T) {
	checkMany(t, 48, func(i int) netip.Addr {
		return netip.AddrFrom16([16]byte{0x20, 1, 13, 0xb8, byte(i >> 8), byte(i)})
	}, func(f *FIB, prefixes int) {
		s := spreadOf(f, netip.MustParseAddr("2001:db8::"))
		lines := 0
		s.each(func(*line) { lines++ })
		kind, want := "a line", "a line"
		switch {
		case s.fan != nil:
			kind = "a fan"
		case s.page != nil:
			kind = "a page"
		}
		switch {
		case prefixes > 2*mostRuns:
			want = "a fan"
		case prefixes > runsOfLine && prefixes < fewRuns:
			want = "a page"
		case prefixes > runsOfLine:
			want = kind // either will do
		}
		if most := 16 + prefixes/4; kind != want || lines > most {
			t.Errorf("with %d prefixes there is %s with %d lines, want %s with at most %d", prefixes, kind, lines, want, most)
		}
	})
}

// spreadOf gives what is behind the first four bytes of an address, without one an
// empty line.
func spreadOf(f *FIB, a netip.Addr) spread {
	hi, _ := parts6(a)
	q := f.sites(hi).to[hi>>43&31].to[hi>>38&31]
	if v := q.values[hi>>32&63]; v >= firstLink {
		return q.links[v-firstLink].spread
	}
	return spread{line: noLine}
}

// checkMany has up to 5,000 prefixes come and go one by one, and looks at the table at
// times.
func checkMany(t *testing.T, bits int, addr func(i int) netip.Addr, check func(f *FIB, prefixes int)) {
	f := Empty()
	change := func(i int, e *Entry) {
		c := Change{Prefix: netip.PrefixFrom(addr(i), bits)}
		if e != nil {
			own := *e
			own.Prefix, own.Group = c.Prefix, someGroups[i%3]
			c.Entry = &own
		}
		f = f.Apply([]Change{c})
	}
	for _, n := range []int{10, 70, 500, 5000, 4000, 500, 70, 10, 0} {
		for f.Len6() < n {
			change(f.Len6(), &Entry{})
		}
		for f.Len6() > n {
			change(f.Len6()-1, nil)
		}
		check(f, n)
		for i := range 5000 {
			if w := f.Way(addr(i)); (w != nil) != (i < n) || w != nil && w.Group != someGroups[i%3] {
				t.Fatalf("with %d prefixes number %d has the way %v", n, i, w)
			}
		}
	}
}
