package wire

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// The prefixes of a message are the same as numbers, piece by piece, as they are one by one.
func TestReadIsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := NLRI{Family: rapid.SampledFrom([]Family{IPv4Unicast, IPv6Unicast}).Draw(t, "family"), Paths: rapid.Bool().Draw(t, "paths")}
		for range rapid.IntRange(0, 9).Draw(t, "prefixes") {
			if n.Paths {
				n.Octets = append(n.Octets, rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "path")...)
			}
			bits := rapid.IntRange(0, n.Family.Bits()).Draw(t, "bits")
			address := rapid.SliceOfN(rapid.Byte(), (bits+7)/8, (bits+7)/8).Draw(t, "address")
			if len(address) > 1 && rapid.Bool().Draw(t, "special") {
				address[0] = rapid.SampledFrom([]byte{0, 127, 224, 223, 0xfe, 0xff}).Draw(t, "first")
				address[1] = rapid.SampledFrom([]byte{0, 0x80, 0xbf, 0xc0}).Draw(t, "second")
			}
			if rapid.IntRange(0, 3).Draw(t, "zero") == 0 {
				clear(address[:max(0, len(address)-1)])
			}
			n.Octets = append(append(n.Octets, byte(bits)), address...)
		}
		type pair struct {
			path uint32
			p    netip.Prefix
		}
		var want []pair
		for path, p := range n.All {
			want = append(want, pair{path, p})
		}
		list := make([]Plain, rapid.IntRange(1, 4).Draw(t, "at once"))
		i := 0
		for some := n.Read(list); some > 0; some = n.Read(list) {
			for _, p := range list[:some] {
				if i == len(want) || (pair{p.Path, p.Prefix(n.Family)}) != want[i] {
					t.Fatalf("prefix %d is %v of path %d, want %v", i, p.Prefix(n.Family), p.Path, want[min(i, len(want)):])
				}
				if got, is := p.Destination(n.Family), Destination(want[i].p); got != is {
					t.Fatalf("%v is a destination: %v, want %v", want[i].p, got, is)
				}
				i++
			}
		}
		if i != len(want) || len(n.Octets) != 0 {
			t.Fatalf("%d of %d prefixes were read, %d octets are left", i, len(want), len(n.Octets))
		}
	})
}
