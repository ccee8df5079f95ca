package bgp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"routerd/routing"
	"routerd/routing/bgp/wire"
	"routerd/routing/protocol"
)

// A neighbour that BFD finds dead loses its session, which is tried again.
func TestWatched(t *testing.T) {
	w := newNetwork(t, 1)
	a, b := w.router(65001), w.router(65002)
	w.peer(a, b, nil)
	a.config.Neighbors[0].BFD = &BFD{Profile: "fast"}
	w.start()
	w.run(time.Minute)
	w.established()
	path := protocol.Path{Link: routing.NoInterface, Address: netip.MustParseAddr("10.0.1.2")}
	if !slices.Equal(a.watches, []protocol.Effect{protocol.Watch{Path: path, Profile: "fast"}}) {
		t.Fatalf("asked BFD for %+v", a.watches)
	}
	state := protocol.NeighborState{Link: path.Link, Address: path.Address, Cause: routing.CauseNeighbor}
	w.step(a, state)
	if a.downs() != 0 {
		t.Error("another cause than BFD ends the session")
	}
	state.Cause = routing.CauseBFD
	w.step(a, state)
	w.want(a, ownPrefix(1), "none", "")
	w.run(time.Second / 2)
	if !slices.Contains(b.events, "session down received cease: BFD down") {
		t.Errorf("events of the neighbour: %v", b.events)
	}
	w.run(time.Minute)
	w.established()
	w.want(a, ownPrefix(1), "65002", "10.0.1.2")
	w.configure(a) // the same
	a.config.Neighbors[0].BFD = &BFD{Profile: "slow"}
	w.configure(a)
	a.config.Neighbors[0].BFD = nil
	w.configure(a)
	want := []protocol.Effect{protocol.Watch{Path: path, Profile: "fast"}, protocol.Watch{Path: path, Profile: "slow"}, protocol.Unwatch{Path: path}}
	if !slices.Equal(a.watches, want) || a.downs() != 1 {
		t.Errorf("asked BFD for %+v, want %+v; down %d times", a.watches, want, a.downs())
	}
}

// Strict: there is no session before BFD has found the neighbour, and none after it has
// lost it.
func TestWatchedStrictly(t *testing.T) {
	for seed := range uint64(20) {
		w := newNetwork(t, seed)
		a, b := w.router(65001), w.router(65002)
		w.peer(a, b, nil)
		a.config.Neighbors[0].BFD = &BFD{Strict: true, Hold: 20 * time.Second}
		w.start()
		w.run(15 * time.Second)
		n := a.machine.Neighbors()[0]
		if n.State != OpenConfirm || !n.AwaitsBFD || b.machine.Neighbors()[0].State == Established {
			t.Fatalf("seed %d: %v, waits for BFD %v; the neighbour is %v", seed, n.State, n.AwaitsBFD, b.machine.Neighbors()[0].State)
		}
		if !b.machine.order[0].session.Theirs().Capabilities.BFDStrict {
			t.Fatal("the neighbour was not told that BFD comes first")
		}
		told := false // RFC 9384: subcode 10
		for range 100 {
			w.run(time.Second / 10)
			n := b.machine.Neighbors()[0].Last
			told = told || n.Received && n.Notification.Subcode == wire.CeaseBFDDown
		}
		if last := b.machine.Neighbors()[0].Last; !told {
			t.Fatalf("seed %d: after 20 s without BFD the neighbour has not heard of it; %+v", seed, last)
		}
		found := func(alive bool) {
			w.step(a, protocol.NeighborState{
				Link: routing.NoInterface, Address: netip.MustParseAddr("10.0.1.2"), Cause: routing.CauseBFD, Alive: alive,
			})
		}
		found(true)
		w.run(time.Minute)
		w.established()
		w.want(b, ownPrefix(0), "65001", "10.0.1.1")
		if a.downs() != 0 || b.downs() != 0 {
			t.Errorf("seed %d: sessions ended that never were: %v, %v", seed, a.events, b.events)
		}
		found(false)
		w.run(5 * time.Minute)
		if n := a.machine.Neighbors()[0]; n.State == Established || a.downs() != 1 {
			t.Fatalf("seed %d: without BFD it is %v, down %d times", seed, n.State, a.downs())
		}
		found(true)
		w.run(3 * time.Minute)
		w.established()
	}
}
