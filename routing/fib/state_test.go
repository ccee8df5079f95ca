package fib

import (
	"net/netip"
	"slices"
	"sync"
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
		for _, p := range places {
			dead[p] = map[routing.Cause]bool{}
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			p := rapid.SampledFrom(places).Draw(t, "place")
			c := routing.Cause(rapid.IntRange(0, int(routing.NumCauses)-1).Draw(t, "cause"))
			alive := rapid.Bool().Draw(t, "alive")
			states.Neighbor(p.address, p.link).Set(c, alive)
			dead[p][c] = !alive
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
	if states.Link(3) != states.Neighbor(netip.Addr{}, 3) {
		t.Error("destinations on the link itself have another state than the link")
	}
}

// Causes have writers of their own, which know nothing of each other.
func TestStateWriters(t *testing.T) {
	states := NewStates()
	s := states.Neighbor(netip.MustParseAddr("10.0.0.1"), 1)
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
	if n := len(s.Causes()); n != int(routing.NumCauses) {
		t.Errorf("%d causes are left, want all %d: a store of one was lost to another's", n, routing.NumCauses)
	}
}
