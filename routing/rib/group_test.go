package rib

import (
	"net/netip"
	"testing"

	"routerd/routing"
	"routerd/routing/fib"
)

// A link that goes down is avoided by the tables that are in use, before
// anything is decided anew, and used again when it is back.
func TestDeadLinkIsAvoidedAtOnce(t *testing.T) {
	r := New()
	link := func(id routing.InterfaceID, up bool) Interface {
		return Interface{ID: id, Name: string(rune('a' + id)), Up: up, Addresses: []Address{
			{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(id), 1}), 24)},
		}}
	}
	p := netip.MustParsePrefix("203.0.113.0/24")
	both := Deltas{{Route: routing.Route{Prefix: p, Source: routing.SourceOSPF, NextHops: []routing.NextHop{
		{Address: netip.MustParseAddr("10.0.1.2"), Interface: 1}, {Address: netip.MustParseAddr("10.0.2.2"), Interface: routing.NoInterface},
	}}}}
	mustStep(t, r, link(1, true), link(2, true), both)
	changes, _ := r.Flush()
	inUse := fib.Empty().Apply(changes).Get(p).Group
	shares := func() (n [3]int) {
		for hash := range uint32(1000) {
			n[inUse.Pick(hash*2654435761).Interface]++
		}
		return n
	}
	if n := shares(); n[1] == 0 || n[2] == 0 {
		t.Fatalf("the flows go by %v, want both", n)
	}
	for _, down := range []Input{link(2, false), InterfaceGone{2}} {
		mustStep(t, r, down)
		if n := shares(); n[2] != 0 {
			t.Errorf("after %+v, %d of the flows still go there", down, n[2])
		}
		mustStep(t, r, link(2, true))
		if n := shares(); n[2] == 0 {
			t.Error("the link is back, and no flow goes there")
		}
	}
	// Also where the group was made while the link was down.
	mustStep(t, r, link(2, false))
	r.Flush()
	mustStep(t, r, link(2, true))
	changes, _ = r.Flush()
	inUse = fib.Empty().Apply(changes).Get(p).Group
	if n := shares(); n[1] == 0 || n[2] == 0 {
		t.Errorf("after a flap the flows go by %v, want both", n)
	}
}
