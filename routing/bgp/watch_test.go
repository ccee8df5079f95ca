package bgp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"routerd/routing"
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
	if !slices.Contains(b.events, "session down the neighbour has sent cease: BFD down") {
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
