package ospf

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"routerd/routing/ospf/wire"
)

// The example of RFC 2328 §E, and what that leaves open.
func TestLinkStateIDs(t *testing.T) {
	var s lsids
	for _, tt := range []struct{ prefix, id, moved, to string }{
		{"10.0.0.0/24", "10.0.0.0", "", ""},
		{"10.0.0.0/16", "10.0.0.0", "10.0.0.0/24", "10.0.0.255"},
		{"10.0.0.0/8", "10.0.0.0", "10.0.0.0/16", "10.0.255.255"},
		{"10.0.0.0/24", "10.0.0.255", "", ""},
		{"10.0.0.0/25", "10.0.0.127", "", ""},
		{"10.0.0.255/32", "10.0.0.255", "10.0.0.0/24", "10.0.0.254"},
		{"10.0.0.0/32", "10.0.0.0", "10.0.0.0/8", "10.255.255.255"},
		{"0.0.0.0/0", "0.0.0.0", "", ""},
	} {
		id, moved, ok := s.give(netip.MustParsePrefix(tt.prefix))
		if !ok || id.String() != tt.id || moved.IsValid() != (tt.moved != "") || moved.IsValid() && moved.String() != tt.moved {
			t.Errorf("%s: %v, moved %v, %v; want %s, moved %s", tt.prefix, id, moved, ok, tt.id, tt.moved)
		}
		if moved.IsValid() && s.of[moved].String() != tt.to {
			t.Errorf("%s: %s to %v, want %s", tt.prefix, tt.moved, s.of[moved], tt.to)
		}
	}
	if _, ok := s.drop(netip.MustParsePrefix("10.0.0.0/24")); !ok {
		t.Error("not dropped")
	}
	if _, ok := s.drop(netip.MustParsePrefix("10.0.0.0/24")); ok {
		t.Error("dropped twice")
	}
	// A network of two addresses whose both IDs host routes have has none.
	for _, p := range []string{"10.1.0.0/32", "10.1.0.1/32"} {
		s.give(netip.MustParsePrefix(p))
	}
	if id, _, ok := s.give(netip.MustParsePrefix("10.1.0.0/31")); ok {
		t.Errorf("%v given twice", id)
	}
}

// Whatever networks come and go, no two have one ID, and each ID is within its
// network.
func TestLinkStateIDsDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s lsids
		for range rapid.IntRange(1, 60).Draw(t, "times") {
			bits := rapid.SampledFrom([]int{8, 16, 24, 28, 29, 30, 31, 32}).Draw(t, "bits")
			a := wire.ID(0x0a000000) | wire.ID(rapid.Uint32Range(0, 15).Draw(t, "host"))
			p := netip.PrefixFrom(a.Addr(), bits).Masked()
			if rapid.IntRange(0, 3).Draw(t, "drop") == 0 {
				s.drop(p)
			} else {
				s.give(p)
			}
			seen := map[wire.ID]bool{}
			for p, id := range s.of {
				if seen[id] || s.taken[id] != p || !p.Contains(id.Addr()) {
					t.Fatalf("%v of %v among %v", id, p, s.of)
				}
				seen[id] = true
			}
			if len(s.of) != len(s.taken) {
				t.Fatalf("%v, taken %v", s.of, s.taken)
			}
		}
	})
}
