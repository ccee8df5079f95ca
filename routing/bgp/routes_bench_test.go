package bgp

import (
	"net/netip"
	"testing"

	"routerd/routing"
	"routerd/routing/bgp/wire"
)

// BenchmarkShow has pages of a full table that one neighbour has sent: of all routes, of
// those by a path that none has, and of what another neighbour was sent.
func BenchmarkShow(b *testing.B) {
	stream, prefixes := feed(b)
	k := newBenchBed(b, 2)
	k.connect(0)
	k.connect(1)
	k.bring(0, stream)
	k.want("learned", prefixes, 1, prefixes)
	none, err := CompilePath("_4294967295$")
	if err != nil {
		b.Fatal(err)
	}
	pages := func(name string, page func(after netip.Prefix) (int, netip.Prefix)) {
		b.Run(name, func(b *testing.B) {
			var after netip.Prefix
			rows := 0
			page(after) // puts prefixes in order
			for b.Loop() {
				n, next := page(after)
				rows, after = rows+n, next
			}
			b.ReportMetric(float64(rows)/float64(b.N), "rows/op")
		})
	}
	m := k.machine
	pages("all", func(after netip.Prefix) (int, netip.Prefix) {
		list, next := m.RoutePage(ipv4, &RouteFilter{}, after, 1000)
		return len(list), next
	})
	pages("by a path", func(after netip.Prefix) (int, netip.Prefix) {
		list, next := m.RoutePage(ipv4, &RouteFilter{Path: none}, after, 1000)
		return len(list), next
	})
	pages("advertised", func(after netip.Prefix) (int, netip.Prefix) {
		list, p := m.AdvertisedPage(m.order[1].cfg.Address, routing.NoInterface, wire.IPv4Unicast, netip.Prefix{}, after, 1000)
		return len(list), p.Next
	})
}
