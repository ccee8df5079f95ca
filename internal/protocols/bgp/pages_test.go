package bgp

import (
	"context"
	"net/netip"
	"testing"

	"routerd/internal/protocols/running/runningtest"
	"routerd/routing"
	"routerd/routing/bgp"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// shelf is a core with many prefixes of both families, which gives a few of them at once.
type shelf struct {
	protocol.Core
	count int // of each family
	few   int
	asked int
}

// prefix is the n-th of a family.
func (s *shelf) prefix(f wire.Family, n int) netip.Prefix {
	if f == wire.IPv4Unicast {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), 0}), 24)
	}
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 13: byte(n >> 8), 14: byte(n)}), 120)
}

// part gives the numbers behind after.
func (s *shelf) part(f wire.Family, after netip.Prefix, most int) (list []netip.Prefix, next netip.Prefix) {
	s.asked++
	for n := range s.count {
		if p := s.prefix(f, n); !after.IsValid() || after.Addr().Less(p.Addr()) {
			if len(list) == min(most, s.few) {
				return list, list[len(list)-1]
			}
			list = append(list, p)
		}
	}
	return list, netip.Prefix{}
}

func (s *shelf) PrefixStatus(netip.Prefix) (b bgp.PrefixStatus, ok bool) { return b, false }

func (s *shelf) RoutePage(f wire.Family, _ *bgp.RouteFilter, after netip.Prefix, most int) (list []bgp.PrefixStatus, next netip.Prefix) {
	part, next := s.part(f, after, most)
	for _, p := range part {
		list = append(list, bgp.PrefixStatus{Prefix: p})
	}
	return list, next
}

func (s *shelf) AttributesPage(uint32, int) ([]bgp.AttributesStatus, uint32) { return nil, 0 }

func (s *shelf) ReceivedPage(_ netip.Addr, _ routing.InterfaceID, f wire.Family, _ bool, _, after netip.Prefix, most int) (list []bgp.ReceivedStatus, p bgp.Peering) {
	part, next := s.part(f, after, most)
	for _, p := range part {
		list = append(list, bgp.ReceivedStatus{Prefix: p})
	}
	return list, bgp.Peering{Known: true, Up: true, Kept: true, Whole: true, Next: next}
}

func (s *shelf) AdvertisedPage(_ netip.Addr, _ routing.InterfaceID, f wire.Family, _, after netip.Prefix, most int) (list []bgp.AdvertisedStatus, p bgp.Peering) {
	part, next := s.part(f, after, most)
	for _, p := range part {
		list = append(list, bgp.AdvertisedStatus{Prefix: p})
	}
	return list, bgp.Peering{Known: true, Up: true, Next: next}
}

// A page consists of several pieces, and pages one behind the other have each prefix
// once, in order, also across the families.
func TestPagesInPieces(t *testing.T) {
	const count, few = 500, 60
	var want []netip.Prefix
	all := &shelf{count: count}
	for _, f := range []wire.Family{wire.IPv4Unicast, wire.IPv6Unicast} {
		for n := range count {
			want = append(want, all.prefix(f, n))
		}
	}
	for _, limit := range []int{1, 7, 60, 100, 480, 500, 1000, 10_000} {
		for what, ask := range map[string]func(p *runningtest.Protocol, after netip.Prefix) ([]netip.Prefix, netip.Prefix, error){
			"routes": func(p *runningtest.Protocol, after netip.Prefix) (list []netip.Prefix, next netip.Prefix, err error) {
				page, err := askRoutes(context.Background(), p, RouteQuery{After: after, Limit: limit})
				for _, r := range page.Routes {
					list = append(list, r.Prefix)
				}
				return list, page.Next, err
			},
			"received": func(p *runningtest.Protocol, after netip.Prefix) (list []netip.Prefix, next netip.Prefix, err error) {
				page, err := askReceived(context.Background(), p, ExchangeQuery{Neighbor: "192.0.2.1", After: after, Limit: limit}, false)
				for _, r := range page.Routes {
					list = append(list, r.Prefix)
				}
				return list, page.Next, err
			},
			"advertised": func(p *runningtest.Protocol, after netip.Prefix) (list []netip.Prefix, next netip.Prefix, err error) {
				page, err := askAdvertised(context.Background(), p, ExchangeQuery{Neighbor: "192.0.2.1", After: after, Limit: limit})
				for _, r := range page.Routes {
					list = append(list, r.Prefix)
				}
				return list, page.Next, err
			},
		} {
			s := &shelf{count: count, few: few}
			p := runningtest.New(s)
			var got []netip.Prefix
			for after, pages := (netip.Prefix{}), 0; ; pages++ {
				s.asked = 0
				list, next, err := ask(p, after)
				if err != nil || pages > 2*count {
					t.Fatalf("%s, limit %d: page %d: %v", what, limit, pages, err)
				}
				if len(list) > limit || s.asked > pieces+1 { // a piece may go through both families
					t.Fatalf("%s, limit %d: a page of %d prefixes, of %d pieces", what, limit, len(list), s.asked)
				}
				if next.IsValid() && len(list) < min(limit, (pieces-1)*few) {
					t.Errorf("%s, limit %d: a page of %d prefixes that is not the last", what, limit, len(list))
				}
				if got = append(got, list...); !next.IsValid() {
					break
				}
				after = next
			}
			if len(got) != len(want) {
				t.Errorf("%s, limit %d: %d prefixes, want %d", what, limit, len(got), len(want))
				continue
			}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("%s, limit %d: prefix %d is %s, want %s", what, limit, i, got[i], want[i])
					break
				}
			}
		}
	}
}
