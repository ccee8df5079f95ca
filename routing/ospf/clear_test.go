package ospf

import (
	"strings"
	"testing"
	"time"

	"routerd/routing"
)

// What is cleared comes back, and nothing else goes.
func TestClearNeighbors(t *testing.T) {
	w := shown(t)
	b := w.nodes[1]
	w.step(b, ClearNeighbors{Interface: routing.NoInterface, Router: ip("3.3.3.3")})
	if s := b.m.Summary(w.now); s.Neighbors[NeighborFull] != 1 {
		t.Errorf("%v neighbours by state, want one in full", s.Neighbors)
	}
	if log := strings.Join(b.events, "\n"); !strings.Contains(log, "somebody has cleared it") {
		t.Errorf("events %s, want it said why", log)
	}
	w.want(5*time.Minute, "full again", func() bool { return w.adjacent() && w.equal() })
	w.step(b, ClearNeighbors{Interface: 2})
	if list := b.m.Neighbors(); len(list) != 1 || list[0].Interface != 3 || list[0].State != NeighborFull {
		t.Errorf("neighbours %+v, want that of the other interface alone", list)
	}
	w.step(b, ClearNeighbors{Interface: routing.NoInterface})
	if list := b.m.Neighbors(); len(list) != 0 {
		t.Errorf("neighbours %+v, want none", list)
	}
	w.want(5*time.Minute, "full again", func() bool { return w.adjacent() && w.equal() })
}

func TestClearCounters(t *testing.T) {
	w := shown(t)
	b := w.nodes[1]
	w.step(b, ClearCounters{Interface: 2})
	list, others := b.m.Interfaces(), b.m.Neighbors()
	if list[1].Counters != (Counters{}) || list[2].Counters == (Counters{}) || others[0].Counters != (NeighborCounters{}) || others[1].Counters == (NeighborCounters{}) {
		t.Errorf("interfaces %+v, neighbours %+v; want those of eth2 zero", list, others)
	}
	w.step(b, ClearCounters{Interface: routing.NoInterface})
	if s := b.m.Summary(w.now); s.Counters != (Counters{}) || s.Neighbors[NeighborFull] != 2 {
		t.Errorf("%+v, want no counts, and the adjacencies there", s)
	}
}
