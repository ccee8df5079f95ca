package sim

import (
	"testing"
	"time"

	"routerd/routing/rip"
)

// A neighbour that stops answering ARP while its link keeps its carrier is lost
// to RIP as soon as that is found out, and not when its routes time out: the
// packets that find it out take another way from then on.
func TestSilentNeighborIsLostToRIP(t *testing.T) {
	s := newSite(7, 3)
	s.join(t, Faults{Delay: time.Millisecond}, 0, 1)
	s.join(t, Faults{Delay: time.Millisecond}, 1, 2)
	s.join(t, Faults{Delay: time.Millisecond}, 0, 2)
	s.begin(t)
	run(t, s.Network, 2*time.Minute)
	from, to := s.Nodes[0], stubOf(1)
	by := func() string {
		r, ok := machineOf(from, rip.RIP).Route(to)
		if !ok || len(r.Paths) == 0 {
			return "nobody"
		}
		return r.Paths[0].NextHop.String()
	}
	direct := by()
	s.Links[0].SetSilent(true)
	for range 60 { // traffic finds the neighbour out
		probe(t, s.Network, 0, 1, 1)
		run(t, s.Network, time.Second)
		if by() != direct && by() != "nobody" {
			return
		}
	}
	t.Errorf("60 s after its link fell silent, %v is still reached by %s", to, by())
}
