package ospf

import (
	"errors"
	"slices"

	"routerd/routing"
	"routerd/routing/ospf/wire"
)

// ClearNeighbors is an input that ends adjacencies, which form again: those with a
// router, or with all where Router is 0, on an interface, or on all with
// NoInterface. Only the latter are of virtual links too.
type ClearNeighbors struct {
	Interface routing.InterfaceID
	Router    wire.ID
}

// ClearCounters is an input that sets the counters of an interface and of its
// neighbours to zero, or of all interfaces with NoInterface.
type ClearCounters struct{ Interface routing.InterfaceID }

var errCleared = errors.New("somebody has cleared it")

func (m *Machine) clearNeighbors(x ClearNeighbors) {
	for _, l := range m.order {
		if !l.active() || x.Interface != routing.NoInterface && x.Interface != l.id {
			continue
		}
		for _, n := range slices.Clone(l.neighbors) {
			if (x.Router == 0 || x.Router == n.router) && n.state > NeighborAttempt {
				m.lose(n, KillNbr, errCleared)
			}
		}
	}
}

func (m *Machine) clearCounters(x ClearCounters) {
	for _, l := range m.order {
		if x.Interface != routing.NoInterface && x.Interface != l.id {
			continue
		}
		l.counters, l.refused = Counters{}, LastRefusal{}
		for _, n := range l.neighbors {
			n.counters = NeighborCounters{}
		}
	}
}
