package rib

import (
	"net/netip"
	"time"

	"routerd/routing"
)

// Watched says what who watches a next hop of static routes has found out, see
// [StaticNextHop]. Packets pass over it before the RIB hears of it, by its state.
// Interface is NoInterface of a hop that names none.
type Watched struct {
	Address   netip.Addr
	Interface routing.InterfaceID
	Alive     bool
}

func (Watched) input() {}

// setWatched takes in that a hop died or lives again: static routes are used
// without it, or by it.
func (r *RIB) setWatched(now time.Time, in Watched) {
	hop := trackedHop{in.Address, in.Interface}
	if r.deadHops[hop] == !in.Alive {
		return
	}
	if in.Alive {
		delete(r.deadHops, hop)
	} else {
		r.deadHops[hop] = true
	}
	r.bindLater(now)
}

// obstacle is why a next hop cannot be used whatever the table says.
type obstacle struct {
	missing string // name of the interface, if there is none of that name
	dead    bool   // who watches it says so
}
