package arp

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"routerd/internal/siphash"
	"routerd/routing"
)

// The table against two maps.
func TestTableModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := NewTable(4, siphash.Key{rapid.Uint64().Draw(t, "seed")}) // few buckets, long chains
		type where struct {
			iface routing.InterfaceID
			addr  netip.Addr
		}
		byAddr, byIndex := map[where]*Entry{}, map[uint32]*Entry{}
		var moved, wantMoved []where
		tab.Observe(func(iface routing.InterfaceID, a netip.Addr) {
			if e := tab.Lookup(iface, a); e != byAddr[where{iface, a}] {
				t.Fatalf("told of %s, the table has %+v still", a, e)
			}
			moved = append(moved, where{iface, a})
		})
		pick := func() (where, uint32) {
			n := rapid.IntRange(0, 60).Draw(t, "neighbour")
			w := where{routing.InterfaceID(n % 3), nth(n/3, n%2 == 0)}
			return w, uint32(n) * 37 % 200 // 0 for the first: none
		}
		for range rapid.IntRange(1, 120).Draw(t, "changes") {
			w, index := pick()
			if rapid.Bool().Draw(t, "publish") {
				e := &Entry{Interface: w.iface, Addr: w.addr, State: Reachable, MAC: MAC{5: byte(rapid.IntRange(1, 2).Draw(t, "mac"))}}
				if was := byAddr[w]; was != nil && was.MAC != e.MAC {
					wantMoved = append(wantMoved, w)
				}
				byAddr[w], byIndex[index] = e, e
				tab.Apply(Publish{e, index})
			} else {
				if byAddr[w] != nil {
					wantMoved = append(wantMoved, w)
				}
				delete(byAddr, w)
				delete(byIndex, index)
				tab.Apply(Unpublish{w.iface, w.addr, index})
			}
			if !slices.Equal(moved, wantMoved) {
				t.Fatalf("told of %v, want %v", moved, wantMoved)
			}
			delete(byIndex, 0)
			tab.Apply(Dropped{}) // no business of the table's
			for n := range 61 {
				w := where{routing.InterfaceID(n % 3), nth(n/3, n%2 == 0)}
				if got := tab.Lookup(w.iface, w.addr); got != byAddr[w] {
					t.Fatalf("Lookup(%v) = %+v, want %+v", w, got, byAddr[w])
				}
			}
			for i := range uint32(300) {
				if got := tab.ByIndex(i); got != byIndex[i] {
					t.Fatalf("ByIndex(%d) = %+v, want %+v", i, got, byIndex[i])
				}
			}
		}
	})
}

// Readers beside the writer see each neighbour whole, and those that do not
// change always.
func TestTableReaders(t *testing.T) {
	tab := NewTable(8, siphash.Key{1})
	const steady = 20
	put := func(i int, mac byte) {
		a := nth(i, false)
		tab.Apply(Publish{&Entry{Interface: eth0, Addr: a, MAC: MAC{0, mac, mac, mac, mac, mac}}, uint32(i + 1)})
	}
	for i := range steady {
		put(i, 0)
	}
	var done atomic.Bool
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for !done.Load() {
				for i := range 2 * steady {
					for _, e := range []*Entry{tab.Lookup(eth0, nth(i, false)), tab.ByIndex(uint32(i + 1))} {
						if e == nil && i < steady || e != nil && (e.Addr != nth(i, false) || e.MAC[1] != e.MAC[5]) {
							t.Errorf("neighbour %d is read as %+v", i, e)
							return
						}
					}
				}
			}
		})
	}
	for round := range 2000 {
		i := steady + round%steady
		put(i, byte(round))
		put(1000+round, 1) // grows the array
		if round%3 == 0 {
			tab.Apply(Unpublish{eth0, nth(i, false), uint32(i + 1)})
		}
		tab.Apply(Unpublish{eth0, nth(1000+round, false), uint32(1001 + round)})
	}
	done.Store(true)
	readers.Wait()
}

func TestUse(t *testing.T) {
	for s := range numStates {
		e := &Entry{State: s}
		first, second := e.Use(), e.Use()
		if first != (s == Stale) || second {
			t.Errorf("%v: Use is %v, then %v", s, first, second)
		}
		if e.Unuse(); e.Use() != (s == Stale) {
			t.Errorf("%v: Use after Unuse", s)
		}
	}
}

// A use whose notice was lost is found when the entry would go.
func TestLostUse(t *testing.T) {
	b := newBench(t)
	four.bring(b, Stale)
	b.tab.Lookup(eth0, peer4).Use()
	b.pass(DefaultTimeout)
	if s := b.state(peer4); s != Delay {
		t.Errorf("used and not told of: %v, want delay", s)
	}
}

func TestReadersDoNotAllocate(t *testing.T) {
	b := newBench(t)
	b.step(Resolve{Interface: eth0, Addr: peer4, Index: 3})
	b.step(arpReply(peerMAC))
	six.bring(b, Stale)
	if n := testing.AllocsPerRun(100, func() {
		if b.tab.Lookup(eth0, peer4) == nil || b.tab.ByIndex(3) == nil || b.tab.Lookup(eth0, nth(1, true)) != nil {
			t.Error("not found")
		}
		b.tab.Lookup(eth0, peer6).Use()
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{10, 1000, 8192} {
		tab := NewTable(8192, siphash.Key{1})
		addrs := make([]netip.Addr, n)
		for i := range addrs {
			addrs[i] = nth(i, i%2 == 0)
			tab.Apply(Publish{&Entry{Interface: eth0, Addr: addrs[i]}, 0})
		}
		b.Run(map[int]string{10: "10", 1000: "1000", 8192: "8192"}[n], func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if tab.Lookup(eth0, addrs[i]) == nil {
					b.Fatal("not found")
				}
				if i++; i == n {
					i = 0
				}
			}
		})
	}
}

func BenchmarkByIndex(b *testing.B) {
	tab := NewTable(8192, siphash.Key{1})
	for i := range 64 {
		tab.Apply(Publish{&Entry{Interface: eth0, Addr: nth(i, false)}, uint32(i + 1)})
	}
	b.ReportAllocs()
	i := uint32(0)
	for b.Loop() {
		if tab.ByIndex(i&63+1) == nil {
			b.Fatal("not found")
		}
		i++
	}
}

// A reply that ends a probe: decoded, learned, published, its timer set.
func BenchmarkReply(b *testing.B) {
	x := newBench(b)
	four.bring(x, Reachable)
	var out []Effect
	reply, n := arpReply(peerMAC), x.m.neighbors[key{eth0, peer4}]
	b.ReportAllocs()
	for b.Loop() {
		x.m.enter(n, Probe)
		n.entry = nil // so that each reply publishes
		out = x.m.Step(x.now, reply, out[:0])
	}
}

// One packet of a flood at destinations that do not exist: so fast that most
// are throttled, and so slow that each is asked for.
func BenchmarkFlood(b *testing.B) {
	b.Run("throttled", func(b *testing.B) { flood(b, 10*time.Microsecond) })
	b.Run("asked", func(b *testing.B) { flood(b, 2*time.Millisecond) })
}

func flood(b *testing.B, gap time.Duration) {
	x := newBench(b)
	p := make([]byte, 64)
	var out []Effect
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		x.now = x.now.Add(gap)
		out = x.m.Step(x.now, Resolve{Interface: eth0, Addr: nth(i&0xffffff, true), Packet: p}, out[:0])
		i++
	}
	all, _ := x.m.Len()
	b.ReportMetric(float64(all), "neighbours")
}
