package fib

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"routerd/routing"
)

// A neighbour lives while no cause speaks against it or its link, whatever the
// order in which causes come and go; and none but the cause itself revives it.
func TestStateAgainstSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		states := NewStates()
		type place struct {
			address netip.Addr
			link    routing.InterfaceID
		}
		a := netip.MustParseAddr("10.0.0.1")
		places := []place{{link: 1}, {link: 2}, {a, 1}, {a, 2}, {netip.MustParseAddr("fe80::1"), 1}}
		dead := map[place]map[routing.Cause]bool{}
		var told, want []*State
		states.Observe(func(s *State) { told = append(told, s) })
		for _, p := range places {
			dead[p] = map[routing.Cause]bool{}
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			p := rapid.SampledFrom(places).Draw(t, "place")
			c := routing.Cause(rapid.IntRange(0, int(routing.NumCauses)-1).Draw(t, "cause"))
			alive := rapid.Bool().Draw(t, "alive")
			if dead[p][c] == alive {
				want = append(want, states.Neighbor(p.address, p.link))
			}
			states.Neighbor(p.address, p.link).Set(c, alive)
			dead[p][c] = !alive
			if !slices.Equal(told, want) {
				t.Fatalf("told of %d changes, want %d", len(told), len(want))
			}
			for _, p := range places {
				var want []routing.Cause
				for c := routing.Cause(0); c < routing.NumCauses; c++ {
					if dead[p][c] || dead[place{link: p.link}][c] {
						want = append(want, c)
					}
				}
				s := states.Neighbor(p.address, p.link)
				if s.Alive() != (len(want) == 0) || !slices.Equal(s.Causes(), want) {
					t.Fatalf("%v is alive: %v, against it %v; want %v", p, s.Alive(), s.Causes(), want)
				}
			}
		}
	})
}

func TestStateOfALink(t *testing.T) {
	states := NewStates()
	n := states.Neighbor(netip.MustParseAddr("10.0.0.1"), 3)
	if n.Link() != states.Link(3) || n.Link().Link() != nil {
		t.Error("the link of a neighbour is not its link, or a link has one")
	}
	if n.Number() != 2 || n.Link().Number() != 1 || new(State).Number() != 0 {
		t.Errorf("the link has number %d and the neighbour %d, want 1 and 2", n.Link().Number(), n.Number())
	}
	new(State).Set(routing.CauseNeighbor, false) // which nobody observes
	if states.Link(3) != states.Neighbor(netip.Addr{}, 3) {
		t.Error("destinations on the link itself have another state than the link")
	}
}

// Causes have writers of their own, which know nothing of each other.
func TestStateWriters(t *testing.T) {
	states := NewStates()
	s := states.Neighbor(netip.MustParseAddr("10.0.0.1"), 1)
	var told atomic.Uint32
	states.Observe(func(*State) { told.Add(1) })
	var writers sync.WaitGroup
	for c := routing.Cause(0); c < routing.NumCauses; c++ {
		writers.Go(func() {
			for i := range 1001 { // the last one says dead
				s.Set(c, i%2 == 1)
				_ = s.Alive()
			}
		})
	}
	writers.Wait()
	if want := 1001 * uint32(routing.NumCauses); told.Load() != want {
		t.Errorf("told of %d changes, want %d", told.Load(), want)
	}
	if n := len(s.Causes()); n != int(routing.NumCauses) {
		t.Errorf("%d causes are left, want all %d: a store of one was lost to another's", n, routing.NumCauses)
	}
}
