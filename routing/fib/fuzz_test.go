package fib

import (
	"net/netip"
	"testing"

	"github.com/gaissmai/bart"
)

// FuzzApply makes changes as the data says, and has bart make the same; after
// each batch both have to agree about what was changed.
func FuzzApply(f *testing.F) {
	f.Add([]byte("\x00\x0a\x00\x00\x00\x18\x01\x00\x0a\x00\x00\x00\x08\x02"))
	f.Add([]byte("\x81\x20\x01\x0d\xb8\x30\x01\x81\x20\x01\x0d\xb8\x80\x01\x81\x20\x01\x0d\xb8\x30\x00"))
	// A node that moves to where the one below it was.
	f.Add([]byte("\xba000010A000000\x88000090\xf9000000"))
	f.Fuzz(func(t *testing.T, data []byte) {
		const step = 7 // family and batch, four bytes of address, length, group
		table, oracle := Empty(), new(bart.Fast[*Entry])
		if len(data)%2 == 0 {
			table.few = 0 // as if it were large
		}
		var changes []Change
		check := func() {
			table = table.Apply(changes)
			var q Query
			for _, c := range changes {
				if c.Entry == nil {
					oracle.Delete(c.Prefix)
				} else {
					oracle.Insert(c.Prefix, c.Entry)
				}
			}
			for _, c := range changes {
				for _, a := range []netip.Addr{c.Prefix.Addr(), last(c.Prefix), last(c.Prefix).Next()} {
					if !a.IsValid() {
						continue
					}
					want, ok := oracle.Lookup(a)
					q.Reset()
					add(&q, a)
					table.Find(&q)
					number := q.way[0]
					if table.together(&q); q.way[0] != number {
						t.Fatalf("side by side the way to %v is number %d, else %d", a, q.way[0], number)
					}
					if got := q.Way(0); (got != nil) != ok || ok && *got != want.Way() {
						t.Fatalf("the way to %v is %+v, want that of %+v", a, got, want)
					}
					if got := table.Lookup(a); !same(got, want) {
						t.Fatalf("Lookup(%v) = %+v, want %+v", a, got, want)
					}
				}
			}
			if table.Len4() != oracle.Size4() || table.Len6() != oracle.Size6() {
				t.Fatalf("%d and %d prefixes, want %d and %d", table.Len4(), table.Len6(), oracle.Size4(), oracle.Size6())
			}
			changes = changes[:0]
		}
		for ; len(data) >= step && oracle.Size() < 2000; data = data[step:] {
			var p netip.Prefix
			if data[0]&0x80 == 0 {
				p = netip.PrefixFrom(netip.AddrFrom4([4]byte(data[1:5])), int(data[5])%33).Masked()
			} else {
				a := [16]byte{0x20, 0x01}
				copy(a[data[0]&0x0f%13:], data[1:5])
				p = netip.PrefixFrom(netip.AddrFrom16(a), int(data[5])%129).Masked()
			}
			c := Change{Prefix: p}
			if n := int(data[6]) % 5; n > 0 {
				c.Entry = &Entry{Prefix: p, Group: someGroups[n-1]}
			}
			changes = append(changes, c)
			if data[0]&0x40 != 0 {
				check()
			}
		}
		check()
	})
}
