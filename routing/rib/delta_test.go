package rib

import (
	"testing"

	"routerd/routing"
)

// What one protocol says wrong does not cost the others their routes: their
// deltas come in one list.
func TestARefusedDeltaAlone(t *testing.T) {
	r := New()
	mustStep(t, r, Interface{ID: 1, Name: "lan0", Up: true})
	good := ospfRoute("203.0.113.0/24", "10.0.1.2", 1)
	bad := routing.Delta{Route: good[0].Route}
	bad.Route.Source = routing.SourceStatic
	if err := r.Step(t0, Deltas{bad, good[0]}); err == nil {
		t.Error("a protocol speaks for static routes, and nobody objects")
	}
	changes, _ := r.Flush()
	if len(changes) != 1 || changes[0].Entry == nil || changes[0].Entry.Source != routing.SourceOSPF {
		t.Errorf("the fib changes by %+v, want ospf's route in it", changes)
	}
}
