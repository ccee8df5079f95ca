package ospf

// NetworkType is the type of the network that an interface is attached to (RFC
// 2328 §1.2, §9).
type NetworkType uint8

const (
	Broadcast NetworkType = iota
	NBMA
	PointToPoint
	PointToMultipoint
	Virtual
	// NetworkByKind, in a configuration, is the type that the kind of the interface
	// suggests: broadcast, or point-to-point.
	NetworkByKind
)

var networkTypes = [...]string{"broadcast", "nbma", "point-to-point", "point-to-multipoint", "virtual", "auto"}

// String gives the name used in configuration, tables and JSON.
func (t NetworkType) String() string {
	if int(t) >= len(networkTypes) {
		return "unknown"
	}
	return networkTypes[t]
}

// Elects reports whether the network has a designated router.
func (t NetworkType) Elects() bool { return t == Broadcast || t == NBMA }

// InterfaceState is the state of an interface (RFC 2328 §9.1), in the order of how
// far it works.
type InterfaceState uint8

const (
	InterfaceDown InterfaceState = iota
	InterfaceLoopback
	InterfaceWaiting
	InterfacePointToPoint
	InterfaceDROther
	InterfaceBackup
	InterfaceDR
	numInterfaceStates
)

var interfaceStates = [...]string{"down", "loopback", "waiting", "point-to-point", "dr-other", "backup", "dr"}

// String gives the name used in tables and JSON.
func (s InterfaceState) String() string {
	if s >= numInterfaceStates {
		return "unknown"
	}
	return interfaceStates[s]
}

// InterfaceEvent is what changes the state of an interface (RFC 2328 §9.2).
type InterfaceEvent uint8

const (
	InterfaceUp InterfaceEvent = iota
	WaitTimer
	BackupSeen
	NeighborChange
	LoopInd
	UnloopInd
	InterfaceGone // InterfaceDown
	numInterfaceEvents
)

// InterfaceAction is what has to be done when an interface's state changes: a set.
type InterfaceAction uint8

const (
	// StartHello begins to send Hellos.
	StartHello InterfaceAction = 1 << iota
	// StartWait starts the timer of the time for which nobody is elected.
	StartWait
	// StartEligible has NBMA neighbours that may become DR greeted: the event Start.
	StartEligible
	// RunElection elects the DR; what the router is then is the new state.
	RunElection
	// Reset forgets all: timers end, and each neighbour gets the event KillNbr.
	Reset
)

// interfaceRow is an entry of the state machine: in the states from first to last.
type interfaceRow struct {
	first, last InterfaceState
	event       InterfaceEvent
	to          func(InterfaceState, NetworkType, bool) (InterfaceState, InterfaceAction)
}

// interfaceRows is RFC 2328 §9.3, in its order.
var interfaceRows = []interfaceRow{
	{InterfaceDown, InterfaceDown, InterfaceUp, comesUp},
	{InterfaceWaiting, InterfaceWaiting, BackupSeen, elects},
	{InterfaceWaiting, InterfaceWaiting, WaitTimer, elects},
	{InterfaceDROther, InterfaceDR, NeighborChange, elects},
	{InterfaceDown, InterfaceDR, InterfaceGone, func(InterfaceState, NetworkType, bool) (InterfaceState, InterfaceAction) {
		return InterfaceDown, Reset
	}},
	{InterfaceDown, InterfaceDR, LoopInd, func(InterfaceState, NetworkType, bool) (InterfaceState, InterfaceAction) {
		return InterfaceLoopback, Reset
	}},
	{InterfaceLoopback, InterfaceLoopback, UnloopInd, func(InterfaceState, NetworkType, bool) (InterfaceState, InterfaceAction) {
		return InterfaceDown, 0
	}},
}

func comesUp(_ InterfaceState, t NetworkType, eligible bool) (InterfaceState, InterfaceAction) {
	switch {
	case !t.Elects():
		return InterfacePointToPoint, StartHello
	case !eligible:
		return InterfaceDROther, StartHello
	case t == NBMA:
		return InterfaceWaiting, StartHello | StartWait | StartEligible
	}
	return InterfaceWaiting, StartHello | StartWait
}

func elects(s InterfaceState, _ NetworkType, _ bool) (InterfaceState, InterfaceAction) {
	return s, RunElection
}

// Next gives the state after the event, and what has to be done. Eligible is whether
// the router's priority is above 0. With RunElection the state is what [Elect] says.
// An event that has no entry for the state changes nothing.
func (s InterfaceState) Next(e InterfaceEvent, t NetworkType, eligible bool) (InterfaceState, InterfaceAction) {
	for i := range interfaceRows {
		if r := &interfaceRows[i]; r.event == e && r.first <= s && s <= r.last {
			return r.to(s, t, eligible)
		}
	}
	return s, 0
}
