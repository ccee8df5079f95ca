package router

import (
	"time"

	"routerd/routing/rib"
)

// Waiting signals that Poll has something to do.
func (r *Router) Waiting() <-chan struct{} { return r.offers.signal }

// Poll takes up what the protocols have offered, and publishes what follows
// from it. It reports whether there was anything.
func (r *Router) Poll(now time.Time) (bool, error) {
	offers := r.offers.take()
	if len(offers) == 0 {
		return false, nil
	}
	err := r.rib.Step(now, rib.Deltas(offers))
	r.publish()
	return true, err
}

// Deadline is when Poll has something to do at the latest, the zero Time
// while nothing is due.
func (r *Router) Deadline() time.Time { return time.Time{} }
