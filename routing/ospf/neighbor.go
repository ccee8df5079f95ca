package ospf

// NeighborState is the state of a conversation with a neighbour (RFC 2328 §10.1),
// in the order of how far it has come.
type NeighborState uint8

const (
	NeighborDown NeighborState = iota
	NeighborAttempt
	NeighborInit
	NeighborTwoWay
	NeighborExStart
	NeighborExchange
	NeighborLoading
	NeighborFull
	numNeighborStates
)

var neighborStates = [...]string{"down", "attempt", "init", "2-way", "exstart", "exchange", "loading", "full"}

// String gives the name used in tables and JSON.
func (s NeighborState) String() string {
	if s >= numNeighborStates {
		return "unknown"
	}
	return neighborStates[s]
}

// NeighborEvent is what changes the state of a neighbour (RFC 2328 §10.2).
type NeighborEvent uint8

const (
	HelloReceived NeighborEvent = iota
	Start
	TwoWayReceived
	NegotiationDone
	ExchangeDone
	BadLSReq
	LoadingDone
	AdjOK
	SeqNumberMismatch
	OneWayReceived
	KillNbr
	InactivityTimer
	LLDown
	numNeighborEvents
)

var neighborEvents = [...]string{
	"HelloReceived", "Start", "2-WayReceived", "NegotiationDone", "ExchangeDone", "BadLSReq", "LoadingDone", "AdjOK?",
	"SeqNumberMismatch", "1-WayReceived", "KillNbr", "InactivityTimer", "LLDown",
}

// String gives the RFC's name, for tables and logs.
func (e NeighborEvent) String() string {
	if e >= numNeighborEvents {
		return "unknown"
	}
	return neighborEvents[e]
}

// NeighborAction is what has to be done when a neighbour's state changes: a set.
type NeighborAction uint8

const (
	// Greet sends a Hello to the neighbour.
	Greet NeighborAction = 1 << iota
	// StartInactivity starts the inactivity timer anew, StopInactivity ends it.
	StartInactivity
	StopInactivity
	// ClearLists empties the lists of retransmission, of the summary of the database
	// and of requests.
	ClearLists
	// Negotiate begins an exchange: the next DD sequence number, the router as the
	// master, and empty Descriptions with I, M and MS until the neighbour answers.
	Negotiate
	// Summarize lists the database for the neighbour; what has MaxAge goes to the
	// list of retransmission.
	Summarize
	// Request sends Requests, or goes on to.
	Request
)

// Conditions are what some entries of the state machine depend on.
type Conditions struct {
	Adjacent  bool // see [Adjacent]
	Requested bool // the list of requests is not empty
}

// neighborRow is an entry of the state machine: in the states from first to last.
// Stay is that the state does not change.
type neighborRow struct {
	first, last NeighborState
	event       NeighborEvent
	to          NeighborState
	do          NeighborAction
	choose      func(NeighborState, Conditions) (NeighborState, NeighborAction)
}

const stay = numNeighborStates

// neighborRows is RFC 2328 §10.3, in its order.
var neighborRows = []neighborRow{
	{first: NeighborDown, last: NeighborDown, event: Start, to: NeighborAttempt, do: Greet | StartInactivity},
	{first: NeighborAttempt, last: NeighborAttempt, event: HelloReceived, to: NeighborInit, do: StartInactivity},
	{first: NeighborDown, last: NeighborDown, event: HelloReceived, to: NeighborInit, do: StartInactivity},
	{first: NeighborInit, last: NeighborFull, event: HelloReceived, to: stay, do: StartInactivity},
	{first: NeighborInit, last: NeighborInit, event: TwoWayReceived, choose: becomeAdjacent},
	{first: NeighborExStart, last: NeighborExStart, event: NegotiationDone, to: NeighborExchange, do: Summarize},
	{first: NeighborExchange, last: NeighborExchange, event: ExchangeDone, choose: exchanged},
	{first: NeighborLoading, last: NeighborLoading, event: LoadingDone, to: NeighborFull},
	{first: NeighborTwoWay, last: NeighborTwoWay, event: AdjOK, choose: becomeAdjacent},
	{first: NeighborExStart, last: NeighborFull, event: AdjOK, choose: stayAdjacent},
	{first: NeighborExchange, last: NeighborFull, event: SeqNumberMismatch, to: NeighborExStart, do: ClearLists | Negotiate},
	{first: NeighborExchange, last: NeighborFull, event: BadLSReq, to: NeighborExStart, do: ClearLists | Negotiate},
	{first: NeighborDown, last: NeighborFull, event: KillNbr, to: NeighborDown, do: ClearLists | StopInactivity},
	{first: NeighborDown, last: NeighborFull, event: LLDown, to: NeighborDown, do: ClearLists | StopInactivity},
	{first: NeighborDown, last: NeighborFull, event: InactivityTimer, to: NeighborDown, do: ClearLists},
	{first: NeighborTwoWay, last: NeighborFull, event: OneWayReceived, to: NeighborInit, do: ClearLists},
	{first: NeighborTwoWay, last: NeighborFull, event: TwoWayReceived, to: stay},
	{first: NeighborInit, last: NeighborInit, event: OneWayReceived, to: stay},
}

func becomeAdjacent(_ NeighborState, c Conditions) (NeighborState, NeighborAction) {
	if c.Adjacent {
		return NeighborExStart, Negotiate
	}
	return NeighborTwoWay, 0
}

func stayAdjacent(s NeighborState, c Conditions) (NeighborState, NeighborAction) {
	if c.Adjacent {
		return s, 0
	}
	return NeighborTwoWay, ClearLists
}

func exchanged(_ NeighborState, c Conditions) (NeighborState, NeighborAction) {
	if c.Requested {
		return NeighborLoading, Request
	}
	return NeighborFull, 0
}

// Next gives the state after the event, and what has to be done. An event that has
// no entry for the state changes nothing, and ok is false.
func (s NeighborState) Next(e NeighborEvent, c Conditions) (to NeighborState, do NeighborAction, ok bool) {
	for i := range neighborRows {
		r := &neighborRows[i]
		switch {
		case r.event != e || s < r.first || s > r.last:
			continue
		case r.choose != nil:
			to, do = r.choose(s, c)
			return to, do, true
		case r.to == stay:
			return s, r.do, true
		}
		return r.to, r.do, true
	}
	return s, 0, false
}

// Changes reports whether a neighbour's change of state is the event NeighborChange
// of its interface: whether it hears the router is another matter now (RFC 2328
// §9.2).
func (s NeighborState) Changes(to NeighborState) bool {
	return (s >= NeighborTwoWay) != (to >= NeighborTwoWay)
}

// Adjacent reports whether a neighbour in 2-Way or above should be adjacent (RFC 2328
// §10.4): on networks that elect, if the router or the neighbour is one of the
// elected. Neighbor is its name there.
func Adjacent(t NetworkType, e Elected, neighbor Candidate) bool {
	return !t.Elects() || e.State >= InterfaceBackup || neighbor.Name == e.DR || neighbor.Name == e.BDR
}
