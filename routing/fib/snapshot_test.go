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
		if len(f.ways.more) != 16 {
			t.Fatalf("round %d: %d prefixes without a number, want 16", round, len(f.ways.more))
		}
		for i := range 20 {
			f = f.Apply([]Change{{Prefix: prefix(i)}})
		}
		if len(f.ways.more) != 0 || f.ways.given-f.ways.vacant != 1 || len(f.ways.known.groups) != 0 {
			t.Fatalf("round %d: without routes there are %d ways without and %d with a number, and %d are known",
				round, len(f.ways.more), f.ways.given-f.ways.vacant-1, len(f.ways.known.groups))
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
	if f.Len4() != 0 || f.Len6() != 0 || *f.four != *empty.four || *f.six != *empty.six {
		t.Errorf("of %d and %d prefixes is left what lookups read in %d bytes, want %d", f.Len4(), f.Len6(), f.hot(), empty.hot())
	}
}

// A stem with much below gives its stems blocks of their own, so that a change
// writes little, and takes them back.
func TestLargeBlocksAreCut(t *testing.T) {
	f := Empty()
	prefix := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 13, 0xb8, byte(i >> 8), byte(i)}), 48)
	}
	change := func(from, to int, e *Entry) {
		for i := from; i < to; i++ {
			c := Change{Prefix: prefix(i)}
			if e != nil {
				own := *e
				own.Prefix, own.Group = c.Prefix, someGroups[i%3]
				c.Entry = &own
			}
			f = f.Apply([]Change{c})
		}
	}
	check := func(prefixes int) {
		t.Helper()
		largest := 0
		var block func(words []uint64, links []link)
		block = func(words []uint64, links []link) {
			largest = max(largest, len(words))
			for _, l := range links {
				block(l.words, l.links)
			}
		}
		for _, s := range f.six[2][0].to[0].to[1].to {
			if s.links != nil {
				for _, l := range s.links {
					block(nil, l)
				}
			}
		}
		if most := nodeHead + 4*16 + mostWords; largest > most || prefixes > 0 && largest == 0 {
			t.Errorf("with %d prefixes a block has %d words, want at most %d", prefixes, largest, most)
		}
		for i := range 5000 {
			if w := f.Way(prefix(i).Addr()); (w != nil) != (i < prefixes) || w != nil && w.Group != someGroups[i%3] {
				t.Fatalf("with %d prefixes number %d has the way %v", prefixes, i, w)
			}
		}
	}
	for _, n := range []int{10, 100, 500, 5000} {
		change(f.Len6(), n, &Entry{})
		check(n)
	}
	for _, n := range []int{4000, 500, 100, 10, 0} {
		change(n, f.Len6(), nil)
		check(n)
	}
}
