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
		changes = append(changes, Change{p, &Entry{Prefix: p, Group: someGroups[i%3]}})
		gone = append(gone, Change{Prefix: p})
	}
	f := Empty().Apply(changes)
	if n := f.words.bytes(); n < 100_000 {
		t.Fatalf("%d bytes of nodes: the test says nothing", n)
	}
	f = f.Apply(gone)
	if pages := f.words.pages - f.words.holes; pages != 1 || f.Len4() != 0 || f.Len6() != 0 {
		t.Errorf("%d pages and %d prefixes are left, want the page of zeros alone", pages, f.Len4())
	}
	for _, g := range f.tops {
		for _, c := range g.chunk {
			if c != noChunk {
				t.Error("a chunk without a prefix is left")
			}
		}
	}
	if f.words.roomy != [classes]uint32{} {
		t.Errorf("pages with room are %v, want none", f.words.roomy)
	}
	again := f.Apply(changes)
	if again.words.pages > Empty().Apply(changes).words.pages {
		t.Errorf("%d pages for what took fewer before", again.words.pages)
	}
}

// The short cut knows the stems at depth 4 whose buckets have room, and no
// others, whether it grew with the table or was made for it.
func TestShortCut(t *testing.T) {
	f := Empty()
	f.few = 0
	prefix := func(i, bits int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, byte(i >> 8), byte(i), 1}), bits).Masked()
	}
	check := func(step string, want int) {
		t.Helper()
		kept := 0
		for _, g := range f.short.pages {
			for i := range g {
				for j, key := range g[i].key {
					if key == 0 {
						continue
					}
					kept++
					s := f.of(six).chunkOf(uint64(key) << 32).at(byte(key >> 16))
					for s != nil && s.depth < 4 {
						s = s.below(byteAt(uint64(key)<<32, 0, s.depth))
					}
					if s == nil || s.depth != 4 || s.quarter != g[i].quarter[j] {
						t.Fatalf("%s: %08x leads to %v, but the stem is %+v", step, key, g[i].quarter[j], s)
					}
				}
			}
		}
		if f.short.stems != want || kept < want*8/10 {
			t.Errorf("%s: %d of %d stems are known, want nearly all of %d", step, kept, f.short.stems, want)
		}
	}
	for i := range 4000 {
		f = f.Apply([]Change{{prefix(i, 40), &Entry{Prefix: prefix(i, 40), Group: someGroups[i%3]}}})
	}
	check("grown", 4000)
	four := netip.MustParsePrefix("10.0.0.0/8")
	other := f.Apply([]Change{{four, &Entry{Prefix: four}}})
	if &other.short.pages[0] != &f.short.pages[0] {
		t.Error("a change of IPv4 made the short cut of IPv6 anew")
	}
	bare := Empty()
	bare.few = 0
	if n := len(bare.Apply([]Change{{four, &Entry{Prefix: four}}}).short.pages); n != 0 {
		t.Errorf("a table without IPv6 has %d pages of a short cut", n)
	}
	var gone []Change
	for i := range 4000 {
		if i%16 != 0 {
			gone = append(gone, Change{Prefix: prefix(i, 40)})
		}
	}
	f = f.Apply(gone)
	check("shrunk", 250)
	for i := range 4000 {
		if w := f.Way(prefix(i, 128).Addr()); (w != nil) != (i%16 == 0) {
			t.Fatalf("number %d has the way %v", i, w)
		}
	}
}
