package fib

import (
	"net/netip"
	"testing"

	"github.com/gaissmai/bart"

	"routerd/routing"
)

// More ways than fit the bytes of a quarter, more stems below one than it has
// numbers of links for, and both coming and going: all agrees with bart.
func TestManyWaysAndLinks(t *testing.T) {
	var groups []*Group
	for i := range 400 {
		groups = append(groups, NewGroup([]NextHop{{Interface: routing.InterfaceID(i)}}))
	}
	for _, used := range []int{3, 185, 400} {
		f, oracle := Empty(), new(bart.Fast[*Entry])
		f.few = 0
		seed := uint64(used)
		draw := func(n int) int {
			seed++
			return int(mix(seed) % uint64(n))
		}
		prefix := func() netip.Prefix {
			low := [4]byte{byte(draw(256)), byte(draw(4)), byte(draw(2)), 1}
			if draw(2) == 0 {
				bits := []int{0, 8, 12, 16, 18, 21, 24, 24, 26, 32, 32}[draw(11)]
				return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, low[1], low[0], low[2]}), bits).Masked()
			}
			bits := []int{0, 7, 14, 16, 20, 24, 29, 32, 32, 36, 48, 48, 64, 128}[draw(14)]
			return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, low[1], low[0], byte(draw(3)), byte(draw(40)), 15: low[2]}), bits).Masked()
		}
		for round := range 60 {
			var changes []Change
			for range 200 {
				c := Change{Prefix: prefix()}
				oracle.Delete(c.Prefix)
				if draw(60) > round/2 {
					c.Entry = &Entry{Prefix: c.Prefix, Group: groups[draw(used)]}
					oracle.Insert(c.Prefix, c.Entry)
				}
				changes = append(changes, c)
			}
			f = f.Apply(changes)
			var q Query
			for range 600 {
				p := prefix()
				a := []netip.Addr{p.Addr(), last(p), last(p).Next()}[draw(3)]
				if !a.IsValid() {
					continue
				}
				want, ok := oracle.Lookup(a)
				q.Reset()
				add(&q, a)
				f.Find(&q)
				for _, got := range []*Way{q.Way(0), f.Way(a)} {
					if (got != nil) != ok || ok && *got != want.Way() {
						t.Fatalf("%d groups, round %d: the way to %v is %+v, want that of %+v", used, round, a, got, want)
					}
				}
			}
		}
		if oracle.Size() < 500 {
			t.Fatalf("%d prefixes: the test says nothing", oracle.Size())
		}
	}
}
