package bfd

import "routerd/routing/bfd/wire"

// event is what moves a session: the state that its neighbour says it is in, or
// that it was silent for the detection time.
type event uint8

const (
	heardAdminDown = event(wire.AdminDown)
	heardDown      = event(wire.Down)
	heardInit      = event(wire.Init)
	heardUp        = event(wire.Up)
	silent         = event(wire.Up + 1)
	numEvents      = silent + 1
)

// step is where an event leads. The diagnostic counts where the state changes
// to Down.
type step struct {
	to   wire.State
	diag wire.Diagnostic
}

// transitions is the state machine of RFC 5880 §6.2 and §6.8.6. A session that
// is AdminDown stays there whatever is heard.
var transitions = [...][numEvents]step{
	wire.AdminDown: {},
	wire.Down: {
		heardAdminDown: {to: wire.Down},
		heardDown:      {to: wire.Init},
		heardInit:      {to: wire.Up},
		heardUp:        {to: wire.Down}, // it has to see first that the session is down
		silent:         {to: wire.Down},
	},
	wire.Init: {
		heardAdminDown: {wire.Down, wire.NeighborSignaledDown},
		heardDown:      {to: wire.Init},
		heardInit:      {to: wire.Up},
		heardUp:        {to: wire.Up},
		silent:         {wire.Down, wire.DetectionTimeExpired},
	},
	wire.Up: {
		heardAdminDown: {wire.Down, wire.NeighborSignaledDown},
		heardDown:      {wire.Down, wire.NeighborSignaledDown},
		heardInit:      {to: wire.Up},
		heardUp:        {to: wire.Up},
		silent:         {wire.Down, wire.DetectionTimeExpired},
	},
}
