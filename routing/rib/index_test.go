package rib

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawAnyPrefix draws of both families, many with the first bytes in common, so
// that bins fill.
func drawAnyPrefix(t *rapid.T) netip.Prefix {
	if rapid.Bool().Draw(t, "six") {
		a := [16]byte{0: 0x20, 1: 1, 2: rapid.Byte().Draw(t, "a") % 3, 15: rapid.Byte().Draw(t, "d")}
		a[rapid.IntRange(3, 12).Draw(t, "at")] = rapid.Byte().Draw(t, "c")
		return netip.PrefixFrom(netip.AddrFrom16(a), rapid.IntRange(0, 128).Draw(t, "bits")).Masked()
	}
	a := [4]byte{10, rapid.Byte().Draw(t, "a") % 3, rapid.Byte().Draw(t, "b"), rapid.Byte().Draw(t, "c")}
	return netip.PrefixFrom(netip.AddrFrom4(a), rapid.IntRange(0, 32).Draw(t, "bits")).Masked()
}

// The index finds, orders and forgets what a map would.
func TestIndexAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s slabs
		s.init()
		known := map[netip.Prefix]number{}
		sorted := func() []netip.Prefix {
			var all []netip.Prefix
			for p := range known {
				all = append(all, p)
			}
			slices.SortFunc(all, comparePrefixes)
			return all
		}
		t.Repeat(map[string]func(*rapid.T){
			"many": func(t *rapid.T) { // neighbours, so that bins divide
				p := drawAnyPrefix(t)
				for range rapid.IntRange(1, 700).Draw(t, "count") {
					n, made := s.number(p)
					if was, ok := known[p]; made == ok || ok && was != n {
						t.Fatalf("%v has number %d, new: %v; it is known as %d (%v)", p, n, made, was, ok)
					}
					known[p] = n
					p = netip.PrefixFrom(lastOf(p).Next(), p.Bits())
					if !p.IsValid() {
						break
					}
				}
			},
			"forget": func(t *rapid.T) {
				all := sorted()
				if len(all) == 0 {
					return
				}
				from := rapid.IntRange(0, len(all)-1).Draw(t, "from")
				for _, p := range all[from:min(len(all), from+rapid.IntRange(1, 900).Draw(t, "count"))] {
					s.forget(known[p])
					delete(known, p)
					if n := s.find(p); n != 0 {
						t.Fatalf("%v is forgotten and still has number %d", p, n)
					}
				}
			},
			"walk": func(t *rapid.T) {
				after, all := drawAnyPrefix(t), sorted()
				if rapid.Bool().Draw(t, "all") {
					after = netip.Prefix{}
				}
				var got []netip.Prefix
				for n := range s.behind(after) {
					got = append(got, s.prefix(n))
				}
				want := slices.DeleteFunc(all, func(p netip.Prefix) bool { return after.IsValid() && comparePrefixes(p, after) <= 0 })
				if !slices.Equal(got, want) {
					t.Fatalf("behind %v come %v, want %v", after, got, want)
				}
			},
			"above": func(t *rapid.T) {
				a := drawAnyPrefix(t).Addr()
				var got []netip.Prefix
				for n := range s.above(a) {
					got = append(got, s.prefix(n))
				}
				var want []netip.Prefix
				for bits := a.BitLen(); bits >= 0; bits-- {
					if p := netip.PrefixFrom(a, bits).Masked(); known[p] != 0 {
						want = append(want, p)
					}
				}
				if !slices.Equal(got, want) {
					t.Fatalf("above %v are %v, want %v", a, got, want)
				}
			},
			"": func(t *rapid.T) {
				v4, v6 := s.index.sizes()
				if v4+v6 != len(known) {
					t.Fatalf("%d and %d prefixes are counted, there are %d", v4, v6, len(known))
				}
			},
		})
		for p, n := range known {
			if s.find(p) != n || s.prefix(n) != p {
				t.Fatalf("%v is found as %d, which is %v; want %d", p, s.find(p), s.prefix(n), n)
			}
			s.forget(n)
		}
		left := slices.ContainsFunc(s.index.families[:], func(b bin) bool { return b.n != 0 || b.below != nil || b.slots != nil })
		if left || s.index.lengths != (index{}).lengths || slices.Max(append(s.dests.free, 0)) != s.dests.used-1 {
			t.Fatal("something is left when all is forgotten")
		}
	})
}

func comparePrefixes(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return a.Bits() - b.Bits()
}

// lastOf is the last address of p.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
