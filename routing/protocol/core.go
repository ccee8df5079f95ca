package protocol

import (
	"time"

	"routerd/routing"
)

// Core is a routing protocol without goroutines of its own. One goroutine at a
// time calls it.
type Core interface {
	// Step does what is due at the time now, processes the input, and appends
	// the effects to out. Time never goes back. The first input is a
	// [Configure].
	Step(now time.Time, in Input, out []Effect) []Effect
	// Deadline is when Step must be called at the latest, with a [Tick] if
	// there is no other input; the zero Time if nothing is due.
	Deadline() time.Time
}

// Start has what a core is made with: the seed of its randomness and the slots
// for its routes.
type Start struct {
	// Seed is the source of all the core's randomness: the same seed, inputs
	// and times give the same effects.
	Seed uint64
	// Slots is where the core writes the routes that it offers. It belongs to
	// the core during Step, and to the driver between two Steps.
	Slots *routing.Slots
}

// Input is an event for a core: one of the types of this package, or one of the
// protocol's own.
type Input any

// Effect is an action that a core asks for: one of the types of this package,
// or one of the protocol's own.
type Effect any
