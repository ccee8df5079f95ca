package router

import (
	"slices"

	"routerd/routing/rib"
)

// Followed is what has become of routes since the last TakeFollowed.
type Followed struct {
	// Touched are the prefixes whose routes may be others.
	Touched []rib.Touched
	// By are the names of the protocols that have said something of routes or of
	// next hops.
	By []string
}

// Follow sets whether TakeFollowed tells what becomes of routes.
func (r *Router) Follow(on bool) {
	r.following = on
	r.rib.Follow(on)
}

// TakeFollowed returns what has become of routes since the last call. Each slice
// of the owner's work adds only as much as it settles.
func (r *Router) TakeFollowed() Followed {
	f := r.followed
	r.followed = Followed{}
	return f
}

// heardOf notes that a protocol has said so many things.
func (r *Router) heardOf(p *Protocol, things int) {
	if r.following && things > 0 && !slices.Contains(r.followed.By, p.Name) {
		r.followed.By = append(r.followed.By, p.Name)
	}
}
