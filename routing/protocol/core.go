package protocol

import (
	"time"

	"routerd/routing"
)

// Core is a routing protocol as a value. One goroutine at a time calls it.
type Core interface {
	// Step does what is due at the time now, then takes the input, and appends
	// to out what is to be done. Time never goes back. The first input is a
	// [Configure].
	Step(now time.Time, in Input, out []Effect) []Effect
	// Deadline is when Step has to be called at the latest, with a [Tick] if
	// there is nothing else; the zero Time while nothing waits.
	Deadline() time.Time
}

// Start is what a core is made of: its chance and the place of its routes.
type Start struct {
	// Seed is of all the core's randomness: with the same seed, inputs and
	// times it has the same effects.
	Seed uint64
	// Slots is where the core writes the routes that it offers. It belongs to
	// the core during Step, and to the driver between two Steps.
	Slots *routing.Slots
}

// Input is what can happen to a core: one of the types of this package, or one
// of the protocol's own.
type Input any

// Effect is what a core wants done: one of the types of this package, or one
// of the protocol's own.
type Effect any
