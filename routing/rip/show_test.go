package rip

import (
	"net/netip"
	"testing"
)

// Pages of any size give every route once, in order.
func TestRoutesInPages(t *testing.T) {
	b := newQuietBed(t, RIP, nil)
	b.up()
	b.hearAll(announcements(RIP, 1))
	all := b.m.Routes(netip.Prefix{}, manyRoutes*2)
	if len(all) <= manyRoutes {
		t.Fatalf("%d routes in all, want more than the %d that were announced", len(all), manyRoutes)
	}
	for i := 1; i < len(all); i++ {
		if all[i-1].Prefix.Compare(all[i].Prefix) >= 0 {
			t.Fatalf("%v stands before %v", all[i-1].Prefix, all[i].Prefix)
		}
	}
	for _, limit := range []int{1, 7, 999, 1000, len(all) - 1, len(all)} {
		var last netip.Prefix
		at := 0
		for pages := 0; pages < 50; pages++ { // the first of the smaller ones
			page := b.m.Routes(last, limit)
			if len(page) != min(limit, len(all)-at) {
				t.Fatalf("pages of %d: %d routes behind %v, want %d", limit, len(page), last, min(limit, len(all)-at))
			}
			for i := range page {
				if page[i].Prefix != all[at+i].Prefix {
					t.Fatalf("pages of %d: number %d is %v, want %v", limit, at+i, page[i].Prefix, all[at+i].Prefix)
				}
			}
			if at += len(page); len(page) < limit {
				break
			}
			last = page[len(page)-1].Prefix
		}
	}
	if got := b.m.Routes(netip.Prefix{}, 0); len(got) != 0 {
		t.Errorf("a page of nothing has %d routes", len(got))
	}
}

// BenchmarkShowPage gives a page of 1,000 from the middle of 25,000 routes, which
// keeps the machine from everything else for as long.
func BenchmarkShowPage(b *testing.B) {
	bed := newQuietBed(b, RIP, nil)
	bed.up()
	bed.hearAll(announcements(RIP, 1))
	middle := bed.m.Routes(netip.Prefix{}, manyRoutes/2)
	after := middle[len(middle)-1].Prefix
	b.ReportAllocs()
	for b.Loop() {
		if n := len(bed.m.Routes(after, 1000)); n != 1000 {
			b.Fatalf("%d routes", n)
		}
	}
}
