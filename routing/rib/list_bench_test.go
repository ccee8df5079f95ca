package rib

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"routerd/routing/fib"
)

// BenchmarkList has a list of a million routes over 64 next hops taken up, and
// then twice the same list with every route on another line, and reports the live
// heap of list, RIB and FIB for each route after each.
func BenchmarkList(b *testing.B) {
	const many = 1 << 20
	list := func(offset int) *RouteList {
		var l ListBuilder
		for i := range 64 {
			l.Way(StaticRoute{NextHops: []StaticNextHop{{Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 2)})}}})
		}
		for i := range many {
			l.Add(netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(20 + i>>16), byte(i >> 8), byte(i), 0}), 24), i%64, i+offset)
		}
		all, _ := l.List(file)
		return all
	}
	heap := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for b.Loop() {
		before := heap()
		x := New()
		table := fib.Empty()
		if err := x.Step(t0, Interface{ID: 0, Name: "lan0", Up: true, Addresses: []Address{{Prefix: pfx("10.0.0.1/16")}}}); err != nil {
			b.Fatal(err)
		}
		for n := range 3 {
			x.SetConfig(t0, Config{List: list(n)})
			for x.Unsettled() {
				s, _, _ := x.Settle(2000)
				table = table.Apply(s.Changes)
			}
			b.ReportMetric((heap()-before)/many, fmt.Sprintf("B/route-%d", n))
		}
		runtime.KeepAlive(x)
		runtime.KeepAlive(table)
	}
}
