package rib

import (
	"testing"

	"routerd/routing"
)

// What BGP has from a neighbour of the own network and what it has from another
// are one source's: the one takes the place of the other, in one step.
func TestBGPIsOneSource(t *testing.T) {
	const p = "203.0.113.0/24"
	external := routing.Slot{Prefix: pfx(p), NextHops: []routing.NextHop{{Address: ip("10.0.0.2"), Interface: routing.NoInterface}}}
	internal := external
	internal.NextHops = []routing.NextHop{{Address: ip("10.0.1.2"), Interface: routing.NoInterface}}
	internal.Internal = true
	tab := newTable(t)
	offer := func(s routing.Slot, offered bool) {
		t.Helper()
		if _, err := tab.TakeSlot(t0, routing.SourceBGP, 0, routing.Change{Slot: &s, Offered: offered}); err != nil {
			t.Fatal(err)
		}
		tab.flush()
	}
	want := func(source routing.Source, distance uint8, hops string) {
		t.Helper()
		list := tab.Get(pfx(p))
		if len(list) != 1 || list[0].Source != source || list[0].Distance != distance || tab.hops(p) != hops {
			t.Errorf("the table has %+v by %s, want one route of %v with distance %d by %s", list, tab.hops(p), source, distance, hops)
		}
	}
	offer(external, true)
	want(routing.SourceEBGP, 20, "10.0.0.2@lan0")
	offer(internal, true)
	want(routing.SourceIBGP, 200, "10.0.1.2@lan1")
	if got := tab.Stats().Routes; got[routing.SourceEBGP] != [2]int{} || got[routing.SourceIBGP] != [2]int{1, 0} {
		t.Errorf("%v routes are offered, want one of ibgp", got)
	}
	offer(external, true)
	want(routing.SourceEBGP, 20, "10.0.0.2@lan0")

	// It withdraws what it has, and what it has not offered again is swept,
	// whichever it was.
	offer(internal, true)
	offer(external, false)
	if list := tab.Get(pfx(p)); len(list) != 0 || tab.hops(p) != "-" {
		t.Errorf("the table has %+v after it was withdrawn", list)
	}
	offer(internal, true)
	mustStep(t, tab.RIB, Stale{Source: routing.SourceBGP})
	if list := tab.Get(pfx(p)); !list[0].Stale {
		t.Error("a route of ibgp is fresh although bgp has restarted")
	}
	mustStep(t, tab.RIB, Sweep{Source: routing.SourceBGP})
	tab.flush()
	if list := tab.Get(pfx(p)); len(list) != 0 {
		t.Errorf("the table has %+v after a sweep", list)
	}
}

// Neither kind is redistributed to BGP, which offers both.
func TestBGPGetsNoRoutesOfBGP(t *testing.T) {
	for _, source := range []routing.Source{routing.SourceEBGP, routing.SourceIBGP} {
		err := New().Step(t0, Subscribe{
			Name: "bgp", Speaks: []routing.Source{routing.SourceBGP}, Redistribute: []Redistribution{{Source: source}},
		})
		if err == nil {
			t.Errorf("routes of %v are redistributed to bgp", source)
		}
	}
}

// No other source's routes are of two kinds.
func TestOnlyBGPIsInternal(t *testing.T) {
	s := routing.Slot{Prefix: pfx("203.0.113.0/24"), Action: routing.Blackhole, Internal: true}
	if _, err := New().TakeSlot(t0, routing.SourceOSPF, 0, routing.Change{Slot: &s, Offered: true}); err == nil {
		t.Error("a route of ospf is internal, and nobody objects")
	}
}
