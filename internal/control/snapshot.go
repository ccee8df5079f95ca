package control

import (
	"time"

	"routerd/arp"
	"routerd/dataplane"
	"routerd/internal/verdict"
	"routerd/routing/rib"
)

// Snapshot has all counters at one moment, for Prometheus. It is not part of
// the JSON contract.
type Snapshot struct {
	Version    Version
	Workers    []WorkerSnapshot
	Interfaces []InterfaceSnapshot
	FIB4, FIB6 int // entries
	RIB4, RIB6 int // prefixes that a route is offered for
	RIB        rib.Stats
	Generation uint64
	// Reloads since the start, not counting the start itself.
	ReloadsOK, ReloadsFailed uint64
	Applied                  time.Time // when the running configuration was applied
	Differs                  *bool     // from the file; nil if not known
	Hops, UnusableHops       int       // next hops of routes
	Neighbors                []NeighborCount
	NeighborEvents           arp.Counters
	NAT                      *NATSnapshot  // nil where nothing is translated
	ACL                      *ACLSnapshot  // nil where nothing is filtered
	Flows                    *FlowSnapshot // nil where the kernel carries none
	Steps                    StepSnapshot
	CertificateEnds          time.Time // of what HTTPS shows; zero where there is none
}

// StepBounds are the bounds, in seconds, of the histogram of the steps of the
// router's owner.
var StepBounds = [...]float64{0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 1}

// StepSnapshot is how long the steps of the router's owner took: how many up to
// each of the StepBounds, how many there were, and all their time in seconds.
type StepSnapshot struct {
	UpTo    [len(StepBounds)]uint64
	Steps   uint64
	Seconds float64
}

// NeighborCount is the number of neighbours of an Ethernet interface in a
// state.
type NeighborCount struct {
	Interface string
	State     arp.State
	Count     int
}

// WorkerSnapshot has the counters of one worker, which is identified by
// Interface and the number of its Queue.
type WorkerSnapshot struct {
	Interface string
	Queue     int
	Batches   uint64
	Verdicts  [verdict.Count]uint64
	Answers   [dataplane.NumAnswers]uint64
}

// InterfaceSnapshot has the traffic counters of one interface.
type InterfaceSnapshot struct {
	Name           string
	Up             bool
	MTU            int
	Received, Sent Traffic
	Offload        *Offload // nil where the kernel is not to carry flows, or cannot by kind
}
