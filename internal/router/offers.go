package router

import (
	"net/netip"
	"sync"

	"routerd/routing"
)

// Offers is where the protocols, each on a goroutine of its own, leave what
// they have to offer to the RIB until the router's owner takes it up. What is
// offered twice before that is kept once, the latest: so nobody ever waits for
// room here, and there is at most one entry for each prefix of each source.
type Offers struct {
	mu     sync.Mutex
	at     map[offer]int
	list   []routing.Delta
	spare  []routing.Delta // of the take before, empty
	signal chan struct{}
}

type offer struct {
	source routing.Source
	prefix netip.Prefix
}

func newOffers() *Offers {
	return &Offers{at: map[offer]int{}, signal: make(chan struct{}, 1)}
}

// Add leaves deltas. The slice stays the caller's, what its routes point to
// does not.
func (o *Offers) Add(deltas []routing.Delta) {
	if len(deltas) == 0 {
		return
	}
	o.mu.Lock()
	for _, d := range deltas {
		k := offer{d.Route.Source, d.Route.Prefix}
		if i, ok := o.at[k]; ok {
			o.list[i] = d
			continue
		}
		o.at[k] = len(o.list)
		o.list = append(o.list, d)
	}
	o.mu.Unlock()
	o.poke()
}

// poke has the owner look.
func (o *Offers) poke() {
	select {
	case o.signal <- struct{}{}:
	default: // the owner is about to look anyway
	}
}

// waiting reports whether there is anything to take.
func (o *Offers) waiting() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.list) > 0
}

// take gives everything that was left, and forgets it. Give the list back to
// done.
func (o *Offers) take() []routing.Delta {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := o.list
	o.list, o.spare = o.spare, nil
	if len(o.at) > keptOffers {
		o.at = map[offer]int{} // a map never shrinks
	}
	clear(o.at)
	return list
}

// keptOffers is how long a list is kept for the next offers, so that a burst
// that comes in many pieces does not leave one behind for each.
const keptOffers = 4096

// done takes a list back that is not used any more.
func (o *Offers) done(list []routing.Delta) {
	clear(list)
	if cap(list) > keptOffers {
		return
	}
	o.mu.Lock()
	o.spare = list[:0]
	o.mu.Unlock()
}
