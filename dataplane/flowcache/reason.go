package flowcache

import "routerd/dataplane"

// End says why a flow is not carried any more.
type End uint8

const (
	EndCleared   End = iota // somebody has asked for it
	EndIdle                 // no packet has come for a while
	EndReturned             // its packets go faster by the stages
	EndRoute                // a route has changed
	EndInterface            // an interface has
	EndSettings             // another setting has
	EndHop                  // a next hop of a group has died or come back
	EndNeighbor             // the neighbour has another link address, or none
	EndSession              // its session has ended

	NumEnds
)

var ends = [NumEnds]struct{ word, sentence string }{
	EndCleared:   {"cleared", "it was cleared"},
	EndIdle:      {"idle", "no packet of it came for a while"},
	EndReturned:  {"returned", "its many small packets go faster by the router itself, or it is found out whether they do"},
	EndRoute:     {"route", "a route to its destination or source changed"},
	EndInterface: {"interface", "the interface that it came in by or left by changed"},
	EndSettings:  {"settings", "the configuration changed what becomes of it"},
	EndHop:       {"next-hop", "a next hop of a group died or came back"},
	EndNeighbor:  {"neighbor", "its next hop got another link address, or lost its own"},
	EndSession:   {"session", "its session ended"},
}

// String gives a word for e, as counters and JSON have it.
func (e End) String() string { return ends[e].word }

// Sentence says it to a user.
func (e End) Sentence() string { return ends[e].sentence }

// Refusal says why a flow that was offered is not carried: one of
// dataplane.Uncarried, or one of those below, which are numbered behind them.
type Refusal uint8

const (
	RefusedFull   = Refusal(dataplane.NumUncarried) + iota // there are as many flows as there may be
	RefusedSlower                                          // its small packets go faster by the stages
	RefusedBusy                                            // too many flows were offered at once
	RefusedMoving                                          // what it depends on changed while it was decided
	RefusedKernel                                          // the kernel did not take the entry

	NumRefusals
)

var refusals = [...]struct{ word, sentence string }{
	{"full", "the flow cache is full"},
	{"slower", "has many small packets, which go faster by the router itself"},
	{"busy", "was offered together with too many others"},
	{"moving", "depends on something that was just changing"},
	{"kernel", "could not be given to the kernel"},
}

// String gives a word for r, as counters and JSON have it.
func (r Refusal) String() string {
	if r < RefusedFull {
		return dataplane.Uncarried(r).String()
	}
	return refusals[r-RefusedFull].word
}

// Sentence says about the flow of c, to a user, why the kernel does not carry it.
func (r Refusal) Sentence(c *dataplane.Carriage) string {
	if r < RefusedFull {
		return dataplane.Uncarried(r).Sentence(c)
	}
	return refusals[r-RefusedFull].sentence
}
