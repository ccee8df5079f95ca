package flowcache

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"routerd/dataplane"
)

// full is a site with so many flows, each to an address of its own.
func full(b *testing.B, flows int) *site {
	s := newSite(b, flows)
	var offers []dataplane.Offer
	for i := range flows {
		o := offer(lan0, "10.0.1.2:4000", "10.20.0.1:5000")
		o.Dst = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(20 + i%2), byte(i >> 9), byte(i >> 1)}), 5000)
		offers = append(offers, o)
	}
	for len(offers) > 0 {
		n := min(makings/10, offersAtOnce, len(offers))
		s.cache.Offer(offers[:n])
		s.now = s.now.Add(100 * time.Millisecond)
		s.step()
		offers = offers[n:]
	}
	if n := s.cache.Totals(); n.Flows != flows {
		b.Fatalf("%+v", n)
	}
	return s
}

// What a change costs the router's owner, and an accounting the cache's goroutine, beside so
// many flows. The kernel is the model, whose calls take a lock and no system call.
func BenchmarkCache(b *testing.B) {
	for _, flows := range []int{1000, 65536} {
		s := full(b, flows)
		v := s.view
		for _, bm := range []struct {
			name string
			run  func()
		}{
			{"route/elsewhere", func() { s.cache.RoutesChanged(prefixes("10.99.0.0/16"), false) }},
			{"route/one flow", func() { s.cache.RoutesChanged(prefixes("10.20.0.1/32"), false) }},
			{"route/all, as before", func() { s.cache.RoutesChanged(nil, true) }},
			{"view/as before", func() { s.cache.ViewChanged(v, v) }},
			{"account/nothing new", func() { s.cache.Account(s.now) }},
			{"review/one turn", func() { s.cache.ViewChanged(v, v); s.cache.Review() }},
		} {
			b.Run(fmt.Sprintf("%d/%s", flows, bm.name), func(b *testing.B) {
				b.ReportAllocs()
				for range b.N {
					bm.run()
				}
			})
		}
	}
}

// What one flow costs to be made and ended.
func BenchmarkMake(b *testing.B) {
	s := newSite(b, 1024)
	o := offer(lan0, "10.0.1.2:4000", "10.20.0.1:5000")
	b.ReportAllocs()
	for range b.N {
		s.cache.budget.left = 1
		s.cache.Offer([]dataplane.Offer{o})
		s.step()
		s.cache.Clear(Filter{})
	}
}
