package bgp

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"routerd/internal/siphash"
	"routerd/routing/bgp/wire"
)

// Of prefixes that are close together, in cells that fill and empty, each has a number of
// its own, as long as it is there, and what is gone is not found.
func TestCellsAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		family := rapid.SampledFrom([]wire.Family{wire.IPv4Unicast, wire.IPv6Unicast}).Draw(t, "family")
		table := NewTable(family, new(AttributeTable), siphash.Key{rapid.Uint64().Draw(t, "key"), 2})
		bits := rapid.IntRange(0, family.Bits()).Draw(t, "around")
		prefix := rapid.Custom(func(t *rapid.T) netip.Prefix {
			length := min(max(0, bits+rapid.IntRange(-4, 4).Draw(t, "length")), family.Bits())
			var b [16]byte
			if family == wire.IPv4Unicast {
				binary.BigEndian.PutUint32(b[:], uint32(rapid.Uint64Range(0, 40).Draw(t, "block")<<(32-bits)))
				return netip.PrefixFrom(netip.AddrFrom4([4]byte(b[:4])), length).Masked()
			}
			x := rapid.Uint64Range(0, 40).Draw(t, "block")
			if bits <= 64 {
				binary.BigEndian.PutUint64(b[:], x<<(64-bits))
			} else {
				binary.BigEndian.PutUint64(b[8:], x<<(128-bits))
			}
			return netip.PrefixFrom(netip.AddrFrom16(b), length).Masked()
		})
		model := map[netip.Prefix]uint32{}
		numbers := map[uint32]netip.Prefix{}
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			p := prefix.Draw(t, "prefix")
			n, is := model[p]
			if got, ok := table.Number(p); ok != is || ok && got != n {
				t.Fatalf("%v has the number %d, found: %v; want %d, %v", p, got, ok, n, is)
			}
			if is && rapid.Bool().Draw(t, "goes") {
				table.Free(n)
				delete(model, p)
				delete(numbers, n)
				continue
			}
			got := table.number(p)
			if other, taken := numbers[got]; is && got != n || taken && other != p || table.Prefix(got) != p {
				t.Fatalf("%v has the number %d of %v, want %d, which it had: %v", p, got, other, n, is)
			}
			model[p], numbers[got] = got, p
		}
		for p, n := range model {
			if got, ok := table.Number(p); !ok || got != n {
				t.Fatalf("in the end %v has the number %d, found: %v; want %d", p, got, ok, n)
			}
			table.Free(n)
		}
		x := &table.index
		for i := range x.shards {
			if s := &x.shards[i]; s.n != 0 {
				t.Fatalf("part %d has %d cells when all prefixes are gone", i, s.n)
			}
		}
		free := 0
		for size, at := range x.free {
			for at != 0 {
				free++
				at = x.list(ref(at-1)<<2 | ref(size))[0]
			}
		}
		if lists := int(x.three.n + x.seven.n + x.fifteen.n); free != lists {
			t.Fatalf("%d of %d lists are free when all prefixes are gone", free, lists)
		}
	})
}
