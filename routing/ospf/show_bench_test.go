package ospf

import (
	"testing"

	"routerd/routing/ospf/wire"
)

// BenchmarkLSAPage is a page of 1,000 LSAs out of 100,000, from their middle: for so
// long it keeps the machine from its work.
func BenchmarkLSAPage(b *testing.B) {
	as := newArea(NewPrefixes())
	m := &Machine{router: self, as: as.db}
	for n := range wire.ID(100_000) {
		as.install(wire.ExternalLSA, n*2654435761, n%100, 0, &wire.External{Mask: wire.MaskOf(32)})
	}
	half := m.LSAs(start, LSAFilter{}, 50_000)
	f := LSAFilter{After: &half[len(half)-1].LSAKey}
	for b.Loop() {
		if list := m.LSAs(start, f, 1000); len(list) != 1000 {
			b.Fatalf("%d LSAs", len(list))
		}
	}
}
